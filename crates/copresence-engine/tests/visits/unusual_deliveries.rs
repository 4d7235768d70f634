//! Deliveries that do not have the specified shape: their URLs are sent only once all the same.

use super::backend::{Request, Response, glb, png};
use super::fixture::{Fixture, REDEEM_PATH, file_names};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The body of a delivery of two files.
fn delivery(ask: &Request) -> String {
    let (glb, png) = (ask.url("/files/one"), ask.url("/files/two"));
    format!(
        r#"{{"avatar_ready":true,"payload_complete":[{{"download_URL":"{glb}","export_type":"glb"}},{{"download_URL":"{png}","export_type":"png"}}]}}"#
    )
}

/// A backend that answers the first redeem so, refuses the token afterwards, and serves both files.
async fn fixture_with_one_delivery(redeem: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Fixture {
    Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => redeem(ask),
        (REDEEM_PATH, _) => Response::status(400),
        ("/files/one", _) => Response::file(&glb(500)),
        ("/files/two", _) => Response::file(&png(600)),
        _ => Response::default(),
    })
    .await
}

/// The responses break off, or cannot be read; the token is spent.
#[tokio::test]
async fn urls_in_unusual_shapes_that_are_cut_off_or_damaged_are_downloaded() {
    type Change = fn(&Request) -> Vec<u8>;
    let cases: [(&str, Change, usize); 5] = [
        ("wrapped", |ask| format!(r#"{{"result":{}"#, delivery(ask)).into_bytes(), 2),
        (
            "lower case",
            |ask| delivery(ask).replace("download_URL", "download_url").trim_end_matches("]}").as_bytes().to_vec(),
            2,
        ),
        (
            "text",
            |ask| serde_json::Value::from(delivery(ask)).to_string().trim_end_matches("}]}\"").as_bytes().to_vec(),
            2,
        ),
        (
            "list of URLs",
            |ask| {
                format!(r#"{{"payload_complete":["{}","{}"#, ask.url("/files/one"), ask.url("/files/two")).into_bytes()
            },
            1,
        ),
        ("other names", |ask| delivery(ask).replace("payload_complete", "data").into_bytes(), 2),
    ];
    for (name, body, files) in cases {
        for is_cut_off in [false, true] {
            let fixture = fixture_with_one_delivery(move |ask| {
                let body = body(ask);
                Response::file(&body).with_content_length(body.len() as u64 + u64::from(is_cut_off))
            })
            .await;
            let ended = fixture.run_visit().await;
            assert_eq!(ended.outcome.exit_code(), 7, "{name}: {ended:?}");
            let saved = file_names(&ended.directory.clone().unwrap_or_else(|| panic!("{name}: {ended:?}")));
            assert_eq!(saved.len(), files + 1, "{name}: {saved:?}");
        }
    }
}

/// A backend that sends a picture with the URLs.
#[tokio::test]
async fn the_urls_behind_a_large_picture_are_downloaded() {
    let fixture = fixture_with_one_delivery(|ask| {
        let preview = format!(r#"{{"preview":"{}","#, "A".repeat(2 << 20));
        Response::file(delivery(ask).replacen('{', &preview, 1).as_bytes())
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!((ended.outcome.exit_code(), fixture.backend.count_requests(REDEEM_PATH)), (0, 1), "{ended:?}");
}

#[tokio::test]
async fn urls_in_unusual_shapes_are_downloaded_and_reported_as_violations() {
    type Change = fn(&Request) -> Vec<u8>;
    let cases: [(&str, Change); 9] = [
        ("relative", |ask| {
            let host = ask.header("host").expect("a host").to_owned();
            let body = r#"{"avatar_ready":true,"payload_complete":[{"download_URL":"/files/one","export_type":"glb"},
                {"download_URL":"//HOST/files/two","export_type":"png"}]}"#;
            body.replace("HOST", &host).into_bytes()
        }),
        ("one relative", |ask| delivery(ask).replace(&ask.url("/files/one"), "/files/one").into_bytes()),
        ("lower case", |ask| delivery(ask).replace("download_URL", "download_url").into_bytes()),
        ("escaped slashes", |ask| {
            delivery(ask).replace("download_URL", "download_url").replace("//", r"\u002f\u002f").into_bytes()
        }),
        ("wrapped", |ask| format!(r#"{{"result":{}}}"#, delivery(ask)).into_bytes()),
        ("text", |ask| serde_json::Value::from(delivery(ask)).to_string().into_bytes()),
        ("list of URLs", |ask| {
            let urls = [ask.url("/files/one"), ask.url("/files/two")];
            serde_json::json!({"avatar_ready": true, "payload_complete": urls}).to_string().into_bytes()
        }),
        ("two lists", |ask| delivery(ask).replace("},{", r#"}],"payload_complete":[{"#).into_bytes()),
        ("a progress behind", |ask| {
            let body = delivery(ask);
            format!(
                r#"{},"payload_complete":[],"avatar_ready":false,"payload_incomplete":{{"completion_progress":99,"completion_status":"processing","queue_position":-1}}}}"#,
                body.trim_end_matches('}')
            )
            .into_bytes()
        }),
    ];
    for (name, body) in cases {
        let fixture = fixture_with_one_delivery(move |ask| Response::file(&body(ask))).await;
        let ended = fixture.run_visit().await;
        let saved = file_names(&ended.directory.clone().unwrap_or_else(|| panic!("{name}: {ended:?}")));
        assert_eq!(saved.len(), 3, "{name}: {saved:?}");
        assert_eq!((ended.outcome.exit_code(), fixture.backend.count_requests(REDEEM_PATH)), (9, 1), "{name}");
    }
}

#[tokio::test]
async fn a_delivery_in_utf_16_or_with_an_unstated_encoding_is_saved() {
    let zlib = |body: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, body).expect("in memory");
        encoder.finish().expect("in memory")
    };
    let utf_16 = |body: &[u8]| {
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    for encode in [zlib as fn(&[u8]) -> Vec<u8>, utf_16] {
        let fixture = fixture_with_one_delivery(move |ask| Response::file(&encode(delivery(ask).as_bytes()))).await;
        let ended = fixture.run_visit().await;
        assert_eq!(ended.outcome.exit_code(), 0, "{ended:?}");
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    }
}

/// What a program that was killed left: the journal has the URLs with their host.
#[tokio::test]
async fn relative_urls_are_journalled_with_their_host() {
    let is_away = Arc::new(AtomicBool::new(true));
    let away = is_away.clone();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::file(delivery(ask).replace(&ask.url("/files"), "/files").as_bytes()),
        (REDEEM_PATH, _) => Response::status(400),
        ("/files/one" | "/files/two", _) if away.load(Ordering::Relaxed) => Response::status(503),
        ("/files/one", _) => Response::file(&glb(500)),
        ("/files/two", _) => Response::file(&png(600)),
        _ => Response::default(),
    })
    .await;
    let patience = std::time::Duration::from_millis(300);
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = patience).await;
    assert_eq!(ended.outcome.exit_code(), 6, "{ended:?}");
    is_away.store(false, Ordering::Relaxed);
    let recovered = super::earlier_visits::recover_fixture_visits(&fixture).await;
    let codes: Vec<u8> = recovered.iter().map(|visit| visit.outcome.exit_code()).collect();
    assert_eq!(codes, [9]);
}
