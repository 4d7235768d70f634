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
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => Response::file(&body(ask)),
            (REDEEM_PATH, _) => Response::status(400),
            ("/files/one", _) => Response::file(&glb(500)),
            ("/files/two", _) => Response::file(&png(600)),
            _ => Response::default(),
        })
        .await;
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
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => Response::file(&encode(delivery(ask).as_bytes())),
            (REDEEM_PATH, _) => Response::status(400),
            ("/files/one", _) => Response::file(&glb(500)),
            ("/files/two", _) => Response::file(&png(600)),
            _ => Response::default(),
        })
        .await;
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
