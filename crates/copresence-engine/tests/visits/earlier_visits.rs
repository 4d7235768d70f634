//! Visits that an earlier run of the program left in the journal, and their recovery.

use super::fixture::Fixture;
use copresence_engine::recovery::{VisitRecoveryResult, recover_all_visits};
use copresence_protocol::ExportToken;
use copresence_store::{VisitId, VisitStart};
use jiff::Timestamp;

pub(crate) async fn recover_fixture_visits(fixture: &Fixture) -> Vec<VisitRecoveryResult> {
    recover_all_visits(&fixture.data_store, &|_| Ok(fixture.visit_context())).await.expect("the journal reads")
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

pub(crate) fn delivery_body(fixture: &Fixture, ready: bool, exports: &[(&str, &str)]) -> String {
    let url = |name: &str| fixture.backend.url.join(&format!("/files/{name}")).expect("a URL").to_string();
    let list: Vec<_> = exports
        .iter()
        .map(|(kind, name)| serde_json::json!({"export_type": kind, "download_URL": url(name)}))
        .collect();
    serde_json::json!({"avatar_ready": ready, "payload_complete": list}).to_string()
}
