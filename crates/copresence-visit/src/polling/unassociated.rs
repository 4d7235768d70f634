//! Intervals while no avatar is associated. A scan cannot be predicted, so they are fixed by the time waited.

use std::time::Duration;

/// Recording an avatar takes at least a minute, after the scan. A shorter usual time from the first poll to the
/// association shows that visitors select avatars that they already have.
const MIN_ASSOCIATION_OF_RECORDINGS: Duration = Duration::from_secs(75);

/// Seconds to the first poll: unlocking a phone, scanning and choosing take longer.
const FIRST_INTERVAL: f64 = 9.0;
/// Seconds after which a scan is unlikely, and the interval grows …
const SCAN_UNLIKELY_AFTER: f64 = 240.0;
/// … up to this, in seconds: a late scan should still get a reaction.
const MAX_INTERVAL: f64 = 15.0;

/// The spacing of polls until an avatar is associated, by what visitors of this backend usually do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AssociationPollSpacing {
    /// Visitors record, or nothing is known.
    RecordingsLikely,
    /// Visitors select avatars that they already have. Those are ready at once, and should be noticed within 2 s.
    ExistingAvatarsLikely,
}

impl AssociationPollSpacing {
    /// Chooses how often a token without an avatar is polled: by the time that earlier visitors needed from the first poll
    /// to the association, `None` if that time is unknown.
    pub(super) fn choose_spacing_by_association_time(usual: Option<Duration>) -> Self {
        match usual {
            Some(usual) if usual < MIN_ASSOCIATION_OF_RECORDINGS => Self::ExistingAvatarsLikely,
            _ => Self::RecordingsLikely,
        }
    }

    /// The intervals by time, in seconds: pairs of the time until which an interval applies and that interval, and the
    /// interval after the last pair, which grows.
    fn poll_interval_table_secs(self) -> ([(f64, f64); 2], f64) {
        match self {
            // A recording takes at least a minute. Before that, only an existing avatar can be associated.
            Self::RecordingsLikely => ([(60.0, 2.65), (SCAN_UNLIKELY_AFTER, 3.4)], 5.0),
            Self::ExistingAvatarsLikely => ([(120.0, 1.94), (200.0, 3.4)], 5.0),
        }
    }

    /// Seconds until the next poll, `waited` seconds after the first response.
    pub(super) fn seconds_until_next_poll(self, waited: f64) -> f64 {
        // The first response arrives when the code is shown.
        if waited < FIRST_INTERVAL / 2.0 {
            return FIRST_INTERVAL;
        }
        let (likely, later) = self.poll_interval_table_secs();
        match likely.iter().find(|(until, _)| waited < *until) {
            Some((_, interval)) => *interval,
            None => (later * (waited / SCAN_UNLIKELY_AFTER).max(1.0).powf(1.5)).min(MAX_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_an_hour_without_a_scan_costs_few_polls() {
        for (polling, expected) in [
            (AssociationPollSpacing::RecordingsLikely, 60..=150),
            (AssociationPollSpacing::ExistingAvatarsLikely, 60..=170),
        ] {
            let (mut waited, mut polls) = (0.0, 0);
            while waited < 900.0 {
                waited += polling.seconds_until_next_poll(waited);
                polls += 1;
            }
            assert!(expected.contains(&polls), "{polling:?}: {polls} polls");
            assert!(polling.seconds_until_next_poll(waited) >= MAX_INTERVAL);
        }
    }

    #[test]
    fn short_usual_times_make_polls_more_frequent() {
        let polling =
            |seconds| AssociationPollSpacing::choose_spacing_by_association_time(Some(Duration::from_secs(seconds)));
        assert!(polling(40).seconds_until_next_poll(30.0) < polling(130).seconds_until_next_poll(30.0));
        assert_eq!(polling(130), AssociationPollSpacing::choose_spacing_by_association_time(None));
    }
}
