//! Visits through mitmproxy.

use crate::avatar_files::generate_glb;
use crate::console::{Console, FinishedRun};
use crate::delivering_backend::DeliveringBackend;
use crate::nginx_server::{NginxServer, TLS_HOST};
use crate::proxy_server::ProxyServer;
use crate::{HarnessError, TestResult};
use std::time::Duration;
use test_port::ReservedPort;

/// A backend whose host name only the proxy can resolve, with a TLS end.
struct RemoteBackend {
    backend: DeliveringBackend,
    nginx: NginxServer,
    glb: Vec<u8>,
}

impl RemoteBackend {
    fn start(seed: u32) -> Result<Self, HarnessError> {
        let backend = DeliveringBackend::start()?;
        let glb = generate_glb(300_000, seed);
        let nginx = NginxServer::start_tls_for_backend(backend.port(), &glb)?;
        let file = nginx.glb_url("identity").replace("127.0.0.1", "files.example");
        backend.deliver(&[(file, "glb")]);
        Ok(Self { backend, nginx, glb })
    }

    /// A console that reaches the API by `http` or `https` through a proxy.
    fn console(&self, scheme: &str, proxy_url: &str, profile: &str) -> Result<Console, HarnessError> {
        let port = if scheme == "https" { self.nginx.tls_port() } else { self.backend.port() };
        // The files are served over http only.
        let allowed = format!("downloads.allow_http = {}", scheme == "https");
        let mut console = Console::new(&format!("api_url = \"{scheme}://{TLS_HOST}:{port}/1\"\n{allowed}\n{profile}"))?;
        console.set_env("COPRESENCE_API_KEY", "peer-api-key");
        console.set_env("COPRESENCE_SESSION_TOKEN", "peer-session-token");
        console.set_env("HTTP_PROXY", proxy_url);
        console.set_env("HTTPS_PROXY", proxy_url);
        Ok(console)
    }
}

#[track_caller]
fn assert_saved(visit: &FinishedRun, console: &Console, remote: &RemoteBackend) {
    visit.assert_exit(0);
    console.assert_only_avatar_has_files(&[("avatar.glb", &remote.glb)]);
}

#[test]
#[ignore = "needs mitmproxy, which `cargo xtask test` installs"]
fn visit_through_a_plain_proxy_saves_the_avatar() -> TestResult {
    let remote = RemoteBackend::start(30)?;
    let proxy = ProxyServer::start(&[])?;
    let console = remote.console("http", &proxy.url(), "")?;
    assert_saved(&console.visit()?, &console, &remote);
    let log = proxy.log()?;
    assert!(log.contains("redeemExportToken") && log.contains("avatar.glb"), "{log}");
    Ok(())
}

#[test]
#[ignore = "needs mitmproxy, which `cargo xtask test` installs"]
fn visit_through_a_connect_tunnel_saves_the_avatar() -> TestResult {
    let remote = RemoteBackend::start(31)?;
    // The proxy passes TLS through: the console sees the backend's own certificate.
    let proxy = ProxyServer::start(&["--ignore-hosts", ".*"])?;
    let mut console = remote.console("https", &proxy.url(), "")?;
    console.set_env("SSL_CERT_FILE", remote.nginx.root_certificate().to_string_lossy());
    assert_saved(&console.visit()?, &console, &remote);
    assert_eq!(remote.backend.issued_tokens(), 1);
    Ok(())
}

#[test]
#[ignore = "needs mitmproxy, which `cargo xtask test` installs"]
fn tls_inspection_works_with_its_root_in_ssl_cert_file_and_is_named_without() -> TestResult {
    let remote = RemoteBackend::start(32)?;
    let upstream = format!("ssl_verify_upstream_trusted_ca={}", remote.nginx.root_certificate().display());
    let proxy = ProxyServer::start(&["--set", &upstream])?;
    let mut console = remote.console("https", &proxy.url(), "")?;
    console.set_env("SSL_CERT_FILE", remote.nginx.root_certificate().to_string_lossy());
    let doctor = console.run(&["doctor"])?;
    doctor.assert_mentions("SSL_CERT_FILE");
    assert_eq!(remote.backend.issued_tokens(), 0);

    console.set_env("SSL_CERT_FILE", proxy.root_certificate().to_string_lossy());
    assert_saved(&console.visit()?, &console, &remote);
    assert!(proxy.log()?.contains("redeemExportToken"), "the proxy read the requests");
    Ok(())
}

