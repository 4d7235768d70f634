//! Where credentials are kept.

use crate::patience::{Strays, within};
use crate::{Slot, VaultError, platform};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the keychain may take for one call, unless [`Vault::with_patience`] says otherwise.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// Where the credentials of all profiles are kept: the OS keychain, under a layer of memory that ends with the
/// process. Clones share that layer.
#[derive(Clone)]
pub struct Vault {
    keychain: bool,
    patience: Duration,
    strays: Strays,
    memory: Arc<Mutex<HashMap<(String, Slot), SecretString>>>,
}

impl Vault {
    /// The OS keychain: the Secret Service on Linux, Keychain Services on macOS, the Credential Manager on
    /// Windows. Nothing is asked of it before the first call.
    pub fn os() -> Self {
        Self { keychain: true, patience: DEFAULT_PATIENCE, strays: Strays::default(), memory: Arc::default() }
    }

    /// No keychain: what is set is kept in memory and ends with the process.
    pub fn in_memory() -> Self {
        Self { keychain: false, ..Self::os() }
    }

    /// Sets how long the keychain may take for one call. A change that was begun is waited for twice as long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The credential, or `None` when it was never set.
    ///
    /// # Errors
    /// When the keychain could not be looked into; never a prompt, never longer than the patience.
    pub fn get(&self, profile: &str, slot: Slot) -> Result<Option<SecretString>, VaultError> {
        if let Some(value) = self.remembered(profile, slot) {
            return Ok(Some(value));
        }
        Ok(self.read_keychain(profile, &[slot])?.pop().flatten())
    }

    /// Stores a credential, in place of what was there. White space around it (a pasted line end) is dropped.
    ///
    /// # Errors
    /// When the keychain did not take it. After [`VaultError::TimedOut`] nothing was written and nothing will
    /// be; only [`VaultError::WriteUnanswered`] leaves that open.
    pub fn set(&self, profile: &str, slot: Slot, value: &SecretString) -> Result<(), VaultError> {
        let value = trimmed(value);
        let bytes = value.expose_secret().len();
        if bytes == 0 {
            return Err(VaultError::Empty);
        }
        if bytes > platform::MOST_BYTES {
            return Err(VaultError::TooLarge { bytes, limit: platform::MOST_BYTES });
        }
        if !self.keychain {
            self.memory().insert((profile.to_owned(), slot), value);
            return Ok(());
        }
        let owner = profile.to_owned();
        within(self.patience, &self.strays, move |ticket| {
            platform::write(&owner, slot, value.expose_secret(), ticket)
        })?;
        // What was remembered for this run is now the older value.
        self.memory().remove(&(profile.to_owned(), slot));
        Ok(())
    }

    /// Removes a credential from memory and keychain; whether there was one.
    ///
    /// # Errors
    /// When the keychain could not be asked; what was in memory is gone all the same.
    pub fn remove(&self, profile: &str, slot: Slot) -> Result<bool, VaultError> {
        let was_remembered = self.memory().remove(&(profile.to_owned(), slot)).is_some();
        if !self.keychain {
            return Ok(was_remembered);
        }
        let owner = profile.to_owned();
        let was_stored =
            within(self.patience, &self.strays, move |ticket| platform::remove(&owner, slot, ticket))?;
        Ok(was_remembered || was_stored)
    }

    /// Keeps a credential in memory until the process ends; it is found before the keychain's.
    pub fn remember_for_this_run(&self, profile: &str, slot: Slot, value: &SecretString) {
        let value = trimmed(value);
        if !value.expose_secret().is_empty() {
            self.memory().insert((profile.to_owned(), slot), value);
        }
    }

    /// Whether the keychain can be used now: it is there, answers, and is unlocked. Changes nothing.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn check(&self) -> Result<(), VaultError> {
        if !self.keychain {
            return Ok(());
        }
        within(self.patience, &self.strays, |_| platform::check())
    }

    /// Has the system ask the person at the screen to unlock the keychain, and waits for at most `answer_within`.
    /// The only call that may show a prompt: for an operator's own action, never for a visitor's.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when the person declined, or nothing is there that could ask.
    pub fn unlock(&self, answer_within: Duration) -> Result<(), VaultError> {
        if !self.keychain {
            return Ok(());
        }
        within(answer_within, &self.strays, |_| platform::unlock())
    }

    /// What is in memory of this credential.
    pub(crate) fn remembered(&self, profile: &str, slot: Slot) -> Option<SecretString> {
        self.memory().get(&(profile.to_owned(), slot)).cloned()
    }

    /// The keychain's values of `slots`, in their order, by one connection.
    pub(crate) fn read_keychain(
        &self,
        profile: &str,
        slots: &[Slot],
    ) -> Result<Vec<Option<SecretString>>, VaultError> {
        if !self.keychain || slots.is_empty() {
            return Ok(vec![None; slots.len()]);
        }
        let (profile, slots) = (profile.to_owned(), slots.to_vec());
        within(self.patience, &self.strays, move |_| platform::read(&profile, &slots))
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<(String, Slot), SecretString>> {
        // The map is whole after a panic too: each change is one call.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keychain", &self.keychain).finish_non_exhaustive()
    }
}

fn trimmed(value: &SecretString) -> SecretString {
    SecretString::from(value.expose_secret().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn shown(vault: &Vault, profile: &str, slot: Slot) -> Option<String> {
        vault.get(profile, slot).expect("memory answers").map(|s| s.expose_secret().to_owned())
    }

    #[test]
    fn what_is_set_is_found_under_its_profile_and_slot_only_and_trimmed() {
        let vault = Vault::in_memory();
        vault.set("a", Slot::ApiKey, &secret(" key\n")).expect("set");
        assert_eq!(shown(&vault, "a", Slot::ApiKey).as_deref(), Some("key"));
        assert_eq!(shown(&vault, "b", Slot::ApiKey), None);
        assert_eq!(shown(&vault, "a", Slot::SessionToken), None);
    }

    #[test]
    fn removing_says_whether_there_was_something() {
        let vault = Vault::in_memory();
        vault.set("a", Slot::Password, &secret("p")).expect("set");
        assert_eq!(vault.remove("a", Slot::Password), Ok(true));
        assert_eq!(vault.remove("a", Slot::Password), Ok(false));
    }

    #[test]
    fn clones_share_what_is_remembered() {
        let vault = Vault::os();
        let other = vault.clone();
        vault.remember_for_this_run("a", Slot::ApiKey, &secret("key"));
        assert_eq!(shown(&other, "a", Slot::ApiKey).as_deref(), Some("key"));
    }

    #[test]
    fn a_whole_file_or_nothing_at_all_is_refused_before_the_keychain_is_asked() {
        let vault = Vault::os().with_patience(Duration::ZERO);
        assert_eq!(vault.set("a", Slot::ApiKey, &secret(" \n")), Err(VaultError::Empty));
        let long = secret(&"x".repeat(platform::MOST_BYTES + 1));
        let limit = platform::MOST_BYTES;
        assert_eq!(
            vault.set("a", Slot::ApiKey, &long),
            Err(VaultError::TooLarge { bytes: limit + 1, limit })
        );
    }

    #[test]
    fn a_vault_prints_nothing_of_its_secrets() {
        let vault = Vault::in_memory();
        vault.set("a", Slot::ApiKey, &secret("0123456789abcdef")).expect("set");
        assert!(!format!("{vault:?}").contains("cdef"));
    }
}
