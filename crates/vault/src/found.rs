//! The credentials of a profile, looked for in the contract's order: the environment, then the keychain.

use crate::{Slot, Vault, VaultError};
use protocol::{ApiKey, PartnerKey, Password, SessionToken, Username};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;

/// Where a credential was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In the environment ([`Slot::env_name`]).
    Environment,
    /// In memory, for this run ([`Vault::remember_for_this_run`]).
    ThisRun,
    /// In the OS keychain.
    Keychain,
}

/// What was found of a profile's credentials.
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
    /// What a partner's backend asks for.
    pub partner_key: Option<(PartnerKey, Origin)>,
    /// Why the keychain could not be looked into, when something was found without it.
    pub note: Option<VaultError>,
}

impl Found {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        Slot::ALL.iter().all(|slot| self.origin(*slot).is_none())
    }

    /// Where the credential of `slot` was found, if it was.
    pub fn origin(&self, slot: Slot) -> Option<Origin> {
        match slot {
            Slot::ApiKey => self.api_key.as_ref().map(|found| found.1),
            Slot::SessionToken => self.session_token.as_ref().map(|found| found.1),
            Slot::Username => self.username.as_ref().map(|found| found.1),
            Slot::Password => self.password.as_ref().map(|found| found.1),
            Slot::PartnerKey => self.partner_key.as_ref().map(|found| found.1),
        }
    }

    /// What may be shown of the credential of `slot`: `…3f`, or `…` of a short one.
    pub fn masked(&self, slot: Slot) -> Option<String> {
        match slot {
            Slot::ApiKey => self.api_key.as_ref().map(|found| found.0.masked()),
            Slot::SessionToken => self.session_token.as_ref().map(|found| found.0.masked()),
            Slot::Username => self.username.as_ref().map(|found| found.0.masked()),
            Slot::Password => self.password.as_ref().map(|found| found.0.masked()),
            Slot::PartnerKey => self.partner_key.as_ref().map(|found| found.0.masked()),
        }
    }

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

