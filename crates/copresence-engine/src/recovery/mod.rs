//! Finishes the visits that a crash, a power cut or an interruption left unfinished.
//!
//! A visit is rebuilt from the journal ([`copresence_visit::Visit::restore_visit`]) and run by the same runner and the
//! same machine as a live one, so that a response means the same in both. Only the plan differs: a recovered token is
//! redeemed once. If that does not decide, it is kept for a later recovery, and abandoned after [`MAX_TOKEN_AGE`].
//!
//! A response with URLs that is on disk is saved without a redeem. A truncated response that names files is saved once
//! the token is refused.
//!
//! # When
//! Downloads in recovery stop after [`DOWNLOAD_PATIENCE`] without progress: other visits, and often a visitor, wait.
//! The visit is then kept for a later recovery, until its files are certainly lost or `downloads.keep_trying` is over.
//!
//! [`recover_all_visits`] takes every unfinished visit, because a person asks for it.
//! [`recover_visits_capping_total_redeems`] runs by itself, so it is bounded: a token that did not decide waits before
//! it is redeemed again (`schedule.rs`), and at most [`MAX_REDEEMS_PER_RUN`] tokens are redeemed in one run, the newest
//! first.
//!
//! # Stopping
//! A cancelled `stop` ends a recovery as an interruption ends a live visit: a redeem in flight is awaited and
//! journalled, downloads stop, no further visit begins, and everything is kept.

mod past;
mod schedule;
mod unknown_folders;
mod waiting_visit;

pub use schedule::{MAX_REDEEMS_PER_RUN, MAX_TOKEN_AGE};
pub use unknown_folders::find_unknown_partial_folders;
pub use waiting_visit::{ContinueVisitError, ContinuedVisitConfig, continue_unfinished_visit};

use crate::clock::Clock;
use crate::runner::{
    FirstEventOrEffects, RunnerResult, VisitContext, VisitRunner, VisitStopSignals, block_in_place,
    find_avatar_folder_with_manifest,
};
use crate::setup::DataStore;
use copresence_protocol::{DeliveredExports, DownloadUrl, DownloadableExport, ExportType};
pub use copresence_store::UnfinishedVisit;
use copresence_store::{StoreError, UnfinishedVisitSummary, VisitId, VisitLock, VisitStart};
use copresence_visit::{
    MachineEvent, Outcome, RedeemResult, Visit, VisitPollingPlan, VisitStepFailure, VisitStepFailureKind,
};
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use past::JournaledRedeems;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time without progress after which the downloads of one visit are kept for a later recovery.
const DOWNLOAD_PATIENCE: Duration = Duration::from_secs(15);
/// Visits that are recovered at the same time, if they need no redeem.
const CONCURRENT_VISITS: usize = 4;
/// As [`DOWNLOAD_PATIENCE`], for the visits after one whose downloads failed in the same run.
const DOWNLOAD_PATIENCE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// An unfinished visit that was recovered, or could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitRecoveryResult {
    /// The visit.
    pub visit: VisitId,
    /// When it began.
    pub started_at: Timestamp,
    /// The result.
    pub outcome: RecoveryOutcome,
}

/// The result of recovering one visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryOutcome {
    /// The visit is finished now.
    Finished {
        /// The outcome, as if the visit had never been cut short.
        outcome: Outcome,
        /// The avatar's folder, complete or incomplete.
        directory: Option<PathBuf>,
    },
    /// The token is active and the avatar not ready: recover again later.
    StillActive {
        /// The completion status, as sent.
        status: String,
    },
    /// The backend, a file server or the disk is not available now; everything is kept for a later recovery.
    Postponed {
        /// Why.
        why: String,
        /// The exit code for this reason.
        exit: u8,
    },
    /// Another program, or another part of this one, has the visit and finishes it.
    InUse,
    /// Nothing could be lost: no token was issued, or its backend was an embedded sandbox.
    Closed {
        /// Why.
        why: String,
    },
}

