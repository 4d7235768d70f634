//! Credentials as types that cannot be serialised or displayed, are zeroed on drop, and print masked.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Shows that a secret is set without showing it: the last two characters of one long enough to spare them.
pub(crate) fn masked(value: &str) -> String {
    let count = value.chars().count();
    if count < 12 {
        return "…".to_owned();
    }
    let tail: String = value.chars().skip(count - 2).collect();
    format!("…{tail}")
}

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes the value in; white space around it (a pasted line end) is dropped.
            pub fn new(value: impl AsRef<str>) -> Self {
                Self(SecretString::from(value.as_ref().trim()))
            }

            /// The value itself, for the one place that sends or stores it.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }

            /// What may be shown of it: `…3f`.
            pub fn masked(&self) -> String {
                masked(self.expose())
            }

            /// Whether nothing but white space was given.
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
    /// "A session token is a temporary string to be used as header in further API requests".
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
    /// What a partner's own backend asks of a console, put where a profile's header says `{partner_key}`.
    PartnerKey
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_masked_and_trims_the_pasted_line_end() {
        let key = ApiKey::new("0123456789abcdef3f\n");
        assert_eq!(key.expose(), "0123456789abcdef3f");
        assert_eq!(format!("{key:?}"), "ApiKey(…3f)");
    }

    #[test]
    fn a_short_secret_shows_nothing_of_itself() {
        assert_eq!(Password::new("hunter2").masked(), "…");
    }
}
