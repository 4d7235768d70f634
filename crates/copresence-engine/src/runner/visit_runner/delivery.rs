//! Saving a delivery: its files are downloaded as the task in flight, or beside the redeems after a truncated response.

use super::VisitRunner;
use super::task::{TaskOutput, TruncatedResponseDownload};
use crate::runner::delivery_journal::{DeliveryJournal, UnjournalledDeliveryParts};
use crate::runner::download_coordinator::{CoordinatorLimits, DownloadCoordinator};
use crate::runner::save::{SaveJob, download_and_publish_delivery};
use copresence_protocol::DeliveredExports;
use copresence_store::{PhaseTimestamps, RedeemNumber};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// An age of a delivery beyond this is more likely a wrong clock.
const MAX_PLAUSIBLE_DELIVERY_AGE: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Attempts of recovery before which no delivery is too old: the clock alone, which may be wrong, cannot decide. They
/// take more than an hour.
const MIN_ATTEMPTS: u32 = 20;
/// As [`MIN_ATTEMPTS`], for a delivery of an implausible age. They take a day.
const MIN_ATTEMPTS_BEYOND_PLAUSIBLE_AGE: u32 = 300;

impl VisitRunner {
    /// Starts to save the files of a delivery, which includes their download, as the task in flight.
    pub(super) fn start_saving_delivery(&mut self, delivery: DeliveredExports) {
        let missing = UnjournalledDeliveryParts {
            response: self.pending_write.take(),
            used_truncated: self.unjournalled_truncated.take(),
            planned: None,
        };
        let is_used = CancellationToken::new();
        is_used.cancel();
        let job = self.build_save_job(missing, self.times.clone(), is_used);
        self.downloads = Some(job.coordinator.clone());
        self.delivery_journal = Some(job.journal.clone());
        let (context, earlier) = (self.context.clone(), self.partial_fetch.take());
        self.in_flight = Some(Box::pin(async move {
            // What it receives stays on the disk, where the download from the same URL finds it.
            end_earlier_download(earlier).await;
            TaskOutput::Saved(download_and_publish_delivery(&context, job, delivery).await)
        }));
    }

    /// Describes how to save a delivery, of which the journal lacks `missing`.
    fn build_save_job(
        &mut self,
        missing: UnjournalledDeliveryParts,
        times: PhaseTimestamps,
        is_used: CancellationToken,
    ) -> SaveJob {
        self.is_delivery_known = true;
        let coordinator = Arc::new(DownloadCoordinator::new(CoordinatorLimits {
            parallel: self.limits.parallel_downloads,
            patience: self.download_patience,
            transfer_patience: self.limits.patience,
            keep_trying: retry_time_left_since_delivery(
                self.limits.keep_trying,
                times.redeemed.or(times.ready),
                self.context.clock.monotonic_timestamp(),
                self.recovery_attempts,
            ),
            can_continue_later: !self.start.ephemeral,
        }));
        SaveJob {
            start: self.start.clone(),
            limits: self.limits,
            coordinator,
            journal: Arc::new(DeliveryJournal::new(self.context.journal.clone(), self.start.id, missing)),
            pause: self.download_pause,
            times,
            known_files: self.known_files.clone(),
            recovery_attempts: self.recovery_attempts,
            is_resumed: self.is_resumed,
            is_used,
        }
    }

    /// Starts to download the files that a truncated response names, beside the redeems.
    pub(super) fn start_truncated_response_download(&mut self, delivery: DeliveredExports) {
        if self.partial_fetch.as_ref().is_some_and(|fetch| fetch.delivery == delivery) {
            return;
        }
        let now = Some(self.context.clock.wall_clock_time());
        let times = PhaseTimestamps { ready: now, redeemed: now, ..self.times.clone() };
        let missing = UnjournalledDeliveryParts { response: None, used_truncated: None, planned: None };
        let is_used = CancellationToken::new();
        let job = self.build_save_job(missing, times, is_used.clone());
        let (coordinator, journal) = (job.coordinator.clone(), job.journal.clone());
        let (context, exports, earlier) = (self.context.clone(), delivery.clone(), self.partial_fetch.take());
        let task = Box::pin(async move {
            end_earlier_download(earlier).await;
            download_and_publish_delivery(&context, job, exports).await
        });
        self.partial_fetch = Some(TruncatedResponseDownload { delivery, coordinator, journal, is_used, task });
    }

