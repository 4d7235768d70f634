//! What each fault does on the wire, against a server on a port.

use crate::raw::{Ended, Raw};
use crate::support::{API_KEY, TOKEN, World};
use axum::body::Body;
use axum::http::Method;
use sandbox::{Scenario, TokenPhase, faults};
use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

const READY: Scenario = Scenario::ExistingAvatar;

fn state(raw: &Raw, token: &str) -> TokenPhase {
    let state = raw.sandbox().state();
    state.tokens.iter().find(|known| known.token == token).expect("known").state
}

#[tokio::test]
async fn status_comes_in_the_backends_place_with_its_headers() {
    let list = r#"[{"on":"redeem","nth":[1,3],"do":{"status":{"code":503,"retry_after":7,"headers":{"X-A":"b"}}}},
                   {"on":"redeem","nth":2,"do":{"status":{"code":429,"retry_after":"Wed, 21 Oct 2015 07:28:00 GMT","body":"slow down"}}}]"#;
    let raw = Raw::start(READY, list).await;
    let token = raw.ready().await;
    let first = raw.redeem(&token).await;
    assert_eq!(
        (first.status(), first.header("retry-after"), first.header("x-a")),
        (503, Some("7"), Some("b"))
    );
    assert_eq!(first.json()["code"], 503);
    let second = raw.redeem(&token).await;
    assert_eq!((second.status(), second.body()), (429, &b"slow down"[..]));
    assert_eq!(second.header("retry-after"), Some("Wed, 21 Oct 2015 07:28:00 GMT"));
    assert_eq!(raw.redeem(&token).await.status(), 503);
    assert_eq!(state(&raw, &token), TokenPhase::Ready, "nothing was spent");
    assert_eq!(raw.redeem(&token).await.json()["avatar_ready"], true);
    assert_eq!(raw.struck(), [2, 1]);
}

