//! Downloads from one-time URLs: one request per attempt, streamed, resumable by range.

use crate::download_error::{DownloadError, DownloadErrorKind};
use crate::file_host::{explain_misconfigured_public_url, has_html_escaped_query, host_and_port};
use crate::opened_download::{OpenedDownload, ResumePoint, download_from_response, is_weak_tag};
use crate::redact::Redactor;
use crate::redirect_cookies::RedirectCookies;
use crate::request_plan::CallRoute;
use crate::response_head::redirect_target;
use crate::transport::{HttpTransport, NoResponseReason, build_request_with_common_headers};
use crate::transport_error::{LostResponse, RequestNotSentError, ResponseLossKind};
use bytes::Bytes;
use copresence_protocol::DownloadUrl;
use http::{HeaderMap, HeaderValue, Method, header};
use std::fmt;
use tokio::time::Instant;
use url::Url;

/// Maximum number of redirects of a download.
const MAX_REDIRECTS: usize = 5;
/// Sends the request, follows redirects, and checks the response headers. `backend` is the URL of the backend that sent
/// the download URL, and `cookies` are those of earlier requests of the same download.
pub(crate) async fn open_download(
    transport: &HttpTransport,
    known: &Redactor,
    backend: &Url,
    url: &DownloadUrl,
    resume: Option<&ResumePoint>,
    cookies: &mut RedirectCookies,
) -> Result<OpenedDownload, DownloadError> {
    let mut at = Url::parse(url.expose_url()).map_err(|error| DownloadError {
        host: url.url_origin().into(),
        kind: unsendable_request_error(&error),
        hint: None,
        redirect_targets: Box::default(),
        has_unsent_credentials: false,
    })?;
    let has_unsent_credentials = !at.username().is_empty() || at.password().is_some();
    let mut targets = Vec::new();
    let result = open_and_follow_redirects(transport, known, (&mut at, &mut targets), resume, cookies).await;
    let result = result.map_err(|kind| {
        let hint = match &kind {
            DownloadErrorKind::ErrorStatus { status: 400..=499, .. } if has_html_escaped_query(&at) => Some(
                "the file URL contains `&amp;`: the backend escaped it for HTML and must send it as it is".to_owned(),
            ),
            DownloadErrorKind::ErrorStatus { status: 401 | 403, .. } if has_unsent_credentials => Some(
                "the file URL contains a user name, which downloads never send: the backend must send a URL that works \
                 without one"
                    .to_owned(),
            ),
            DownloadErrorKind::Interrupted { .. } | DownloadErrorKind::RangeNotSatisfiable { .. } => None,
            _ => explain_misconfigured_public_url(&at, backend),
        };
        let hint = hint
            .map(|hint| format!("{hint}. The Export Token is spent: correct the backend before the next visit").into());
        let redirect_targets = std::mem::take(&mut targets).into();
        DownloadError { host: host_and_port(&at).into(), kind, hint, redirect_targets, has_unsent_credentials }
    });
    result.map(|download| OpenedDownload { redirect_targets: targets, ..download })
}

/// Sends the request and follows redirects. `at` is the URL of the last request, and `targets` are those of all redirects.
async fn open_and_follow_redirects(
    transport: &HttpTransport,
    known: &Redactor,
    (at, targets): (&mut Url, &mut Vec<DownloadUrl>),
    resume: Option<&ResumePoint>,
    cookies: &mut RedirectCookies,
) -> Result<OpenedDownload, DownloadErrorKind> {
    let resume = resume.filter(|resume| resume.offset > 0);
    let first_byte = Instant::now() + transport.timeouts.connect + transport.timeouts.first_byte;
    let mut redactor = cookies.add_values_to_redactor(known.with_download_url_secrets(at));
    let mut behind: Option<u16> = None;
    for _ in 0..=MAX_REDIRECTS {
        let mut headers = download_request_headers(resume)?;
        headers.extend(cookies.build_cookie_header(at).map(|cookies| (header::COOKIE, cookies)));
        let route = CallRoute { method: Method::GET, url: at.clone(), headers };
        let request = build_request_with_common_headers(&route);
        let mut capture = transport.start_download_capture(&request, &redactor);
        let response = match transport.send_download_and_await_headers(request, first_byte, &redactor).await {
            Ok(response) => response,
            Err(headless) => {
                let ending = headless.to_exchange_outcome();
                let error = missing_response_error(headless, behind, at);
                let words = DownloadError::from_single_response(host_and_port(at), error.clone()).to_string();
                capture.finish_with_error(ending, words);
                return Err(error);
            }
        };
        capture.capture_response_headers(&response);
        let status = response.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            let mut opened = download_from_response(transport, redactor, response, capture, resume, first_byte).await;
            if let Err(DownloadErrorKind::ErrorStatus { after_redirect, .. }) = &mut opened {
                *after_redirect = behind.is_some();
            }
            return opened;
        }
        let target = redirect_target(&response);
        cookies.add_cookies_of_response(at, response.headers());
        redactor = cookies.add_values_to_redactor(redactor);
        capture.finish_with_complete_response();
        *at = allowed_redirect_target(at, status, target, transport.allows_https_to_http_downloads())?;
        targets.extend(DownloadUrl::new(at.as_str()));
        redactor = redactor.with_download_url_secrets(at);
        behind = Some(status);
    }
    let why = format!("more than {MAX_REDIRECTS} redirects");
    Err(DownloadErrorKind::RedirectNotFollowed { status: behind.unwrap_or_default(), why })
}

