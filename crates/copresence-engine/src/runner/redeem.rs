//! One redeem: journal the intent, send one request, journal the response, and only then act on it.
//!
//! A response is parsed from its original bytes. The journal gets a masked copy: a backend may repeat a credential
//! anywhere. Masking never changes the URLs of a delivery; see [`mask_body_keeping_urls`].

use super::{RequiredDiskSpace, VisitContext, failure};
use bytes::Bytes;
use copresence_client::{ApiClient, ApiResponse, CallError, ErrorClass};
use copresence_protocol::{
    CompletionStatus, DeliveredExports, ExportToken, ExportType, RedeemResponse, shorten_text_of_backend,
};
use copresence_store::crash_point::{self, CrashPoint};
use copresence_store::{AnswerKind, AnswerWithoutUrls, Journal, RedeemNumber, StoreError, VisitId};
use copresence_visit::{RedeemResult, TruncatedResponseFiles, VisitStepFailure, VisitStepFailureKind};
use jiff::Timestamp;
use std::time::Duration;
use url::Url;

/// Maximum time that the downloads of a delivery wait for the journal, at each of two steps: its URLs expire. The writes
/// stay queued.
pub(super) const MAX_JOURNAL_WAIT: Duration = Duration::from_secs(2);

/// Maximum length of an export type and of an unknown status word, in bytes.
const MAX_BACKEND_WORD: usize = 200;

/// The result of a redeem, and the write to the journal that is still pending, if there is one.
pub(crate) struct RedeemResultAndPendingWrite {
    pub(crate) result: RedeemResult,
    /// What could not be journalled.
    pub(crate) pending_write: Option<PendingJournalWrite>,
}

/// A pending write to the journal: the end of a redeem. The journal refuses a further redeem until it is written.
pub(crate) struct PendingJournalWrite {
    no: RedeemNumber,
    response: RedeemResponseToJournal,
    kind: AnswerKind,
    at: Timestamp,
    /// Whether the body is on disk, and only its kind is missing.
    body_is_written: bool,
}

/// What the journal keeps of a response.
enum RedeemResponseToJournal {
    NeverSent { why: String },
    Unanswered { evidence: String, received: Bytes },
    Answered { status: u16, body: Bytes, size: u64, completion_status: Option<String> },
}

impl PendingJournalWrite {
    /// Journals what is not on disk yet.
    ///
    /// A response whose body is kept takes two transactions, the body first: whatever happens to this process
    /// afterwards, its URLs are on disk. Any other response takes one.
    ///
    /// # Errors
    /// When the journal cannot be written; calling it again continues where it stopped.
    pub(crate) async fn journal_redeem_response(&mut self, journal: &Journal, id: VisitId) -> Result<(), StoreError> {
        let (no, kind, at) = (self.no, self.kind, self.at);
        match &self.response {
            RedeemResponseToJournal::NeverSent { why } => journal.record_redeem_never_sent(&id, no, why, at).await,
            RedeemResponseToJournal::Unanswered { evidence, received } => {
                if !self.body_is_written {
                    journal.record_lost_answer(&id, no, evidence, received, at).await?;
                    self.body_is_written = true;
                }
                if received.is_empty() && kind != AnswerKind::Unreadable {
                    return Ok(());
                }
                journal.record_answer_kind_erasing_obsolete(&id, no, kind).await
            }
            RedeemResponseToJournal::Answered { status, body, .. }
                if should_journal_response_body(kind, *status, body) =>
            {
                if !self.body_is_written {
                    journal.record_raw_answer(&id, no, *status, body, at).await?;
                    self.body_is_written = true;
                }
                journal.record_answer_kind_erasing_obsolete(&id, no, kind).await
            }
            RedeemResponseToJournal::Answered { status, size, completion_status, .. } => {
                let answer = AnswerWithoutUrls {
                    status: *status,
                    body_size: *size,
                    kind,
                    completion_status: completion_status.clone(),
                };
                journal.record_answer_without_urls(&id, no, &answer, at).await
            }
        }
    }
}