impl RecoveryOutcome {
    /// The result of a continued visit that ended with this outcome. One that keeps the token does not finish the visit:
    /// it is recovered again later. `last_status`: the last completion status, as sent.
    pub fn from_continued_visit_outcome(
        outcome: Outcome,
        directory: Option<PathBuf>,
        last_status: Option<String>,
    ) -> Self {
        match outcome {
            Outcome::Interrupted => Self::StillActive { status: last_status.unwrap_or_default() },
            Outcome::CredentialsRefused(_)
            | Outcome::Unreachable(_)
            | Outcome::BackendFailing(_)
            | Outcome::Gate(_)
            | Outcome::NoApi(_)
            | Outcome::DownloadInterrupted(_)
            | Outcome::StorageFailed(_)
            | Outcome::DiskFull(_) => Self::Postponed {
                why: outcome.detail_for_operator().unwrap_or_default().to_owned(),
                exit: outcome.exit_code(),
            },
            Outcome::Saved
            | Outcome::SavedWithViolation(_)
            | Outcome::SavedInPart(_)
            | Outcome::SavedUntilDiskFull(_)
            | Outcome::SavedUntilStorageFailed(_)
            | Outcome::TokenRefused { .. }
            | Outcome::AvatarFailed
            | Outcome::TokenAbandoned(_)
            | Outcome::TimedOut
            | Outcome::ProtocolViolation(_)
            | Outcome::PossiblyConsumed(_) => Self::Finished { outcome, directory },
        }
    }

    /// The exit code of a command whose worst result this is, 0..=130.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Finished { outcome, .. } => outcome.exit_code(),
            Self::Postponed { exit, .. } => *exit,
            Self::StillActive { .. } | Self::InUse | Self::Closed { .. } => 0,
        }
    }
}

/// Returns what a visit needs to run, by its profile and URL; the error says what is missing. Credentials are needed
/// only while [`UnfinishedVisit::token`] is there.
pub type FindContext<'a> = dyn Fn(&UnfinishedVisit) -> Result<VisitContext, String> + Send + Sync + 'a;

/// Recovers every unfinished visit, the newest first, because its URLs are the likeliest to be valid. One that another program
/// holds is [`RecoveryOutcome::InUse`].
///
/// # Errors
/// When the journal cannot be read.
pub async fn recover_all_visits(
    data_store: &DataStore,
    find_context_for: &FindContext<'_>,
) -> Result<Vec<VisitRecoveryResult>, StoreError> {
    recover_all_visits_until_stopped(data_store, find_context_for, &CancellationToken::new()).await
}

/// Recovers every unfinished visit as [`recover_all_visits`] does, until `stop` is cancelled.
///
/// # Errors
/// When the journal cannot be read.
pub async fn recover_all_visits_until_stopped(
    data_store: &DataStore,
    find_context_for: &FindContext<'_>,
    stop: &CancellationToken,
) -> Result<Vec<VisitRecoveryResult>, StoreError> {
    let recovery = RecoveryPassContext::new(data_store, Clock::default(), find_context_for, stop);
    let unfinished = data_store.journal.load_unfinished_visit_summaries().await?;
    let visits = unfinished.into_iter().rev().map(|visit| (visit.id, schedule::can_only_finish_by_redeem(&visit)));
    let recover = async |id: VisitId| {
        if stop.is_cancelled() {
            return Ok(None);
        }
        recovery.lock_and_recover_visit(&id).await
    };
    recover_redeeming_one_at_a_time(visits.collect(), recover).await
}