/// The headers of the request. A resumed download has `Range` and `If-Range`.
fn download_request_headers(resume: Option<&ResumePoint>) -> Result<HeaderMap, DownloadErrorKind> {
    let mut headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("*/*"))]);
    let Some(resume) = resume else { return Ok(headers) };
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| unsendable_request_error(&error));
    headers.insert(header::RANGE, value(&format!("bytes={}-", resume.offset))?);
    if let Some(validator) = resume.validator.as_ref().filter(|validator| !is_weak_tag(validator)) {
        headers.insert(header::IF_RANGE, value(validator)?);
    }
    Ok(headers)
}

/// The target of a redirect, if it may be followed: http(s) only, and from https to http only with `allows_http`.
fn allowed_redirect_target(
    from: &Url,
    status: u16,
    to: Option<Url>,
    allows_http: bool,
) -> Result<Url, DownloadErrorKind> {
    let refuse = |why: String| Err(DownloadErrorKind::RedirectNotFollowed { status, why });
    let Some(mut to) = to else { return refuse("it has no valid location".to_owned()) };
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => {}
        (_, "http") if allows_http => {}
        (_, "http") => {
            let origin = to.origin().ascii_serialization();
            return refuse(format!(
                "it leads from https to http at {origin}. To download the file all the same, set `downloads.allow_http = true` \
                 in the profile"
            ));
        }
        (_, other) => return refuse(format!("it leads to the scheme {other}")),
    }
    // A download never sends credentials, not even those in the URL of a redirect.
    if to.set_username("").is_err() || to.set_password(None).is_err() {
        return refuse("its location has no host".to_owned());
    }
    Ok(to)
}

/// The error for a request without a response. `behind` is the status of the redirect that led to the URL `at`.
fn missing_response_error(headless: NoResponseReason, behind: Option<u16>, at: &Url) -> DownloadErrorKind {
    let (loss, words) = match (headless, behind) {
        (NoResponseReason::TargetRefused(refused), _) => {
            let (after_redirect, may_be_allowed_later) =
                (behind.is_some(), behind.is_some() || refused.may_be_allowed_later());
            return DownloadErrorKind::TargetNotAllowed {
                after_redirect,
                may_be_allowed_later,
                why: refused.to_string(),
            };
        }
        (NoResponseReason::NeverSent(cause), None) => return DownloadErrorKind::NeverSent(cause),
        (NoResponseReason::ResponseLost(evidence), None) => return DownloadErrorKind::ResponseLost(evidence),
        // The server of the one-time URL responded, so the URL may be spent.
        (NoResponseReason::NeverSent(cause), Some(_)) => (ResponseLossKind::ConnectionLost, cause.to_string()),
        (NoResponseReason::ResponseLost(evidence), Some(_)) => (evidence.loss, evidence.to_string()),
    };
    let detail = format!("redirected to {}: {words}", at.origin().ascii_serialization());
    DownloadErrorKind::ResponseLost(LostResponse { loss, status: behind, body: Bytes::new(), detail })
}

