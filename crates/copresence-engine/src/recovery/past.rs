//! Reads what the journal knows of an unfinished visit, and completes what a crash left open in it.

use crate::runner::{VisitContext, journal_answer_kind_of_result, mask_secrets_in_export_types, parse_redeem_response};
use copresence_client::ApiResponse;
use copresence_protocol::{
    CompletionStatus, DeliveredExports, DownloadUrl, DownloadableExport, ExportToken, MAX_REDEEM_DELAY, Progress,
};
use copresence_store::{
    AnswerKind, FileRecordWithUrl, RedeemNumber, RedeemRecord, RedeemState, StoreError, UnfinishedVisit,
    UnfinishedVisitRedeemAndResponse, UnfinishedVisitRedeemState,
};
use copresence_visit::{
    EarlierRedeemResult, JournaledRedeem, JournaledVisit, RedeemResult, StoredResponseWithFiles, TruncatedResponseFiles,
};
use jiff::Timestamp;
use std::time::Duration;

/// Evidence of a redeem that a crash cut short.
const CRASHED: &str = "the program ended between the request and its response";

/// What the journal knows of a visit's redeems.
pub(super) struct JournaledRedeems {
    /// A response on disk that names files.
    response: Option<StoredResponseWithFiles>,
    /// What the last usable response reported.
    progress: Option<Progress>,
    /// Responses that a crash left unread, with their kinds, in order.
    unread: Vec<(RedeemNumber, AnswerKind)>,
}

impl JournaledRedeems {
    /// Collects the journaled redeems of an unfinished visit at `now`, and parses answers that were never read.
    pub(super) fn collect_redeems_of_unfinished_visit(unfinished: &UnfinishedVisit, now: Timestamp) -> Self {
        let status = unfinished.visit.last_status.as_deref().map(CompletionStatus::from);
        let progress = status.map(|status| Progress { status, completion: None, queue_position: None });
        let mut found = Self { response: None, progress, unread: Vec::new() };
        let end_of_redeem = |no: RedeemNumber| {
            let redeem = unfinished.redeems.iter().find(|redeem| redeem.no == no);
            redeem.map_or(now, |redeem| redeem.ended_at.unwrap_or(redeem.intent_at))
        };
        let mut active_since = None;
        if let Some(UnfinishedVisitRedeemAndResponse { no, state, intent_at }) = &unfinished.redeem
            && let UnfinishedVisitRedeemState::Answered { status, body: Some(body), delivered } = state
            && *delivered != Some(false)
        {
            let result = parse_redeem_response(&ApiResponse::new(*status, body.clone()), *no, None);
            if delivered.is_none() {
                found.unread.push((*no, journal_answer_kind_of_result(&result)));
            }
            match result {
                RedeemResult::Delivered(delivery) => {
                    found.response = Some(StoredResponseWithFiles::Delivery(delivery));
                }
                RedeemResult::Truncated(_, partial) if *delivered == Some(true) => {
                    found.response = Some(StoredResponseWithFiles::UsedPartial(partial.delivery));
                }
                RedeemResult::Truncated(_, partial) => {
                    let ended_ago = nonnegative_time_between(end_of_redeem(*no), now);
                    found.response = Some(StoredResponseWithFiles::Partial { partial, ended_ago });
                }
                RedeemResult::NotReady(progress) => {
                    (found.progress, active_since) = (Some(progress), Some(*intent_at));
                }
                RedeemResult::Refused | RedeemResult::Failed(_) => {}
            }
        }
        for fragment in &unfinished.truncated_bodies {
            let delivery = DeliveredExports::delivery_from_truncated_body(&fragment.body, None);
            if !fragment.is_read {
                let kind = if delivery.is_some() { AnswerKind::Truncated } else { AnswerKind::Failed };
                found.unread.push((fragment.no, kind));
            }
            let ended_at = end_of_redeem(fragment.no);
            // A response that shows the token active voids it, if its redeem cannot be processed any more.
            let is_void =
                active_since.is_some_and(|sent_at| nonnegative_time_between(ended_at, sent_at) >= MAX_REDEEM_DELAY);
            if let Some(delivery) = delivery.filter(|_| found.response.is_none() && !is_void) {
                found.response = Some(if fragment.is_used_as_delivery {
                    StoredResponseWithFiles::UsedPartial(delivery)
                } else {
                    let partial = TruncatedResponseFiles { redeem: fragment.no.redeem_number_as_u32(), delivery };
                    StoredResponseWithFiles::Partial { partial, ended_ago: nonnegative_time_between(ended_at, now) }
                });
            }
        }
        if found.response.is_none() && unfinished.redeems.iter().any(has_redeem_delivered_files) {
            found.response = delivery_from_planned_files(&unfinished.files).map(StoredResponseWithFiles::Delivery);
        }
        // The oldest first: each one that names files replaces those before it.
        found.unread.sort_unstable_by_key(|(no, _)| *no);
        found
    }

