//! Proxies and root certificates from the environment. Each case runs in a child process with its own environment.

use crate::support::{RawServer, ServerAction, response_bytes, token, with_session};
use copresence_client::{ApiClient, BackendWithRoutes, CallError, NoRecorder, Timeouts, install_crypto_provider};
use copresence_protocol::DownloadUrl;
use futures_util::TryStreamExt as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const BASE_URL: &str = "CLIENT_TEST_BASE_URL";
const DOWNLOAD_URL: &str = "CLIENT_TEST_DOWNLOAD_URL";
const SECURE_DOWNLOAD_URL: &str = "CLIENT_TEST_SECURE_DOWNLOAD_URL";
const LATE_ROOTS: &str = "CLIENT_TEST_LATE_ROOTS";
/// A host name that does not resolve, so that only a proxy can respond.
const UNRESOLVABLE_URL: &str = "http://copresence.invalid/";

/// Not a test: the part of the other tests that runs in a child process.
#[tokio::test]
async fn child_process() {
    let Ok(base) = std::env::var(BASE_URL) else { return };
    let backend = BackendWithRoutes::copresence_backend_from_url(base.parse().expect("a URL"));
    let time_outs = Timeouts { connect: Duration::from_secs(5), ..Timeouts::default() };
    let outcome = match ApiClient::new(backend, with_session(), time_outs, Arc::new(NoRecorder)) {
        Ok(api) => match api.send_redeem_request(&token()).await {
            Ok(response) => format!("status {}", response.status),
            Err(CallError::NeverSent(cause)) => format!("never sent: {:?}", cause.kind),
            Err(error) => format!("failed: {error}"),
        },
        Err(error) => format!("no client: {error}"),
    };
    println!("outcome: {outcome}");
}

/// Not a test: the part of a test that runs in a child process. Opens a download, which a public backend sent.
#[tokio::test]
async fn child_process_with_download() {
    let Ok(url) = std::env::var(DOWNLOAD_URL) else { return };
    let backend = BackendWithRoutes::copresence_backend_from_url(UNRESOLVABLE_URL.parse().expect("a URL"));
    let api = ApiClient::new(backend, with_session(), Timeouts::default(), Arc::new(NoRecorder)).expect("an API");
    let url = DownloadUrl::new(&url).expect("a URL");
    let outcome = match api.open_download(&url, None).await {
        Ok(download) => format!("status {}", download.status),
        Err(error) => format!("{error}"),
    };
    println!("outcome: {outcome}");
}

/// Not a test: the part of a test that runs in a child process. Downloads a file from a server with a certificate.
#[tokio::test]
async fn child_process_with_secure_download() {
    let Ok(url) = std::env::var(SECURE_DOWNLOAD_URL) else { return };
    let backend = BackendWithRoutes::copresence_backend_from_url(url.parse().expect("a URL"));
    let api = ApiClient::new(backend, with_session(), Timeouts::default(), Arc::new(NoRecorder)).expect("an API");
    let download = api.open_download(&DownloadUrl::new(&url).expect("a URL"), None).await.expect("a download");
    let (mut stream, mut bytes) = (download.stream, Vec::new());
    let end = loop {
        match stream.try_next().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break "whole",
            Err(error) if error.may_be_whole_response() => break "may be whole",
            Err(_) => break "interrupted",
        }
    };
    println!("outcome: {} {end}", String::from_utf8_lossy(&bytes));
}

/// Not a test: the part of a test that runs in a child process. Builds a client for https before and after the root
/// certificates are there.
#[test]
fn child_process_with_late_roots() {
    let Ok(roots) = std::env::var(LATE_ROOTS) else { return };
    let build = || {
        let backend = BackendWithRoutes::copresence_backend_from_url("https://localhost/".parse().expect("a URL"));
        let built = ApiClient::new(backend, with_session(), Timeouts::default(), Arc::new(NoRecorder));
        built.map_or_else(|error| error.to_string(), |_| "built".to_owned())
    };
    let first = build();
    std::fs::write(roots, new_issuer().pem()).expect("written");
    println!("outcome: {first}, then {}", build());
}

/// The outcome of one redeem in a process with this environment.
async fn redeem_in_child_process(base: &str, environment: &[(&str, &str)]) -> String {
    run_in_child_process("environment::child_process", (BASE_URL, base), environment).await
}

