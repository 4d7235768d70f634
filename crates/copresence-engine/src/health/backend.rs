//! Checks whether the backend is reachable, with a free request without credentials, and whether this machine's clock
//! agrees with the `Date` of the response.

use super::{PartHealth, bad_part_health, doubtful_part_health, good_part_health, part, unknown_part_health};
use crate::profile::Profile;
use crate::setup::ProfileOrSandboxBackend;
use copresence_client::probe::{ProbeRequest, ProbeResponse, Prober};
use copresence_client::{
    CallError, CallKind, ConnectErrorKind, ErrorClass, NetworkGateKind, RedeemEndpoint, Timeouts, TokenSource,
};
use http::{Method, header};
use jiff::Timestamp;
use std::time::Duration;
use url::Url;

/// Maximum tolerated clock offset. A larger one breaks time-limited tokens and eventually TLS.
const MAX_CLOCK_OFFSET: Duration = Duration::from_mins(2);
/// Timeouts of a probe. Short, because the operator is waiting.
const PROBE_TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(5),
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(10),
};

const PROXY_LOGIN_REMEDY: &str = "Proxy: put user name and password into its address, http://USER:PASSWORD@HOST:PORT, where the proxy is \
     configured (HTTPS_PROXY; HTTP_PROXY for a backend without TLS; or ALL_PROXY)";

/// Checks the backend, the partner's hosts if there are any, and the clock. Sends one request per host, without
/// credentials and without an Export Token: a `GET` of the redeem endpoint, which the API refuses, or a `HEAD`.
pub async fn check_backend_and_clock(
    profile: &Profile,
    target: &ProfileOrSandboxBackend,
    now: impl Fn() -> Timestamp,
) -> Vec<PartHealth> {
    let mut views = Vec::new();
    let mut dates = Vec::new();
    for HostProbeRequest { part, url, method } in hosts_to_probe(profile, target) {
        let before = now();
        let result = send_probe_request(&url, method.clone()).await;
        let after = now();
        if let Ok(reply) = &result
            && let Some(date) = parse_date_header(reply)
        {
            dates.push(clock_offset_secs(date, before, after));
        }
        let mut health = health_of_probe(part, &url, &method, &result);
        if let Some(proxy) = copresence_client::find_proxy_for_url(&url) {
            health.seen = format!("{}; through {proxy}", health.seen);
        }
        views.push(health);
    }
    views.push(health_of_clock(&dates, target.is_embedded_sandbox));
    views
}

/// The request that shows whether a host answers.
struct HostProbeRequest {
    part: &'static str,
    url: Url,
    /// `GET` for the redeem endpoint, whose answer also shows whether it is the API that answers; otherwise `HEAD`.
    method: Method,
}

/// The hosts to probe, each once.
fn hosts_to_probe(profile: &Profile, target: &ProfileOrSandboxBackend) -> Vec<HostProbeRequest> {
    let routes = target.backend_with_profile_routes(profile);
    let head = |part, url: &Url| HostProbeRequest { part, url: url.clone(), method: Method::HEAD };
    let mut hosts = match &profile.redeem_route {
        RedeemEndpoint::Vendor => match routes.endpoint_url_from_path(copresence_protocol::headers::REDEEM_PATH) {
            Ok(url) => vec![HostProbeRequest { part: part::BACKEND, url, method: Method::GET }],
            Err(_) => vec![head(part::BACKEND, &target.api_url)],
        },
        RedeemEndpoint::Partner { url, .. } => {
            let redeem = HostProbeRequest { part: part::PARTNER, url: url.clone(), method: Method::GET };
            // Without a URL of its own, the backend is the partner's.
            let backend = profile.api_url.as_ref().filter(|backend| backend.origin() != url.origin());
            backend.map(|backend| head(part::BACKEND, backend)).into_iter().chain([redeem]).collect()
        }
    };
    if let TokenSource::Partner(partner) = &profile.token_source {
        hosts.push(head(part::PARTNER, &partner.url));
    }
    let mut origins = Vec::new();
    hosts.retain(|host| {
        let new = !origins.contains(&host.url.origin());
        origins.push(host.url.origin());
        new
    });
    hosts
}

