//! Visits that an earlier run of the program left in the journal, and their recovery.

use super::backend::{Request, Response, glb, png};
use super::fixture::{Fixture, GENERATE_PATH};
use copresence_engine::recovery::{RecoveryOutcome, VisitRecoveryResult, recover_all_visits};
use copresence_protocol::{DownloadUrl, ExportToken, ExportType};
use copresence_store::{AnswerKind, PartialAvatarFolder, PlannedFile, VisitId, VisitStart};
use jiff::Timestamp;

pub(crate) async fn recover_fixture_visits(fixture: &Fixture) -> Vec<VisitRecoveryResult> {
    recover_all_visits(&fixture.data_store, &|_| Ok(fixture.visit_context())).await.expect("the journal reads")
}

pub(crate) async fn recover_only_visit(fixture: &Fixture) -> RecoveryOutcome {
    let mut all = recover_fixture_visits(fixture).await;
    assert_eq!(all.len(), 1);
    all.remove(0).outcome
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A visit that began and has a token, as a crash leaves it.
pub(crate) async fn journal_issued_visit(fixture: &Fixture, ephemeral: bool) -> VisitId {
    let id = VisitId::new();
    let start = VisitStart {
        id,
        profile: "test".into(),
        api_url: fixture.backend.url.to_string(),
        backend_host: "backend.test".into(),
        ephemeral,
        out_dir: fixture.out_dir(),
        required_exports: Vec::new(),
        started_at: now(),
        limits: None,
    };
    fixture.data_store.journal.record_visit_start(&start).await.expect("begun");
    let token = ExportToken::new("left-over-token").expect("a token");
    fixture
        .data_store
        .journal
        .record_issued_token(&id, &token, "https://app.test/", None, now())
        .await
        .expect("issued");
    id
}

/// The same with an answer on disk that nobody has read.
pub(crate) async fn journal_unread_answer(fixture: &Fixture, status: u16, body: &str) -> VisitId {
    let id = journal_issued_visit(fixture, false).await;
    let no = fixture.data_store.journal.record_redeem_intent(&id, now()).await.expect("intent");
    fixture.data_store.journal.record_raw_answer(&id, no, status, body.as_bytes(), now()).await.expect("answered");
    id
}

/// A visit whose response was read and planned, and with a folder in the making.
pub(crate) async fn journal_planned_visit(fixture: &Fixture, ready: bool) -> (VisitId, PartialAvatarFolder) {
    let id = journal_issued_visit(fixture, false).await;
    let body = delivery_body(fixture, ready, &[("glb", "one")]);
    let journal = &fixture.data_store.journal;
    let no = journal.record_redeem_intent(&id, now()).await.expect("intent");
    journal.record_raw_answer(&id, no, 200, body.as_bytes(), now()).await.expect("answered");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    let url = fixture.backend.url.join("/files/one").expect("a URL");
    let file = PlannedFile {
        index: 0,
        name: "avatar.glb".into(),
        export_type: ExportType::new("glb"),
        url: DownloadUrl::new(url.as_str()).expect("a URL"),
    };
    journal.record_planned_files(&id, &[file]).await.expect("planned");
    let day = now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut folder = PartialAvatarFolder::create_or_reopen_folder(&fixture.out_dir(), &id, day).expect("a folder");
    assert_eq!(folder.assign_file_name(0, &ExportType::new("glb")), "avatar.glb");
    (id, folder)
}

pub(crate) fn delivery_body(fixture: &Fixture, ready: bool, exports: &[(&str, &str)]) -> String {
    let url = |name: &str| fixture.backend.url.join(&format!("/files/{name}")).expect("a URL").to_string();
    let list: Vec<_> = exports
        .iter()
        .map(|(kind, name)| serde_json::json!({"export_type": kind, "download_URL": url(name)}))
        .collect();
    serde_json::json!({"avatar_ready": ready, "payload_complete": list}).to_string()
}

pub(crate) fn serve_files(ask: &Request) -> Response {
    match ask.path.as_str() {
        GENERATE_PATH => Response::default(),
        "/files/one" => Response::file(&glb(500)),
        "/files/two" => Response::file(&png(600)),
        _ => Response::status(500),
    }
}