#[tokio::test]
async fn a_status_after_the_effect_has_spent_the_token() {
    let raw = Raw::start(READY, r#"[{"on":"redeem","do":{"status":{"code":502,"spends":true}}}]"#).await;
    let token = raw.ready().await;
    assert_eq!(raw.redeem(&token).await.status(), 502);
    assert_eq!(state(&raw, &token), TokenPhase::Spent);
}

#[tokio::test]
async fn an_error_page_is_html_with_status_200() {
    let raw = Raw::start(READY, r#"[{"on":"login","do":"error_page"}]"#).await;
    let page = raw.ask("POST /login", &[]).await;
    assert_eq!((page.status(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body().starts_with(b"<!doctype html>"));
}

#[tokio::test]
async fn redirect_names_the_url_and_spends_only_when_asked() {
    let list = r#"[{"on":"redeem","nth":1,"do":{"redirect":{"to":"https://elsewhere.test/x","code":307}}},
                   {"on":"redeem","nth":2,"do":{"redirect":{"to":"/redeemExportToken","spends":true}}}]"#;
    let raw = Raw::start(READY, list).await;
    let token = raw.ready().await;
    let first = raw.redeem(&token).await;
    assert_eq!((first.status(), first.header("location")), (307, Some("https://elsewhere.test/x")));
    assert_eq!(state(&raw, &token), TokenPhase::Ready);
    let second = raw.redeem(&token).await;
    assert_eq!((second.status(), second.header("location")), (302, Some("/redeemExportToken")));
    assert_eq!(state(&raw, &token), TokenPhase::Spent);
}

#[tokio::test]
async fn delay_waits_before_it_goes_on_and_faults_add_up() {
    let list =
        r#"[{"on":"generate","do":{"delay":{"ms":120}}},{"on":"generate","do":{"status":{"code":500}}}]"#;
    let raw = Raw::start(READY, list).await;
    let began = Instant::now();
    assert_eq!(raw.generate_raw().await.status(), 500);
    assert!(began.elapsed().as_millis() >= 120, "at least that long, whatever the machine does");
    assert_eq!(raw.struck(), [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hang_never_answers_and_is_logged_once_the_asker_has_left() {
    for (spends, left) in [(false, TokenPhase::Ready), (true, TokenPhase::Spent)] {
        let raw =
            Raw::start(READY, &format!(r#"[{{"on":"redeem","do":{{"hang":{{"spends":{spends}}}}}}}]"#)).await;
        let token = raw.ready().await;
        let mut lines = raw.server.requests();
        let socket = raw.open(&token);
        while raw.struck() != [1] || state(&raw, &token) != left {
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
        Raw::start(READY, r#"[{"on":"redeem","nth":1,"do":"reset"},{"on":"generate","nth":2,"do":"reset"}]"#)
            .await;
    let token = raw.ready().await;
    let heard = raw.redeem(&token).await;
    assert_eq!((heard.ended, heard.bytes.len()), (Ended::Reset, 0));
    assert_eq!(state(&raw, &token), TokenPhase::Ready);
    assert_eq!(raw.redeem(&token).await.json()["avatar_ready"], true);
    assert_eq!(raw.generate_raw().await.ended, Ended::Reset);
    assert_eq!(raw.sandbox().state().tokens.len(), 1, "none was generated");
}

#[tokio::test]
async fn reset_after_spending_loses_the_answer_and_the_token() {
    let list = r#"[{"on":"redeem","ready":true,"do":"reset_after_spending"}]"#;
    let raw = Raw::start(READY, list).await;
    let waiting = raw.generate().await;
    assert_eq!(raw.redeem(&waiting).await.status(), 200, "not ready");
    let token = raw.ready().await;
    let mut lines = raw.server.requests();
    let heard = raw.redeem(&token).await;
    assert_eq!((heard.ended, heard.bytes.len()), (Ended::Reset, 0));
    assert_eq!(state(&raw, &token), TokenPhase::Spent);
    assert_eq!(raw.redeem(&token).await.status(), 400);
    let line = lines.recv().await.expect("a line");
    assert_eq!((line.status, line.faults), (0, vec!["reset_after_spending"]));
}

#[tokio::test]
async fn reset_after_spending_uses_a_files_url_up() {
    let list = r#"[{"on":"file","export_type":"png","nth":1,"do":"reset_after_spending"}]"#;
    let raw = Raw::start(READY, list).await;
    let path = raw.portrait().await;
    let heard = raw.file(&path, &[]).await;
    assert_eq!((heard.ended, heard.bytes.len()), (Ended::Reset, 0));
    assert_eq!(raw.file(&path, &[]).await.status(), 410);
}

#[tokio::test]
async fn cut_body_sends_so_many_bytes_and_ends_as_it_was_told() {
    for (by, ended) in [("close", Ended::Closed), ("reset", Ended::Reset)] {
        let list = format!(
            r#"[{{"on":"file","nth":1,"do":{{"cut_body":{{"after":70000,"by":"{by}"}}}}}},
                {{"on":"generate","nth":2,"do":{{"cut_body":{{"after":3,"by":"{by}"}}}}}},
                {{"on":"generate","nth":3,"do":{{"cut_body":{{"after":0,"by":"{by}"}}}}}},
                {{"on":"generate","nth":4,"do":{{"cut_body":{{"after":5000,"by":"{by}"}}}}}}]"#
        );
        let raw = Raw::start(READY, &list).await;
        let path = raw.portrait().await;
        let heard = raw.file(&path, &[]).await;
        let promised: usize = heard.header("content-length").expect("a length").parse().expect("a number");
        assert!(promised > 70_000, "{promised}");
        assert_eq!((heard.status(), heard.ended), (200, ended));
        if by == "close" {
            // A reset may overtake what was sent before it.
            assert_eq!(heard.body().len(), 70_000);
        }
        let rest = raw.file(&path, &[("Range", "bytes=70000-")]).await;
        assert_eq!((rest.status(), rest.body().len()), (206, promised - 70_000), "the URL goes on");
        let generated = raw.generate_raw().await;
        assert_eq!((generated.body(), generated.ended), (&b"{\"t"[..], ended));
        let bare = raw.generate_raw().await;
        assert_eq!((bare.status(), bare.body().len(), bare.ended), (200, 0, ended));
        let beyond = raw.generate_raw().await;
        assert!(beyond.body().ends_with(b"\"}"));
        assert_eq!(
            (beyond.header("content-length"), beyond.ended),
            (Some("5001"), ended),
            "always short of it"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_by_silence_leaves_the_connection_open() {
    let raw = Raw::start(READY, r#"[{"on":"redeem","do":{"cut_body":{"after":5,"by":"silence"}}}]"#).await;
    let token = raw.ready().await;
    let socket = raw.open(&token);
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a limit");
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    let error = loop {
        match (&socket).read(&mut buffer) {
            Ok(read) => {
                assert_ne!(read, 0, "closed");
                heard.extend_from_slice(&buffer[..read]);
            }
            // Until it has come: whatever the machine does.
            Err(_) if !heard.ends_with(b"\r\n\r\n{\"ava") => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[tokio::test]
async fn slow_body_comes_whole_in_its_time() {
    let raw = Raw::start(READY, r#"[{"on":"generate","do":{"slow_body":{"bytes_per_second":200}}}]"#).await;
    let began = Instant::now();
    let heard = raw.generate_raw().await;
    assert_eq!(heard.json()["token"].as_str().expect("a token").len(), 24);
    let least = heard.body().len() as u128 * 1_000 / 200;
    assert!(began.elapsed().as_millis() >= least, "at least that long, whatever the machine does");
}

#[tokio::test]
async fn wrong_length_promises_more_or_less_than_comes() {
    let list = r#"[{"on":"generate","nth":1,"do":{"wrong_length":{"by":10}}},
                   {"on":"generate","nth":2,"do":{"wrong_length":{"by":-10}}},
                   {"on":"generate","nth":3,"do":{"wrong_length":{"by":-5000}}},
                   {"on":"file","nth":1,"do":{"wrong_length":{"by":-100000}}}]"#;
    let raw = Raw::start(READY, list).await;
    let promised = |heard: &crate::raw::Heard| heard.header("content-length").map(str::parse::<usize>);
    for by in [10_isize, -10] {
        let heard = raw.generate_raw().await;
        assert_eq!(heard.json()["token"].as_str().expect("a token").len(), 24, "the true body comes");
        assert_eq!(promised(&heard), Some(Ok(heard.body().len().saturating_add_signed(by))));
        assert_eq!(heard.ended, Ended::Closed);
    }
    let heard = raw.generate_raw().await;
    assert_eq!((promised(&heard), heard.json()["token"].is_string()), (Some(Ok(1)), true));
    let path = raw.portrait().await;
    let file = raw.file(&path, &[]).await;
    assert_eq!(promised(&file), Some(Ok(file.body().len() - 100_000)));
    assert!(file.body().ends_with(b"IEND\xaeB`\x82"), "to the last byte of the picture");
}

#[tokio::test]
async fn garbage_has_status_and_length_and_is_the_same_again() {
    let list = r#"[{"on":"redeem","nth":1,"do":"garbage"},{"on":"redeem","nth":2,"do":{"garbage":{"bytes":100000}}}]"#;
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let raw = Raw::start(Scenario::NeverScanned, list).await;
        let token = raw.generate().await;
        let (first, second) = (raw.redeem(&token).await, raw.redeem(&token).await);
        assert_eq!((first.status(), first.header("content-type")), (200, Some("application/json")));
        assert!(serde_json::from_slice::<serde_json::Value>(first.body()).is_err());
        assert_eq!((second.body().len(), second.header("content-length")), (100_000, Some("100000")));
        let whole = raw.redeem(&token).await;
        assert_eq!(whole.body().len(), first.body().len());
        bodies.push((first.body().to_vec(), second.body().to_vec()));
    }
    assert_eq!(bodies[0], bodies[1], "by the seed");
}

#[tokio::test]
async fn wrong_shape_breaks_the_named_field() {
    let list = r#"[{"on":"redeem","nth":1,"do":{"wrong_shape":{"field":"payload_incomplete.completion_progress","becomes":"out_of_range"}}},
                   {"on":"redeem","nth":2,"do":{"wrong_shape":{"field":"avatar_ready","becomes":"missing"}}},
                   {"on":"redeem","nth":3,"do":{"wrong_shape":{"field":"payload_incomplete.queue_position","becomes":"other_type"}}},
                   {"on":"redeem","nth":4,"do":{"wrong_shape":{"field":"avatar_ready","becomes":{"value":[1]}}}},
                   {"on":"redeem","nth":5,"do":"wrong_shape"}]"#;
    let raw = Raw::start(Scenario::NeverScanned, list).await;
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
    let raw = Raw::start(Scenario::NeverScanned, r#"[{"on":"redeem","do":"huge"}]"#).await;
    let token = raw.generate().await;
    let key = raw.sandbox().credentials().api_key.expose().to_owned();
    let most = 20 * 1024 * 1024;
    let heard = raw.hear("GET /redeemExportToken", &[(API_KEY, &key), (TOKEN, &token)], most).await;
    assert!(heard.bytes.len() >= most);
    assert_eq!((heard.header("content-length"), heard.header("transfer-encoding")), (None, Some("chunked")));
}

#[tokio::test]
async fn coded_bodies_are_in_the_coding_or_only_claim_it() {
    let list = r#"[{"on":"generate","nth":1,"do":"coded"},{"on":"generate","nth":2,"do":{"coded":{"coding":"deflate"}}},
                   {"on":"generate","nth":3,"do":{"coded":{"coding":"gzip","only_claimed":true}}},
                   {"on":"file","do":"coded"}]"#;
    let raw = Raw::start(READY, list).await;
    let (gzip, deflate) = (raw.generate_raw().await, raw.generate_raw().await);
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*dechunked(gzip.body())).read_to_string(&mut text).expect("gzip");
    assert!(text.starts_with("{\"token\":"), "{text}");
    text.clear();
    flate2::read::ZlibDecoder::new(&*dechunked(deflate.body())).read_to_string(&mut text).expect("deflate");
    assert!(text.starts_with("{\"token\":"), "{text}");
    let claimed = raw.generate_raw().await;
    assert_eq!(
        (claimed.header("content-encoding"), claimed.json()["token"].is_string()),
        (Some("gzip"), true)
    );
    let file = raw.file(&raw.portrait().await, &[]).await;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*dechunked(file.body())).read_to_end(&mut bytes).expect("gzip");
    assert!(bytes.starts_with(b"\x89PNG") && bytes.ends_with(b"IEND\xaeB`\x82"));
}

#[tokio::test]
async fn headers_are_set_and_removed() {
    let list = r#"[{"on":"file","do":{"headers":{"remove":["content-length","ETag"],"set":{"Content-Type":"text/html"}}}}]"#;
    let raw = Raw::start(READY, list).await;
    let heard = raw.file(&raw.portrait().await, &[]).await;
    assert_eq!((heard.header("content-length"), heard.header("etag")), (None, None));
    assert_eq!(heard.header("transfer-encoding"), Some("chunked"));
    assert_eq!(heard.header("content-type"), Some("text/html"));
    assert!(dechunked(heard.body()).ends_with(b"IEND\xaeB`\x82"));
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_resume() {
    for (what, by) in
        [("ignore_range", ""), ("refuse_range", ""), ("wrong_range", r#""by":-20"#), ("changed_etag", "")]
    {
        let list = format!(r#"[{{"on":"file","ranged":true,"nth":1,"do":{{"{what}":{{{by}}}}}}}]"#);
        let raw = Raw::start(READY, &list).await;
        let path = raw.portrait().await;
        let first = raw.file(&path, &[("Range", "bytes=0-99")]).await;
        match what {
            "ignore_range" => assert_eq!((first.status(), first.header("content-range")), (200, None)),
            "refuse_range" => {
                assert_eq!(first.status(), 416);
                assert!(first.header("content-range").expect("the length").starts_with("bytes */"));
                assert_eq!(raw.file(&path, &[]).await.status(), 200, "the URL still works");
            }
            "wrong_range" => {
                assert_eq!(first.status(), 206);
                raw.sandbox().set_faults(faults::read(list.as_bytes()).expect("a list")).expect("in force");
                let moved = raw.file(&path, &[("Range", "bytes=100-199")]).await;
                assert!(moved.header("content-range").expect("a range").starts_with("bytes 80-199/"));
            }
            _ => {
                let etag =
                    raw.file(&path, &[("Range", "bytes=0-99")]).await.header("etag").expect("one").to_owned();
                assert_ne!(first.header("etag"), Some(etag.as_str()));
                raw.sandbox().set_faults(faults::read(list.as_bytes()).expect("a list")).expect("in force");
                let headers = [("Range", "bytes=100-"), ("If-Range", etag.as_str())];
                let whole = raw.file(&path, &headers).await;
                assert_eq!(whole.status(), 200, "another version: the whole");
                assert_ne!(whole.header("etag"), Some(etag.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn a_redirect_a_retry_or_a_head_do_not_strike_what_they_are_not_for() {
    let raw =
        Raw::start(READY, r#"[{"on":"file","file":"avatar.glb","do":"reset"},{"on":"login","do":"reset"}]"#)
            .await;
    let path = raw.portrait().await;
    assert_eq!(raw.ask(&format!("HEAD {path}"), &[]).await.status(), 200);
    assert_eq!(raw.file(&path, &[]).await.status(), 200, "another file");
    assert_eq!(raw.ask("GET /login", &[]).await.status(), 405);
    assert_eq!(raw.ask("POST /login", &[]).await.ended, Ended::Reset);
    assert_eq!(raw.struck(), [0, 1]);
}

#[tokio::test]
async fn a_tester_sets_looks_at_and_ends_faults() {
    let world = World::new(Scenario::Happy);
    assert_eq!(world.get("/sandbox/faults", &[]).await.text(), "[]");
    let put = async |list: &'static str| world.ask(Method::PUT, "/sandbox/faults", &[], list).await;
    let set = put(r#"[{"on":"generate","nth":1,"do":{"status":{"code":500}}}]"#).await;
    let expected =
        r#"[{"fault":{"on":"generate","nth":[1],"do":{"status":{"code":500}}},"seen":0,"struck":0}]"#;
    assert_eq!((set.status.as_u16(), set.text()), (200, expected));
    assert_eq!(world.ask(Method::POST, "/generateExportToken", &[], Body::empty()).await.status, 500);
    assert_eq!(world.ask(Method::POST, "/generateExportToken", &[], Body::empty()).await.status, 403);
    let counted = world.get("/sandbox/faults", &[]).await.json();
    assert_eq!((&counted[0]["seen"], &counted[0]["struck"]), (&2.into(), &1.into()));
    let bad = put(r#"[{"on":"redeem","do":{"status":{"code":"x"}}}]"#).await;
    assert_eq!(bad.refusal(), (400, 107));
    assert!(
        bad.text().contains("[0].do.status.code") && bad.text().contains("--list-faults"),
        "{}",
        bad.text()
    );
    assert_eq!(world.get("/sandbox/faults", &[]).await.json(), counted, "nothing changed");
    assert_eq!(world.ask(Method::DELETE, "/sandbox/faults", &[], Body::empty()).await.status, 204);
    assert_eq!(world.get("/sandbox/faults", &[]).await.text(), "[]");
}

/// The bytes of a chunked body.
fn dechunked(mut raw: &[u8]) -> Vec<u8> {
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