/// Recovers visits, each with whether it needs a redeem. Those that need none are recovered at the same time as the
/// others: one whose file server does not answer does not keep another waiting, whose URLs expire meanwhile. Tokens are
/// redeemed one after the other, because their backend may not answer. The results have the order of the visits.
///
/// # Errors
/// When the journal cannot be read, once all visits were tried.
async fn recover_redeeming_one_at_a_time<R: Future<Output = Result<Option<VisitRecoveryResult>, StoreError>>>(
    visits: Vec<(VisitId, bool)>,
    recover: impl Fn(VisitId) -> R,
) -> Result<Vec<VisitRecoveryResult>, StoreError> {
    let order: HashMap<VisitId, usize> = visits.iter().map(|(id, _)| *id).zip(0..).collect();
    let (redeems, others): (Vec<_>, Vec<_>) = visits.into_iter().partition(|(_, needs_redeem)| *needs_redeem);
    let recover_all = |visits: Vec<(VisitId, bool)>, at_once: usize| {
        // Not in order: a slow visit would keep those behind it waiting.
        stream::iter(visits).map(|(id, _)| recover(id)).buffer_unordered(at_once).collect::<Vec<_>>()
    };
    let (others, redeems) = tokio::join!(recover_all(others, CONCURRENT_VISITS), recover_all(redeems, 1));
    let all: Result<Vec<_>, StoreError> = others.into_iter().chain(redeems).collect();
    let mut all: Vec<VisitRecoveryResult> = all?.into_iter().flatten().collect();
    all.sort_by_key(|recovered| order.get(&recovered.visit).copied());
    Ok(all)
}

/// Recovers one visit, whenever its next attempt is due; `None` if it is not unfinished, or a running program holds it.
///
/// # Errors
/// When the journal cannot be read.
pub async fn recover_visit_even_if_not_due(
    data_store: &DataStore,
    clock: Clock,
    id: &VisitId,
    find_context_for: &FindContext<'_>,
) -> Result<Option<VisitRecoveryResult>, StoreError> {
    let stop = CancellationToken::new();
    let recovered =
        RecoveryPassContext::new(data_store, clock, find_context_for, &stop).lock_and_recover_visit(id).await?;
    Ok(recovered.filter(|recovered| recovered.outcome != RecoveryOutcome::InUse))
}

/// Recovers the unfinished visits with at most [`MAX_REDEEMS_PER_RUN`] redeems in all: all visits that need no redeem, and
/// the tokens whose attempt is due, the newest first. Visits that another program holds are not
/// part of the result. Visits for which `skip` is true are left alone; it is asked right before a visit is locked.
/// Ends early when `stop` is cancelled.
///
/// # Errors
/// When the journal cannot be read.
pub async fn recover_visits_capping_total_redeems(
    data_store: &DataStore,
    clock: Clock,
    find_context_for: &FindContext<'_>,
    skip: &(dyn Fn(&VisitId) -> bool + Send + Sync),
    stop: &CancellationToken,
) -> Result<Vec<VisitRecoveryResult>, StoreError> {
    let recovery = RecoveryPassContext::new(data_store, clock, find_context_for, stop);
    let unfinished = data_store.journal.load_unfinished_visit_summaries().await?;
    let visits = schedule::due_visits_with_redeem_need(unfinished, clock.wall_clock_time());
    let redeeming: HashSet<VisitId> = visits.iter().filter(|(_, needs)| *needs).map(|(id, _)| *id).collect();
    let recover = async |id: VisitId| {
        let is_over = redeeming.contains(&id) && recovery.lock_findings().redeems >= MAX_REDEEMS_PER_RUN;
        if stop.is_cancelled() || is_over || skip(&id) {
            return Ok(None);
        }
        let recovered = recovery.lock_and_recover_visit(&id).await?;
        Ok(recovered.filter(|recovered| recovered.outcome != RecoveryOutcome::InUse))
    };
    recover_redeeming_one_at_a_time(visits, recover).await
}

/// When recovery of unfinished visits is due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarliestRecoveryTime {
    /// No visit waits.
    NoneWaiting,
    /// At this time.
    At(Timestamp),
    /// A visit waits, and the journal has no time for it: it ended just now, or the time could not be written, as on a
    /// disk that failed.
    Unknown,
}

