//! One-time downloads: open, resume, interrupt.

use crate::support::{API_KEY, RawServer, SESSION, ServerAction, response_bytes, with_session};
use copresence_client::{
    ApiClient, BackendWithRoutes, DownloadError, DownloadErrorKind as Kind, DownloadUrlRuleExceptions,
    MAX_BYTES_BEFORE_RANGE, NoRecorder, OpenedDownload, ResponseLossKind, ResumePoint, Timeouts,
};
use copresence_protocol::DownloadUrl;
use futures_util::TryStreamExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use test_port::ReservedPort;

const PATH: &str = "/files/one?sig=bearer-secret";

pub(crate) struct DownloadAttempt {
    pub(crate) server: RawServer,
    pub(crate) result: Result<OpenedDownload, DownloadError>,
}

pub(crate) async fn open_download(actions: Vec<ServerAction>, resume: Option<ResumePoint>) -> DownloadAttempt {
    let server = RawServer::start(actions).await;
    let result = download_client().open_download(&download_url(&server), resume.as_ref()).await;
    if let Err(error) = &result {
        assert!(!format!("{error} {error:?}").contains("bearer-secret"), "{error}");
    }
    DownloadAttempt { server, result }
}

pub(crate) fn download_client() -> ApiClient {
    // A download does not use the backend. One on this machine may name files on this machine.
    client_of_backend("http://127.0.0.1:9/", DownloadUrlRuleExceptions::default())
}

fn client_of_backend(url: &str, download_exceptions: DownloadUrlRuleExceptions) -> ApiClient {
    let backend = BackendWithRoutes::copresence_backend_from_url(url.parse().expect("a URL"));
    let backend = BackendWithRoutes { download_exceptions, ..backend };
    ApiClient::new(backend, with_session(), Timeouts::default(), Arc::new(NoRecorder)).expect("an API")
}

fn download_url(server: &RawServer) -> DownloadUrl {
    DownloadUrl::new(server.url(PATH).as_str()).expect("a URL")
}

fn resume_point(offset: u64) -> ResumePoint {
    ResumePoint { offset, validator: Some("\"v1\"".to_owned()), total: Some(10) }
}

async fn read_download(download: OpenedDownload) -> (Vec<u8>, Option<DownloadError>) {
    let mut stream = download.stream;
    let mut bytes = Vec::new();
    loop {
        match stream.try_next().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, None),
            Err(error) => return (bytes, Some(error)),
        }
    }
}

/// What happened in a stream.
fn kind(error: Option<&DownloadError>) -> Option<&Kind> {
    error.map(|error| &error.kind)
}

#[tokio::test]
async fn a_whole_file_is_downloaded_with_its_metadata_and_without_credentials() {
    let headers = ["ETag: \"v1\"", "Content-Type: model/gltf-binary"];
    let opened = open_download(vec![ServerAction::Send(response_bytes("200 OK", &headers, "0123456789"))], None).await;
    let download = opened.result.expect("a download");
    assert_eq!((download.status, download.offset, download.total), (200, 0, Some(10)));
    assert_eq!(download.validator.as_deref(), Some("\"v1\""));
    assert_eq!(download.content_type.as_deref(), Some("model/gltf-binary"));
    let (bytes, error) = read_download(download).await;
    assert!(error.is_none());
    assert_eq!(bytes, b"0123456789");
    let head = &opened.server.heads()[0];
    assert!(head.starts_with("get /files/one?sig=bearer-secret http/1.1"), "{head}");
    assert!(!head.contains("x-copresence") && !head.contains(API_KEY) && !head.contains(SESSION), "{head}");
    assert!(head.contains("accept-encoding: identity") && !head.contains("range"), "{head}");
}

#[tokio::test]
async fn a_range_is_requested_and_received() {
    let reply = response_bytes("206 Partial Content", &["Content-Range: bytes 4-9/10"], "456789");
    let opened = open_download(vec![ServerAction::Send(reply)], Some(resume_point(4))).await;
    let download = opened.result.expect("a download");
    assert_eq!((download.status, download.offset, download.total), (206, 4, Some(10)));
    assert_eq!(read_download(download).await.0, b"456789");
    let head = &opened.server.heads()[0];
    assert!(head.contains("range: bytes=4-\r\n") && head.contains("if-range: \"v1\"\r\n"), "{head}");
}

