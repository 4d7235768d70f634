//! Looks up the credentials of a profile: first in the environment, then in memory, then in the keychain.

use crate::{Slot, Vault, VaultError};
use protocol::{ApiKey, PartnerKey, Password, SessionToken, Username};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;

/// Where a credential was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In the environment ([`CredentialKind::env_var`]).
    Environment,
    /// In memory, for this run ([`CredentialStore::remember_for_this_run`]).
    ThisRun,
    /// In the OS keychain.
    Keychain,
}

/// The credentials that were found for a profile.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The REST API key.
    pub api_key: Option<(ApiKey, Origin)>,
    /// The session token.
    pub session_token: Option<(SessionToken, Origin)>,
    /// The user name for a login.
    pub username: Option<(Username, Origin)>,
    /// The password for a login.
    pub password: Option<(Password, Origin)>,
    /// The key for a partner's backend.
    pub partner_key: Option<(PartnerKey, Origin)>,
    /// Why the keychain could not be read, if credentials were found without it.
    pub note: Option<VaultError>,
}

impl Found {
    /// Whether no credential was found.
    pub fn is_empty(&self) -> bool {
        Slot::ALL.iter().all(|slot| self.origin(*slot).is_none())
    }

    /// Where a credential was found.
    pub fn origin(&self, slot: Slot) -> Option<Origin> {
        match slot {
            Slot::ApiKey => self.api_key.as_ref().map(|found| found.1),
            Slot::SessionToken => self.session_token.as_ref().map(|found| found.1),
            Slot::Username => self.username.as_ref().map(|found| found.1),
            Slot::Password => self.password.as_ref().map(|found| found.1),
            Slot::PartnerKey => self.partner_key.as_ref().map(|found| found.1),
        }
    }

    /// The masked form of a credential: `…3f`, or `…` for a short one.
    pub fn masked(&self, slot: Slot) -> Option<String> {
        match slot {
            Slot::ApiKey => self.api_key.as_ref().map(|found| found.0.masked()),
            Slot::SessionToken => self.session_token.as_ref().map(|found| found.0.masked()),
            Slot::Username => self.username.as_ref().map(|found| found.0.masked()),
            Slot::Password => self.password.as_ref().map(|found| found.0.masked()),
            Slot::PartnerKey => self.partner_key.as_ref().map(|found| found.0.masked()),
        }
    }

