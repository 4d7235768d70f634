//! Looks up the credentials of a profile: first in the environment, then in memory, then in the keychain.

use crate::{CredentialKind, CredentialStore, KeychainError};
use copresence_protocol::{ApiKey, PartnerKey, Password, SessionToken, Username};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;

/// Where a credential was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialOrigin {
    /// In the environment ([`CredentialKind::overriding_env_var_name`]).
    Environment,
    /// In memory, for this run ([`CredentialStore::remember_credential_for_run`]).
    ThisRun,
    /// In the OS keychain.
    Keychain,
}

/// The credentials that were found for a profile.
#[derive(Debug, Clone, Default)]
pub struct FoundCredentials {
    /// The REST API key.
    pub api_key: Option<(ApiKey, CredentialOrigin)>,
    /// The session token.
    pub session_token: Option<(SessionToken, CredentialOrigin)>,
    /// The user name for a login.
    pub username: Option<(Username, CredentialOrigin)>,
    /// The password for a login.
    pub password: Option<(Password, CredentialOrigin)>,
    /// The key for a partner's backend.
    pub partner_key: Option<(PartnerKey, CredentialOrigin)>,
    /// Why the keychain could not be read, if credentials were found without it.
    pub keychain_error: Option<KeychainError>,
}

impl FoundCredentials {
    /// Whether no credential was found.
    pub fn is_empty(&self) -> bool {
        CredentialKind::ALL.iter().all(|slot| self.origin_of_credential(*slot).is_none())
    }

    /// Where a credential was found.
    pub fn origin_of_credential(&self, slot: CredentialKind) -> Option<CredentialOrigin> {
        match slot {
            CredentialKind::ApiKey => self.api_key.as_ref().map(|found| found.1),
            CredentialKind::SessionToken => self.session_token.as_ref().map(|found| found.1),
            CredentialKind::Username => self.username.as_ref().map(|found| found.1),
            CredentialKind::Password => self.password.as_ref().map(|found| found.1),
            CredentialKind::PartnerKey => self.partner_key.as_ref().map(|found| found.1),
            CredentialKind::PassportKey => None,
        }
    }

    /// The masked form of a credential: `…3f`, or `…` for a short one.
    pub fn masked_credential(&self, slot: CredentialKind) -> Option<String> {
        match slot {
            CredentialKind::ApiKey => self.api_key.as_ref().map(|found| found.0.masked()),
            CredentialKind::SessionToken => self.session_token.as_ref().map(|found| found.0.masked()),
            CredentialKind::Username => self.username.as_ref().map(|found| found.0.masked()),
            CredentialKind::Password => self.password.as_ref().map(|found| found.0.masked()),
            CredentialKind::PartnerKey => self.partner_key.as_ref().map(|found| found.0.masked()),
            CredentialKind::PassportKey => None,
        }
    }

    /// Sets a credential and its origin, and replaces an earlier one of this kind. A passport key is ignored.
    fn insert_credential(&mut self, slot: CredentialKind, value: &str, origin: CredentialOrigin) {
        match slot {
            CredentialKind::ApiKey => self.api_key = Some((ApiKey::new(value), origin)),
            CredentialKind::SessionToken => self.session_token = Some((SessionToken::new(value), origin)),
            CredentialKind::Username => self.username = Some((Username::new(value), origin)),
            CredentialKind::Password => self.password = Some((Password::new(value), origin)),
            CredentialKind::PartnerKey => self.partner_key = Some((PartnerKey::new(value), origin)),
            CredentialKind::PassportKey => {}
        }
    }
}

