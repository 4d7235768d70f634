//! The journal through the public API: refused steps, crashes, forgetting, and concurrent processes.

mod call_sequences;
#[path = "../common/mod.rs"]
mod common;
mod crashes;
mod endings;
mod processes;
mod redeems;
mod steps;

use common::{export_token, time_at, visit_start};
use copresence_protocol::{DownloadUrl, ExportType};
use copresence_store::{AnswerKind, AnswerWithoutUrls, Journal, PlannedFile, StoreError, VisitId};

const BODY: &[u8] = br#"{"avatar_ready":true,"payload_complete":[{"download_URL":"https://files.test/SECRET-URL"}]}"#;
const TOKEN: &str = "SECRET-TOKEN-0123456789";

fn planned_file(index: usize, name: &str) -> PlannedFile {
    PlannedFile {
        index,
        name: name.to_owned(),
        export_type: ExportType::new("glb"),
        url: DownloadUrl::new(&format!("https://files.test/SECRET-URL/{index}")).expect("a URL"),
    }
}

/// Records a visit with a token.
async fn visit_with_token(journal: &Journal) -> VisitId {
    let id = VisitId::new();
    journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
    journal
        .record_issued_token(&id, &export_token(TOKEN), &format!("https://link.test/?token={TOKEN}"), None, time_at(1))
        .await
        .expect("issued");
    id
}

/// Records a visit with a delivery.
async fn delivered_visit(journal: &Journal) -> VisitId {
    let id = visit_with_token(journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BODY, time_at(3)).await.expect("on disk");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    id
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass the result of a call directly")]
fn is_refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::StepRefused { .. }))
}

fn progress_answer(status: &str) -> AnswerWithoutUrls {
    AnswerWithoutUrls {
        status: 200,
        body_size: 100,
        kind: AnswerKind::Progress,
        completion_status: Some(status.to_owned()),
    }
}