/// Loads when an unfinished visit is due again: its files are to be saved, or its token is to be redeemed. `skip` says
/// which visits are running. For programs that run for long: call [`recover_visits_capping_total_redeems`] then.
///
/// # Errors
/// When the journal cannot be read.
pub async fn load_earliest_recovery_time(
    data_store: &DataStore,
    skip: impl Fn(&VisitId) -> bool,
) -> Result<EarliestRecoveryTime, StoreError> {
    let unfinished = data_store.journal.load_unfinished_visit_summaries().await?;
    let is_waiting = |visit: &&UnfinishedVisitSummary| (visit.has_answer || visit.has_token) && !visit.ephemeral;
    let waiting = unfinished.iter().filter(is_waiting).filter(|visit| !skip(&visit.id));
    let times: Vec<Option<Timestamp>> = waiting.map(|visit| visit.next_attempt_at).collect();
    Ok(match times.iter().flatten().min() {
        Some(earliest) => EarliestRecoveryTime::At(*earliest),
        None if times.is_empty() => EarliestRecoveryTime::NoneWaiting,
        None => EarliestRecoveryTime::Unknown,
    })
}

/// Context of one pass over the unfinished visits.
struct RecoveryPassContext<'a> {
    data_store: &'a DataStore,
    clock: Clock,
    find_context_for: &'a FindContext<'a>,
    /// Cancelled when the program stops.
    stop: &'a CancellationToken,
    findings: Mutex<RecoveryPassFindings>,
}

/// What a pass over the unfinished visits has found so far.
#[derive(Default)]
struct RecoveryPassFindings {
    /// Backends (by URL) that did not answer in this run, and how. Each further visit would wait for their timeout.
    unreachable: HashMap<String, String>,
    /// Visits in this run whose token was redeemed.
    redeems: usize,
    /// Whether the downloads of a visit in this run were interrupted, most likely because the network is away.
    was_download_interrupted: bool,
}

/// Why the backend is not asked about a token now, and the exit code for it.
type Unavailable = (String, u8);

impl<'a> RecoveryPassContext<'a> {
    fn new(
        data_store: &'a DataStore,
        clock: Clock,
        find_context_for: &'a FindContext<'a>,
        stop: &'a CancellationToken,
    ) -> Self {
        Self { data_store, clock, find_context_for, stop, findings: Mutex::default() }
    }

    /// Locks the mutex of what this pass has found so far.
    fn lock_findings(&self) -> MutexGuard<'_, RecoveryPassFindings> {
        // Each change is complete, also after a panic.
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Postpones a visit of which nothing was tried: this is not counted as an attempt. Without a next time, it would be
    /// due again at once.
    async fn postpone_when_nothing_tried(
        &self,
        id: &VisitId,
        attempts: u32,
        (why, exit): Unavailable,
    ) -> RecoveryOutcome {
        let next = schedule::next_recovery_time_when_nothing_tried(self.clock.wall_clock_time());
        if let Err(error) = self.data_store.journal.record_next_recovery_attempt(id, attempts, next).await {
            tracing::warn!(%error, visit = %id, "cannot journal the next recovery");
        }
        RecoveryOutcome::Postponed { why, exit }
    }

    /// Locks a visit, reads it from the journal and recovers it. `None` if it is not unfinished.
    async fn lock_and_recover_visit(&self, id: &VisitId) -> Result<Option<VisitRecoveryResult>, StoreError> {
        let visit_lock = self.data_store.data.lock_visit(id);
        // Read after locking: another program may have changed it before.
        let Some(unfinished) = self.data_store.journal.load_unfinished_visit(id).await? else {
            return Ok(None);
        };
        let started_at = unfinished.visit.start.started_at;
        let outcome = match visit_lock {
            Err(StoreError::VisitLocked { .. }) => RecoveryOutcome::InUse,
            Err(error) => {
                let attempts = unfinished.visit.recovery_attempts;
                self.postpone_when_nothing_tried(id, attempts, (error.to_string(), 2)).await
            }
            Ok(visit_lock) => self.continue_locked_visit_from_journal(unfinished, visit_lock).await,
        };
        Ok(Some(VisitRecoveryResult { visit: *id, started_at, outcome }))
    }