/// Whether the journal keeps the body of a response: it has download URLs, or it is a 2xx that could not be read and
/// may have some.
fn should_journal_response_body(kind: AnswerKind, status: u16, body: &[u8]) -> bool {
    match kind {
        AnswerKind::Delivery | AnswerKind::Truncated => true,
        AnswerKind::Unreadable => is_success_status(status) && may_contain_download_url(body),
        AnswerKind::Progress | AnswerKind::Refused | AnswerKind::Failed | AnswerKind::Undecided => false,
    }
}

/// Whether a body has an http(s) URL, however its slashes are escaped, or a field for one.
fn may_contain_download_url(body: &[u8]) -> bool {
    let starts: [&[u8]; 3] = [b"http:", b"https:", b"download_url"];
    starts.iter().any(|start| body.windows(start.len()).any(|part| part.eq_ignore_ascii_case(start)))
}

/// Redeems once, if there is space for what the response may deliver. `before` is what is still to be journalled of the
/// previous redeem, and `earlier` names the files of truncated responses so far: a further truncated response adds its own.
///
/// If the future is dropped, the journal gets the redeem as unanswered (or as never sent, if it was not sent yet).
pub(crate) async fn redeem_if_space_and_journal(
    context: &VisitContext,
    id: VisitId,
    token: &ExportToken,
    before: Option<PendingJournalWrite>,
    earlier: Option<&DeliveredExports>,
    space: RequiredDiskSpace<'_>,
) -> RedeemResultAndPendingWrite {
    let unsent =
        |failure, pending_write| RedeemResultAndPendingWrite { result: RedeemResult::Failed(failure), pending_write };
    if let Some(mut before) = before
        && let Err(error) = before.journal_redeem_response(&context.journal, id).await
    {
        return unsent(failure::failure_of_store_error(&error), Some(before));
    }
    if let Err(failure) = space.check_free_writable_space(context) {
        return unsent(failure, None);
    }
    let mut intent = OpenRedeemIntentGuard { context, id, no: None, is_open: true };
    let no = match context.journal.record_redeem_intent(&id, context.clock.wall_clock_time()).await {
        Ok(no) => no,
        Err(error) => {
            // An intent that could not be flushed is in the journal, and would block every further redeem.
            intent.is_open = !matches!(error, StoreError::StepRefused { .. });
            return unsent(failure::failure_of_store_error(&error), None);
        }
    };
    intent.no = Some(no);
    let response = context.api.send_redeem_request(token).await;
    crash_point::reach_crash_point(CrashPoint::AnswerReceived);
    intent.is_open = false;
    drop(intent);
    let at = context.clock.wall_clock_time();
    let mut result = interpret_redeem_call(&response, no.redeem_number_as_u32(), &context.api);
    if let (RedeemResult::Truncated(_, TruncatedResponseFiles { delivery, .. }), Some(earlier)) = (&mut result, earlier)
    {
        // The journal keeps the body of the latest truncated response only, so that one names all files.
        *delivery = delivery.clone().merged_behind_earlier_truncated_delivery(earlier).limited_to_plausible_size();
    }
    let response = match response {
        Ok(response) => {
            let body = mask_body_keeping_urls(&context.api, Some(response.status), &response.body, &result);
            let completion_status = match &result {
                RedeemResult::NotReady(progress) => Some(progress.status.as_str().to_owned()),
                _ => None,
            };
            let size = response.body.len() as u64;
            RedeemResponseToJournal::Answered { status: response.status, body, size, completion_status }
        }
        Err(CallError::NeverSent(cause)) => RedeemResponseToJournal::NeverSent { why: cause.to_string() },
        Err(error) => {
            let (status, received) = extract_broken_response_from_error(&error);
            let is_delivered = matches!(result, RedeemResult::Delivered(_));
            let received = if is_delivered || is_success_status(status) { received } else { Bytes::new() };
            let mut received = mask_body_keeping_urls(&context.api, None, &received, &result);
            if journal_answer_kind_of_result(&result) == AnswerKind::Unreadable && !may_contain_download_url(&received)
            {
                received = Bytes::new();
            }
            if is_delivered {
                // Only bytes without a URL are missing.
                let size = received.len() as u64;
                RedeemResponseToJournal::Answered { status, size, body: received, completion_status: None }
            } else {
                RedeemResponseToJournal::Unanswered { evidence: error.to_string(), received }
            }
        }
    };
    crash_point::reach_crash_point(CrashPoint::AnswerParsed);
    let mut write =
        PendingJournalWrite { no, response, kind: journal_answer_kind_of_result(&result), at, body_is_written: false };
    // The response may hold the only URLs there will ever be, so the visit continues also when the disk refuses it.
    let has_urls = matches!(result, RedeemResult::Delivered(_) | RedeemResult::Truncated(..));
    let max_wait = if has_urls { MAX_JOURNAL_WAIT } else { Duration::MAX };
    let written = tokio::time::timeout(max_wait, write.journal_redeem_response(&context.journal, id)).await;
    let pending_write = match written {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::error!(%error, visit = %id, "cannot journal the response of the redeem");
            Some(write)
        }
        Err(_elapsed) => {
            tracing::error!(visit = %id, "the journal is slow or locked: the delivery is journalled while it is downloaded");
            Some(write)
        }
    };
    RedeemResultAndPendingWrite { result, pending_write }
}