/// Sends one request without credentials. Any HTTP response is a success; errors are those of the connection.
async fn send_probe_request(url: &Url, method: Method) -> Result<ProbeResponse, CallError> {
    let never = |words: String| {
        CallError::NeverSent(copresence_client::RequestNotSentError { kind: ConnectErrorKind::Other, detail: words })
    };
    let prober = Prober::new(PROBE_TIMEOUTS, url.scheme() == "https").map_err(|error| never(error.to_string()))?;
    let probe = ProbeRequest {
        call: CallKind::Redeem,
        method,
        url: url.clone(),
        headers: Vec::new(),
        body: None,
        token_pointer: None,
        max_body: copresence_client::MAX_BODY,
    };
    prober.send_probe(probe).await.map_err(|error| never(error.to_string()))?.response
}

/// The health of a host after a probe: judged from the response, or from the connection error, with the remedy for it.
fn health_of_probe(part: &str, url: &Url, method: &Method, result: &Result<ProbeResponse, CallError>) -> PartHealth {
    let host = url.host_str().unwrap_or_default();
    match result {
        Ok(reply) => health_of_response(part, host, url, method, reply),
        Err(CallError::NeverSent(cause)) => {
            let remedy = match cause.kind {
                ConnectErrorKind::NameNotFound => {
                    "DNS: check that this machine is on the network, and the host's name in the profile's `api_url`"
                }
                ConnectErrorKind::ConnectionRefused => {
                    "TCP: nothing listens on that port. Check the port in the profile's `api_url`, and that the backend runs"
                }
                ConnectErrorKind::Unreachable => "TCP: check cable, Wi-Fi and gateway of this machine",
                ConnectErrorKind::TimedOut => {
                    "TCP: a firewall may drop the packets. Allow the host in this network, or set HTTPS_PROXY"
                }
                ConnectErrorKind::UntrustedIssuer => {
                    "TLS: check this machine's root certificates (Debian: ca-certificates); a network that inspects TLS \
                     connections, or a backend with its own authority, needs that root in SSL_CERT_FILE"
                }
                ConnectErrorKind::AuthorityAsServer => {
                    "TLS: the backend's operators must install a server certificate; a self-signed one must be made \
                     without the right to issue others (openssl: -addext basicConstraints=critical,CA:FALSE)"
                }
                ConnectErrorKind::CertificateNotValidNow => {
                    "TLS: check this machine's clock; if it is right, the backend's operators must renew the certificate"
                }
                ConnectErrorKind::CertificateOfOtherHost => {
                    "TLS: check the host in the profile's `api_url`; a login page of this network may also be in between"
                }
                ConnectErrorKind::Tls => {
                    "TLS: check that the port in the profile's `api_url` is the one for https, and that nothing in \
                     between ends the connection"
                }
                ConnectErrorKind::Proxy => "Proxy: check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY",
                ConnectErrorKind::ProxyLogin => PROXY_LOGIN_REMEDY,
                ConnectErrorKind::Other => "Check the network, the proxy and the profile's `api_url`",
            };
            bad_part_health(part, format_args!("{host}: {cause}"), remedy)
        }
        Err(CallError::ResponseLost(evidence)) if evidence.status.is_none() => bad_part_health(
            part,
            format_args!("{host}: connected, but no response came ({evidence})"),
            "HTTP: the server does not speak HTTP, or hangs. Check the port in the profile's `api_url`, and the \
             backend itself",
        ),
        Err(error) => doubtful_part_health(
            part,
            format_args!("{host}: the response is incomplete ({error})"),
            "Check the network between here and the backend",
        ),
    }
}