/// The error for a URL or header value that cannot be sent.
fn unsendable_request_error(error: &dyn fmt::Display) -> DownloadErrorKind {
    let kind = crate::transport_error::ConnectErrorKind::Other;
    DownloadErrorKind::NeverSent(RequestNotSentError { kind, detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{DownloadUrlRuleExceptions, Timeouts};
    use crate::download_target::DownloadTargetRules;
    use futures_util::FutureExt as _;
    use std::sync::Arc;

    #[test]
    fn a_redirect_may_lead_to_https_but_not_to_http_or_other_schemes() {
        let go = |from: &str, to: &str| {
            let url = |text: &str| Url::parse(text).expect("a URL");
            allowed_redirect_target(&url(from), 302, Some(url(to)), false).map(|url| url.to_string())
        };
        assert_eq!(go("http://a.test/", "https://u:p@b.test/x").expect("followed"), "https://b.test/x");
        assert!(go("http://a.test/", "http://b.test/").is_ok());
        for (from, to) in [("https://a.test/", "http://b.test/s?sig=1"), ("http://a.test/", "file:///etc/passwd")] {
            let error = go(from, to).expect_err(to);
            let error = format!("{error:?}");
            assert!(!error.contains("sig") && !error.contains("passwd"), "{error}");
        }
        let [https, http] = ["https://a.test/", "http://a.test/"].map(|text| Url::parse(text).expect("a URL"));
        assert!(allowed_redirect_target(&http, 302, None, true).is_err());
        let followed = allowed_redirect_target(&https, 302, Some(http), true).expect("the operator allows it");
        assert_eq!(followed.as_str(), "http://a.test/");
    }

    /// Opens a download from a name that resolves to this machine, sent by a backend at `backend_ip`.
    async fn download_from_private_name(backend_ip: [u8; 4]) -> (Result<u16, DownloadErrorKind>, bool) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            tokio::io::AsyncReadExt::read(&mut socket, &mut [0; 1024]).await.expect("a request");
            tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await
        });
        let lookup: crate::download_target::HostLookup = Arc::new(move |name| {
            let ip = if name == "api.test" { backend_ip } else { [127, 0, 0, 1] };
            async move { Ok(vec![(ip, 0).into()]) }.boxed()
        });
        let backend = Url::parse("http://api.test/").expect("a URL");
        let rules = DownloadTargetRules::new(backend.clone(), DownloadUrlRuleExceptions::default(), lookup);
        let recorder = Arc::new(crate::exchange::NoRecorder);
        let transport = HttpTransport::new(Timeouts::default(), recorder, false, Some(rules)).expect("HTTP clients");
        let url = DownloadUrl::new(&format!("http://files.test:{port}/a.glb")).expect("a URL");
        let result =
            open_download(&transport, &Redactor::default(), &backend, &url, None, &mut RedirectCookies::default())
                .await;
        let was_connected = server.is_finished();
        server.abort();
        (result.map(|opened| opened.status).map_err(|error| error.kind), was_connected)
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_connected_to_only_for_a_private_backend() {
        let (result, was_connected) = download_from_private_name([203, 0, 113, 1]).await;
        let error = result.expect_err("refused");
        assert!(
            matches!(
                &error,
                DownloadErrorKind::TargetNotAllowed { after_redirect: false, may_be_allowed_later: true, why } if why.contains("127.0.0.1")
            ),
            "{error:?}"
        );
        assert!(!was_connected);
        let (result, _) = download_from_private_name([192, 168, 0, 1]).await;
        assert_eq!(result.expect("a response"), 200);
    }

    /// Answers the requests at an address of this machine with these bytes, and closes each connection.
    #[cfg(target_os = "linux")]
    async fn serve_at(address: ([u8; 4], u16), response: &'static [u8]) -> u16 {
        let listener = tokio::net::TcpListener::bind(std::net::SocketAddr::from(address)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                _ = tokio::io::AsyncReadExt::read(&mut socket, &mut [0; 1024]).await;
                _ = tokio::io::AsyncWriteExt::write_all(&mut socket, response).await;
            }
        });
        port
    }

    /// One of two servers of a host accepts connections, and fails.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn another_address_of_a_host_is_asked_after_a_failure() {
        use futures_util::TryStreamExt as _;
        const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for broken in
            [&b""[..], b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"]
        {
            let port = serve_at(([127, 0, 0, 2], 0), broken).await;
            serve_at(([127, 0, 0, 3], port), WHOLE).await;
            let lookup: crate::download_target::HostLookup =
                Arc::new(|_| async { Ok(vec![([127, 0, 0, 2], 0).into(), ([127, 0, 0, 3], 0).into()]) }.boxed());
            let backend = Url::parse(&format!("http://api.test:{port}/")).expect("a URL");
            let rules = DownloadTargetRules::new(backend.clone(), DownloadUrlRuleExceptions::default(), lookup);
            let recorder = Arc::new(crate::exchange::NoRecorder);
            let transport =
                HttpTransport::new(Timeouts::default(), recorder, false, Some(rules)).expect("HTTP clients");
            let url = DownloadUrl::new(&format!("http://files.test:{port}/a.glb")).expect("a URL");
            let mut cookies = RedirectCookies::default();
            let mut is_received = Vec::new();
            for _ in 0..3 {
                let known = Redactor::default();
                let opened = open_download(&transport, &known, &backend, &url, None, &mut cookies).await;
                is_received.push(match opened {
                    Ok(download) => download.stream.try_collect::<Vec<_>>().await.is_ok(),
                    Err(_) => false,
                });
            }
            assert_eq!(is_received, [false, true, true], "{}", String::from_utf8_lossy(broken));
        }
    }

    /// A network that asks for a login redirects every request, and answers for every host name.
    #[test]
    fn a_refused_target_may_pass_if_a_redirect_or_a_host_name_led_to_it() {
        use crate::download_target::TargetRefusalReason;
        let at = Url::parse("http://files.test/").expect("a URL");
        let private = std::net::IpAddr::from([10, 0, 0, 1]);
        for (refused, behind, expected) in [
            (TargetRefusalReason::PrivateAddress(private), None, false),
            (TargetRefusalReason::PlainHttp, None, false),
            (TargetRefusalReason::LoopbackName, None, false),
            (TargetRefusalReason::PrivateAddress(private), Some(302), true),
            (TargetRefusalReason::NameOfPrivateAddress(private), None, true),
        ] {
            let text = format!("{refused:?}");
            let kind = missing_response_error(NoResponseReason::TargetRefused(refused), behind, &at);
            let DownloadErrorKind::TargetNotAllowed { may_be_allowed_later, why, .. } = kind else {
                panic!("{kind:?}")
            };
            assert_eq!(may_be_allowed_later, expected, "{text}");
            assert!(why.contains("copresence recover"), "{why}");
        }
    }
}