#[tokio::test]
async fn a_whole_file_instead_of_the_range_starts_at_offset_zero() {
    let opened =
        open_download(vec![ServerAction::Send(response_bytes("200 OK", &[], "0123456789"))], Some(resume_point(4)))
            .await;
    assert_eq!(opened.result.expect("a download").offset, 0);
}

#[tokio::test]
async fn another_range_than_the_requested_one_is_rejected() {
    for range in ["bytes 5-9/10", "bytes 4-9/11", "bytes 4-10/10", "4-9/10", "bytes */10"] {
        let header = format!("Content-Range: {range}");
        let opened = open_download(
            vec![ServerAction::Send(response_bytes("206 Partial Content", &[&header], "456789"))],
            Some(resume_point(4)),
        )
        .await;
        assert!(matches!(opened.result, Err(DownloadError { kind: Kind::InvalidResponse(_), .. })), "{range}");
    }
    let opened = open_download(
        vec![ServerAction::Send(response_bytes("206 Partial Content", &[], "456789"))],
        Some(resume_point(4)),
    )
    .await;
    assert!(matches!(opened.result, Err(DownloadError { kind: Kind::InvalidResponse(_), .. })));
}

/// A server that sends whole blocks.
#[tokio::test]
async fn a_range_that_begins_before_the_requested_one_has_its_own_offset() {
    let reply = response_bytes("206 Partial Content", &["Content-Range: bytes 3-9/10"], "3456789");
    let download =
        open_download(vec![ServerAction::Send(reply)], Some(resume_point(4))).await.result.expect("a download");
    assert_eq!((download.offset, download.total), (3, Some(10)));
    let (bytes, error) = read_download(download).await;
    assert_eq!((bytes.as_slice(), error.is_none()), (b"3456789".as_slice(), true));
    let far = ResumePoint { offset: 4 * MAX_BYTES_BEFORE_RANGE, ..ResumePoint::default() };
    let reply = response_bytes("206 Partial Content", &["Content-Range: bytes 3-9999999/10000000"], "3456789");
    let result = open_download(vec![ServerAction::Send(reply)], Some(far)).await.result;
    assert!(matches!(result, Err(DownloadError { kind: Kind::InvalidResponse(_), .. })));
}

/// The URL is spent by the response, whatever its head says.
#[tokio::test]
async fn a_binary_file_behind_an_odd_head_is_the_file() {
    for (status, headers, total) in [
        ("201 Created", &[][..], Some(10)),
        ("202 Accepted", &[], Some(10)),
        ("206 Partial Content", &[], None),
        ("206 Partial Content", &["Content-Range: bytes=0-9/10"], None),
        ("206 Partial Content", &["Content-Range: bytes 0-9"], None),
    ] {
        let reply = ServerAction::Send(response_bytes(status, headers, "glTF\x02\0\0\0.."));
        let download = open_download(vec![reply], None).await.result.expect("a download");
        assert_eq!((download.offset, download.total), (0, total), "{status} {headers:?}");
        assert_eq!(download.has_unverifiable_end, total.is_none(), "{status} {headers:?}");
        let (bytes, error) = read_download(download).await;
        assert_eq!((bytes.as_slice(), error.is_none()), (b"glTF\x02\0\0\0..".as_slice(), true), "{status}");
        for other in ["", "{\"status\":\"pending\"}", "plain"] {
            let reply = ServerAction::Send(response_bytes(status, headers, other));
            let error = open_download(vec![reply], None).await.result.expect_err("no file");
            assert!(matches!(error.kind, Kind::ErrorStatus { .. } | Kind::InvalidResponse(_)), "{status} {error}");
        }
    }
    let parts = ["Content-Type: multipart/byteranges; boundary=x"];
    let reply = ServerAction::Send(response_bytes("206 Partial Content", &parts, "glTF\x02\0\0\0.."));
    assert!(open_download(vec![reply], None).await.result.is_err());
}

