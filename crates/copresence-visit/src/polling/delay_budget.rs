//! Optimal inspection: how long the next poll can wait.

/// Seconds from now until the expected unnoticed waiting time reaches `budget` seconds, at most `longest`.
///
/// `happened(ahead)` is the probability that the event happens within `ahead` seconds, given that it had not at the
/// last poll. Its integral is the expected time that the event goes unnoticed, so the poll comes before a peak of
/// probability, not after it. With a constant hazard h it comes every √(2·budget/h) seconds.
pub(super) fn secs_until_delay_budget_spent(happened: impl Fn(f64) -> f64, budget: f64, longest: f64) -> f64 {
    let (mut ahead, mut unnoticed, mut before) = (0.0_f64, 0.0, happened(0.0));
    while ahead < longest {
        let stride = (ahead * 0.1).max(0.05);
        let after = happened(ahead + stride);
        let more = stride * f64::midpoint(before, after);
        if unnoticed + more >= budget {
            return (ahead + stride * (budget - unnoticed) / more).min(longest);
        }
        unnoticed += more;
        before = after;
        ahead += stride;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_hazard_follows_the_square_root_law() {
        for hazard in [0.01, 0.1, 0.4_f64] {
            let every = secs_until_delay_budget_spent(|ahead| 1.0 - (-hazard * ahead).exp(), 0.05, 60.0);
            let law = (2.0 * 0.05 / hazard).sqrt();
            assert!((every / law - 1.0).abs() < 0.1, "hazard {hazard}: {every} s, by the law {law} s");
        }
    }

    #[test]
    fn an_impossible_event_waits_longest_and_a_certain_one_not_at_all() {
        assert!(secs_until_delay_budget_spent(|_| 0.0, 0.05, 12.0) >= 12.0);
        assert!(secs_until_delay_budget_spent(|_| 1.0, 0.05, 12.0) <= 0.05 + f64::EPSILON);
        // Certain in four seconds: the inspection comes just after.
        let step = secs_until_delay_budget_spent(|ahead| f64::from(u8::from(ahead >= 4.0)), 0.05, 12.0);
        assert!((3.5..4.6).contains(&step), "{step}");
    }

    #[test]
    fn nan_waits_longest() {
        assert!(secs_until_delay_budget_spent(|_| f64::NAN, 0.05, 12.0) >= 12.0);
    }
}
