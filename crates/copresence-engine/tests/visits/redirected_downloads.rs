//! File URLs that redirect to a storage: the target is requested again, also after a restart.

use super::backend::{Request, Response, glb, html_page};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{Fixture, REDEEM_PATH, SHORT_PATIENCE, asked, incomplete, interrupted, saved};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A backend whose one-time link redirects to `/storage` once. `storage` answers the n-th request there.
async fn fixture_with_redirecting_url(
    storage: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> Fixture {
    Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::status(302).with_header("location", "/storage?sig=planted-signature"),
        ("/files/one", _) => Response::status(410),
        (path, _) if path.starts_with("/storage") => storage(nth, ask),
        _ => Response::default(),
    })
    .await
}

/// Case L13: a one-time link that redirects to the storage.
#[tokio::test]
async fn a_redirected_download_continues_at_its_target() {
    // The number of the first failures of the storage, before and after a response that breaks off.
    for (failures_before, failures_after) in [(0, 0), (1, 0), (2, 0), (5, 0), (0, 1), (0, 2), (2, 2)] {
        let fixture = fixture_with_redirecting_url(move |nth, ask| match nth {
            nth if nth <= failures_before => Response::status(503),
            nth if nth == failures_before + 1 => Response::file(&glb(1000)).breaking_at(400),
            nth if nth <= failures_before + 1 + failures_after => Response::no_response(),
            _ => Response::range_response(&glb(1000), ask.range_start()),
        })
        .await;
        let ended = fixture.run_visit().await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{failures_before}, {failures_after}");
        assert!(asked(&fixture).len() <= 6, "a refused URL is not requested again while its target may have the file");
    }
}

/// The values of `files.redirected_to` in the journal, as another program reads them.
fn journalled_redirect_targets(fixture: &Fixture) -> Vec<Option<String>> {
    let journal = rusqlite::Connection::open(fixture.root.path().join("data/journal.sqlite")).expect("opens");
    let mut query = journal.prepare("SELECT redirected_to FROM files").expect("a column");
    let targets = query.query_map([], |row| row.get(0)).expect("reads");
    targets.collect::<rusqlite::Result<_>>().expect("reads")
}

#[tokio::test]
async fn the_redirect_target_of_a_spent_url_is_requested_after_a_restart() {
    for has_bytes in [false, true] {
        let is_up = Arc::new(AtomicBool::new(false));
        let up = is_up.clone();
        let fixture = fixture_with_redirecting_url(move |nth, ask| match nth {
            1 if has_bytes => Response::file(&glb(1000)).breaking_at(400),
            _ if !up.load(Ordering::SeqCst) => Response::status(503),
            _ if has_bytes => Response::range_response(&glb(1000), ask.range_start()),
            _ => Response::file(&glb(1000)),
        })
        .await;
        let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
        interrupted(&fixture, &ended).await;
        let target = fixture.backend.url.join("/storage?sig=planted-signature").expect("a URL");
        assert_eq!(journalled_redirect_targets(&fixture), [Some(target.to_string())]);
        is_up.store(true, Ordering::SeqCst);
        let all = recover_fixture_visits(&fixture).await;
        assert_eq!(all[0].outcome.exit_code(), 0, "has bytes: {has_bytes}: {all:?}");
        assert_eq!(journalled_redirect_targets(&fixture), [None], "it is erased like the URL");
    }
}

/// Signed cookies, as content delivery networks use them.
#[tokio::test]
async fn a_download_is_continued_at_a_redirect_target_with_the_cookie_of_the_redirect() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::status(302)
            .with_header("location", ask.url("/storage/1"))
            .with_header("set-cookie", "signed=abcdef; Path=/storage"),
        ("/files/one", _) => Response::status(410),
        ("/storage/1", _) if ask.header("cookie") != Some("signed=abcdef") => Response::status(403),
        ("/storage/1", 1) => Response::file(&glb(1000)).breaking_at(400),
        ("/storage/1", _) => Response::range_response(&glb(1000), ask.range_start()),
        _ => Response::default(),
    })
    .await;
    assert_eq!(saved(&fixture.run_visit().await, "avatar.glb"), glb(1000));
}

