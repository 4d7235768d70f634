//! The server over TCP.

use crate::support::{API_KEY, SESSION, TOKEN};
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName, SandboxSettings, Server, StartError};
use std::net::SocketAddr;
use test_port::ReservedPort;

pub(crate) fn client() -> reqwest::Client {
    // Fails if another test of this process has installed it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visit_over_http_from_token_to_files() {
    let settings =
        SandboxSettings { scenario: BuiltInScenarioName::ExistingAvatar.into(), ..SandboxSettings::default() };
    let port = ReservedPort::reserve_port().expect("a port").hand_over_to_child_process();
    let listen = port.to_string().parse().expect("an address");
    let server = Server::start(settings, listen).await.expect("a free port");
    let (http, base) = (client(), server.local_url());
    let mut lines = server.subscribe_to_request_log();
    let known = server.sandbox().accepted_credentials();
    let url = |path: &str| base.join(path).expect("a URL");
    let generated = http
        .post(url("/generateExportToken"))
        .header(API_KEY, known.api_key.expose())
        .header(SESSION, known.session_token.expose())
        .send();
    let body: serde_json::Value = generated.await.expect("a response").json().await.expect("JSON");
    let token = body["token"].as_str().expect("a token");
    assert_eq!(server.qr_link_template(), format!("{base}phone?exportToken={{token}}"));
    let page = http.get(server.qr_link_template().replace("{token}", token)).send().await.expect("a response");
    assert_eq!(page.status(), 200);
    server.sandbox().associate_avatar(token, &AvatarChoice::New, None).expect("free");
    let redeem =
        || http.get(url("/redeemExportToken")).header(API_KEY, known.api_key.expose()).header(TOKEN, token).send();
    let ready: serde_json::Value = redeem().await.expect("a response").json().await.expect("JSON");
    for entry in ready["payload_complete"].as_array().expect("ready") {
        let file = http.get(entry["download_URL"].as_str().expect("a URL")).send().await.expect("a response");
        assert_eq!(file.status(), 200);
        let length = file.content_length().expect("a length");
        assert_eq!(file.bytes().await.expect("a whole body").len() as u64, length);
        let again = http.get(entry["download_URL"].as_str().expect("a URL")).send().await.expect("a response");
        assert_eq!(again.status(), 410);
    }
    assert_eq!(redeem().await.expect("a response").status(), 400);
    assert_eq!(http.get(url("/sandbox/state")).send().await.expect("a response").status(), 200);
    let first = lines.recv().await.expect("a line");
    assert_eq!((first.path.as_str(), first.peer.as_deref()), ("/generateExportToken", Some("127.0.0.1")));
    let address = server.listen_address();
    server.shut_down_server().await;
    assert!(std::net::TcpStream::connect(address).is_err(), "no program listens there any more");
}

#[tokio::test]
async fn port_in_use_is_reported() {
    let server = Server::start(SandboxSettings::default(), loopback()).await.expect("a free port");
    let error = Server::start(SandboxSettings::default(), server.listen_address()).await.err().expect("taken");
    assert!(matches!(error, StartError::PortInUse { .. }));
    let port = server.listen_address().port().to_string();
    assert!(error.to_string().contains(&port) && error.to_string().contains("--listen"), "{error}");
    server.shut_down_server().await;
}

#[tokio::test]
async fn server_on_all_addresses_has_a_phone_url() {
    let all = "0.0.0.0:0".parse().expect("an address");
    let server = Server::start(SandboxSettings::default(), all).await.expect("a free port");
    assert!(server.is_open_to_network());
    assert_eq!(server.local_url().host_str(), Some("127.0.0.1"));
    let phones = server.phone_url();
    assert_ne!(phones.host_str(), Some("0.0.0.0"));
    assert!(server.qr_link_template().starts_with(phones.as_str()));
    server.shut_down_server().await;
    let settings = SandboxSettings {
        public_url: Some("https://booth.test/s".parse().expect("a URL")),
        ..SandboxSettings::default()
    };
    let server = Server::start(settings, loopback()).await.expect("a free port");
    assert_eq!(server.qr_link_template(), "https://booth.test/s/phone?exportToken={token}");
    server.shut_down_server().await;
}

#[tokio::test]
async fn invalid_settings_are_refused() {
    let start = async |settings| Server::start(settings, loopback()).await.err().expect("refused").to_string();
    assert!(start(SandboxSettings { speed: 0.0, ..SandboxSettings::default() }).await.contains("speed"));
    assert!(start(SandboxSettings { api_key: " ".into(), ..SandboxSettings::default() }).await.contains("API key"));
    let gone = SandboxSettings { assets: Some("no/such/folder".into()), ..SandboxSettings::default() };
    assert!(start(gone).await.contains("no/such/folder"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_serves_the_api_and_applies_faults() {
    let list = br#"[{"on":"redeem","nth":2,"do":"reset"},{"on":"redeem","nth":3,"do":{"cut_body":{"after":3}}}]"#;
    let faults = copresence_sandbox::faults::parse_and_check_faults(list).expect("a list");
    let scenario = BuiltInScenarioName::ExistingAvatar.into();
    let settings = SandboxSettings {
        scenario,
        faults,
        tls: Some(copresence_sandbox::CertificateSource::SelfSigned),
        ..SandboxSettings::default()
    };
    let server = Server::start(settings, loopback()).await.expect("a free port");
    assert_eq!(server.local_url().scheme(), "https");
    assert!(server.qr_link_template().starts_with("https://"));
    assert_eq!(server.certificate_fingerprint().expect("a certificate").split(':').count(), 32);
    // Fails if another test of this process has installed it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().danger_accept_invalid_certs(true).build().expect("a client");
    let known = server.sandbox().accepted_credentials();
    let url = |path: &str| server.local_url().join(path).expect("a URL");
    let generate = http
        .post(url("/generateExportToken"))
        .header(API_KEY, known.api_key.expose())
        .header(SESSION, known.session_token.expose());
    let body: serde_json::Value = generate.send().await.expect("a response").json().await.expect("JSON");
    let token = body["token"].as_str().expect("a token");
    let redeem =
        || http.get(url("/redeemExportToken")).header(API_KEY, known.api_key.expose()).header(TOKEN, token).send();
    assert_eq!(redeem().await.expect("a response").status(), 200);
    assert!(redeem().await.is_err(), "reset");
    assert!(redeem().await.expect("a head").bytes().await.is_err(), "cut");
    server.sandbox().associate_avatar(token, &AvatarChoice::New, None).expect("free");
    let ready: serde_json::Value = redeem().await.expect("a response").json().await.expect("JSON");
    let download = ready["payload_complete"][2]["download_URL"].as_str().expect("a URL");
    assert!(download.starts_with("https://"), "{download}");
    assert_eq!(http.get(download).send().await.expect("a response").status(), 200);
    server.shut_down_server().await;
}