/// What a redeem call means for the visit. `number` is the number of the redeem within the visit, from 1. Known secrets
/// of the client are masked in the texts of the result.
pub fn interpret_redeem_call(call: &Result<ApiResponse, CallError>, number: u32, api: &ApiClient) -> RedeemResult {
    let no = RedeemNumber::new(number);
    let result = match call {
        Ok(response) => parse_redeem_response(response, no, Some(api.redeem_url())),
        Err(error) => {
            let (status, received) = extract_broken_response_from_error(error);
            let failure = failure::to_visit_step_failure(error);
            match parse_delivery_with_complete_list(&received, Some(api.redeem_url())) {
                Some(delivery) => RedeemResult::Delivered(delivery),
                None if is_success_status(status) => {
                    failure_with_partial_delivery(failure, no, &received, Some(api.redeem_url()))
                }
                None => RedeemResult::Failed(failure),
            }
        }
    };
    mask_secrets_in_status_and_export_types(result, api)
}

/// The status and the received bytes of a response that is not whole or cannot be decoded; 0 and none for every other
/// error.
fn extract_broken_response_from_error(error: &CallError) -> (u16, Bytes) {
    match error {
        CallError::ResponseLost(evidence) => (evidence.status.unwrap_or_default(), evidence.body.clone()),
        CallError::InvalidResponse(broken) => (broken.status, broken.body.clone()),
        _ => (0, Bytes::new()),
    }
}

/// The delivery in a body, if its list of URLs is whole. The rest of the body and its status do not matter: URLs prove
/// that the token was exchanged for them. URLs in an unusual shape are used if there are more of them than in the
/// specified one; those without a host are resolved with `redeem_url`, the URL of the call.
/// Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is invalidated".
fn parse_delivery_with_complete_list(body: &[u8], redeem_url: Option<&Url>) -> Option<DeliveredExports> {
    let specified = match RedeemResponse::parse(body) {
        Ok(RedeemResponse::Ready(delivery)) => Some(delivery),
        Ok(RedeemResponse::NotReady { .. }) => None,
        Err(_) => DeliveredExports::parse_complete_list_in_broken_body(body),
    };
    let unusual = redeem_url.and_then(|url| DeliveredExports::find_delivery_in_unusual_shape(body, url));
    let count = |delivery: &DeliveredExports| delivery.exports.len();
    let delivery = match unusual {
        Some(unusual) if specified.as_ref().is_none_or(|specified| count(specified) < count(&unusual)) => Some(unusual),
        _ => specified,
    };
    delivery.map(DeliveredExports::limited_to_plausible_size)
}

