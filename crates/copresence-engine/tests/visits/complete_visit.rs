//! Visits that save their avatar, and the journal at each step.

use super::backend::{Response, glb, png};
use super::fixture::{Fixture, GENERATE_PATH, REDEEM_PATH, block_on, file_names, manifest, read_only_visit};
use copresence_engine::Outcome;
use copresence_engine::events::EventKind;
use copresence_engine::runner::VisitResult;
use copresence_engine::setup::VisitOverrides;
use copresence_store::{FileDownloadState, RedeemState};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn a_complete_visit_saves_every_file_under_our_own_names() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::not_ready("no_associated_avatar"),
        (REDEEM_PATH, 2) => Response::not_ready("in_queue"),
        (REDEEM_PATH, 3) => Response::not_ready("processing"),
        (REDEEM_PATH, 4) => ask.ready_response(&[("glb", "one"), ("GLB", "two"), ("../png", "three")]),
        ("/files/one", _) => Response::file(&glb(500)),
        ("/files/two", _) => Response::file(&glb(600)),
        ("/files/three", _) => Response::file(&png(700)),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome, Outcome::Saved);

    let directory = ended.directory.expect("a folder");
    assert_eq!(directory.parent(), Some(fixture.out_dir().as_path()));
    assert_eq!(file_names(&fixture.out_dir()).len(), 1, "nothing half-written beside it");
    assert_eq!(file_names(&directory), ["avatar-2.glb", "avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("read"), glb(500));
    assert_eq!(std::fs::read(directory.join("avatar-2.glb")).expect("read"), glb(600));

    let manifest = manifest(&directory);
    assert!(manifest.complete && manifest.missing.is_empty());
    assert_eq!(manifest.profile, "test");
    let types: Vec<_> = manifest.files.iter().map(|file| file.export_type.as_str()).collect();
    assert_eq!(types, ["glb", "GLB", "../png"], "as sent");
    let times = &manifest.times;
    for time in [times.issued, times.associated, times.queued, times.processing, times.ready, times.saved] {
        assert!(time.is_some_and(|time| time >= times.started), "{times:?}");
    }

    let detail = fixture.only_visit().await;
    assert_eq!(detail.visit.ending.as_ref().map(|ending| ending.exit), Some(0));
    assert!(detail.visit.times.ready.is_some() && detail.visit.times.saved.is_some());
    assert!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty(), "no secret is left");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 4);

    let words = fixture.event_names();
    let without_progress: Vec<_> = words.iter().copied().filter(|word| *word != "progress").collect();
    assert_eq!(without_progress, ["started", "invited", "status", "status", "status", "redeemed", "saved", "ended"]);
    assert_eq!(words.iter().filter(|word| **word == "progress").count(), 3, "one when a file is whole");
}

/// As in the hosts: a runtime of several threads, which waits for the disk in another way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_visits_on_several_threads_do_not_interfere() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one"), ("png", "two")]),
        "/files/one" => Response::file(&glb(50_000)),
        "/files/two" => Response::file(&png(50_000)),
        _ => Response::default(),
    })
    .await;
    let mut visits = Vec::new();
    for _ in 0..4 {
        visits.push(fixture.spawn_visit().await.0);
    }
    for visit in visits {
        assert_eq!(visit.await.expect("no panic").outcome, Outcome::Saved);
    }
    assert_eq!(file_names(&fixture.out_dir()).len(), 4);
    assert_eq!((fixture.backend.count_requests(GENERATE_PATH), fixture.backend.count_requests(REDEEM_PATH)), (4, 4));
}

