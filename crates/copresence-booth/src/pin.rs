//! The operator's PIN: its hash, its length, and the delay after wrong attempts.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use copresence_engine::settings_toml::is_argon2id_hash;
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Allowed number of characters of a PIN.
pub const PIN_LENGTH: RangeInclusive<usize> = 4..=32;

/// Wrong attempts without a delay.
pub(crate) const FREE_ATTEMPTS: u32 = 3;
/// Delay after the first wrong attempt that is not free. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(5);
/// Maximum delay between attempts.
const MAX_DELAY: Duration = Duration::from_mins(5);

/// Hash of a PIN: argon2id as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PinHash(String);

impl PinHash {
    /// Hashes a PIN with a new salt. Takes tens of milliseconds and 19 MiB, so do not call it on an async thread.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn from_pin(pin: &SecretString) -> Result<Self, String> {
        let hash = Argon2::default().hash_password(pin.expose_secret().as_bytes());
        hash.map(|hash: PasswordHash| Self(hash.to_string())).map_err(|error| error.to_string())
    }

    /// Parses a PHC string. `None` if it is not an argon2id hash.
    pub fn parse_phc_string(text: &str) -> Option<Self> {
        is_argon2id_hash(text).then(|| Self(text.to_owned()))
    }

    /// Whether the PIN matches. Takes as long as [`from_pin`](Self::from_pin).
    pub fn matches_pin(&self, pin: &SecretString) -> bool {
        PasswordHash::new(&self.0)
            .is_ok_and(|hash| Argon2::default().verify_password(pin.expose_secret().as_bytes(), &hash).is_ok())
    }

    /// Hashes with the cheapest parameters, for tests of the lock.
    #[cfg(test)]
    pub(crate) fn with_cheap_params(pin: &str) -> Self {
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
pub(crate) fn is_valid_pin_length(pin: &SecretString) -> bool {
    PIN_LENGTH.contains(&pin.expose_secret().chars().take(PIN_LENGTH.end() + 1).count())
}

/// Delay before the next attempt after this many wrong attempts in a row.
pub(crate) fn delay_after_failed_attempts(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE_ATTEMPTS) {
        None => Duration::ZERO,
        Some(doubled) => FIRST_DELAY.saturating_mul(2_u32.saturating_pow(doubled)).min(MAX_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_only_its_pin_and_is_not_printed() {
        let hash = PinHash::from_pin(&"1234".into()).expect("randomness");
        let read = PinHash::parse_phc_string(hash.as_str()).expect("a hash");
        assert!(read.matches_pin(&"1234".into()));
        assert!(!read.matches_pin(&"12345".into()) && !read.matches_pin(&"".into()));
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert_eq!(format!("{hash:?}"), "PinHash(…)");
        assert_ne!(PinHash::from_pin(&"1234".into()), Ok(hash), "each under a salt of its own");
        for broken in ["", "1234", "$argon2id$", "$argon2d$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(PinHash::parse_phc_string(broken), None, "{broken}");
        }
    }

    #[test]
    fn pins_have_4_to_32_characters() {
        for (pin, fits) in [("123", false), ("1234", true), ("äöüß", true), (&"x".repeat(32), true)] {
            assert_eq!(is_valid_pin_length(&pin.into()), fits, "{pin}");
        }
        assert!(!is_valid_pin_length(&"x".repeat(33).into()) && !is_valid_pin_length(&"x".repeat(1 << 20).into()));
    }

    #[test]
    fn delays_double_from_5_s_to_5_min() {
        let waits: Vec<u64> = (0..12).map(|wrong| delay_after_failed_attempts(wrong).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(delay_after_failed_attempts(u32::MAX), MAX_DELAY);
    }
}