/// Whether a status is a 2xx.
fn is_success_status(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Reads a whole response: live, or from the journal.
///
/// A delivery is used with any status, because there will be no other. A "not ready" counts with 200 only.
/// Spec: "200 OK – Export token is still active" (GET /redeemExportToken).
///
/// `redeem_url` is the URL of a live call. The journal has a delivery in the specified shape.
pub(crate) fn parse_redeem_response(
    response: &ApiResponse,
    no: RedeemNumber,
    redeem_url: Option<&Url>,
) -> RedeemResult {
    if let Some(delivery) = parse_delivery_with_complete_list(&response.body, redeem_url) {
        return RedeemResult::Delivered(delivery);
    }
    if let Some(refusal) = response.redeem_error_response_unless_ok() {
        return match refusal.class {
            ErrorClass::TokenInactive => RedeemResult::Refused,
            // A page around a delivery that is cut off is no page of a gate.
            _ if is_success_status(response.status) => {
                let failure = failure::failure_of_error_response(&refusal);
                failure_with_partial_delivery(failure, no, &response.body, redeem_url)
            }
            _ => RedeemResult::Failed(failure::failure_of_error_response(&refusal)),
        };
    }
    match RedeemResponse::parse(&response.body) {
        // Found above.
        Ok(RedeemResponse::Ready(delivery)) => RedeemResult::Delivered(delivery),
        Ok(RedeemResponse::NotReady { progress, violations }) => {
            for violation in violations {
                tracing::warn!(%violation, "GET /redeemExportToken: the status is used all the same");
            }
            RedeemResult::NotReady(progress)
        }
        Err(mismatch) => {
            let detail = format!("GET /redeemExportToken, {mismatch}");
            failure_with_partial_delivery(
                VisitStepFailure::new(VisitStepFailureKind::ProtocolViolation, detail),
                no,
                &response.body,
                redeem_url,
            )
        }
    }
}

/// A failure, with the files that the received part of the body names, in the specified shape or another one, or as the last
/// resort by the names of members. `redeem_url` is as in [`parse_delivery_with_complete_list`].
fn failure_with_partial_delivery(
    failure: VisitStepFailure,
    no: RedeemNumber,
    received: &[u8],
    redeem_url: Option<&Url>,
) -> RedeemResult {
    let specified = DeliveredExports::delivery_from_truncated_body(received, redeem_url);
    match specified.or_else(|| DeliveredExports::find_delivery_in_unreadable_body(received, redeem_url?)) {
        Some(delivery) => {
            let delivery = delivery.limited_to_plausible_size();
            RedeemResult::Truncated(failure, TruncatedResponseFiles { redeem: no.redeem_number_as_u32(), delivery })
        }
        None => RedeemResult::Failed(failure),
    }
}

/// How the journal classifies a result.
pub(crate) fn journal_answer_kind_of_result(result: &RedeemResult) -> AnswerKind {
    match result {
        RedeemResult::NotReady(_) => AnswerKind::Progress,
        RedeemResult::Delivered(_) => AnswerKind::Delivery,
        RedeemResult::Truncated(..) => AnswerKind::Truncated,
        RedeemResult::Refused => AnswerKind::Refused,
        RedeemResult::Failed(failure) if failure.kind == VisitStepFailureKind::ProtocolViolation => {
            AnswerKind::Unreadable
        }
        RedeemResult::Failed(failure) if failure.kind.may_have_spent_token() => AnswerKind::Undecided,
        RedeemResult::Failed(_) => AnswerKind::Failed,
    }
}

/// Masks known secrets in the status word and the export types of a result, before they are shown or stored.
fn mask_secrets_in_status_and_export_types(mut result: RedeemResult, api: &ApiClient) -> RedeemResult {
    match &mut result {
        RedeemResult::NotReady(progress) => {
            if let CompletionStatus::Other(word) = &mut progress.status {
                *word = shorten_text_of_backend(&api.redact_text(word), MAX_BACKEND_WORD);
            }
        }
        RedeemResult::Delivered(delivery) => mask_secrets_in_export_types(delivery, api),
        RedeemResult::Truncated(_, partial) => mask_secrets_in_export_types(&mut partial.delivery, api),
        RedeemResult::Refused | RedeemResult::Failed(_) => {}
    }
    result
}

/// Masks known secrets in the export types of a delivery.
pub(crate) fn mask_secrets_in_export_types(delivery: &mut DeliveredExports, api: &ApiClient) {
    for export in &mut delivery.exports {
        let shown = api.redact_text(export.export_type.as_str());
        export.export_type = ExportType::new(shorten_text_of_backend(&shown, MAX_BACKEND_WORD));
    }
}

/// The copy of a body for the journal: known secrets are masked, and every URL of the result is kept.
fn mask_body_keeping_urls(api: &ApiClient, status: Option<u16>, body: &Bytes, result: &RedeemResult) -> Bytes {
    let masked = api.redact_body_for_saving(status, body);
    let (delivery, is_whole) = match result {
        RedeemResult::Delivered(delivery) => (delivery, true),
        RedeemResult::Truncated(_, partial) => (&partial.delivery, false),
        _ => return masked,
    };
    let reread = if is_whole {
        match RedeemResponse::parse(&masked) {
            Ok(RedeemResponse::Ready(delivery)) => Some(delivery),
            _ => None,
        }
    } else {
        DeliveredExports::delivery_from_truncated_body(&masked, None)
    };
    let same = reread.is_some_and(|reread| {
        reread.exports.len() == delivery.exports.len()
            && reread.unusable_entries.len() == delivery.unusable_entries.len()
            && reread.contradiction.is_some() == delivery.contradiction.is_some()
            && reread.exports.iter().zip(&delivery.exports).all(|(a, b)| a.download_url == b.download_url)
    });
    if same { masked } else { delivery_to_json_body(delivery, is_whole) }
}

/// Writes a delivery as the body of a redeem response, with its URLs. The body of a delivery that is not whole is
/// left open at the end.
fn delivery_to_json_body(delivery: &DeliveredExports, is_whole: bool) -> Bytes {
    let exports = delivery.exports.iter().map(|export| {
        serde_json::json!({
            "download_URL": export.download_url.expose_url(),
            "export_type": export.export_type.as_str(),
        })
    });
    // Entries that cannot be used stay so.
    let unusable = delivery.unusable_entries.iter().map(|_| serde_json::Value::Null);
    let list: Vec<serde_json::Value> = if is_whole { exports.chain(unusable).collect() } else { exports.collect() };
    let ready = delivery.contradiction.is_none();
    let mut body = serde_json::json!({ "avatar_ready": ready, "payload_complete": list }).to_string();
    if !is_whole {
        // Without its end it is read as what it is: the beginning of a response.
        body.pop();
    }
    body.into()
}

/// Guards an intent whose request may be in flight: if it is dropped while open, the end of the redeem is queued
/// for the journal.
struct OpenRedeemIntentGuard<'a> {
    context: &'a VisitContext,
    id: VisitId,
    /// `None` while the intent is being written, so nothing was sent.
    no: Option<RedeemNumber>,
    is_open: bool,
}

impl Drop for OpenRedeemIntentGuard<'_> {
    fn drop(&mut self) {
        if self.is_open {
            let now = self.context.clock.wall_clock_time();
            self.context.journal.queue_dropped_redeem_end(&self.id, self.no, self.no.is_some(), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewritten_body_is_read_as_the_same_delivery() {
        let body = br#"{"avatar_ready":false,"payload_complete":[{"export_type":"glb","download_URL":"https://f.test/1?k=true"},7]}"#;
        let Ok(RedeemResponse::Ready(delivery)) = RedeemResponse::parse(body) else { panic!("a delivery") };
        let Ok(RedeemResponse::Ready(again)) = RedeemResponse::parse(&delivery_to_json_body(&delivery, true)) else {
            panic!("still a delivery")
        };
        assert_eq!(again.exports, delivery.exports);
        assert_eq!((again.unusable_entries.len(), again.contradiction.is_some()), (1, true));
        let truncated = delivery_to_json_body(&delivery, false);
        assert!(RedeemResponse::parse(&truncated).is_err());
        assert_eq!(
            DeliveredExports::delivery_from_truncated_body(&truncated, None).expect("the beginning").exports,
            delivery.exports
        );
    }
}
