//! The Export Token: "unique temporary identifiers for a single avatar, which can be used to download the
//! avatar's exported assets once".

use crate::mismatch::Mismatch;
use crate::secret::masked;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// The longest token taken, in bytes: far over any identifier, far under what a header may hold.
pub const MAX_LENGTH: usize = 4096;

/// An Export Token that can be a header value: visible ASCII, one to [`MAX_LENGTH`] bytes.
///
/// Whoever holds it can take the avatar, so it prints masked. It is shown on purpose in the link alone.
#[derive(Clone)]
pub struct ExportToken(SecretString);

impl ExportToken {
    /// Takes a token as the backend sent it.
    ///
    /// # Errors
    /// A [`Mismatch`] at `token` when it is empty, too long, or has a character that no header value can
    /// carry (a line end, a control character, a space at an end, anything outside ASCII).
    pub fn new(value: impl Into<String>) -> Result<Self, Mismatch> {
        let value = value.into();
        let rule = "the Export Token can be sent as the header X-Copresence-Export-Token";
        if value.is_empty() {
            return Err(Mismatch::new("token", rule, "an empty string"));
        }
        if value.len() > MAX_LENGTH {
            let found = format!("a string of {} bytes", value.len());
            return Err(Mismatch::new("token", rule, found));
        }
        if let Some(bad) = value.chars().find(|c| !c.is_ascii_graphic()) {
            let found = format!("a string with the character U+{:04X}", u32::from(bad));
            return Err(Mismatch::new("token", rule, found));
        }
        Ok(Self(SecretString::from(value)))
    }

    /// The token itself, for the header, the link and the journal.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What may be shown of it: `…3f`.
    pub fn masked(&self) -> String {
        masked(self.expose())
    }
}

impl fmt::Debug for ExportToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportToken({})", self.masked())
    }
}

impl PartialEq for ExportToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for ExportToken {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_no_header_can_carry_is_a_break_of_the_protocol() {
        for bad in ["", "a\nb", "a b", "tökén", "a\0", "\u{7f}"] {
            let mismatch = ExportToken::new(bad).expect_err(bad);
            assert_eq!(mismatch.path(), "token");
        }
        assert!(ExportToken::new("x".repeat(MAX_LENGTH + 1)).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_a_header_value(raw in ".*") {
            if let Ok(token) = ExportToken::new(raw.clone()) {
                prop_assert!(http::HeaderValue::from_str(token.expose()).is_ok());
                prop_assert_eq!(token.expose(), raw);
            }
        }
    }
}