    /// Whether the token is spent or refused, as the disk shows: a response spent it, or a partial response was
    /// used because the token is refused.
    pub(super) fn is_token_spent_or_refused(&self) -> bool {
        matches!(self.response, Some(StoredResponseWithFiles::Delivery(_) | StoredResponseWithFiles::UsedPartial(_)))
    }

    /// Reopens the visit and completes its redeems in the journal; returns what a restored visit needs to know.
    ///
    /// # Errors
    /// When the journal cannot be written; then nothing may be sent.
    pub(super) async fn reopen_visit_and_complete_journaled_redeems(
        mut self,
        context: &VisitContext,
        unfinished: &UnfinishedVisit,
        token: Option<ExportToken>,
    ) -> Result<JournaledVisit, StoreError> {
        let id = unfinished.visit.start.id;
        context.journal.reopen_visit(&id).await?;
        for (no, kind) in &self.unread {
            if let Err(error) = context.journal.record_answer_kind_erasing_obsolete(&id, *no, *kind).await {
                // URLs expire soon, so the visit continues.
                tracing::error!(%error, visit = %id, "cannot journal the kind of a response");
            }
        }
        for open in unfinished.redeems.iter().filter(|redeem| redeem.outcome == RedeemState::InFlight) {
            // When the program ended is unknown, so the time of the request is recorded.
            context.journal.record_lost_answer(&id, open.no, CRASHED, &[], open.intent_at).await?;
        }
        let times = &unfinished.visit.times;
        let now = context.clock.wall_clock_time();
        let redeems = unfinished.redeems.iter().map(|redeem| JournaledRedeem {
            result: self.read_earlier_redeem_result(redeem, unfinished),
            sent_ago: nonnegative_time_between(redeem.intent_at, now),
            ended_ago: nonnegative_time_between(redeem.ended_at.unwrap_or(redeem.intent_at), now),
        });
        let redeems = redeems.collect();
        if let Some(
            StoredResponseWithFiles::Delivery(delivery)
            | StoredResponseWithFiles::UsedPartial(delivery)
            | StoredResponseWithFiles::Partial { partial: TruncatedResponseFiles { delivery, .. }, .. },
        ) = &mut self.response
        {
            mask_secrets_in_export_types(delivery, &context.api);
        }
        Ok(JournaledVisit {
            was_issued: times.issued.is_some(),
            was_associated: times.associated.is_some(),
            token,
            redeems,
            progress: self.progress,
            response: self.response,
        })
    }

