//! Seeded random numbers, so that a fleet of kiosks does not poll in step: `SplitMix64` (Steele, Lea, Flood 2014).

/// A pseudo-random number generator for the jitter of poll times.
#[derive(Debug, Clone)]
pub(super) struct JitterRng(u64);

impl JitterRng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A uniform random number in `low..high`.
    pub(super) fn random_between(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let share = (z >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * share
    }
}