#[cfg(unix)]
#[tokio::test]
async fn saved_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let directory = fixture.run_visit().await.directory.expect("a folder");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for name in file_names(&directory) {
        assert_eq!(mode(&directory.join(&name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn each_step_is_journalled_before_it_is_taken() {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = seen.clone();
    let backend = super::backend::Backend::start(move |nth, ask| {
        // As another program would: through a connection of its own, while the request waits.
        let detail = block_on(read_only_visit(&data));
        let redeems: Vec<String> = detail
            .redeems
            .iter()
            .map(|redeem| match &redeem.outcome {
                RedeemState::InFlight => "open".to_owned(),
                RedeemState::Answered { delivered, .. } => format!("answered {delivered:?}"),
                other => format!("{other:?}"),
            })
            .collect();
        let files = detail.files.iter().map(|file| match file.state {
            FileDownloadState::Requested(_) => "requested",
            FileDownloadState::Complete { .. } => "whole",
            _ => "planned",
        });
        let issued = detail.visit.times.issued.is_some();
        let files: Vec<_> = files.collect();
        notes.lock().expect("no panic").push(format!("{} {issued} {redeems:?} {files:?}", ask.path));
        match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => Response::not_ready("processing"),
            (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("png", "two")]),
            ("/files/one", _) => Response::file(&glb(500)),
            ("/files/two", _) => Response::file(&png(500)),
            _ => Response::default(),
        }
    })
    .await;
    let mut fixture = Fixture::with_root(root, backend);
    fixture.profile.limits.parallel_downloads = 1;
    assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved);
    let seen = seen.lock().expect("no panic").clone();
    assert_eq!(
        seen,
        [
            "/generateExportToken false [] []",
            r#"/redeemExportToken true ["open"] []"#,
            r#"/redeemExportToken true ["answered Some(false)", "open"] []"#,
            r#"/files/one true ["answered Some(false)", "answered Some(true)"] ["requested", "planned"]"#,
            r#"/files/two true ["answered Some(false)", "answered Some(true)"] ["whole", "requested"]"#,
        ]
    );
}

#[tokio::test]
async fn a_contradictory_delivery_is_saved_and_reported() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response_with_flag(false, &[("glb", "one")]),
        "/files/one" => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome.exit_code(), 9);
    assert_eq!(file_names(&ended.directory.expect("a folder")), ["avatar.glb", "manifest.json"]);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1, "the token is spent");
    let Some(EventKind::Ended { visit_state, code, .. }) = fixture.events().pop() else { panic!("ended") };
    assert_eq!((visit_state.as_str(), code.as_str()), ("saved", "protocol_broken"));
}

/// A visit of which this export is required. The backend delivers one GLB file, as this type.
async fn visit_with_required_export(required: &str, delivered: &'static str) -> (Fixture, VisitResult) {
    let fixture = Fixture::with_one_file(delivered, |_, _| Response::file(&glb(500))).await;
    let overrides =
        VisitOverrides { required_exports: vec![copresence_engine::ExportType::new(required)], ..fixture.overrides() };
    let config = copresence_engine::setup::build_config_using_visit_history(
        &fixture.profile,
        &fixture.target,
        &fixture.data_store,
        &overrides,
    )
    .await;
    let ended = copresence_engine::runner::run_visit(
        config,
        fixture.visit_context(),
        tokio_util::sync::CancellationToken::new(),
    )
    .await;
    (fixture, ended)
}

#[tokio::test]
async fn a_required_export_is_delivered_in_any_spelling() {
    for delivered in [".glb", "GLB", " glb"] {
        let (_fixture, ended) = visit_with_required_export("glb", delivered).await;
        assert_eq!(ended.outcome.exit_code(), 0, "{delivered}");
    }
}

#[tokio::test]
async fn a_missing_required_export_makes_the_visit_incomplete() {
    let (fixture, ended) = visit_with_required_export("fbx", "glb").await;
    assert_eq!(ended.outcome.exit_code(), 7);
    let directory = ended.directory.expect("what came is kept");
    assert!(directory.starts_with(fixture.data_store.data.incomplete_avatars_path()));
    let manifest = manifest(&directory);
    assert!(!manifest.complete);
    assert_eq!(manifest.missing[0].export_type, "fbx");
    assert!(file_names(&fixture.out_dir()).is_empty(), "nothing incomplete stands among the avatars");
}

#[tokio::test]
async fn a_token_whose_link_fits_no_qr_code_is_reported() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        GENERATE_PATH => Response::json(&serde_json::json!({"token": "t".repeat(3000)})),
        _ => Response::status(500),
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome.exit_code(), 9);
    assert_eq!(fixture.backend.requests().len(), 1, "and no second one is made");
}