    /// Uses the files that a truncated response names, whose download has begun: they are journalled and published.
    pub(super) async fn use_truncated_response_files(&mut self, fetch: TruncatedResponseDownload) {
        let (response, used_truncated) = (self.pending_write.take(), self.unjournalled_truncated.take());
        fetch.journal.add_unjournalled_response(response, used_truncated).await;
        fetch.is_used.cancel();
        self.downloads = Some(fetch.coordinator);
        self.delivery_journal = Some(fetch.journal);
        let task = fetch.task;
        self.in_flight = Some(Box::pin(async move { TaskOutput::Saved(task.await) }));
    }

    /// Journals that a truncated response is used as the delivery. What fails is repeated while its files are saved.
    pub(super) async fn journal_truncated_response_as_delivery(&mut self, redeem: u32) {
        let (journal, id, no) = (&self.context.journal, self.start.id, RedeemNumber::new(redeem));
        let mut written = match &mut self.pending_write {
            Some(write) => write.journal_redeem_response(journal, id).await,
            None => Ok(()),
        };
        if written.is_ok() {
            self.pending_write = None;
            written = journal.record_truncated_delivery_erasing_token(&id, no).await;
        }
        if let Err(error) = written {
            // The URLs are in memory and will not be sent again, so the downloads start all the same.
            tracing::error!(%error, visit = %id, "cannot journal the partial delivery");
            self.unjournalled_truncated = Some(no);
        }
        self.record_when_delivery_spent_token().await;
    }
}

/// Ends the download of an earlier truncated response, if there is one, before another download writes to the same folder.
async fn end_earlier_download(earlier: Option<TruncatedResponseDownload>) {
    if let Some(earlier) = earlier {
        earlier.end_after_unrepeatable_transfers().await;
    }
}

/// Time from `now` until `keep_trying` since the delivery is over; all of it if there were so few attempts that a wrong
/// clock is as likely.
fn retry_time_left_since_delivery(
    keep_trying: Duration,
    delivered_at: Option<Timestamp>,
    now: Timestamp,
    attempts: u32,
) -> Duration {
    let age = delivered_at.map_or(SignedDuration::ZERO, |delivered_at| now.duration_since(delivered_at));
    let min_attempts = if age > MAX_PLAUSIBLE_DELIVERY_AGE { MIN_ATTEMPTS_BEYOND_PLAUSIBLE_AGE } else { MIN_ATTEMPTS };
    let left = keep_trying.saturating_sub(Duration::try_from(age).unwrap_or_default());
    if left.is_zero() && attempts < min_attempts { keep_trying } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_keep_trying_is_counted_from_the_delivery() {
        let (hour, now) = (SignedDuration::from_hours(1), Timestamp::UNIX_EPOCH);
        let left = |age: SignedDuration, attempts| {
            let left = retry_time_left_since_delivery(Duration::from_hours(24), Some(now), now + age, attempts);
            left.as_secs() / 3600
        };
        assert_eq!(left(hour, 0), 23);
        assert_eq!(left(25 * hour, 0), 24, "the clock may be wrong");
        assert_eq!(left(25 * hour, MIN_ATTEMPTS), 0);
        assert_eq!(left(-25 * hour, 0), 24, "the clock was set back");
        assert_eq!(left(20_000 * hour, MIN_ATTEMPTS), 24, "the clock was wrong at the delivery");
        assert_eq!(left(20_000 * hour, MIN_ATTEMPTS_BEYOND_PLAUSIBLE_AGE), 0);
        assert_eq!(retry_time_left_since_delivery(Duration::from_hours(1), None, now, 0), Duration::from_hours(1));
    }
}