/// The outcome of a function of this file in a process with this environment.
async fn run_in_child_process(function: &str, input: (&str, &str), environment: &[(&str, &str)]) -> String {
    let mut command = tokio::process::Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", function, "--nocapture"]).env(input.0, input.1);
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    let output = command.envs(environment.iter().copied()).output().await.expect("a child process");
    let output = String::from_utf8(output.stdout).expect("UTF-8");
    let (_, outcome) = output.split_once("outcome: ").unwrap_or_else(|| panic!("{output}"));
    outcome.lines().next().expect("a line").to_owned()
}

fn json_action() -> ServerAction {
    ServerAction::Send(response_bytes("200 OK", &[], "{}"))
}

async fn json_server() -> RawServer {
    RawServer::start(vec![json_action()]).await
}

fn new_issuer() -> CertifiedIssuer<'static, KeyPair> {
    new_issuer_with_key(KeyPair::generate().expect("a key"))
}

fn new_issuer_with_key(key: KeyPair) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

async fn secure_server(issuer: &CertifiedIssuer<'static, KeyPair>) -> RawServer {
    secure_server_with_action(issuer, json_action()).await
}

async fn secure_server_with_action(issuer: &CertifiedIssuer<'static, KeyPair>, action: ServerAction) -> RawServer {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    server_with_certificate(certificate.der().clone(), &key, action).await
}

async fn server_with_certificate(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    action: ServerAction,
) -> RawServer {
    install_crypto_provider();
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a configuration");
    RawServer::start_tls(vec![action], TlsAcceptor::from(Arc::new(config))).await
}

/// The outcome of one redeem at a server with this certificate, if it is the only trusted one.
async fn redeem_trusting_only(trusted_pem: &str, server: &RawServer, host: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trusted.pem");
    std::fs::write(&file, trusted_pem).expect("written");
    let base = format!("https://{host}:{}/", server.port);
    redeem_in_child_process(&base, &[("SSL_CERT_FILE", path_str(&file))]).await
}

fn path_str(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[tokio::test]
#[cfg_attr(any(windows, target_os = "macos"), ignore = "the system's own store decides there")]
async fn a_certificate_is_trusted_if_the_environment_trusts_its_issuer() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, others) = (new_issuer(), new_issuer());
    let (our_file, other_file) = (folder.path().join("ours.pem"), folder.path().join("others.pem"));
    std::fs::write(&our_file, ours.pem()).expect("written");
    std::fs::write(&other_file, others.pem()).expect("written");
    // The verifier expects the file names of OpenSSL's c_rehash.
    let hashed = folder.path().join("certs");
    std::fs::create_dir(&hashed).expect("a folder");
    std::fs::write(hashed.join("0123abcd.0"), ours.pem()).expect("written");
    let server = secure_server(&ours).await;
    let base = format!("https://localhost:{}/", server.port);
    let by_file = redeem_in_child_process(&base, &[("SSL_CERT_FILE", path_str(&our_file))]).await;
    let by_folder = redeem_in_child_process(&base, &[("SSL_CERT_DIR", path_str(&hashed))]).await;
    let untrusted = redeem_in_child_process(&base, &[("SSL_CERT_FILE", path_str(&other_file))]).await;
    assert_eq!(by_file, "status 200");
    assert_eq!(by_folder, "status 200");
    assert_eq!(untrusted, "never sent: UntrustedIssuer");
    assert_eq!(server.heads().len(), 2);
}

/// Only a body that ends with its connection may be whole without the end of TLS.
#[tokio::test]
#[cfg_attr(any(windows, target_os = "macos"), ignore = "the system's own store decides there")]
async fn a_body_without_a_length_may_be_whole_although_tls_was_not_ended() {
    let issuer = new_issuer();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trusted.pem");
    std::fs::write(&file, issuer.pem()).expect("written");
    for (headers, is_ended, expected) in [
        ("", false, "file may be whole"),
        ("", true, "file whole"),
        ("Content-Length: 5\r\n", false, "file interrupted"),
        ("Content-Length: 4\r\n", false, "file whole"),
    ] {
        let reply = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}\r\nfile").into_bytes();
        let action = if is_ended { ServerAction::Send(reply) } else { ServerAction::SendWithoutTlsEnd(reply) };
        let server = secure_server_with_action(&issuer, action).await;
        let url = format!("https://localhost:{}/file", server.port);
        let outcome = run_in_child_process(
            "environment::child_process_with_secure_download",
            (SECURE_DOWNLOAD_URL, &url),
            &[("SSL_CERT_FILE", path_str(&file))],
        )
        .await;
        assert_eq!(outcome, expected, "{headers} {is_ended}");
    }
}

