//! Optimal inspection: how long one may look away.

/// The time, in seconds from now, at which the expected unseen waiting reaches `budget` seconds, or `longest`.
///
/// `happened(ahead)` is the chance that the awaited thing has come within `ahead` seconds, given that it had not at the
/// last look; what gathers under that curve is the expected time that it has been there unseen. So the look comes before
/// a peak of chance, not after it; with a steady hazard h it comes every √(2·budget/h).
pub(super) fn look_again(happened: impl Fn(f64) -> f64, budget: f64, longest: f64) -> f64 {
    let (mut ahead, mut unseen, mut before) = (0.0_f64, 0.0, happened(0.0));
    while ahead < longest {
        let stride = (ahead * 0.1).max(0.05);
        let after = happened(ahead + stride);
        let more = stride * f64::midpoint(before, after);
        if unseen + more >= budget {
            return (ahead + stride * (budget - unseen) / more).min(longest);
        }
        unseen += more;
        before = after;
        ahead += stride;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_hazard_is_looked_at_by_the_square_root_law() {
        for hazard in [0.01, 0.1, 0.4_f64] {
            let every = look_again(|ahead| 1.0 - (-hazard * ahead).exp(), 0.05, 60.0);
            let law = (2.0 * 0.05 / hazard).sqrt();
            assert!((every / law - 1.0).abs() < 0.1, "hazard {hazard}: {every} s, by the law {law} s");
        }
    }

    #[test]
    fn what_cannot_have_happened_is_looked_at_last_and_what_has_surely_at_once() {
        assert!(look_again(|_| 0.0, 0.05, 12.0) >= 12.0);
        assert!(look_again(|_| 1.0, 0.05, 12.0) <= 0.05 + f64::EPSILON);
        // Certain in four seconds: the look comes just after.
        let step = look_again(|ahead| f64::from(u8::from(ahead >= 4.0)), 0.05, 12.0);
        assert!((3.5..4.6).contains(&step), "{step}");
    }

    #[test]
    fn nonsense_ends_at_the_longest() {
        assert!(look_again(|_| f64::NAN, 0.05, 12.0) >= 12.0);
    }
}
