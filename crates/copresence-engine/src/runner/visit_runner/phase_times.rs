//! The times at which a visit reached its phases, for the manifest and the history.

use super::VisitRunner;
use crate::runner::redeem::MAX_JOURNAL_WAIT;
use copresence_protocol::CompletionStatus;
use copresence_store::{Journal, VisitId, VisitPhase};
use jiff::Timestamp;
use std::time::Duration;

impl VisitRunner {
    /// Records the time of the delivery, at which the token was spent.
    pub(super) async fn record_when_delivery_spent_token(&mut self) {
        let now = self.context.clock.wall_clock_time();
        (self.times.ready, self.times.redeemed) = (Some(now), Some(now));
        let recorded = record_phase_start(&self.context.journal, self.start.id, VisitPhase::Ready, now);
        // A journal that is locked does not delay the downloads further: the write stays queued.
        let max_wait = if self.pending_write.is_some() { Duration::ZERO } else { MAX_JOURNAL_WAIT };
        _ = tokio::time::timeout(max_wait, recorded).await;
    }

    /// Records the first time of each status, for the manifest and the history.
    pub(super) async fn record_first_status_time(&mut self, status: &CompletionStatus) {
        let now = self.context.clock.wall_clock_time();
        let mut reached = Vec::new();
        if *status != CompletionStatus::NoAssociatedAvatar {
            reached.push((VisitPhase::Associated, &mut self.times.associated));
        }
        match status {
            CompletionStatus::InQueue => reached.push((VisitPhase::Queued, &mut self.times.queued)),
            CompletionStatus::Processing => {
                reached.push((VisitPhase::Processing, &mut self.times.processing));
            }
            _ => {}
        }
        let mut new = Vec::new();
        for (phase, time) in reached {
            if time.is_none() {
                *time = Some(now);
                new.push(phase);
            }
        }
        for phase in new {
            record_phase_start(&self.context.journal, self.start.id, phase, now).await;
        }
    }
}

/// Journals when a phase was first seen. A failure is only logged, because the visit can go on without it.
async fn record_phase_start(journal: &Journal, id: VisitId, phase: VisitPhase, at: Timestamp) {
    if let Err(error) = journal.record_first_time_of_phase(&id, phase, at).await {
        tracing::warn!(%error, visit = %id, "cannot journal a phase");
    }
}