    /// What the machine needs to know of one redeem in the journal.
    fn read_earlier_redeem_result(&self, redeem: &RedeemRecord, unfinished: &UnfinishedVisit) -> EarlierRedeemResult {
        let read_now = self.unread.iter().find(|(no, _)| *no == redeem.no).map(|(_, kind)| *kind);
        match &redeem.outcome {
            RedeemState::InFlight => EarlierRedeemResult::NotReceived(CRASHED.to_owned()),
            RedeemState::NeverSent { .. } => EarlierRedeemResult::Inconclusive,
            RedeemState::Unanswered { evidence, kind: Some(AnswerKind::Unreadable), .. } => {
                EarlierRedeemResult::Unreadable(Some(evidence.clone()))
            }
            RedeemState::Unanswered { evidence, .. } => EarlierRedeemResult::NotReceived(evidence.clone()),
            RedeemState::Answered { status, kind, .. } => {
                let kind = kind.or(read_now).unwrap_or_else(|| guess_unrecorded_answer_kind(*status, unfinished));
                match kind {
                    AnswerKind::Progress => EarlierRedeemResult::Active,
                    AnswerKind::Unreadable | AnswerKind::Truncated => EarlierRedeemResult::Unreadable(None),
                    // An earlier version recorded every 5xx as `Failed`. 511 is the network's, and was not forwarded.
                    AnswerKind::Failed if matches!(status, 500..=510 | 512..=599) => {
                        treat_undecided_status_as_not_received(*status)
                    }
                    AnswerKind::Undecided => treat_undecided_status_as_not_received(*status),
                    AnswerKind::Refused => EarlierRedeemResult::Refused,
                    AnswerKind::Failed | AnswerKind::Delivery => EarlierRedeemResult::Inconclusive,
                }
            }
        }
    }
}

/// Whether a redeem delivered files.
fn has_redeem_delivered_files(redeem: &RedeemRecord) -> bool {
    matches!(
        redeem.outcome,
        RedeemState::Answered { delivered: Some(true), .. } | RedeemState::Unanswered { salvaged: true, .. }
    )
}

/// The delivery of a visit whose response is missing in a damaged journal, from its planned files. `None` if it has none.
fn delivery_from_planned_files(files: &[FileRecordWithUrl]) -> Option<DeliveredExports> {
    // The index of a file is its place in the delivery.
    let is_gapless = files.iter().enumerate().all(|(place, file)| file.record.index == place);
    let exports: Option<Vec<DownloadableExport>> = files
        .iter()
        .map(|file| {
            // A file without a URL is complete or lost, and is not requested. Equal URLs would be of one file.
            let placeholder = || DownloadUrl::new(&format!("https://url-not-kept.invalid/{}", file.record.index));
            let download_url = file.url.clone().or_else(placeholder)?;
            Some(DownloadableExport { download_url, export_type: file.record.export_type.clone() })
        })
        .collect();
    let exports = exports.filter(|exports| is_gapless && !exports.is_empty())?;
    Some(DeliveredExports { exports, unusable_entries: Vec::new(), contradiction: None })
}

/// Time from `earlier` to `later`; zero where a clock was set back in between.
fn nonnegative_time_between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// The earlier redeem for a status that does not show whether the token was spent; it is treated as a response that
/// was not received.
fn treat_undecided_status_as_not_received(status: u16) -> EarlierRedeemResult {
    EarlierRedeemResult::NotReceived(format!(
        "the redeem was answered with status {status}, which does not say whether the token was spent"
    ))
}

/// The kind of a response in the journal of an earlier version, which did not keep it. A visit that unreadable
/// responses ended (exit code 9) had some.
fn guess_unrecorded_answer_kind(status: u16, unfinished: &UnfinishedVisit) -> AnswerKind {
    let ending = unfinished.visit.ending.as_ref();
    match status {
        200 if ending.is_some_and(|ending| ending.exit == 9) => AnswerKind::Unreadable,
        200 => AnswerKind::Progress,
        400 => AnswerKind::Refused,
        _ => AnswerKind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use copresence_protocol::ExportType;
    use copresence_store::{FileDownloadState, FileRecord};

    /// Files with equal URLs are one file: its bytes would be copied.
    #[test]
    fn files_without_a_url_do_not_share_one() {
        let files: Vec<FileRecordWithUrl> = ["glb", "fbx"]
            .into_iter()
            .enumerate()
            .map(|(index, word)| {
                let (name, export_type) = (format!("avatar.{word}"), ExportType::new(word));
                let record = FileRecord {
                    index,
                    name,
                    export_type,
                    state: FileDownloadState::Planned,
                    is_from_this_boot: true,
                    redirect_targets: Vec::new(),
                };
                FileRecordWithUrl { record, url: None }
            })
            .collect();
        let delivery = delivery_from_planned_files(&files).expect("a delivery");
        assert_ne!(delivery.exports[0].download_url, delivery.exports[1].download_url);
        assert!(delivery_from_planned_files(&files[1..]).is_none(), "a file is missing");
    }
}
