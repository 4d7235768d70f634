//! Nothing that is logged, emitted or printed for debugging contains a secret.

use super::backend::{Response, glb};
use super::fixture::{API_KEY, Fixture, REDEEM_PATH, SESSION_TOKEN};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_or_emitted() {
    let log = Buffer::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // For every test of this process: what the others log is held to it as well.
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::no_response(),
        (REDEEM_PATH, 2) => Response::status(500),
        (REDEEM_PATH, 3) => ask.ready_response(&[("glb", "secret-file-name?sig=planted")]),
        ("/files/secret-file-name?sig=planted", 1) => Response::file(&glb(500)).breaking_at(100),
        ("/files/secret-file-name?sig=planted", _) => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let config = fixture.visit_config().await;
    let shown = format!("{config:?} {:?} {:?} {:?}", fixture.target, fixture.profile, fixture.data_store);
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome.exit_code(), 0);
    // The link is for everybody to see; nothing else says the token.
    let lines: Vec<_> =
        fixture.events().into_iter().filter(|line| line.event_name() != "invited").map(|l| format!("{l:?}")).collect();
    let detail = format!("{:?}", fixture.only_visit().await);
    let manifest = std::fs::read_to_string(ended.directory.expect("saved").join("manifest.json")).expect("read");
    let log = String::from_utf8_lossy(&log.0.lock().expect("no panic")).into_owned();
    assert!(log.contains("retrying the download"), "the log is captured");
    let texts =
        [("debug", shown), ("lines", lines.join(" ")), ("journal", detail), ("manifest", manifest), ("log", log)];
    for (place, text) in texts {
        for secret in [API_KEY, SESSION_TOKEN, "export-token-1", "sig=planted"] {
            let at = text.find(secret).map(|at| text.get(at.saturating_sub(200)..at + 40));
            assert_eq!(at, None, "{secret} stands in the {place}");
        }
    }
}
