//! Error responses of file servers: the stated reason, the host, and misconfigured URLs.

use crate::downloads::{download_client, open_download};
use crate::support::{RawServer, ServerAction, api, recorded_api, response_bytes, with_session};
use copresence_client::har::HarRecorder;
use copresence_client::{BackendWithRoutes, DownloadErrorKind, UrlFateAfterServerError};
use copresence_protocol::DownloadUrl;
use std::sync::Arc;
use test_port::ReservedPort;

const REASONS: [(&str, UrlFateAfterServerError, &str); 6] = [
    (
        "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
        UrlFateAfterServerError::Expired,
        "the URL has expired",
    ),
    (
        "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>",
        UrlFateAfterServerError::Clock,
        "set the backend's clock",
    ),
    (
        "<Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message></Error>",
        UrlFateAfterServerError::Signature,
        "signature of the URL is not valid",
    ),
    (r#"{"code":101,"error":"Object not found."}"#, UrlFateAfterServerError::NotFound, "101: Object not found."),
    (r#"{"message":"jwt expired","error":"InvalidJWT"}"#, UrlFateAfterServerError::Expired, "InvalidJWT: jwt expired"),
    (r#"{"error":"unauthorized"}"#, UrlFateAfterServerError::Other, "(unauthorized)"),
];

/// Case: file host answers 403 with a reason in XML or JSON.
#[tokio::test]
async fn the_reason_in_a_403_of_the_file_host_is_told_with_its_host_and_remedy() {
    for (body, cause, words) in REASONS {
        let attempt = open_download(vec![ServerAction::Send(response_bytes("403 Forbidden", &[], body))], None).await;
        let error = attempt.result.expect_err("refused");
        let DownloadErrorKind::ErrorStatus { status: 403, reason: Some(reason), .. } = &error.kind else {
            panic!("{error}")
        };
        assert_eq!(reason.cause, cause, "{body}");
        let text = error.to_string();
        let host = format!("127.0.0.1:{}", attempt.server.port);
        assert!(text.contains(words) && text.contains(&host) && text.contains("403"), "{text}");
    }
}

#[tokio::test]
async fn an_error_body_is_recorded_without_the_signature_of_the_url() {
    let signature = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024";
    let path = format!(
        "/bucket/avatars/0193f2.glb?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261128&X-Amz-Expires=3600&X-Amz-Signature={signature}"
    );
    let body = format!(
        "<Error><Code>SignatureDoesNotMatch</Code><Message>See {signature}.</Message>\
         <AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId><StringToSign>GET 1 abcdef</StringToSign>\
         <SignatureProvided>other-form-of-it</SignatureProvided><Key>avatars/0193f2.glb</Key></Error>"
    );
    let server = RawServer::start(vec![ServerAction::Send(response_bytes("403 Forbidden", &[], &body))]).await;
    let recorder = Arc::new(HarRecorder::new(8));
    let backend = BackendWithRoutes::copresence_backend_from_url(server.url("/"));
    let api = recorded_api(backend, with_session(), recorder.clone());
    let url = DownloadUrl::new(server.url(&path).as_str()).expect("a URL");
    let error = api.open_download(&url, None).await.expect_err("refused").to_string();
    let har = recorder.har_from_recorded_exchanges().to_string();
    for text in [&error, &har] {
        assert!(text.contains("SignatureDoesNotMatch"), "{text}");
        for secret in [signature, "AKIAIOSFODNN7EXAMPLE", "0193f2", "abcdef", "other-form-of-it"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test]
async fn an_error_body_is_read_only_up_to_its_limit() {
    let page = format!("<Error><Code>SlowDown</Code><Message>{}</Message></Error>", "x".repeat(1 << 20));
    let attempt = open_download(vec![ServerAction::Send(response_bytes("503 Slow Down", &[], &page))], None).await;
    let error = attempt.result.expect_err("refused").to_string();
    assert!(error.contains("SlowDown") && error.len() < 1000, "{}", error.len());
    // A truncated body is used as far as it was received.
    let cut = b"HTTP/1.1 403 No\r\nContent-Length: 900\r\n\r\n<Error><Code>AccessDenied</Code><Mess".to_vec();
    let error = open_download(vec![ServerAction::Send(cut)], None).await.result.expect_err("refused").to_string();
    assert!(error.contains("(AccessDenied)"), "{error}");
}

/// Case: `download_URL` on `localhost`, a private host, relative, with `&amp;`.
#[tokio::test]
async fn a_file_url_that_only_the_backend_can_reach_is_named_as_its_misconfiguration() {
    let public = "http://api.invalid/".parse().expect("a URL");
    let of_public_backend = api(public, with_session());
    let port = ReservedPort::reserve_port().expect("a port");
    let address = port.to_string();
    for host in [address.clone(), address.replace("127.0.0.1", "localhost")] {
        let url = DownloadUrl::new(&format!("http://{host}/parse/files/a.glb")).expect("a URL");
        let error = of_public_backend.open_download(&url, None).await.expect_err("not allowed");
        let text = error.to_string();
        assert!(
            text.contains(&host)
                && text.contains("only on the backend's own machine")
                && text.contains("public URL is misconfigured")
                && text.contains("The Export Token is spent"),
            "{text}"
        );
    }
    let server = RawServer::start(vec![ServerAction::Send(response_bytes("403 No", &[], ""))]).await;
    let url = DownloadUrl::new(server.url("/a?X-Amz-Date=1&amp;X-Amz-Signature=2").as_str()).expect("a URL");
    let text = download_client().open_download(&url, None).await.expect_err("refused").to_string();
    assert!(text.contains("contains `&amp;`"), "{text}");
}

#[tokio::test]
async fn a_backend_on_this_machine_may_have_its_files_on_this_machine() {
    let port = ReservedPort::reserve_port().expect("a port");
    let backend = BackendWithRoutes::copresence_backend_from_url("http://localhost:1337/parse".parse().expect("a URL"));
    let api = recorded_api(backend, with_session(), Arc::new(copresence_client::NoRecorder));
    let url = DownloadUrl::new(&format!("http://{port}/a.glb")).expect("a URL");
    let error = api.open_download(&url, None).await.expect_err("nothing listens");
    assert_eq!(error.hint, None);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}
