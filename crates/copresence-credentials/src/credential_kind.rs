//! The kinds of credentials: of a profile, and of the user.

use std::fmt;
use std::str::FromStr;

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CredentialKind {
    /// The REST API key of the business account.
    ApiKey,
    /// The session token of the business account.
    SessionToken,
    /// The user name for a login, as an alternative to a session token.
    Username,
    /// The password for a login, as an alternative to a session token.
    Password,
    /// The key for a partner's backend.
    PartnerKey,
    /// The private key that signs passports. It belongs to the user and is the same for all profiles.
    PassportKey,
}

impl CredentialKind {
    /// Every kind that a profile may have, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::ApiKey, Self::SessionToken, Self::Username, Self::Password, Self::PartnerKey];

    /// The name on the command line and in the keychain.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::SessionToken => "session-token",
            Self::Username => "username",
            Self::Password => "password",
            Self::PartnerKey => "partner-key",
            Self::PassportKey => "passport-key",
        }
    }

    /// The environment variable that overrides the keychain.
    pub const fn overriding_env_var_name(self) -> &'static str {
        match self {
            Self::ApiKey => "COPRESENCE_API_KEY",
            Self::SessionToken => "COPRESENCE_SESSION_TOKEN",
            Self::Username => "COPRESENCE_USERNAME",
            Self::Password => "COPRESENCE_PASSWORD",
            Self::PartnerKey => "COPRESENCE_PARTNER_KEY",
            Self::PassportKey => "COPRESENCE_PASSPORT_KEY",
        }
    }

    /// The user name of the keychain item for a profile: `<profile>/<kind>`. That of the user's own kind has no profile.
    pub(crate) fn keychain_user_name(self, profile: &str) -> String {
        match self {
            Self::PassportKey => self.as_str().to_owned(),
            _ => format!("{profile}/{}", self.as_str()),
        }
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKey => "API key",
            Self::SessionToken => "session token",
            Self::Username => "user name",
            Self::Password => "password",
            Self::PartnerKey => "partner key",
            Self::PassportKey => "passport key",
        })
    }
}

impl FromStr for CredentialKind {
    type Err = String;

    /// Parses a [name](CredentialKind::as_str). The error lists the valid names.
    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|slot| slot.as_str() == word).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|slot| slot.as_str()).collect();
            format!("“{word}” is not a credential; valid names are: {}", words.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_an_unknown_name_lists_the_valid_ones() {
        for slot in CredentialKind::ALL {
            assert_eq!(slot.as_str().parse(), Ok(slot));
        }
        let refusal = "token".parse::<CredentialKind>().expect_err("no such word");
        assert!(refusal.contains("session-token"), "{refusal}");
    }

    #[test]
    fn keychain_items_of_profiles_have_distinct_names() {
        let mut names: Vec<String> = ["a", "a/api-key", "b"]
            .iter()
            .flat_map(|p| CredentialKind::ALL.map(|slot| slot.keychain_user_name(p)))
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 3 * CredentialKind::ALL.len());
    }
}