/// Chromium sends such bytes as they are, too.
#[tokio::test]
async fn a_redirect_whose_location_is_in_latin_1_is_followed() {
    let mut first = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /files/J\xf6rg?sig=1\r\n\r\n".to_vec();
    let actions =
        vec![ServerAction::Send(std::mem::take(&mut first)), ServerAction::Send(response_bytes("200 OK", &[], "0123"))];
    let opened = open_download(actions, None).await;
    assert_eq!(read_download(opened.result.expect("a download")).await.0, b"0123");
    let head = &opened.server.heads()[1];
    assert!(head.starts_with("get /files/j%f6rg?sig=1 "), "{head}");
}

/// RFC 9110, 15.3.4: a proxy that transforms a 200 sends 203.
#[tokio::test]
async fn a_203_is_the_whole_file() {
    let reply = response_bytes("203 Non-Authoritative Information", &[], "0123456789");
    for resume in [None, Some(resume_point(4))] {
        let opened = open_download(vec![ServerAction::Send(reply.clone())], resume).await;
        let download = opened.result.expect("a download");
        assert_eq!((download.status, download.offset, download.total), (203, 0, Some(10)));
        assert_eq!(read_download(download).await.0, b"0123456789");
    }
}

#[tokio::test]
async fn a_range_that_was_not_requested_is_used_if_it_begins_the_file() {
    let partial = |range: &str, body: &str| {
        let header = format!("Content-Range: {range}");
        vec![ServerAction::Send(response_bytes("206 Partial Content", &[&header], body))]
    };
    for (range, total) in [("bytes 0-9/10", Some(10)), ("bytes 0-9/*", None)] {
        let download = open_download(partial(range, "0123456789"), None).await.result.expect("a download");
        assert_eq!((download.offset, download.total), (0, total), "{range}");
        assert_eq!(download.has_unverifiable_end, total.is_none(), "{range}");
        let (bytes, error) = read_download(download).await;
        assert_eq!((bytes.as_slice(), error.is_none()), (b"0123456789".as_slice(), true), "{range}");
    }
    let download = open_download(partial("bytes 0-5/10", "012345"), None).await.result.expect("a download");
    let (bytes, error) = read_download(download).await;
    assert_eq!(bytes, b"012345");
    assert!(
        matches!(kind(error.as_ref()), Some(Kind::Interrupted { received: 6, expected: Some(10), .. })),
        "{error:?}"
    );
    for range in ["bytes 3-9/10", "bytes 0-10/10", "bytes */10", ""] {
        let result = open_download(partial(range, "3456789"), None).await.result;
        assert!(matches!(result, Err(DownloadError { kind: Kind::InvalidResponse(_), .. })), "{range}");
    }
}

