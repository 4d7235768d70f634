//! The usual durations of a backend, which virtual consoles learn from each other as a real console learns them from its
//! earlier visits.

use copresence_engine::setup::{LEARN_FROM_VISITS, median_if_enough_visits};
use copresence_visit::PollingConfig;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Durations of the latest visits of a run.
#[derive(Debug, Default)]
pub(crate) struct LearnedDurations(Mutex<LatestDurations>);

/// The latest durations of each kind, the oldest first.
#[derive(Debug, Default)]
struct LatestDurations {
    association: VecDeque<Duration>,
    processing: VecDeque<Duration>,
}

impl LearnedDurations {
    /// Records how long a visit waited from its start to the association of an avatar.
    pub(crate) fn record_association_wait(&self, duration: Duration) {
        push_duration_dropping_oldest(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).association, duration);
    }

    /// Records how long the backend processed an avatar.
    pub(crate) fn record_processing_duration(&self, duration: Duration) {
        push_duration_dropping_oldest(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).processing, duration);
    }

    /// Sets the usual durations of a new visit's polling policy, as far as they are known.
    pub(crate) fn set_usual_durations_for_polling(&self, polling: &mut PollingConfig) {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let median = |durations: &VecDeque<Duration>| median_if_enough_visits(durations.iter().copied().collect());
        polling.usual_association = median(&latest.association);
        if let Some(processing) = median(&latest.processing) {
            polling.usual_processing = processing;
        }
    }
}

/// Adds a duration, and drops the oldest one beyond as many as a real console learns from.
fn push_duration_dropping_oldest(latest: &mut VecDeque<Duration>, duration: Duration) {
    if latest.len() >= LEARN_FROM_VISITS as usize {
        latest.pop_front();
    }
    latest.push_back(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_is_adapted_to_the_median_of_the_latest_visits() {
        let learned = LearnedDurations::default();
        let mut polling = PollingConfig::default();
        let unknown = polling.clone();
        for seconds in [40, 10] {
            learned.record_processing_duration(Duration::from_secs(seconds));
        }
        learned.set_usual_durations_for_polling(&mut polling);
        assert_eq!(polling, unknown, "two visits are too few");
        learned.record_processing_duration(Duration::from_secs(20));
        for _ in 0..3 {
            learned.record_association_wait(Duration::from_secs(7));
        }
        learned.set_usual_durations_for_polling(&mut polling);
        let known = (polling.usual_processing, polling.usual_association);
        assert_eq!(known, (Duration::from_secs(20), Some(Duration::from_secs(7))));
        for _ in 0..LEARN_FROM_VISITS {
            learned.record_processing_duration(Duration::from_mins(1));
        }
        learned.set_usual_durations_for_polling(&mut polling);
        assert_eq!(polling.usual_processing, Duration::from_mins(1), "earlier visits are forgotten");
    }
}
