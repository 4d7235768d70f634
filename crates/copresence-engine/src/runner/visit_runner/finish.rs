//! The end of a visit: what is still to be journalled, and the last event.

use super::{RunnerResult, VisitRunner};
use crate::problem::outcome_problem_with_credentials_remedy;
use crate::runner::save::discard_partial_folder;
use crate::runner::{block_in_place, ended_event_and_message};
use copresence_store::{DataRetainedForRecovery, VisitEnding};
use copresence_visit::Outcome;
use copresence_visit::outcome::EndPhase;
use jiff::{SignedDuration, Timestamp};

/// Pause after a failure of the disk before recovery first tries again to save the avatar.
const PAUSE_AFTER_DISK_FAILURE: SignedDuration = SignedDuration::from_secs(5);

impl VisitRunner {
    /// Finishes the visit: journals its end and emits the last event.
    pub(super) async fn finish_visit(mut self, outcome: Outcome) -> RunnerResult {
        // A redeem in flight journals itself as unanswered when it is dropped.
        self.in_flight = None;
        self.partial_fetch = None;
        let id = self.start.id;
        if let Some(mut write) = self.pending_write.take()
            && let Err(error) = write.journal_redeem_response(&self.context.journal, id).await
        {
            tracing::error!(%error, visit = %id, "cannot journal the last redeem");
        }
        if let Some(journal) = &self.delivery_journal
            && let Err(error) = journal.write_unjournalled_changes().await
        {
            tracing::error!(%error, visit = %id, "cannot journal the delivery");
        }
        let end = self.visit.end_state_if_ended();
        let state = end.map_or(EndPhase::Issuing, |end| end.ended_in).as_str();
        let progress = end.and_then(|end| end.progress.clone());
        let problem = outcome_problem_with_credentials_remedy(&outcome, &self.context.api);
        let (message, event) = ended_event_and_message(&outcome, &problem, state, self.directory.as_deref());
        let ending = VisitEnding {
            code: outcome.error_code().to_owned(),
            exit: outcome.exit_code(),
            message,
            visit_state: state.to_owned(),
            directory: self.directory.clone(),
            at: self.context.clock.wall_clock_time(),
        };
        match self.context.journal.record_end_and_erase_secrets(&id, &ending).await {
            Ok(DataRetainedForRecovery::Nothing) if self.directory.is_none() => {
                // Without a known delivery there should be no folder. If there is one, the journal lost its delivery (a
                // damaged disk), and the folder has the only copy of its files.
                if self.is_delivery_known {
                    block_in_place(|| discard_partial_folder(&self.start));
                }
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, visit = %id, "cannot journal the end of the visit"),
        }
        if !self.is_resumed && outcome.can_later_run_continue_saving() {
            // Programs that run for long look for such visits.
            let pause = match outcome {
                Outcome::DownloadInterrupted(_) => SignedDuration::ZERO,
                _ => PAUSE_AFTER_DISK_FAILURE,
            };
            let due = self.context.clock.wall_clock_time().saturating_add(pause).unwrap_or(Timestamp::MAX);
            if let Err(error) = self.context.journal.record_next_recovery_attempt(&id, 0, due).await {
                tracing::warn!(%error, visit = %id, "cannot journal the next recovery");
            }
        }
        self.emit_event(event);
        RunnerResult { outcome, directory: self.directory, progress }
    }
}