    /// Adds a credential.
    fn put(&mut self, slot: Slot, value: &str, origin: Origin) {
        match slot {
            Slot::ApiKey => self.api_key = Some((ApiKey::new(value), origin)),
            Slot::SessionToken => self.session_token = Some((SessionToken::new(value), origin)),
            Slot::Username => self.username = Some((Username::new(value), origin)),
            Slot::Password => self.password = Some((Password::new(value), origin)),
            Slot::PartnerKey => self.partner_key = Some((PartnerKey::new(value), origin)),
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
pub fn load(vault: &Vault, profile: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Found, VaultError> {
    let given = Given::read(env);
    let enough = given.has(Slot::ApiKey) && given.has_session();
    gather(vault, profile, &given, if enough { &[] } else { &Slot::ALL })
}

/// As [`load_credentials`], but reads only the `wanted` credentials from the keychain, and only if they are not in the
/// environment.
///
/// # Errors
/// As [`load_credentials`].
pub fn load_for(
    vault: &Vault,
    profile: &str,
    env: &dyn Fn(&str) -> Option<String>,
    wanted: &[Slot],
) -> Result<Found, VaultError> {
    gather(vault, profile, &Given::read(env), wanted)
}

/// Collects the credentials of the environment, of the memory, and the `wanted` ones of the keychain.
fn gather(vault: &Vault, profile: &str, given: &Given, wanted: &[Slot]) -> Result<Found, VaultError> {
    let mut found = Found::default();
    let mut missing = Vec::new();
    for slot in Slot::ALL {
        if let Some(value) = given.0.get(&slot) {
            found.put(slot, value.expose_secret(), Origin::Environment);
        } else if given.hides(slot) {
            // May belong to another account.
        } else if let Some(value) = vault.remembered(profile, slot) {
            found.put(slot, value.expose_secret(), Origin::ThisRun);
        } else if wanted.contains(&slot) {
            missing.push(slot);
        }
    }
    match vault.read_keychain(profile, &missing) {
        Ok(values) => {
            for (slot, value) in missing.into_iter().zip(values) {
                if let Some(value) = value {
                    found.put(slot, value.expose_secret(), Origin::Keychain);
                }
            }
        }
        Err(error) if found.is_empty() => return Err(error),
        Err(error) => found.note = Some(error),
    }
    Ok(found)
}

/// The credentials in the environment. Empty variables are ignored.
struct Given(HashMap<Slot, SecretString>);

impl Given {
    /// Reads the environment with `env`.
    fn read(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let value = |slot: Slot| {
            let value = SecretString::from(env(slot.env_name())?);
            (!value.expose_secret().trim().is_empty()).then_some((slot, value))
        };
        Self(Slot::ALL.into_iter().filter_map(value).collect())
    }

    fn has(&self, slot: Slot) -> bool {
        self.0.contains_key(&slot)
    }

    fn has_login(&self) -> bool {
        self.has(Slot::Username) && self.has(Slot::Password)
    }

    /// Whether there is a session token or a complete login.
    fn has_session(&self) -> bool {
        self.has(Slot::SessionToken) || self.has_login()
    }

    /// Whether a stored credential must not be used, because the environment has another session token or login.
    fn hides(&self, slot: Slot) -> bool {
        match slot {
            Slot::SessionToken => self.has_login(),
            Slot::Username | Slot::Password => self.has(Slot::SessionToken),
            Slot::ApiKey | Slot::PartnerKey => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A store whose keychain always times out.
    fn unanswering() -> Vault {
        Vault::os().with_patience(Duration::ZERO)
    }

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    fn stored(pairs: &[(Slot, &str)]) -> Vault {
        let vault = Vault::in_memory();
        for (slot, value) in pairs {
            vault.set("p", *slot, &SecretString::from(*value)).expect("stored in memory");
        }
        vault
    }

    #[test]
    fn the_keychain_is_not_read_if_the_environment_is_complete() {
        for way in [
            &[("COPRESENCE_API_KEY", "k"), ("COPRESENCE_SESSION_TOKEN", "t")][..],
            &[("COPRESENCE_API_KEY", "k"), ("COPRESENCE_USERNAME", "u"), ("COPRESENCE_PASSWORD", "p")][..],
        ] {
            let found = load(&unanswering(), "p", &env(way)).expect("the environment is enough");
            assert_eq!(found.note, None, "the keychain was read");
            assert_eq!(found.origin(Slot::ApiKey), Some(Origin::Environment));
        }
    }

    #[test]
    fn a_keychain_failure_is_an_error_only_if_nothing_else_was_found() {
        let found = load(&unanswering(), "p", &env(&[("COPRESENCE_API_KEY", "k")])).expect("something");
        assert!(found.note.is_some());
        assert_eq!(found.api_key.expect("given").0.expose(), "k");
        assert!(load(&unanswering(), "p", &env(&[])).is_err());
    }

    #[test]
    fn remembered_credentials_are_found_although_the_keychain_fails() {
        let vault = unanswering();
        vault.remember_for_this_run("p", Slot::ApiKey, &SecretString::from("k"));
        let found = load(&vault, "p", &env(&[])).expect("found in memory");
        assert_eq!(found.origin(Slot::ApiKey), Some(Origin::ThisRun));
        assert!(found.note.is_some());
    }

    #[test]
    fn the_environment_overrides_the_keychain_and_empty_variables_are_ignored() {
        let vault = stored(&[(Slot::ApiKey, "stored"), (Slot::PartnerKey, "stored")]);
        let set = [("COPRESENCE_API_KEY", "env\n"), ("COPRESENCE_PARTNER_KEY", " ")];
        let found = load(&vault, "p", &env(&set)).expect("found");
        assert_eq!(found.api_key.expect("given").0.expose(), "env");
        assert_eq!(found.partner_key.expect("stored").0.expose(), "stored");
    }

    #[test]
    fn credentials_of_two_accounts_are_never_combined() {
        let both = stored(&[(Slot::SessionToken, "old"), (Slot::Username, "other"), (Slot::Password, "pw")]);
        let login = [("COPRESENCE_USERNAME", "u"), ("COPRESENCE_PASSWORD", "p")];
        let found = load(&both, "p", &env(&login)).expect("found");
        assert!(found.session_token.is_none(), "the stored token may belong to another account");
        let found = load(&both, "p", &env(&[("COPRESENCE_SESSION_TOKEN", "t")])).expect("found");
        assert!(found.username.is_none() && found.password.is_none());
    }

    #[test]
    fn only_wanted_credentials_are_read_from_the_keychain() {
        let set = [("COPRESENCE_PARTNER_KEY", "pk")];
        let found = load_for(&unanswering(), "p", &env(&set), &[Slot::PartnerKey]).expect("given");
        assert_eq!(found.note, None);
        assert_eq!(found.partner_key.as_ref().expect("given").0.expose(), "pk");
        // The keychain is read if other credentials are wanted.
        let found = load_for(&unanswering(), "p", &env(&set), &Slot::ALL).expect("given");
        assert!(found.note.is_some());
    }

    #[test]
    fn debug_shows_no_secret() {
        let vault = stored(&[(Slot::ApiKey, "0123456789abcdef"), (Slot::Password, "hunter2")]);
        let text = format!("{:?}", load(&vault, "p", &env(&[])).expect("found"));
        assert!(!text.contains("0123456789") && !text.contains("hunter2"), "{text}");
    }
}
