//! The effect of each fault on the connection to a server.

use crate::raw::{ConnectionEnd, RawServer};
use crate::support::{API_KEY, TOKEN, TestSandbox};
use axum::body::Body;
use axum::http::Method;
use copresence_sandbox::{BuiltInScenarioName, TokenPhase, faults};
use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

const READY: BuiltInScenarioName = BuiltInScenarioName::ExistingAvatar;

fn token_phase(raw: &RawServer, token: &str) -> TokenPhase {
    let state = raw.sandbox().sandbox_state();
    state.tokens.iter().find(|known| known.token == token).expect("known").state
}

#[tokio::test]
async fn status_replaces_the_backends_response_with_its_headers() {
    let list = r#"[{"on":"redeem","nth":[1,3],"do":{"status":{"code":503,"retry_after":7,"headers":{"X-A":"b"}}}},
                   {"on":"redeem","nth":2,"do":{"status":{"code":429,"retry_after":"Wed, 21 Oct 2015 07:28:00 GMT","body":"slow down"}}}]"#;
    let raw = RawServer::start(READY, list).await;
    let token = raw.ready_token().await;
    let first = raw.redeem(&token).await;
    assert_eq!((first.status(), first.header("retry-after"), first.header("x-a")), (503, Some("7"), Some("b")));
    assert_eq!(first.json()["code"], 503);
    let second = raw.redeem(&token).await;
    assert_eq!((second.status(), second.body()), (429, &b"slow down"[..]));
    assert_eq!(second.header("retry-after"), Some("Wed, 21 Oct 2015 07:28:00 GMT"));
    assert_eq!(raw.redeem(&token).await.status(), 503);
    assert_eq!(token_phase(&raw, &token), TokenPhase::Ready, "nothing was spent");
    assert_eq!(raw.redeem(&token).await.json()["avatar_ready"], true);
    assert_eq!(raw.applied_counts(), [2, 1]);
}