#[tokio::test]
async fn a_range_that_ends_before_the_file_is_an_interrupted_download() {
    let reply = response_bytes("206 Partial Content", &["Content-Range: bytes 4-5/10"], "45");
    let (bytes, error) = read_download(
        open_download(vec![ServerAction::Send(reply)], Some(resume_point(4))).await.result.expect("a download"),
    )
    .await;
    assert_eq!(bytes, b"45");
    assert!(
        matches!(kind(error.as_ref()), Some(Kind::Interrupted { received: 6, expected: Some(10), .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_416_has_its_own_error() {
    let reply = response_bytes("416 Range Not Satisfiable", &["Content-Range: bytes */4"], "");
    let opened = open_download(vec![ServerAction::Send(reply)], Some(resume_point(4))).await;
    assert!(matches!(opened.result, Err(DownloadError { kind: Kind::RangeNotSatisfiable { total: Some(4) }, .. })));
}

#[tokio::test]
async fn an_error_status_may_have_spent_the_url() {
    for (status, code) in [("410 Gone", 410), ("403 Forbidden", 403), ("204 No Content", 204), ("500 Oops", 500)] {
        let opened =
            open_download(vec![ServerAction::Send(response_bytes(status, &["Retry-After: 3"], ""))], None).await;
        let error = opened.result.expect_err("refused");
        let Kind::ErrorStatus { status, retry_after, reason: None, .. } = &error.kind else { panic!("{error}") };
        assert_eq!((*status, *retry_after), (code, Some(Duration::from_secs(3))));
        assert!(error.may_have_spent_url());
        assert_eq!(opened.server.heads().len(), 1);
    }
}

#[tokio::test]
async fn a_truncated_body_is_never_complete() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123";
    for action in [ServerAction::Send(head.to_vec()), ServerAction::SendAndReset(head.to_vec())] {
        let download = open_download(vec![action.clone()], None).await.result;
        // A reset may arrive before the headers are read.
        let error = match download {
            Ok(download) => read_download(download).await.1.expect("an error"),
            Err(error) => error,
        };
        match error.kind {
            Kind::Interrupted { received, expected, loss, .. } => {
                assert!(received <= 4);
                assert_eq!((expected, loss), (Some(10), ResponseLossKind::ConnectionLost));
            }
            Kind::ResponseLost(_) if matches!(action, ServerAction::SendAndReset(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_without_a_length_is_truncated_if_its_chunks_are() {
    let reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n".to_vec();
    let download = open_download(vec![ServerAction::Send(reply)], None).await.result.expect("a download");
    assert_eq!(download.total, None);
    let (bytes, error) = read_download(download).await;
    assert_eq!(bytes, b"0123");
    assert!(matches!(kind(error.as_ref()), Some(Kind::Interrupted { received: 4, expected: None, .. })), "{error:?}");
}

#[tokio::test]
async fn a_file_that_stops_arriving_times_out_later_if_it_cannot_be_continued() {
    for (ranges, factor) in [("Accept-Ranges: bytes\r\n", 1), ("Accept-Ranges: none\r\n", 8), ("", 8)] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n{ranges}\r\n0123");
        let server = RawServer::start(vec![ServerAction::SendAndHang(head.into_bytes())]).await;
        let time_outs = Timeouts { read: Duration::from_millis(50), ..Timeouts::default() };
        let api = client_with_timeouts(&server, time_outs);
        let download = api.open_download(&download_url(&server), None).await.expect("a download");
        let began = Instant::now();
        let (bytes, error) = read_download(download).await;
        assert_eq!(bytes, b"0123");
        let Some(Kind::Interrupted { received: 4, expected: Some(10), loss: ResponseLossKind::TimedOut, .. }) =
            kind(error.as_ref())
        else {
            panic!("{error:?}")
        };
        assert!(began.elapsed() >= time_outs.read * factor, "{ranges}");
    }
}

#[tokio::test]
async fn a_redirect_is_followed_with_the_range_and_without_credentials() {
    let files = RawServer::start(vec![ServerAction::Send(response_bytes(
        "206 Partial",
        &["Content-Range: bytes 4-9/10"],
        "456789",
    ))])
    .await;
    let location = format!("Location: http://jane:pass@localhost:{}/real", files.port);
    let opened =
        open_download(vec![ServerAction::Send(response_bytes("302 Found", &[&location], ""))], Some(resume_point(4)))
            .await;
    assert_eq!(read_download(opened.result.expect("a download")).await.0, b"456789");
    let head = &files.heads()[0];
    assert!(head.starts_with("get /real ") && head.contains("range: bytes=4-"), "{head}");
    for gone in ["authorization", "referer", "cookie", "x-copresence", "bearer-secret"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
}

#[tokio::test]
async fn a_cookie_of_a_redirect_is_sent_with_the_next_request_only() {
    let cookie = "Set-Cookie: dl=abc; Path=/";
    let redirect =
        |to: &str| ServerAction::Send(response_bytes("302 Found", &[&format!("Location: {to}"), cookie], ""));
    let file = || ServerAction::Send(response_bytes("200 OK", &["Content-Length: 4"], "file"));
    let attempt = open_download(vec![redirect("/files/two"), file(), file()], None).await;
    assert_eq!(read_download(attempt.result.expect("followed")).await.0, b"file");
    download_client().open_download(&download_url(&attempt.server), None).await.expect("a response");
    let cookies: Vec<bool> = attempt.server.heads().iter().map(|head| head.contains("cookie: dl=abc")).collect();
    assert_eq!(cookies, [false, true, false]);
}

#[tokio::test]
async fn endless_redirects_and_other_schemes_are_not_followed() {
    let again = ServerAction::Send(response_bytes("307 Temporary Redirect", &[&format!("Location: {PATH}")], ""));
    let opened = open_download(vec![again], None).await;
    assert!(matches!(opened.result, Err(DownloadError { kind: Kind::RedirectNotFollowed { status: 307, .. }, .. })));
    assert_eq!(opened.server.heads().len(), 6);
    for headers in [vec!["Location: file:///etc/passwd"], vec![]] {
        let opened = open_download(vec![ServerAction::Send(response_bytes("302 Found", &headers, ""))], None).await;
        assert!(
            matches!(opened.result, Err(DownloadError { kind: Kind::RedirectNotFollowed { status: 302, .. }, .. })),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn an_unreachable_redirect_target_may_have_spent_the_url() {
    let unused_port = ReservedPort::reserve_port().expect("a port");
    let location = format!("Location: http://{unused_port}/real?sig=bearer-secret");
    let error = open_download(vec![ServerAction::Send(response_bytes("302 Found", &[&location], ""))], None)
        .await
        .result
        .expect_err("lost");
    let Kind::ResponseLost(evidence) = &error.kind else { panic!("{error}") };
    assert_eq!(evidence.status, Some(302));
    assert!(error.may_have_spent_url());
    let [target] = error.redirect_targets.as_ref() else { panic!("the file may still be there") };
    assert_eq!(target.expose_url(), format!("http://{unused_port}/real?sig=bearer-secret"));
}

#[tokio::test]
async fn an_error_names_the_redirect_targets_that_may_be_requested() {
    let files = RawServer::start(vec![ServerAction::Send(response_bytes("503 Slow Down", &[], ""))]).await;
    let error_of = async |location: String| {
        let redirect = ServerAction::Send(response_bytes("302 Found", &[&format!("Location: {location}")], ""));
        open_download(vec![redirect], None).await.result.expect_err("refused")
    };
    let error = error_of(files.url("/real?sig=bearer-secret").to_string()).await;
    assert!(matches!(error.kind, Kind::ErrorStatus { status: 503, after_redirect: true, .. }), "{error}");
    let [target] = error.redirect_targets.as_ref() else { panic!("{error}") };
    assert_eq!(target.expose_url(), files.url("/real?sig=bearer-secret").as_str());
    let login = RawServer::start(vec![ServerAction::Send(response_bytes("404 Not Found", &[], ""))]).await;
    let location = format!("Location: {}", login.url("/login"));
    let gate = RawServer::start(vec![ServerAction::Send(response_bytes("302 Found", &[&location], ""))]).await;
    let targets: Vec<_> = error_of(gate.url("/real").to_string()).await.redirect_targets.to_vec();
    let expected = [gate.url("/real"), login.url("/login")].map(|url| DownloadUrl::new(url.as_str()).expect("a URL"));
    assert_eq!(targets, expected, "a gate may have sent the second redirect");
    let error = error_of("file:///etc/passwd".to_owned()).await;
    assert!(error.redirect_targets.is_empty());
    let not_redirected = open_download(vec![ServerAction::Send(response_bytes("503 Slow Down", &[], ""))], None).await;
    assert!(not_redirected.result.expect_err("refused").redirect_targets.is_empty());
}

#[tokio::test]
async fn an_unsent_request_and_a_lost_response_are_distinguished() {
    let unused_port = ReservedPort::reserve_port().expect("a port");
    let url = DownloadUrl::new(&format!("http://{unused_port}{PATH}")).expect("a URL");
    let error = download_client().open_download(&url, None).await.expect_err("no server");
    assert!(matches!(error.kind, Kind::NeverSent(_)) && !error.may_have_spent_url(), "{error}");
    let error = open_download(vec![ServerAction::Send(Vec::new())], None).await.result.expect_err("no response");
    assert!(matches!(error.kind, Kind::ResponseLost(_)) && error.may_have_spent_url(), "{error}");
}

#[tokio::test]
async fn an_encoded_file_is_received_as_it_was_sent_with_its_encoding() {
    for (headers, encoding) in [
        (vec!["Content-Encoding: br"], Some("br")),
        (vec!["Content-Encoding: GZIP, aws-chunked", "content-encoding: identity"], Some("gzip, aws-chunked")),
        (vec!["Content-Encoding: identity"], None),
    ] {
        let reply = ServerAction::Send(response_bytes("200 OK", &headers, "encoded"));
        let download = open_download(vec![reply], None).await.result.expect("a download");
        assert_eq!((download.content_encoding.as_deref(), download.total), (encoding, Some(7)));
        assert_eq!(read_download(download).await.0, b"encoded");
    }
}

fn client_with_timeouts(server: &RawServer, time_outs: Timeouts) -> ApiClient {
    let backend = BackendWithRoutes::copresence_backend_from_url(server.url("/"));
    ApiClient::new(backend, with_session(), time_outs, Arc::new(NoRecorder)).expect("an API")
}

/// Case: first byte of a file after 40 s (made on demand).
#[tokio::test]
async fn the_first_byte_of_a_file_made_on_demand_has_its_own_time_limit() {
    let file = response_bytes("200 OK", &[], "0123456789");
    for action in [
        // Before the headers, and between the headers and the first byte.
        ServerAction::SendSlowly(Vec::new(), file.clone()),
        ServerAction::SendSlowly(file[..file.len() - 10].to_vec(), file[file.len() - 10..].to_vec()),
    ] {
        let server = RawServer::start(vec![action]).await;
        // Shorter than the server waits.
        let time_outs = Timeouts { read: Duration::from_millis(1), ..Timeouts::default() };
        let api = client_with_timeouts(&server, time_outs);
        let download = api.open_download(&download_url(&server), None).await.expect("a download");
        let (bytes, error) = read_download(download).await;
        assert_eq!((bytes.as_slice(), error.map(|error| error.to_string())), (&b"0123456789"[..], None));
    }
    let server = RawServer::start(vec![ServerAction::SendAndHang(file[..file.len() - 10].to_vec())]).await;
    let short =
        Timeouts { first_byte: Duration::from_millis(100), connect: Duration::from_millis(100), ..Timeouts::default() };
    let download =
        client_with_timeouts(&server, short).open_download(&download_url(&server), None).await.expect("a download");
    let (bytes, error) = read_download(download).await;
    assert!(
        bytes.is_empty() && matches!(kind(error.as_ref()), Some(Kind::Interrupted { received: 0, .. })),
        "{error:?}"
    );
}

/// An address of the documentation (RFC 5737), where nothing answers.
const PUBLIC_BACKEND: &str = "http://203.0.113.1/";

#[tokio::test]
async fn a_public_backend_cannot_make_this_machine_call_itself() {
    let server = RawServer::start(vec![ServerAction::Send(response_bytes("200 OK", &[], "0123456789"))]).await;
    let api = client_of_backend(PUBLIC_BACKEND, DownloadUrlRuleExceptions::default());
    for host in ["127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0"] {
        let url = DownloadUrl::new(&format!("http://{host}:{}{PATH}", server.port)).expect("a URL");
        let error = api.open_download(&url, None).await.expect_err(host);
        assert!(matches!(error.kind, Kind::TargetNotAllowed { after_redirect: false, .. }), "{error}");
        assert!(!error.is_refusal_of_url() && !error.may_have_spent_url(), "{error}");
        let text = error.to_string();
        assert!(text.contains(&server.port.to_string()) && text.contains("downloads.allow_private_hosts"), "{text}");
        assert!(!text.contains("bearer-secret"), "{text}");
    }
    assert_eq!(server.heads().len(), 0);
    let exceptions = DownloadUrlRuleExceptions { allow_private_hosts: true, ..DownloadUrlRuleExceptions::default() };
    let allowed = client_of_backend(PUBLIC_BACKEND, exceptions).open_download(&download_url(&server), None).await;
    assert_eq!(allowed.expect("a download").status, 200);
}

#[tokio::test]
async fn plain_http_from_an_https_backend_is_requested_only_if_the_profile_allows_it() {
    let server = RawServer::start(vec![ServerAction::Send(response_bytes("200 OK", &[], "0123456789"))]).await;
    let backend = "https://127.0.0.1:9/";
    let error = client_of_backend(backend, DownloadUrlRuleExceptions::default())
        .open_download(&download_url(&server), None)
        .await
        .expect_err("plain http");
    assert!(error.to_string().contains("downloads.allow_http"), "{error}");
    assert!(!error.is_refusal_of_url() && !error.may_have_spent_url(), "{error}");
    assert_eq!(server.heads().len(), 0);
    let exceptions = DownloadUrlRuleExceptions { allow_http: true, ..DownloadUrlRuleExceptions::default() };
    let allowed = client_of_backend(backend, exceptions).open_download(&download_url(&server), None).await;
    assert_eq!(allowed.expect("a download").status, 200);
}