/// The health of a host that responded to a probe: a gate that asks for a login is bad; any other gate, a server
/// without the API, a server error and a redirect are doubtful.
fn health_of_response(part: &str, host: &str, url: &Url, method: &Method, reply: &ProbeResponse) -> PartHealth {
    let status = reply.status;
    let reached = || good_part_health(part, format_args!("{host}: reached ({status})"));
    let Some(refusal) = reply.find_error_in_response(CallKind::Redeem, url) else { return reached() };
    let seen = format_args!("{host}: {refusal}");
    match &refusal.class {
        ErrorClass::Gate(gate) => match &gate.kind {
            NetworkGateKind::ProxyLogin => bad_part_health(part, seen, PROXY_LOGIN_REMEDY),
            NetworkGateKind::NetworkLogin { redirect_to: None } => {
                bad_part_health(part, seen, "Open a browser on this machine and log in to the network")
            }
            NetworkGateKind::NetworkLogin { .. } => doubtful_part_health(
                part,
                seen,
                "If that is this network's login page, log in with a browser; otherwise fix the profile's `api_url`",
            ),
            NetworkGateKind::Page if status >= 500 => doubtful_part_health(
                part,
                seen,
                "Wait; if it persists, tell the backend's operators, or those of the proxy if the page is its own",
            ),
            NetworkGateKind::PageInsteadOfAnswer | NetworkGateKind::Page | NetworkGateKind::Text => {
                doubtful_part_health(
                    part,
                    seen,
                    "Open that address in a browser on this machine: log in if the network asks for it, have the host \
                 allowed if a firewall or proxy blocks it, or fix the path in the profile's `api_url`",
                )
            }
        },
        // The answer to a `HEAD` says nothing about other methods.
        ErrorClass::NoApi | ErrorClass::Redirect { .. } if *method == Method::HEAD => reached(),
        ErrorClass::NoApi => doubtful_part_health(
            part,
            format_args!("{host}: there is no API at this address ({url}: status {status})"),
            "Check the path in the profile's `api_url` (or the partner's URL)",
        ),
        ErrorClass::Redirect { .. } => doubtful_part_health(
            part,
            seen,
            "Set the profile's `api_url` to the address that it redirects to, such as https instead of http",
        ),
        ErrorClass::ServerError => doubtful_part_health(
            part,
            format_args!("{host}: reached, but failing ({status})"),
            "Wait; if it persists, tell the backend's operators",
        ),
        // Without credentials, the API refuses.
        ErrorClass::CredentialsRejected
        | ErrorClass::TokenInactive
        | ErrorClass::RateLimited
        | ErrorClass::UnexpectedStatus => reached(),
    }
}

/// The time in the `Date` header of a response; `None` if it is absent or malformed.
fn parse_date_header(reply: &ProbeResponse) -> Option<Timestamp> {
    let date = reply.headers.get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
}

/// Seconds that this machine's clock is ahead of `date` (negative: behind). `before` and `after` enclose the response
/// on this machine's clock.
fn clock_offset_secs(date: Timestamp, before: Timestamp, after: Timestamp) -> i64 {
    if date < before {
        before.duration_since(date).as_secs()
    } else if date > after {
        -date.duration_since(after).as_secs()
    } else {
        0
    }
}