#[tokio::test]
#[cfg_attr(any(windows, target_os = "macos"), ignore = "the system's own store decides there")]
async fn a_certificate_of_tls_inspection_with_a_p521_key_is_verified() {
    let issuer = new_issuer_with_key(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).expect("a key"));
    let server = secure_server(&issuer).await;
    assert_eq!(redeem_trusting_only(&issuer.pem(), &server, "localhost").await, "status 200");
}

#[tokio::test]
#[cfg_attr(any(windows, target_os = "macos"), ignore = "the system's own store decides there")]
async fn a_self_signed_certificate_that_is_its_own_authority_is_named() {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    let server = server_with_certificate(certificate.der().clone(), &key, json_action()).await;
    let outcome = redeem_trusting_only(&certificate.pem(), &server, "localhost").await;
    assert_eq!(outcome, "never sent: AuthorityAsServer");
    assert!(server.heads().is_empty(), "no credential was sent");
}

#[tokio::test]
#[cfg_attr(any(windows, target_os = "macos"), ignore = "the system's own store decides there")]
async fn an_expired_certificate_and_one_of_another_host_are_named() {
    let issuer = new_issuer();
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = params.signed_by(&key, &issuer).expect("a certificate");
    let server = server_with_certificate(expired.der().clone(), &key, json_action()).await;
    let outcome = redeem_trusting_only(&issuer.pem(), &server, "localhost").await;
    assert_eq!(outcome, "never sent: CertificateNotValidNow");

    let server = secure_server(&issuer).await;
    let outcome = redeem_trusting_only(&issuer.pem(), &server, "127.0.0.1").await;
    assert_eq!(outcome, "never sent: CertificateOfOtherHost");
}

#[tokio::test]
#[cfg_attr(any(windows, target_os = "macos"), ignore = "the system's own store decides there")]
async fn without_root_certificates_only_http_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = path_str(folder.path());
    let none = [("SSL_CERT_FILE", "/nowhere/roots.pem"), ("SSL_CERT_DIR", empty)];
    let server = json_server().await;
    let plain = redeem_in_child_process(server.url("/").as_str(), &none).await;
    assert_eq!(plain, "status 200");
    let secure = redeem_in_child_process(&format!("https://localhost:{}/", server.port), &none).await;
    assert!(secure.starts_with("no client: no trusted root certificates"), "{secure}");
}

#[tokio::test]
#[cfg_attr(any(windows, target_os = "macos"), ignore = "the system's own store decides there")]
async fn root_certificates_that_could_not_be_read_are_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    let environment = [("SSL_CERT_FILE", path_str(&roots)), ("SSL_CERT_DIR", path_str(folder.path()))];
    let function = "environment::child_process_with_late_roots";
    let outcome = run_in_child_process(function, (LATE_ROOTS, path_str(&roots)), &environment).await;
    assert!(outcome.starts_with("no trusted root certificates") && outcome.ends_with(", then built"), "{outcome}");
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used() {
    let proxy = json_server().await;
    let address = proxy.url("/");
    let proxied = redeem_in_child_process(UNRESOLVABLE_URL, &[("HTTP_PROXY", address.as_str())]).await;
    assert_eq!(proxied, "status 200");
    let head = &proxy.heads()[0];
    assert!(head.starts_with("get http://copresence.invalid/redeemexporttoken http/1.1"), "{head}");
    let excepted = [("HTTP_PROXY", address.as_str()), ("NO_PROXY", "copresence.invalid")];
    let direct = redeem_in_child_process(UNRESOLVABLE_URL, &excepted).await;
    assert!(direct.starts_with("never sent: "), "{direct}");
    assert_eq!(proxy.heads().len(), 1);
}