#[test]
#[ignore = "needs mitmproxy, which `cargo xtask test` installs"]
fn proxy_that_asks_for_a_login_gets_the_one_in_its_url_or_is_named() -> TestResult {
    let remote = RemoteBackend::start(33)?;
    let proxy = ProxyServer::start(&["--proxyauth", "kiosk:proxy-pass-word", "--ignore-hosts", ".*"])?;
    for scheme in ["http", "https"] {
        let mut console = remote.console(scheme, &proxy.url_with_login("kiosk:proxy-pass-word"), "")?;
        console.set_env("SSL_CERT_FILE", remote.nginx.root_certificate().to_string_lossy());
        remote.backend.deliver(&[(remote.nginx.glb_url("identity").replace("127.0.0.1", "files.example"), "glb")]);
        let visit = console.visit()?;
        assert_saved(&visit, &console, &remote);
        visit.assert_never_mentions("proxy-pass-word");

        // Without the login the proxy answers 407.
        let mut console = remote.console(scheme, &proxy.url(), "patience = \"2s\"")?;
        console.set_env("SSL_CERT_FILE", remote.nginx.root_certificate().to_string_lossy());
        let doctor = console.run(&["doctor"])?;
        doctor.assert_mentions("407");
        doctor.assert_mentions(if scheme == "http" { "HTTP_PROXY" } else { "HTTPS_PROXY" });
        let visit = console.visit()?;
        visit.assert_exit(6);
        visit.assert_mentions("407");
        visit.assert_mentions("proxy");
    }
    Ok(())
}

#[test]
#[ignore = "needs mitmproxy, which `cargo xtask test` installs"]
fn visit_survives_a_restart_of_the_proxy() -> TestResult {
    check_visit_without_proxy_for(Duration::ZERO, 34)
}

#[test]
#[ignore = "needs mitmproxy, which `cargo xtask test` installs"]
fn download_url_on_localhost_of_a_remote_backend_is_its_misconfigured_public_url() -> TestResult {
    let remote = RemoteBackend::start(35)?;
    let nothing_listens = ReservedPort::reserve_port()?;
    remote
        .backend
        .deliver(&[(format!("http://localhost:{}/avatar.glb", nothing_listens.reserved_port_number()), "glb")]);
    let proxy = ProxyServer::start(&[])?;
    let mut console = remote.console("http", &proxy.url(), "patience = \"3s\"")?;
    console.set_env("NO_PROXY", "localhost,127.0.0.1");
    let visit = console.visit()?;
    visit.assert_exit(6);
    visit.assert_mentions("localhost");
    visit.assert_mentions("public URL is misconfigured");
    Ok(())
}

#[test]
#[ignore = "needs mitmproxy, which `cargo xtask test` installs"]
fn long_visit_survives_a_minute_without_the_proxy() -> TestResult {
    check_visit_without_proxy_for(Duration::from_mins(1), 36)
}

/// Kills the proxy while an avatar is made, from the first failed poll on for `outage`, and expects it to be saved with
/// one token. `seed` selects the backend's files.
fn check_visit_without_proxy_for(outage: Duration, seed: u32) -> TestResult {
    let remote = RemoteBackend::start(seed)?;
    remote.backend.set_not_ready_count(12);
    let mut proxy = ProxyServer::start(&[])?;
    let console = remote.console("http", &proxy.url(), "")?;
    let mut visit = console.start_visit()?;
    visit.wait_for("processing", |line| line["completion_status"] == "processing")?;
    proxy.kill();
    visit.wait_for_event("retrying")?;
    std::thread::sleep(outage);
    proxy.start_again()?;
    assert_saved(&visit.finish()?, &console, &remote);
    assert_eq!(remote.backend.issued_tokens(), 1);
    Ok(())
}