/// The health of this machine's clock, from its largest offset to the backend, in seconds. Unknown without any offset,
/// or for the embedded sandbox.
fn health_of_clock(off: &[i64], embedded: bool) -> PartHealth {
    let Some(worst) = off.iter().copied().max_by_key(|off| off.unsigned_abs()) else {
        return unknown_part_health(part::CLOCK, "no response had a `Date` header");
    };
    if embedded {
        return unknown_part_health(part::CLOCK, "the embedded sandbox has this machine's own clock");
    }
    if worst.unsigned_abs() <= MAX_CLOCK_OFFSET.as_secs() {
        return good_part_health(part::CLOCK, "agrees with the backend's");
    }
    let way = if worst > 0 { "ahead of" } else { "behind" };
    let by = humantime::format_duration(Duration::from_secs(worst.unsigned_abs()));
    let remedy = "Set it from the network (`timedatectl set-ntp true`; the system's date and time settings)";
    doubtful_part_health(part::CLOCK, format_args!("{by} {way} the backend's"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::PartHealthState;
    use crate::profile::Profiles;
    use std::net::SocketAddr;
    use test_port::ReservedPort;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().expect("a time")
    }

    /// Serves one connection with these bytes, and returns the request.
    async fn serve_once(bytes: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let asked = tokio::spawn(async move {
            let (mut line, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 8192];
            let count = line.read(&mut request).await.expect("a request");
            line.write_all(bytes).await.expect("written");
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        (address, asked)
    }

    fn profile_at(url: &str) -> (Profile, ProfileOrSandboxBackend) {
        crate::install_crypto_provider();
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("profiles.toml");
        let text = format!("[profiles.live]\napi_url = \"{url}\"\nlink = \"https://b.test/{{token}}\"\n");
        std::fs::write(&path, text).expect("written");
        let profile =
            Profiles::load_profiles(Some(&path)).and_then(|all| all.build_profile_by_name("live")).expect("usable");
        let target = ProfileOrSandboxBackend::backend_target_without_credentials(&profile).expect("a target");
        (profile, target)
    }

    async fn check_url(url: &str) -> Vec<PartHealth> {
        let (profile, target) = profile_at(url);
        check_backend_and_clock(&profile, &target, now).await
    }

    fn part_states(views: &[PartHealth]) -> Vec<(&str, PartHealthState)> {
        views.iter().map(|view| (view.part.as_str(), view.stand)).collect()
    }

    #[tokio::test]
    async fn any_response_proves_reachability_and_no_secret_is_sent() {
        let response = b"HTTP/1.1 403 Forbidden\r\nDate: Sun, 22 Nov 2026 09:59:10 GMT\r\nContent-Length: 0\r\n\r\n";
        let (address, asked) = serve_once(response).await;
        let views = check_url(&format!("http://{address}/parse")).await;
        assert_eq!(
            part_states(&views),
            [("backend", PartHealthState::Good), ("clock", PartHealthState::Good)],
            "{views:?}"
        );
        let asked = asked.await.expect("asked").to_lowercase();
        assert!(asked.starts_with("get /parse/redeemexporttoken ") && !asked.contains("x-copresence"), "{asked}");
    }

    #[tokio::test]
    async fn a_wrong_clock_is_reported_with_its_direction() {
        let response = b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 10:02:01 GMT\r\nContent-Length: 0\r\n\r\n";
        let (address, _asked) = serve_once(response).await;
        let views = check_url(&format!("http://{address}/")).await;
        let clock = views.last().expect("a clock");
        assert_eq!((clock.stand, clock.seen.as_str()), (PartHealthState::Doubtful, "2m 1s behind the backend's"));
    }

    #[tokio::test]
    async fn connection_problems_are_distinguished() {
        let unused = ReservedPort::reserve_port().expect("a port");
        let refused = check_url(&format!("http://{unused}/")).await;
        assert_eq!(part_states(&refused), [("backend", PartHealthState::Bad), ("clock", PartHealthState::Unknown)]);
        assert!(refused[0].remedy.as_deref().is_some_and(|remedy| remedy.starts_with("TCP")), "{refused:?}");

        let (address, _asked) = serve_once(b"SSH-2.0-OpenSSH\r\n").await;
        let no_http = check_url(&format!("http://{address}/")).await;
        assert_eq!(no_http[0].stand, PartHealthState::Bad);
        assert!(no_http[0].remedy.as_deref().is_some_and(|remedy| remedy.starts_with("HTTP")), "{no_http:?}");

        let (address, _asked) = serve_once(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let no_tls = check_url(&format!("https://{address}/")).await;
        assert_eq!(no_tls[0].stand, PartHealthState::Bad);
        assert!(no_tls[0].remedy.as_deref().is_some_and(|remedy| remedy.starts_with("TLS")), "{no_tls:?}");

        let name = check_url("http://nowhere.invalid/").await;
        assert_eq!(name[0].stand, PartHealthState::Bad);
        assert!(name[0].seen.starts_with("nowhere.invalid: "), "{name:?}");
    }

    #[tokio::test]
    async fn a_captive_portal_and_a_failing_backend_are_doubtful() {
        let portal = b"HTTP/1.1 302 Found\r\nLocation: http://login.hotel.test/\r\nContent-Length: 0\r\n\r\n";
        let (address, _asked) = serve_once(portal).await;
        let views = check_url(&format!("http://{address}/")).await;
        assert_eq!(views[0].stand, PartHealthState::Doubtful);
        assert!(views[0].seen.contains("login.hotel.test"), "{views:?}");
        let (address, _asked) = serve_once(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(check_url(&format!("http://{address}/")).await[0].stand, PartHealthState::Doubtful);
        let own = b"HTTP/1.1 301 Moved\r\nLocation: /parse/\r\nContent-Length: 0\r\n\r\n";
        let (address, _asked) = serve_once(own).await;
        assert_eq!(check_url(&format!("http://{address}/")).await[0].stand, PartHealthState::Doubtful);
    }

    #[tokio::test]
    async fn gates_and_a_wrong_path_in_api_url_are_told_apart() {
        for (status, body, stand, told) in [
            ("407 X", "", PartHealthState::Bad, "the proxy asks for a login"),
            ("511 X", "<html>", PartHealthState::Bad, "this network asks for a login"),
            ("200 OK", "<html><title>Hotel Wi-Fi</title>", PartHealthState::Doubtful, "“Hotel Wi-Fi”"),
            ("403 X", "<html><title>Blocked</title>", PartHealthState::Doubtful, "a gate in between"),
            ("502 X", "<html><title>Bad Gateway</title>", PartHealthState::Doubtful, "“Bad Gateway”"),
            ("404 X", "<pre>Cannot GET /redeemExportToken</pre>", PartHealthState::Doubtful, "there is no API"),
            ("404 X", r#"{"detail":"Not Found"}"#, PartHealthState::Doubtful, "there is no API"),
            ("401 X", r#"{"error":"unauthorized"}"#, PartHealthState::Good, "reached (401)"),
            ("400 X", "", PartHealthState::Good, "reached (400)"),
        ] {
            let length = body.len();
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            let (address, _asked) = serve_once(reply.leak().as_bytes()).await;
            let views = check_url(&format!("http://{address}/")).await;
            assert_eq!(views[0].stand, stand, "{views:?}");
            assert!(views[0].seen.contains(told), "{views:?}");
            assert_eq!(views[0].remedy.is_some(), stand != PartHealthState::Good, "{views:?}");
        }
    }

    #[test]
    fn each_host_including_the_partners_is_checked_once() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("profiles.toml");
        let text = "[profiles.game]\napi_url = \"https://a.test\"\nlink = \"https://b.test/{token}\"\n\
                    [profiles.game.partner]\nurl = \"https://game.test/token\"\nredeem_url = \"https://game.test/redeem\"\n";
        std::fs::write(&path, text).expect("written");
        let profile =
            Profiles::load_profiles(Some(&path)).and_then(|all| all.build_profile_by_name("game")).expect("usable");
        let target = ProfileOrSandboxBackend::backend_target_without_credentials(&profile).expect("a target");
        let hosts: Vec<_> =
            hosts_to_probe(&profile, &target).iter().map(|host| (host.part, host.url.to_string())).collect();
        assert_eq!(hosts, [("backend", "https://a.test/".into()), ("partner", "https://game.test/redeem".into())]);
    }
}