#[tokio::test]
async fn status_that_spends_uses_the_token() {
    let raw = RawServer::start(READY, r#"[{"on":"redeem","do":{"status":{"code":502,"spends":true}}}]"#).await;
    let token = raw.ready_token().await;
    assert_eq!(raw.redeem(&token).await.status(), 502);
    assert_eq!(token_phase(&raw, &token), TokenPhase::Spent);
}

#[tokio::test]
async fn error_page_is_html_with_status_200() {
    let raw = RawServer::start(READY, r#"[{"on":"login","do":"error_page"}]"#).await;
    let page = raw.send_request("POST /login", &[]).await;
    assert_eq!((page.status(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body().starts_with(b"<!doctype html>"));
}

#[tokio::test]
async fn redirect_has_its_location_and_spends_only_if_configured() {
    let list = r#"[{"on":"redeem","nth":1,"do":{"redirect":{"to":"https://elsewhere.test/x","code":307}}},
                   {"on":"redeem","nth":2,"do":{"redirect":{"to":"/redeemExportToken","spends":true}}}]"#;
    let raw = RawServer::start(READY, list).await;
    let token = raw.ready_token().await;
    let first = raw.redeem(&token).await;
    assert_eq!((first.status(), first.header("location")), (307, Some("https://elsewhere.test/x")));
    assert_eq!(token_phase(&raw, &token), TokenPhase::Ready);
    let second = raw.redeem(&token).await;
    assert_eq!((second.status(), second.header("location")), (302, Some("/redeemExportToken")));
    assert_eq!(token_phase(&raw, &token), TokenPhase::Spent);
}

#[tokio::test]
async fn delay_waits_and_combines_with_other_faults() {
    let list = r#"[{"on":"generate","do":{"delay":{"ms":120}}},{"on":"generate","do":{"status":{"code":500}}}]"#;
    let raw = RawServer::start(READY, list).await;
    let began = Instant::now();
    assert_eq!(raw.generate_raw().await.status(), 500);
    assert!(began.elapsed().as_millis() >= 120, "at least that long, whatever the machine does");
    assert_eq!(raw.applied_counts(), [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hang_never_responds_and_is_logged_on_disconnect() {
    for (spends, left) in [(false, TokenPhase::Ready), (true, TokenPhase::Spent)] {
        let raw =
            RawServer::start(READY, &format!(r#"[{{"on":"redeem","do":{{"hang":{{"spends":{spends}}}}}}}]"#)).await;
        let token = raw.ready_token().await;
        let mut lines = raw.server.subscribe_to_request_log();
        let socket = raw.send_redeem(&token);
        while raw.applied_counts() != [1] || token_phase(&raw, &token) != left {
            tokio::task::yield_now().await;
        }
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        let nothing = (&socket).read(&mut [0; 1]).expect_err("no byte and no end");
        assert!(matches!(nothing.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{nothing}");
        drop(socket);
        let line = lines.recv().await.expect("a line");
        assert_eq!((line.status, line.faults), (0, vec!["hang"]));
    }
}

#[tokio::test]
async fn reset_breaks_the_connection_before_any_effect() {
    let raw =
        RawServer::start(READY, r#"[{"on":"redeem","nth":1,"do":"reset"},{"on":"generate","nth":2,"do":"reset"}]"#)
            .await;
    let token = raw.ready_token().await;
    let received = raw.redeem(&token).await;
    assert_eq!((received.ended, received.bytes.len()), (ConnectionEnd::Reset, 0));
    assert_eq!(token_phase(&raw, &token), TokenPhase::Ready);
    assert_eq!(raw.redeem(&token).await.json()["avatar_ready"], true);
    assert_eq!(raw.generate_raw().await.ended, ConnectionEnd::Reset);
    assert_eq!(raw.sandbox().sandbox_state().tokens.len(), 1, "none was generated");
}

#[tokio::test]
async fn reset_after_spending_loses_the_response_and_the_token() {
    let list = r#"[{"on":"redeem","ready":true,"do":"reset_after_spending"}]"#;
    let raw = RawServer::start(READY, list).await;
    let waiting = raw.generate().await;
    assert_eq!(raw.redeem(&waiting).await.status(), 200, "not ready");
    let token = raw.ready_token().await;
    let mut lines = raw.server.subscribe_to_request_log();
    let received = raw.redeem(&token).await;
    assert_eq!((received.ended, received.bytes.len()), (ConnectionEnd::Reset, 0));
    assert_eq!(token_phase(&raw, &token), TokenPhase::Spent);
    assert_eq!(raw.redeem(&token).await.status(), 400);
    let line = lines.recv().await.expect("a line");
    assert_eq!((line.status, line.faults), (0, vec!["reset_after_spending"]));
}

#[tokio::test]
async fn reset_after_spending_uses_the_url_of_a_file() {
    let list = r#"[{"on":"file","export_type":"png","nth":1,"do":"reset_after_spending"}]"#;
    let raw = RawServer::start(READY, list).await;
    let path = raw.redeemed_portrait_path().await;
    let received = raw.get_file(&path, &[]).await;
    assert_eq!((received.ended, received.bytes.len()), (ConnectionEnd::Reset, 0));
    assert_eq!(raw.get_file(&path, &[]).await.status(), 410);
}

#[tokio::test]
async fn cut_body_sends_its_bytes_and_ends_as_configured() {
    for (by, ended) in [("close", ConnectionEnd::Closed), ("reset", ConnectionEnd::Reset)] {
        let list = format!(
            r#"[{{"on":"file","nth":1,"do":{{"cut_body":{{"after":70000,"by":"{by}"}}}}}},
                {{"on":"generate","nth":2,"do":{{"cut_body":{{"after":3,"by":"{by}"}}}}}},
                {{"on":"generate","nth":3,"do":{{"cut_body":{{"after":0,"by":"{by}"}}}}}},
                {{"on":"generate","nth":4,"do":{{"cut_body":{{"after":5000,"by":"{by}"}}}}}}]"#
        );
        let raw = RawServer::start(READY, &list).await;
        let path = raw.redeemed_portrait_path().await;
        let received = raw.get_file(&path, &[]).await;
        let promised: usize = received.header("content-length").expect("a length").parse().expect("a number");
        assert!(promised > 70_000, "{promised}");
        assert_eq!((received.status(), received.ended), (200, ended));
        if by == "close" {
            // A reset may discard bytes that were sent before it.
            assert_eq!(received.body().len(), 70_000);
        }
        let rest = raw.get_file(&path, &[("Range", "bytes=70000-")]).await;
        assert_eq!((rest.status(), rest.body().len()), (206, promised - 70_000), "the URL goes on");
        let generated = raw.generate_raw().await;
        assert_eq!(generated.ended, ended);
        assert!(if by == "close" { generated.body() == b"{\"t" } else { b"{\"t".starts_with(generated.body()) });
        let bare = raw.generate_raw().await;
        assert_eq!((bare.status(), bare.body().len()), (200, 0));
        // Wine reports a reset behind the last byte that was sent as the end.
        assert!(bare.ended == ended || cfg!(windows), "{:?}", bare.ended);
        let beyond = raw.generate_raw().await;
        assert!(beyond.body().ends_with(b"\"}"));
        assert_eq!((beyond.header("content-length"), beyond.ended), (Some("5001"), ended), "always short of it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_by_silence_leaves_the_connection_open() {
    let raw = RawServer::start(READY, r#"[{"on":"redeem","do":{"cut_body":{"after":5,"by":"silence"}}}]"#).await;
    let token = raw.ready_token().await;
    let socket = raw.send_redeem(&token);
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a limit");
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    let error = loop {
        match (&socket).read(&mut buffer) {
            Ok(read) => {
                assert_ne!(read, 0, "closed");
                received.extend_from_slice(&buffer[..read]);
            }
            // A slow machine may time out before the bytes arrive.
            Err(_) if !received.ends_with(b"\r\n\r\n{\"ava") => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[tokio::test]
async fn slow_body_is_complete_and_slow() {
    let raw = RawServer::start(READY, r#"[{"on":"generate","do":{"slow_body":{"bytes_per_second":200}}}]"#).await;
    let began = Instant::now();
    let received = raw.generate_raw().await;
    assert_eq!(received.json()["token"].as_str().expect("a token").len(), 24);
    let least = received.body().len() as u128 * 1_000 / 200;
    assert!(began.elapsed().as_millis() >= least, "at least that long, whatever the machine does");
}

#[tokio::test]
async fn wrong_length_promises_more_or_less_than_is_sent() {
    let list = r#"[{"on":"generate","nth":1,"do":{"wrong_length":{"by":10}}},
                   {"on":"generate","nth":2,"do":{"wrong_length":{"by":-10}}},
                   {"on":"generate","nth":3,"do":{"wrong_length":{"by":-5000}}},
                   {"on":"file","nth":1,"do":{"wrong_length":{"by":-100000}}}]"#;
    let raw = RawServer::start(READY, list).await;
    let promised = |received: &crate::raw::RawResponse| received.header("content-length").map(str::parse::<usize>);
    for by in [10_isize, -10] {
        let received = raw.generate_raw().await;
        assert_eq!(received.json()["token"].as_str().expect("a token").len(), 24, "the true body comes");
        assert_eq!(promised(&received), Some(Ok(received.body().len().saturating_add_signed(by))));
        assert_eq!(received.ended, ConnectionEnd::Closed);
    }
    let received = raw.generate_raw().await;
    assert_eq!((promised(&received), received.json()["token"].is_string()), (Some(Ok(1)), true));
    let path = raw.redeemed_portrait_path().await;
    let file = raw.get_file(&path, &[]).await;
    assert_eq!(promised(&file), Some(Ok(file.body().len() - 100_000)));
    assert!(file.body().ends_with(b"IEND\xaeB`\x82"), "to the last byte of the picture");
}

#[tokio::test]
async fn garbage_keeps_status_and_length_and_is_deterministic() {
    let list = r#"[{"on":"redeem","nth":1,"do":"garbage"},{"on":"redeem","nth":2,"do":{"garbage":{"bytes":100000}}}]"#;
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let raw = RawServer::start(BuiltInScenarioName::NeverScanned, list).await;
        let token = raw.generate().await;
        let (first, second) = (raw.redeem(&token).await, raw.redeem(&token).await);
        assert_eq!((first.status(), first.header("content-type")), (200, Some("application/json")));
        assert!(serde_json::from_slice::<serde_json::Value>(first.body()).is_err());
        assert!(!first.body()[0].is_ascii() && !second.body()[0].is_ascii(), "neither JSON nor a page by chance");
        assert_eq!((second.body().len(), second.header("content-length")), (100_000, Some("100000")));
        let whole = raw.redeem(&token).await;
        assert_eq!(whole.body().len(), first.body().len());
        bodies.push((first.body().to_vec(), second.body().to_vec()));
    }
    assert_eq!(bodies[0], bodies[1], "by the seed");
}

#[tokio::test]
async fn wrong_shape_changes_the_named_field() {
    let list = r#"[{"on":"redeem","nth":1,"do":{"wrong_shape":{"field":"payload_incomplete.completion_progress","becomes":"out_of_range"}}},
                   {"on":"redeem","nth":2,"do":{"wrong_shape":{"field":"avatar_ready","becomes":"missing"}}},
                   {"on":"redeem","nth":3,"do":{"wrong_shape":{"field":"payload_incomplete.queue_position","becomes":"other_type"}}},
                   {"on":"redeem","nth":4,"do":{"wrong_shape":{"field":"avatar_ready","becomes":{"value":[1]}}}},
                   {"on":"redeem","nth":5,"do":"wrong_shape"}]"#;
    let raw = RawServer::start(BuiltInScenarioName::NeverScanned, list).await;
    let token = raw.generate().await;
    assert_eq!(raw.redeem(&token).await.json()["payload_incomplete"]["completion_progress"], -250);
    assert!(raw.redeem(&token).await.json().get("avatar_ready").is_none());
    assert_eq!(raw.redeem(&token).await.json()["payload_incomplete"]["queue_position"], "-1");
    assert_eq!(raw.redeem(&token).await.json()["avatar_ready"], serde_json::json!([1]));
    let drawn = raw.redeem(&token).await.json();
    assert_ne!(drawn, raw.redeem(&token).await.json(), "some field of it is broken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_never_ends() {
    let raw = RawServer::start(BuiltInScenarioName::NeverScanned, r#"[{"on":"redeem","do":"huge"}]"#).await;
    let token = raw.generate().await;
    let key = raw.sandbox().accepted_credentials().api_key.expose().to_owned();
    let most = 20 * 1024 * 1024;
    let received = raw.read_at_most("GET /redeemExportToken", &[(API_KEY, &key), (TOKEN, &token)], most).await;
    assert!(received.bytes.len() >= most);
    assert_eq!((received.header("content-length"), received.header("transfer-encoding")), (None, Some("chunked")));
}

#[tokio::test]
async fn coded_bodies_are_encoded_or_only_claimed() {
    let list = r#"[{"on":"generate","nth":1,"do":"coded"},{"on":"generate","nth":2,"do":{"coded":{"coding":"deflate"}}},
                   {"on":"generate","nth":3,"do":{"coded":{"coding":"gzip","only_claimed":true}}},
                   {"on":"file","do":"coded"}]"#;
    let raw = RawServer::start(READY, list).await;
    let (gzip, deflate) = (raw.generate_raw().await, raw.generate_raw().await);
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*decode_chunked(gzip.body())).read_to_string(&mut text).expect("gzip");
    assert!(text.starts_with("{\"token\":"), "{text}");
    text.clear();
    flate2::read::ZlibDecoder::new(&*decode_chunked(deflate.body())).read_to_string(&mut text).expect("deflate");
    assert!(text.starts_with("{\"token\":"), "{text}");
    let claimed = raw.generate_raw().await;
    assert_eq!((claimed.header("content-encoding"), claimed.json()["token"].is_string()), (Some("gzip"), true));
    let file = raw.get_file(&raw.redeemed_portrait_path().await, &[]).await;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*decode_chunked(file.body())).read_to_end(&mut bytes).expect("gzip");
    assert!(bytes.starts_with(b"\x89PNG") && bytes.ends_with(b"IEND\xaeB`\x82"));
}

#[tokio::test]
async fn headers_are_set_and_removed() {
    let list =
        r#"[{"on":"file","do":{"headers":{"remove":["content-length","ETag"],"set":{"Content-Type":"text/html"}}}}]"#;
    let raw = RawServer::start(READY, list).await;
    let received = raw.get_file(&raw.redeemed_portrait_path().await, &[]).await;
    assert_eq!((received.header("content-length"), received.header("etag")), (None, None));
    assert_eq!(received.header("transfer-encoding"), Some("chunked"));
    assert_eq!(received.header("content-type"), Some("text/html"));
    assert!(decode_chunked(received.body()).ends_with(b"IEND\xaeB`\x82"));
}

#[tokio::test]
async fn range_faults_prevent_a_resume() {
    for (what, by) in [("ignore_range", ""), ("refuse_range", ""), ("wrong_range", r#""by":-20"#), ("changed_etag", "")]
    {
        let list = format!(r#"[{{"on":"file","ranged":true,"nth":1,"do":{{"{what}":{{{by}}}}}}}]"#);
        let raw = RawServer::start(READY, &list).await;
        let path = raw.redeemed_portrait_path().await;
        let first = raw.get_file(&path, &[("Range", "bytes=0-99")]).await;
        match what {
            "ignore_range" => assert_eq!((first.status(), first.header("content-range")), (200, None)),
            "refuse_range" => {
                assert_eq!(first.status(), 416);
                assert!(first.header("content-range").expect("the length").starts_with("bytes */"));
                assert_eq!(raw.get_file(&path, &[]).await.status(), 200, "the URL still works");
            }
            "wrong_range" => {
                assert_eq!(first.status(), 206);
                raw.sandbox()
                    .set_faults(faults::parse_and_check_faults(list.as_bytes()).expect("a list"))
                    .expect("in force");
                let moved = raw.get_file(&path, &[("Range", "bytes=100-199")]).await;
                assert!(moved.header("content-range").expect("a range").starts_with("bytes 80-199/"));
            }
            _ => {
                let etag =
                    raw.get_file(&path, &[("Range", "bytes=0-99")]).await.header("etag").expect("one").to_owned();
                assert_ne!(first.header("etag"), Some(etag.as_str()));
                raw.sandbox()
                    .set_faults(faults::parse_and_check_faults(list.as_bytes()).expect("a list"))
                    .expect("in force");
                let headers = [("Range", "bytes=100-"), ("If-Range", etag.as_str())];
                let whole = raw.get_file(&path, &headers).await;
                assert_eq!(whole.status(), 200, "another version: the whole");
                assert_ne!(whole.header("etag"), Some(etag.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn faults_apply_only_to_matching_methods_and_files() {
    let raw =
        RawServer::start(READY, r#"[{"on":"file","file":"avatar.glb","do":"reset"},{"on":"login","do":"reset"}]"#)
            .await;
    let path = raw.redeemed_portrait_path().await;
    assert_eq!(raw.send_request(&format!("HEAD {path}"), &[]).await.status(), 200);
    assert_eq!(raw.get_file(&path, &[]).await.status(), 200, "another file");
    assert_eq!(raw.send_request("GET /login", &[]).await.status(), 405);
    assert_eq!(raw.send_request("POST /login", &[]).await.ended, ConnectionEnd::Reset);
    assert_eq!(raw.applied_counts(), [0, 1]);
}

#[tokio::test]
async fn tester_sets_lists_and_clears_faults() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    assert_eq!(test.get("/sandbox/faults", &[]).await.text(), "[]");
    let put = async |list: &'static str| test.send_request(Method::PUT, "/sandbox/faults", &[], list).await;
    let set = put(r#"[{"on":"generate","nth":1,"do":{"status":{"code":500}}}]"#).await;
    let expected = r#"[{"fault":{"on":"generate","nth":[1],"do":{"status":{"code":500}}},"seen":0,"struck":0}]"#;
    assert_eq!((set.status.as_u16(), set.text()), (200, expected));
    assert_eq!(test.send_request(Method::POST, "/generateExportToken", &[], Body::empty()).await.status, 500);
    assert_eq!(test.send_request(Method::POST, "/generateExportToken", &[], Body::empty()).await.status, 403);
    let counted = test.get("/sandbox/faults", &[]).await.json();
    assert_eq!((&counted[0]["seen"], &counted[0]["struck"]), (&2.into(), &1.into()));
    let bad = put(r#"[{"on":"redeem","do":{"status":{"code":"x"}}}]"#).await;
    assert_eq!(bad.status_and_code(), (400, 107));
    assert!(bad.text().contains("[0].do.status.code") && bad.text().contains("--list-faults"), "{}", bad.text());
    assert_eq!(test.get("/sandbox/faults", &[]).await.json(), counted, "nothing changed");
    assert_eq!(test.send_request(Method::DELETE, "/sandbox/faults", &[], Body::empty()).await.status, 204);
    assert_eq!(test.get("/sandbox/faults", &[]).await.text(), "[]");
}

/// Decodes a chunked body.
fn decode_chunked(mut raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let end = raw.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = std::str::from_utf8(&raw[..end]).expect("text");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return bytes;
        }
        bytes.extend_from_slice(&raw[end + 2..end + 2 + size]);
        raw = &raw[end + 2 + size + 2..];
    }
}
