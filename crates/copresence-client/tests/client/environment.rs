//! Proxies and root certificates from the environment. Each case runs in a child process with its own environment.

use crate::support::{RawServer, ServerAction, response_bytes, token, with_session};
use copresence_client::{ApiClient, Backend, CallError, NoRecorder, Timeouts, install_crypto_provider};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const BASE_URL: &str = "CLIENT_TEST_BASE_URL";
/// A host name that does not resolve, so that only a proxy can respond.
const UNRESOLVABLE_URL: &str = "http://copresence.invalid/";

/// Not a test: the part of the other tests that runs in a child process.
#[tokio::test]
async fn child_process() {
    let Ok(base) = std::env::var(BASE_URL) else { return };
    let backend = Backend::copresence_backend_from_url(base.parse().expect("a URL"));
    let time_outs = Timeouts { connect: Duration::from_secs(5), ..Timeouts::default() };
    let outcome = match ApiClient::new(backend, with_session(), time_outs, Arc::new(NoRecorder)) {
        Ok(api) => match api.redeem_token(&token()).await {
            Ok(response) => format!("status {}", response.status),
            Err(CallError::NeverSent(cause)) => format!("never sent: {:?}", cause.kind),
            Err(error) => format!("failed: {error}"),
        },
        Err(error) => format!("no client: {error}"),
    };
    println!("outcome: {outcome}");
}

/// The outcome of one redeem in a process with this environment.
async fn redeem_in_child_process(base: &str, environment: &[(&str, &str)]) -> String {
    let mut command = tokio::process::Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", "environment::child_process", "--nocapture"]).env(BASE_URL, base);
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    let output = command.envs(environment.iter().copied()).output().await.expect("a child process");
    let output = String::from_utf8(output.stdout).expect("UTF-8");
    let (_, outcome) = output.split_once("outcome: ").unwrap_or_else(|| panic!("{output}"));
    outcome.lines().next().expect("a line").to_owned()
}

async fn json_server() -> RawServer {
    RawServer::start(vec![ServerAction::Send(response_bytes("200 OK", &[], "{}"))]).await
}

fn new_issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

async fn secure_server(issuer: &CertifiedIssuer<'static, KeyPair>) -> RawServer {
    install_crypto_provider();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a configuration");
    let reply = vec![ServerAction::Send(response_bytes("200 OK", &[], "{}"))];
    RawServer::start_tls(reply, TlsAcceptor::from(Arc::new(config))).await
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
    assert_eq!(untrusted, "never sent: Tls");
    assert_eq!(server.heads().len(), 2);
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
