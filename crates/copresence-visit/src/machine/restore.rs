//! Rebuilding a visit from the journal, after a crash, an interruption or an ending that kept something.

use super::redeem::{append_may_have_overtaken_note, start_saving_delivered_files, start_saving_partial_delivery};
use super::{ActiveTokenState, RefusalStreak, Transition, UnsettledRedeem, Visit, VisitPollingPlan, end_visit, redeem};
use crate::event::{MachineEffect, TruncatedResponseFiles};
use crate::outcome::{EndPhase, Outcome};
use crate::time::MillisSinceOrigin;
use copresence_protocol::{CompletionStatus, DeliveredExports, ExportToken, MAX_REDEEM_DELAY, Progress};
use std::time::Duration;

/// Detail of a response whose content is no longer known.
const UNREADABLE: &str = "a response to the redeem could not be read";

/// What the journal knows of a visit.
#[derive(Debug, Clone, Default)]
pub struct JournaledVisit {
    /// Whether a token was ever issued.
    pub was_issued: bool,
    /// Whether an avatar was ever associated with it.
    pub was_associated: bool,
    /// The token, unless it is spent or was never issued.
    pub token: Option<ExportToken>,
    /// The earlier redeems, in order.
    pub redeems: Vec<JournaledRedeem>,
    /// What the last usable response reported, if the journal has it.
    pub progress: Option<Progress>,
    /// A response on disk that names files.
    pub response: Option<StoredResponseWithFiles>,
}

/// An earlier redeem: its result, and how long before the restoration it took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournaledRedeem {
    /// Its result.
    pub result: EarlierRedeemResult,
    /// Time since it was sent.
    pub sent_ago: Duration,
    /// Time since its response was received or given up. Where the program ended first, time since it was sent.
    pub ended_ago: Duration,
}

/// The result of an earlier redeem, as far as it bears on the meaning of a later 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EarlierRedeemResult {
    /// Spent nothing: the request was never sent or not forwarded, or the API refused it before it took effect.
    Inconclusive,
    /// 400, which a further one confirms.
    Refused,
    /// 200 without URLs: the token was active.
    Active,
    /// Sent, and may have spent the token: no whole response, 5xx, or a page of something in between. The text is the
    /// evidence.
    NotReceived(String),
    /// A whole response that could not be read, which may have spent the token. The text says what was wrong, if it is
    /// known.
    Unreadable(Option<String>),
}

/// A response on disk that names files.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredResponseWithFiles {
    /// The delivery that spent the token.
    Delivery(DeliveredExports),
    /// A truncated response that was already used as the delivery, because the token was refused.
    UsedPartial(DeliveredExports),
    /// A truncated response. The next redeem decides whether it is used.
    Partial {
        /// The files that it names.
        partial: TruncatedResponseFiles,
        /// Time since it was received.
        ended_ago: Duration,
    },
}

impl Visit {
    /// Rebuilds a visit from what the journal knows, and returns it with what is to be done first.
    ///
    /// The result is in the state in which the same events would have left a live visit, so
    /// [`super::advance_visit_machine`] treats both alike. What cannot be continued is ended.
    #[must_use]
    pub fn restore_visit(
        plan: VisitPollingPlan,
        past: JournaledVisit,
        now: MillisSinceOrigin,
    ) -> (Self, Vec<MachineEffect>) {
        let (state, effects) = restore_state_and_effects(&plan, past, now);
        (Self { plan, state }, effects)
    }
}

/// Rebuilds the state from the journal, with the effects that continue it. What cannot be continued is ended.
fn restore_state_and_effects(plan: &VisitPollingPlan, past: JournaledVisit, now: MillisSinceOrigin) -> Transition {
    let settled_at = |ended_ago: Duration| now + MAX_REDEEM_DELAY.saturating_sub(ended_ago);
    // The evidence of the last lost answer, and how long ago it was given up.
    let mut lost: Option<(String, Duration)> = None;
    let (mut was_active, mut refusals) = (false, None);
    for JournaledRedeem { result, sent_ago, ended_ago } in past.redeems {
        match result {
            EarlierRedeemResult::Active => {
                (was_active, refusals) = (true, None);
                lost = lost
                    .filter(|(_, lost_ago)| *lost_ago < sent_ago + MAX_REDEEM_DELAY)
                    .map(|(evidence, lost_ago)| (append_may_have_overtaken_note(evidence), lost_ago));
            }
            EarlierRedeemResult::Refused => {
                refusals.get_or_insert(RefusalStreak { count: 0, since: now, before: ended_ago }).count += 1;
            }
            EarlierRedeemResult::NotReceived(how) => lost = Some((how, ended_ago)),
            EarlierRedeemResult::Unreadable(how) => {
                lost = Some((how.unwrap_or_else(|| UNREADABLE.to_owned()), ended_ago));
            }
            EarlierRedeemResult::Inconclusive => {}
        }
    }
    let mut lost_answer =
        lost.map(|(evidence, ended_ago)| UnsettledRedeem { known: evidence, settled_at: settled_at(ended_ago) });
    let status = if past.was_associated {
        Some(CompletionStatus::Processing)
    } else {
        was_active.then_some(CompletionStatus::NoAssociatedAvatar)
    };
    let progress =
        past.progress.or_else(|| status.map(|status| Progress { status, completion: None, queue_position: None }));

    let partial = match past.response {
        Some(StoredResponseWithFiles::Delivery(delivery)) => return start_saving_delivered_files(delivery),
        Some(StoredResponseWithFiles::UsedPartial(delivery)) => {
            let lost = lost_answer.map_or_else(|| UNREADABLE.to_owned(), |lost| lost.known);
            return start_saving_partial_delivery(delivery, Outcome::PossiblyConsumed(lost), Vec::new());
        }
        Some(StoredResponseWithFiles::Partial { partial, ended_ago }) => {
            Some(UnsettledRedeem { known: partial, settled_at: settled_at(ended_ago) })
        }
        None => None,
    };
    let Some(token) = past.token else {
        let ended_in = match (past.was_associated, past.was_issued) {
            (true, _) => EndPhase::Making,
            (false, true) => EndPhase::Inviting,
            (false, false) => EndPhase::Issuing,
        };
        return end_visit(Outcome::Interrupted, ended_in, progress);
    };
    if let (Some(partial), None) = (&partial, &lost_answer) {
        lost_answer = Some(UnsettledRedeem { known: UNREADABLE.to_owned(), settled_at: partial.settled_at });
    }
    let token = ActiveTokenState { progress, lost_answer, refusals, partial, ..ActiveTokenState::new(token, plan) };
    let fetch = token.partial.as_ref().map(|partial| partial.known.delivery.clone());
    let (state, mut effects) = redeem::send_redeem(token, plan, now);
    if let Some(delivery) = fetch {
        effects.insert(0, MachineEffect::FetchPartial { delivery });
    }
    (state, effects)
}