/// Loads all credentials of a profile.
///
/// The keychain is not accessed if the environment has an API key and either a session token or a login (user name and
/// password). Use [`load_wanted_credentials`] for a profile that needs other credentials.
///
/// A session token or a complete login in the environment excludes both the stored session token and the stored login,
/// because they may belong to another account.
///
/// # Errors
/// The keychain could not be read and no credential was found without it. Otherwise the error is in
/// [`FoundCredentials::keychain_error`].
pub fn load_credentials(
    vault: &CredentialStore,
    profile: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<FoundCredentials, KeychainError> {
    let given = EnvCredentials::credentials_from_env(env);
    let enough = given.environment_has_credential(CredentialKind::ApiKey) && given.has_token_or_login();
    gather_credentials(vault, profile, &given, if enough { &[] } else { &CredentialKind::ALL })
}

/// As [`load_credentials`], but reads only the `wanted` credentials from the keychain, and only if they are not in the
/// environment.
///
/// # Errors
/// As [`load_credentials`].
pub fn load_wanted_credentials(
    vault: &CredentialStore,
    profile: &str,
    env: &dyn Fn(&str) -> Option<String>,
    wanted: &[CredentialKind],
) -> Result<FoundCredentials, KeychainError> {
    gather_credentials(vault, profile, &EnvCredentials::credentials_from_env(env), wanted)
}

/// Collects the credentials of the environment, of the memory, and the `wanted` ones of the keychain.
fn gather_credentials(
    vault: &CredentialStore,
    profile: &str,
    given: &EnvCredentials,
    wanted: &[CredentialKind],
) -> Result<FoundCredentials, KeychainError> {
    let mut found = FoundCredentials::default();
    let mut missing = Vec::new();
    for slot in CredentialKind::ALL {
        if let Some(value) = given.0.get(&slot) {
            found.insert_credential(slot, value.expose_secret(), CredentialOrigin::Environment);
        } else if given.should_ignore_stored_credential(slot) {
            // May belong to another account.
        } else if let Some(value) = vault.remembered_credential(profile, slot) {
            found.insert_credential(slot, value.expose_secret(), CredentialOrigin::ThisRun);
        } else if wanted.contains(&slot) {
            missing.push(slot);
        }
    }
    match vault.read_keychain_credentials(profile, &missing) {
        Ok(values) => {
            for (slot, value) in missing.into_iter().zip(values) {
                if let Some(value) = value {
                    found.insert_credential(slot, value.expose_secret(), CredentialOrigin::Keychain);
                }
            }
        }
        Err(error) if found.is_empty() => return Err(error),
        Err(error) => found.keychain_error = Some(error),
    }
    Ok(found)
}

/// The credentials in the environment. Empty variables are ignored.
struct EnvCredentials(HashMap<CredentialKind, SecretString>);

impl EnvCredentials {
    /// Reads the environment with `env`.
    fn credentials_from_env(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let value = |slot: CredentialKind| {
            let value = SecretString::from(env(slot.overriding_env_var_name())?);
            (!value.expose_secret().trim().is_empty()).then_some((slot, value))
        };
        Self(CredentialKind::ALL.into_iter().filter_map(value).collect())
    }

    /// Whether the environment has this credential.
    fn environment_has_credential(&self, slot: CredentialKind) -> bool {
        self.0.contains_key(&slot)
    }

    /// Whether the environment has a complete login: both a user name and a password.
    fn environment_has_complete_login(&self) -> bool {
        self.environment_has_credential(CredentialKind::Username)
            && self.environment_has_credential(CredentialKind::Password)
    }

    /// Whether there is a session token or a complete login.
    fn has_token_or_login(&self) -> bool {
        self.environment_has_credential(CredentialKind::SessionToken) || self.environment_has_complete_login()
    }

    /// Whether a stored credential should be ignored, because the environment has another session token or login.
    fn should_ignore_stored_credential(&self, slot: CredentialKind) -> bool {
        match slot {
            CredentialKind::SessionToken => self.environment_has_complete_login(),
            CredentialKind::Username | CredentialKind::Password => {
                self.environment_has_credential(CredentialKind::SessionToken)
            }
            CredentialKind::ApiKey | CredentialKind::PartnerKey | CredentialKind::PassportKey => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A store whose keychain always times out.
    fn unanswering() -> CredentialStore {
        CredentialStore::keychain_backed_store().with_keychain_timeout(Duration::ZERO)
    }

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    fn stored(pairs: &[(CredentialKind, &str)]) -> CredentialStore {
        let vault = CredentialStore::memory_only_store();
        for (slot, value) in pairs {
            vault.set_credential("p", *slot, &SecretString::from(*value)).expect("stored in memory");
        }
        vault
    }

    #[test]
    fn the_keychain_is_not_read_if_the_environment_is_complete() {
        for way in [
            &[("COPRESENCE_API_KEY", "k"), ("COPRESENCE_SESSION_TOKEN", "t")][..],
            &[("COPRESENCE_API_KEY", "k"), ("COPRESENCE_USERNAME", "u"), ("COPRESENCE_PASSWORD", "p")][..],
        ] {
            let found = load_credentials(&unanswering(), "p", &env(way)).expect("the environment is enough");
            assert_eq!(found.keychain_error, None, "the keychain was read");
            assert_eq!(found.origin_of_credential(CredentialKind::ApiKey), Some(CredentialOrigin::Environment));
        }
    }

    #[test]
    fn a_keychain_failure_is_an_error_only_if_nothing_else_was_found() {
        let found = load_credentials(&unanswering(), "p", &env(&[("COPRESENCE_API_KEY", "k")])).expect("something");
        assert!(found.keychain_error.is_some());
        assert_eq!(found.api_key.expect("given").0.expose(), "k");
        assert!(load_credentials(&unanswering(), "p", &env(&[])).is_err());
    }

    #[test]
    fn remembered_credentials_are_found_although_the_keychain_fails() {
        let vault = unanswering();
        vault.remember_credential_for_run("p", CredentialKind::ApiKey, &SecretString::from("k"));
        let found = load_credentials(&vault, "p", &env(&[])).expect("found in memory");
        assert_eq!(found.origin_of_credential(CredentialKind::ApiKey), Some(CredentialOrigin::ThisRun));
        assert!(found.keychain_error.is_some());
    }

    #[test]
    fn the_environment_overrides_the_keychain_and_empty_variables_are_ignored() {
        let vault = stored(&[(CredentialKind::ApiKey, "stored"), (CredentialKind::PartnerKey, "stored")]);
        let set = [("COPRESENCE_API_KEY", "env\n"), ("COPRESENCE_PARTNER_KEY", " ")];
        let found = load_credentials(&vault, "p", &env(&set)).expect("found");
        assert_eq!(found.api_key.expect("given").0.expose(), "env");
        assert_eq!(found.partner_key.expect("stored").0.expose(), "stored");
    }

    #[test]
    fn credentials_of_two_accounts_are_never_combined() {
        let both = stored(&[
            (CredentialKind::SessionToken, "old"),
            (CredentialKind::Username, "other"),
            (CredentialKind::Password, "pw"),
        ]);
        let login = [("COPRESENCE_USERNAME", "u"), ("COPRESENCE_PASSWORD", "p")];
        let found = load_credentials(&both, "p", &env(&login)).expect("found");
        assert!(found.session_token.is_none(), "the stored token may belong to another account");
        let found = load_credentials(&both, "p", &env(&[("COPRESENCE_SESSION_TOKEN", "t")])).expect("found");
        assert!(found.username.is_none() && found.password.is_none());
    }

    #[test]
    fn only_wanted_credentials_are_read_from_the_keychain() {
        let set = [("COPRESENCE_PARTNER_KEY", "pk")];
        let found =
            load_wanted_credentials(&unanswering(), "p", &env(&set), &[CredentialKind::PartnerKey]).expect("given");
        assert_eq!(found.keychain_error, None);
        assert_eq!(found.partner_key.as_ref().expect("given").0.expose(), "pk");
        // The keychain is read if other credentials are wanted.
        let found = load_wanted_credentials(&unanswering(), "p", &env(&set), &CredentialKind::ALL).expect("given");
        assert!(found.keychain_error.is_some());
    }

    #[test]
    fn debug_shows_no_secret() {
        let vault = stored(&[(CredentialKind::ApiKey, "0123456789abcdef"), (CredentialKind::Password, "hunter2")]);
        let text = format!("{:?}", load_credentials(&vault, "p", &env(&[])).expect("found"));
        assert!(!text.contains("0123456789") && !text.contains("hunter2"), "{text}");
    }
}