    /// Continues a locked visit from the journal: reads its stored answers, redeems again if its token may be
    /// active, and saves what was delivered.
    async fn continue_locked_visit_from_journal(
        &self,
        mut unfinished: UnfinishedVisit,
        visit_lock: VisitLock,
    ) -> RecoveryOutcome {
        let journalled =
            JournaledRedeems::collect_redeems_of_unfinished_visit(&unfinished, self.clock.wall_clock_time());
        if journalled.is_token_spent_or_refused() || unfinished.visit.start.ephemeral {
            // No redeem, so no credentials are needed.
            unfinished.token = None;
        }
        let (id, attempts) = (unfinished.visit.start.id, unfinished.visit.recovery_attempts);
        let token = unfinished.token.clone();
        let is_too_old = schedule::is_token_too_old(&unfinished.visit, self.clock);
        let (context, unavailable) = match self.find_context_unless_unreachable(&unfinished) {
            Ok(context) => (context, None),
            Err(unavailable) if !is_too_old => {
                return self.postpone_when_nothing_tried(&id, attempts, unavailable).await;
            }
            Err((why, exit)) => {
                // The token is abandoned without asking its backend.
                unfinished.token = None;
                match (self.find_context_for)(&unfinished) {
                    Ok(context) => (context, Some(why)),
                    Err(_) => return self.postpone_when_nothing_tried(&id, attempts, (why, exit)).await,
                }
            }
        };
        let redeems = token.is_some() && unavailable.is_none();
        let past = match journalled.reopen_visit_and_complete_journaled_redeems(&context, &unfinished, token).await {
            Ok(past) => past,
            Err(error) => return self.postpone_when_nothing_tried(&id, attempts, (error.to_string(), 2)).await,
        };
        let why_closed = nothing_to_recover_reason(&unfinished);
        let is_closed = past.token.is_none() && past.response.is_none();
        // The journal could not be written when the delivery came, and the files were saved all the same.
        let saved = (past.token.is_some() && past.response.is_none())
            .then(|| rebuild_delivery_from_saved_avatar(&context, &unfinished.visit.start))
            .flatten();
        let visit_patience = unfinished.visit.start.limits.unwrap_or(context.limits).patience;
        let (api_url, expires_at) = (unfinished.visit.start.api_url.clone(), unfinished.visit.token_expires_at);

        let (visit, effects) = Visit::restore_visit(
            VisitPollingPlan::plan_single_redeem_for_recovery(is_too_old, visit_patience),
            past,
            context.clock.millis_since_clock_creation(),
        );
        let patience = if self.lock_findings().was_download_interrupted {
            DOWNLOAD_PATIENCE_AFTER_FAILURE
        } else {
            DOWNLOAD_PATIENCE
        };
        let runner = VisitRunner::runner_for_reopened_visit(unfinished, visit, context, visit_lock, patience);
        let first = match (saved, unavailable) {
            (Some(delivery), _) => {
                FirstEventOrEffects::Event(MachineEvent::Redeemed(RedeemResult::Delivered(delivery)))
            }
            (None, Some(why)) => {
                let failure = VisitStepFailure::new(VisitStepFailureKind::NeverSent, why);
                FirstEventOrEffects::Event(MachineEvent::Redeemed(RedeemResult::Failed(failure)))
            }
            (None, None) => FirstEventOrEffects::Effects(effects),
        };
        let signals = VisitStopSignals { interrupted: self.stop.clone(), ..VisitStopSignals::default() };
        let result = runner.run_to_end(first, signals).await;
        if is_closed {
            return RecoveryOutcome::Closed { why: why_closed };
        }
        if self.stop.is_cancelled() && result.outcome == Outcome::Interrupted {
            // Not an attempt that failed: the next one stays due when it was.
            return RecoveryOutcome::Postponed { why: "the program was stopped".to_owned(), exit: 130 };
        }
        if redeems {
            let mut findings = self.lock_findings();
            findings.redeems += 1;
            if let Outcome::Unreachable(why) = &result.outcome {
                findings.unreachable.insert(api_url, why.clone());
            }
        }
        self.lock_findings().was_download_interrupted |= matches!(result.outcome, Outcome::DownloadInterrupted(_));
        let can_saving_continue = result.outcome.can_later_run_continue_saving();
        let RunnerResult { outcome, directory, progress } = result;
        let last_status = progress.map(|progress| progress.status.as_str().to_owned());
        let outcome = RecoveryOutcome::from_continued_visit_outcome(outcome, directory, last_status);
        if can_saving_continue
            || matches!(outcome, RecoveryOutcome::StillActive { .. } | RecoveryOutcome::Postponed { .. })
        {
            let now = self.clock.wall_clock_time();
            // The attempts to redeem the token do not count for its files.
            let attempts = if can_saving_continue && redeems { 0 } else { attempts };
            let next = if can_saving_continue {
                schedule::next_recovery_time_after_interrupted_downloads(now, attempts)
            } else {
                schedule::next_recovery_time_of_unfinished_visit(now, attempts, &outcome, expires_at)
            };
            let postponed =
                self.data_store.journal.record_next_recovery_attempt(&id, attempts.saturating_add(1), next).await;
            if let Err(error) = postponed {
                tracing::warn!(%error, visit = %id, "cannot journal the next recovery");
            }
        }
        outcome
    }