#[tokio::test]
async fn a_refused_redirect_target_leads_back_to_the_url() {
    // The signature of the first target expires during an outage, and the URL issues another.
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::status(302).with_header("location", "/storage/1"),
        ("/files/one", _) => Response::status(302).with_header("location", "/storage/2"),
        ("/storage/1", 1) => Response::file(&glb(1000)).breaking_at(400),
        ("/storage/1", _) => Response::status(403),
        ("/storage/2", _) => Response::range_response(&glb(1000), ask.range_start()),
        _ => Response::default(),
    })
    .await;
    assert_eq!(saved(&fixture.run_visit().await, "avatar.glb"), glb(1000));

    let fixture = fixture_with_redirecting_url(|nth, _| Response::status(if nth < 3 { 503 } else { 403 })).await;
    let ended = fixture.run_visit().await;
    let (_, why) = incomplete(&fixture, &ended);
    assert!(why.contains("410") && why.contains("403"), "both refused: {why}");
    assert_eq!(journalled_redirect_targets(&fixture), [None]);
}

#[tokio::test]
async fn a_login_page_that_a_redirect_led_to_does_not_replace_the_url() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::status(302).with_header("location", "/portal"),
        ("/files/one", 2) => Response::status(302).with_header("location", "/storage"),
        ("/files/one", _) => Response::status(410),
        ("/portal", _) => html_page(),
        ("/storage", 1 | 2) => Response::status(503),
        ("/storage", _) => Response::file(&glb(1000)),
        _ => Response::default(),
    })
    .await;
    assert_eq!(saved(&fixture.run_visit().await, "avatar.glb"), glb(1000));
}

/// The one-time URL is spent by its redirect to the storage, which a network login redirects to its own pages for a while, also
/// during the first run after a restart.
#[tokio::test]
async fn login_pages_to_which_a_storage_is_redirected_do_not_replace_it() {
    for restarts in [false, true] {
        let is_login_over = Arc::new(AtomicBool::new(false));
        let is_over = is_login_over.clone();
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
            ("/files/one", 1) => Response::status(302).with_header("location", "/storage?sig=planted-signature"),
            ("/files/one", _) => Response::status(410),
            (path, _) if path.starts_with("/storage") && is_over.load(Ordering::SeqCst) => Response::file(&glb(1000)),
            (path, nth) if path.starts_with("/storage") => {
                is_over.store(!restarts && nth == 3, Ordering::SeqCst);
                Response::status(302).with_header("location", format!("/login?request={nth}"))
            }
            (path, nth) if path.starts_with("/login") && nth % 2 == 0 => Response::status(404),
            (path, _) if path.starts_with("/login") => html_page(),
            _ => Response::default(),
        })
        .await;
        if restarts {
            let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
            interrupted(&fixture, &ended).await;
            is_login_over.store(true, Ordering::SeqCst);
            let all = recover_fixture_visits(&fixture).await;
            assert_eq!(all[0].outcome.exit_code(), 0, "{all:?}");
        } else {
            assert_eq!(saved(&fixture.run_visit().await, "avatar.glb"), glb(1000));
        }
    }
}

#[tokio::test]
async fn a_redirect_is_followed_without_credentials() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::status(302).with_header("location", "/elsewhere"),
        "/elsewhere" => Response::file(&glb(1000)),
        _ => Response::default(),
    })
    .await;
    assert_eq!(saved(&fixture.run_visit().await, "avatar.glb"), glb(1000));
    let all = fixture.backend.requests();
    let elsewhere = all.iter().find(|ask| ask.path == "/elsewhere").expect("followed");
    assert!(elsewhere.header("x-copresence-rest-api-key").is_none());
    assert!(elsewhere.header("x-copresence-export-token").is_none());
}