/// All of a profile's credentials. The keychain is left alone when the environment gives an API key and a way
/// to a session (a token, or user name and password); a profile that needs other ones names them to [`load_for`].
///
/// The way to a session is never mixed: a session token or a whole login from the environment hides the
/// keychain's, which may be another account's.
///
/// # Errors
/// When the keychain failed and nothing was found without it; otherwise that is [`Found::note`].
pub fn load(vault: &Vault, profile: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Found, VaultError> {
    let given = Given::read(env);
    let enough = given.has(Slot::ApiKey) && given.has_session();
    gather(vault, profile, &given, if enough { &[] } else { &Slot::ALL })
}

/// As [`load`], but only the credentials that are `wanted`: the keychain is asked for those of them that the
/// environment does not give, and left alone when it gives them all.
///
/// # Errors
/// As [`load`].
pub fn load_for(
    vault: &Vault,
    profile: &str,
    env: &dyn Fn(&str) -> Option<String>,
    wanted: &[Slot],
) -> Result<Found, VaultError> {
    gather(vault, profile, &Given::read(env), wanted)
}

fn gather(vault: &Vault, profile: &str, given: &Given, wanted: &[Slot]) -> Result<Found, VaultError> {
    let mut found = Found::default();
    let mut missing = Vec::new();
    for slot in Slot::ALL {
        if let Some(value) = given.0.get(&slot) {
            found.put(slot, value.expose_secret(), Origin::Environment);
        } else if given.hides(slot) {
            // Another account's way to a session.
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

/// What the environment gives; a variable that is set to nothing is not given.
struct Given(HashMap<Slot, SecretString>);

impl Given {
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

    fn has_session(&self) -> bool {
        self.has(Slot::SessionToken) || self.has_login()
    }

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

    /// A keychain that cannot answer: no time at all is given to it.
    fn unanswering() -> Vault {
        Vault::os().with_patience(Duration::ZERO)
    }

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    fn stored(pairs: &[(Slot, &str)]) -> Vault {
        let vault = Vault::in_memory();
        for (slot, value) in pairs {
            vault.set("p", *slot, &SecretString::from(*value)).expect("memory takes it");
        }
        vault
    }

    #[test]
    fn an_environment_that_gives_a_session_leaves_the_keychain_alone() {
        for way in [
            &[("COPRESENCE_API_KEY", "k"), ("COPRESENCE_SESSION_TOKEN", "t")][..],
            &[("COPRESENCE_API_KEY", "k"), ("COPRESENCE_USERNAME", "u"), ("COPRESENCE_PASSWORD", "p")][..],
        ] {
            let found = load(&unanswering(), "p", &env(way)).expect("the environment is enough");
            assert_eq!(found.note, None, "the keychain was asked");
            assert_eq!(found.origin(Slot::ApiKey), Some(Origin::Environment));
        }
    }

    #[test]
    fn a_failing_keychain_is_a_note_beside_what_the_environment_gave_and_an_error_alone() {
        let found = load(&unanswering(), "p", &env(&[("COPRESENCE_API_KEY", "k")])).expect("something");
        assert!(found.note.is_some());
        assert_eq!(found.api_key.expect("given").0.expose(), "k");
        assert!(load(&unanswering(), "p", &env(&[])).is_err());
    }

    #[test]
    fn what_is_remembered_is_found_though_the_keychain_fails() {
        let vault = unanswering();
        vault.remember_for_this_run("p", Slot::ApiKey, &SecretString::from("k"));
        let found = load(&vault, "p", &env(&[])).expect("memory has one");
        assert_eq!(found.origin(Slot::ApiKey), Some(Origin::ThisRun));
        assert!(found.note.is_some());
    }

    #[test]
    fn the_environment_wins_and_an_empty_variable_gives_nothing() {
        let vault = stored(&[(Slot::ApiKey, "stored"), (Slot::PartnerKey, "stored")]);
        let set = [("COPRESENCE_API_KEY", "env\n"), ("COPRESENCE_PARTNER_KEY", " ")];
        let found = load(&vault, "p", &env(&set)).expect("found");
        assert_eq!(found.api_key.expect("given").0.expose(), "env");
        assert_eq!(found.partner_key.expect("stored").0.expose(), "stored");
    }

    #[test]
    fn two_accounts_are_never_mixed() {
        let both = stored(&[(Slot::SessionToken, "old"), (Slot::Username, "other"), (Slot::Password, "pw")]);
        let login = [("COPRESENCE_USERNAME", "u"), ("COPRESENCE_PASSWORD", "p")];
        let found = load(&both, "p", &env(&login)).expect("found");
        assert!(found.session_token.is_none(), "the stored token may be another account's");
        let found = load(&both, "p", &env(&[("COPRESENCE_SESSION_TOKEN", "t")])).expect("found");
        assert!(found.username.is_none() && found.password.is_none());
    }

    #[test]
    fn a_partner_profile_asks_for_its_own_key_only() {
        let set = [("COPRESENCE_PARTNER_KEY", "pk")];
        let found = load_for(&unanswering(), "p", &env(&set), &[Slot::PartnerKey]).expect("given");
        assert_eq!(found.note, None);
        assert_eq!(found.partner_key.as_ref().expect("given").0.expose(), "pk");
        // With more wanted, the keychain is asked, and its silence noted.
        let found = load_for(&unanswering(), "p", &env(&set), &Slot::ALL).expect("given");
        assert!(found.note.is_some());
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let vault = stored(&[(Slot::ApiKey, "0123456789abcdef"), (Slot::Password, "hunter2")]);
        let text = format!("{:?}", load(&vault, "p", &env(&[])).expect("found"));
        assert!(!text.contains("0123456789") && !text.contains("hunter2"), "{text}");
    }
}