#[tokio::test]
async fn a_redirect_behind_a_proxy_cannot_lead_to_this_machine() {
    let server = json_server().await;
    let location = format!("Location: {}", server.url("/internal?sig=bearer-secret"));
    let redirect = ServerAction::Send(response_bytes("302 Found", &[&location], ""));
    let proxy = RawServer::start(vec![redirect]).await;
    let outcome = run_in_child_process(
        "environment::child_process_with_download",
        (DOWNLOAD_URL, "http://files.invalid/a.glb"),
        &[("HTTP_PROXY", proxy.url("/").as_str())],
    )
    .await;
    assert!(outcome.starts_with("the backend's file URL redirected to 127.0.0.1:"), "{outcome}");
    assert!(!outcome.contains("bearer-secret"), "{outcome}");
    assert_eq!((proxy.heads().len(), server.heads().len()), (1, 0));
}

/// A SOCKS 5 proxy (RFC 1928) without a login that answers every request through it with `{}`. Returns its port, and a
/// receiver of the host names that were asked for.
async fn start_socks_proxy() -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut greeting = [0; 2];
            socket.read_exact(&mut greeting).await.expect("version and number of methods");
            socket.read_exact(&mut vec![0; greeting[1].into()]).await.expect("the methods");
            socket.write_all(&[5, 0]).await.expect("no login");
            let mut request = [0; 5];
            socket.read_exact(&mut request).await.expect("a request");
            assert_eq!(request[..4], [5, 1, 0, 3], "a connection to a host name");
            let mut host_and_port = vec![0; usize::from(request[4]) + 2];
            socket.read_exact(&mut host_and_port).await.expect("a host and a port");
            let host = &host_and_port[..host_and_port.len() - 2];
            _ = sender.send(String::from_utf8_lossy(host).into_owned());
            socket.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.expect("connected");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.expect("a request"));
            }
            socket.write_all(&response_bytes("200 OK", &[], "{}")).await.expect("answered");
        }
    });
    (port, receiver)
}

#[tokio::test]
async fn a_socks_proxy_of_the_environment_is_used_and_resolves_the_host_name() {
    let (port, mut hosts) = start_socks_proxy().await;
    let address = format!("socks5h://127.0.0.1:{port}");
    let proxied = redeem_in_child_process(UNRESOLVABLE_URL, &[("ALL_PROXY", address.as_str())]).await;
    assert_eq!(proxied, "status 200");
    assert_eq!(hosts.recv().await.as_deref(), Some("copresence.invalid"));
}

#[tokio::test]
async fn a_proxy_that_asks_for_a_login_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, new_issuer().pem()).expect("written");
    let reply = response_bytes("407 Proxy Authentication Required", &["Proxy-Authenticate: Basic realm=x"], "");
    let proxy = RawServer::start(vec![ServerAction::Send(reply)]).await;
    let address = proxy.url("/").to_string();
    let environment = [("HTTPS_PROXY", address.as_str()), ("SSL_CERT_FILE", path_str(&roots))];
    let refused = redeem_in_child_process("https://copresence.invalid/", &environment).await;
    assert_eq!(refused, "never sent: ProxyLogin");
}

#[tokio::test]
async fn a_proxy_that_refuses_the_tunnel_gets_no_credential() {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, new_issuer().pem()).expect("written");
    let proxy = RawServer::start(vec![ServerAction::Send(response_bytes("403 Forbidden", &[], ""))]).await;
    let environment = [("HTTPS_PROXY", proxy.url("/").to_string()), ("SSL_CERT_FILE", path_str(&roots).to_owned())];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let refused = redeem_in_child_process("https://copresence.invalid/", &environment).await;
    assert_eq!(refused, "never sent: Proxy");
    let heads = proxy.heads();
    assert!(heads[0].starts_with("connect copresence.invalid:443"), "{heads:?}");
    assert!(heads.iter().all(|head| !head.contains("x-copresence")), "{heads:?}");
}

#[tokio::test]
async fn loopback_addresses_do_not_use_the_proxy() {
    let (server, proxy) = (json_server().await, json_server().await);
    let direct = redeem_in_child_process(server.url("/").as_str(), &[("ALL_PROXY", proxy.url("/").as_str())]).await;
    assert_eq!(direct, "status 200");
    assert_eq!((server.heads().len(), proxy.heads().len()), (1, 0));
}
