//! The operator's PIN: its hash, its length, and the delay after wrong attempts.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Allowed number of characters of a PIN.
pub const PIN_LENGTH: RangeInclusive<usize> = 4..=32;

/// Wrong attempts without a delay.
pub(crate) const FREE_TRIES: u32 = 3;
/// Delay after the first wrong attempt that is not free. It doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Maximum delay between attempts.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Hash of a PIN: argon2id as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PinHash(String);

impl PinHash {
    /// Hashes a PIN with a new salt. Takes tens of milliseconds and 19 MiB, so do not call it on an async thread.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn of(pin: &SecretString) -> Result<Self, String> {
        let hash = Argon2::default().hash_password(pin.expose_secret().as_bytes());
        hash.map(|hash: PasswordHash| Self(hash.to_string())).map_err(|error| error.to_string())
    }

    /// Parses a PHC string. `None` if it is not an argon2id hash.
    pub fn read(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        (hash.algorithm.as_str() == "argon2id" && hash.hash.is_some()).then(|| Self(text.to_owned()))
    }

    /// Whether the PIN matches. Takes as long as [`from_pin`](Self::from_pin).
    pub fn is(&self, pin: &SecretString) -> bool {
        PasswordHash::new(&self.0).is_ok_and(|hash| {
            Argon2::default().verify_password(pin.expose_secret().as_bytes(), &hash).is_ok()
        })
    }

    /// Hashes with the cheapest parameters, for tests of the lock.
    #[cfg(test)]
    pub(crate) fn quick(pin: &str) -> Self {
        let argon = Argon2::from(argon2::Params::new(8, 1, 1, None).expect("allowed"));
        let hash: PasswordHash = argon.hash_password(pin.as_bytes()).expect("randomness");
        Self(hash.to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PinHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinHash(…)")
    }
}

/// Whether a PIN has an allowed number of characters.
pub(crate) fn has_length(pin: &SecretString) -> bool {
    PIN_LENGTH.contains(&pin.expose_secret().chars().take(PIN_LENGTH.end() + 1).count())
}

/// Delay before the next attempt after this many wrong attempts in a row.
pub(crate) fn wait_after(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE_TRIES) {
        None => Duration::ZERO,
        Some(doubled) => FIRST_WAIT.saturating_mul(2_u32.saturating_pow(doubled)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_only_its_pin_and_is_not_printed() {
        let hash = PinHash::of(&"1234".into()).expect("randomness");
        let read = PinHash::read(hash.as_str()).expect("a hash");
        assert!(read.is(&"1234".into()));
        assert!(!read.is(&"12345".into()) && !read.is(&"".into()));
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert_eq!(format!("{hash:?}"), "PinHash(…)");
        assert_ne!(PinHash::of(&"1234".into()), Ok(hash), "each under a salt of its own");
        for broken in
            ["", "1234", "$argon2id$", "$argon2d$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"]
        {
            assert_eq!(PinHash::read(broken), None, "{broken}");
        }
    }

    #[test]
    fn pins_have_4_to_32_characters() {
        for (pin, fits) in [("123", false), ("1234", true), ("äöüß", true), (&"x".repeat(32), true)] {
            assert_eq!(has_length(&pin.into()), fits, "{pin}");
        }
        assert!(!has_length(&"x".repeat(33).into()) && !has_length(&"x".repeat(1 << 20).into()));
    }

    #[test]
    fn delays_double_from_5_s_to_5_min() {
        let waits: Vec<u64> = (0..12).map(|wrong| wait_after(wrong).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
    }
}
