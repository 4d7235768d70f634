//! Intervals while no avatar is associated. A scan cannot be predicted, so they are fixed by the time waited.

/// Seconds to the first poll: unlocking a phone, scanning and choosing take longer.
const FIRST_INTERVAL: f64 = 5.0;
/// Until when scans are most likely, and the interval, in seconds. An existing avatar is ready at once, and should be
/// noticed within 3 s.
const SCAN_LIKELY: (f64, f64) = (50.0, 2.65);
/// Until when recordings end, and the interval, in seconds.
const SCAN_POSSIBLE: (f64, f64) = (105.0, 2.9);
/// Interval in seconds after that: an avatar that is associated now was recorded, and is still to be processed.
const INTERVAL_AFTER_RECORDING: f64 = 5.0;
/// Seconds after which a scan is unlikely, and the interval grows …
const SCAN_UNLIKELY_AFTER: f64 = 240.0;
/// … up to this, in seconds: a late scan should still get a reaction.
const MAX_INTERVAL: f64 = 15.0;

/// Seconds until the next poll, `waited` seconds after the first response.
pub(super) fn next_interval(waited: f64) -> f64 {
    match waited {
        // The first response arrives when the code is shown.
        _ if waited < FIRST_INTERVAL / 2.0 => FIRST_INTERVAL,
        _ if waited < SCAN_LIKELY.0 => SCAN_LIKELY.1,
        _ if waited < SCAN_POSSIBLE.0 => SCAN_POSSIBLE.1,
        _ => (INTERVAL_AFTER_RECORDING * (waited / SCAN_UNLIKELY_AFTER).max(1.0).powf(1.5)).min(MAX_INTERVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_an_hour_without_a_scan_costs_few_polls() {
        let (mut waited, mut polls) = (0.0, 0);
        while waited < 900.0 {
            waited += next_interval(waited);
            polls += 1;
        }
        assert!((60..=140).contains(&polls), "{polls} polls");
        assert!(next_interval(waited) >= MAX_INTERVAL);
    }
}
