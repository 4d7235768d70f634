//! Credentials as types that cannot be serialized or displayed, are zeroed on drop, and are masked by `Debug`.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Replaces the hidden part of a value that is shown.
pub const MASK: &str = "…";

/// Masks a secret: [`MASK`] and its last two characters, or only [`MASK`] if it has fewer than 12 characters.
pub fn mask_secret(value: &str) -> String {
    if value.chars().nth(11).is_none() {
        return MASK.to_owned();
    }
    let tail = value.char_indices().nth_back(1).map_or("", |(start, _)| &value[start..]);
    [MASK, tail].concat()
}

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Wraps a value. Leading and trailing white space is removed, for example a pasted line end.
            pub fn new(value: impl AsRef<str>) -> Self {
                Self(SecretString::from(value.as_ref().trim()))
            }

            /// The whole value, for the code that sends or stores it.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }

            /// The masked form, which may be shown: `…3f`.
            pub fn masked(&self) -> String {
                mask_secret(self.expose())
            }

            /// Whether the value is empty or was only white space.
            pub fn is_empty(&self) -> bool {
                self.expose().is_empty()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.masked())
            }
        }
    };
}

secret! {
    /// The business account's REST API key ([`crate::headers::API_KEY`]).
    ApiKey
}
secret! {
    /// Spec: "A session token is a temporary string to be used as header in further API requests".
    SessionToken
}
secret! {
    /// The business account's user name for the login request.
    Username
}
secret! {
    /// The business account's password for the login request.
    Password
}
secret! {
    /// The credential for a partner's backend. Replaces `{partner_key}` in the headers of a profile.
    PartnerKey
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_masks_a_secret_and_new_trims_a_pasted_line_end() {
        let key = ApiKey::new("0123456789abcdef3f\n");
        assert_eq!(key.expose(), "0123456789abcdef3f");
        assert_eq!(format!("{key:?}"), "ApiKey(…3f)");
    }

    #[test]
    fn a_short_secret_is_masked_completely() {
        assert_eq!(Password::new("hunter2").masked(), "…");
    }
}