    /// What the visit needs to run, unless its backend is known to be unreachable or its credentials are missing.
    fn find_context_unless_unreachable(&self, unfinished: &UnfinishedVisit) -> Result<VisitContext, Unavailable> {
        let unreachable = self.lock_findings().unreachable.get(&unfinished.visit.start.api_url).cloned();
        match unreachable {
            Some(why) if unfinished.token.is_some() => Err((why, 6)),
            _ => (self.find_context_for)(unfinished).map_err(|why| (why, 3)),
        }
    }
}

/// Rebuilds the delivery of a visit whose avatar is already in its folder, from the manifest there. Its URLs are
/// placeholders that are never requested.
fn rebuild_delivery_from_saved_avatar(context: &VisitContext, start: &VisitStart) -> Option<DeliveredExports> {
    let (_, manifest) = block_in_place(|| find_avatar_folder_with_manifest(context, start))?;
    let url = DownloadUrl::new("https://already-saved.invalid/")?;
    let export = |kind: &str| DownloadableExport { download_url: url.clone(), export_type: ExportType::new(kind) };
    let exports: Vec<_> = manifest.files.iter().map(|file| export(&file.export_type)).collect();
    (!exports.is_empty()).then_some(DeliveredExports { exports, unusable_entries: Vec::new(), contradiction: None })
}

/// Why an unfinished visit with nothing to recover is closed, for the operator.
fn nothing_to_recover_reason(unfinished: &UnfinishedVisit) -> String {
    if unfinished.visit.start.ephemeral {
        "its backend was the embedded sandbox, which ended with the program".to_owned()
    } else if unfinished.visit.times.issued.is_some() {
        "the journal has neither its Export Token nor its files any more, because it was damaged".to_owned()
    } else {
        "no Export Token was received; one that was requested when the program ended may have been issued and billed"
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Notify;

    /// Its file server sends a few bytes a second, while the URLs of the others expire.
    #[tokio::test(start_paused = true)]
    async fn a_slow_visit_does_not_keep_the_others_waiting() {
        let visits: Vec<(VisitId, bool)> = (0..10).map(|_| (VisitId::new(), false)).collect();
        let [slow, last] = [visits[0].0, visits[9].0];
        let is_last_recovered = Notify::new();
        let recover = async |id: VisitId| {
            if id == slow {
                is_last_recovered.notified().await;
            } else if id == last {
                is_last_recovered.notify_one();
            }
            let outcome = RecoveryOutcome::InUse;
            Ok(Some(VisitRecoveryResult { visit: id, started_at: Timestamp::UNIX_EPOCH, outcome }))
        };
        let recovered = recover_redeeming_one_at_a_time(visits.clone(), recover);
        let hour = std::time::Duration::from_hours(1);
        let all = tokio::time::timeout(hour, recovered).await.expect("the others first").expect("read");
        let order: Vec<_> = all.iter().map(|recovered| recovered.visit).collect();
        assert_eq!(order, visits.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    }
}
