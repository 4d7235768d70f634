//! The Export Token. Spec: "unique temporary identifiers for a single avatar, which can be used to download the
//! avatar's exported assets once".

use crate::secret::mask_secret;
use crate::spec_violation::SpecViolation;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Maximum length of a token, in bytes. Longer than any identifier, shorter than the usual limit for a header.
pub const MAX_TOKEN_LENGTH: usize = 4096;

/// An Export Token that is a valid header value: visible ASCII, 1 to [`MAX_TOKEN_LENGTH`] bytes.
///
/// The token alone grants access to the avatar, so `Debug` masks it. Only the link in the QR code shows it.
#[derive(Clone)]
pub struct ExportToken(SecretString);

impl ExportToken {
    /// Checks and wraps a token as the backend sent it.
    ///
    /// # Errors
    /// A [`SpecViolation`] at `token` if the value is empty, longer than [`MAX_TOKEN_LENGTH`], or contains a character
    /// other than visible ASCII.
    pub fn new(value: impl Into<String>) -> Result<Self, SpecViolation> {
        let value = value.into();
        let expected = "a string that can be sent as the header X-Copresence-Export-Token";
        if value.is_empty() {
            return Err(SpecViolation::new("token", expected, "an empty string"));
        }
        if value.len() > MAX_TOKEN_LENGTH {
            let found = format!("a string of {} bytes", value.len());
            return Err(SpecViolation::new("token", expected, found));
        }
        if let Some(bad) = value.chars().find(|c| !c.is_ascii_graphic()) {
            let found = format!("a string with the character U+{:04X}", u32::from(bad));
            return Err(SpecViolation::new("token", expected, found));
        }
        Ok(Self(SecretString::from(value)))
    }

    /// The whole token, for the header, the link and the journal.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The masked form, which may be shown: `…3f`.
    pub fn masked(&self) -> String {
        mask_secret(self.expose())
    }
}

impl fmt::Debug for ExportToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportToken({})", self.masked())
    }
}

impl PartialEq for ExportToken {
    /// Compares the tokens, not in constant time.
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
    fn tokens_that_are_no_header_value_are_rejected() {
        for bad in ["", "a\nb", "a b", "tökén", "a\0", "\u{7f}"] {
            let mismatch = ExportToken::new(bad).expect_err(bad);
            assert_eq!(mismatch.body_path_or_header_name(), "token");
        }
        assert!(ExportToken::new("x".repeat(MAX_TOKEN_LENGTH + 1)).is_err());
    }

    proptest! {
        #[test]
        fn accepted_tokens_are_header_values(raw in ".*") {
            if let Ok(token) = ExportToken::new(raw.clone()) {
                prop_assert!(http::HeaderValue::from_str(token.expose()).is_ok());
                prop_assert_eq!(token.expose(), raw);
            }
        }
    }
}
