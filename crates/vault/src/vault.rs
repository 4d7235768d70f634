//! The store of all credentials: the OS keychain, and memory for one run.

use crate::timeout::{AbandonedCalls, run_with_timeout};
use crate::{Slot, VaultError, platform};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Default timeout of one keychain call, see [`CredentialStore::with_timeout`].
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// The credentials of all profiles. A credential in memory has priority over the one in the OS keychain. Clones share
/// the memory.
///
/// # Defaults
/// The timeout of one keychain call is [`DEFAULT_TIMEOUT`] (5 s).
#[derive(Clone)]
pub struct Vault {
    keychain: bool,
    patience: Duration,
    strays: AbandonedCalls,
    remembered_values: Arc<Mutex<HashMap<(String, Slot), SecretString>>>,
}

impl Vault {
    /// A store that uses the OS keychain: the Secret Service on Linux, Keychain Services on macOS, the Credential
    /// Manager on Windows. Does not access the keychain.
    pub fn os() -> Self {
        Self {
            keychain: true,
            patience: DEFAULT_PATIENCE,
            strays: AbandonedCalls::default(),
            remembered_values: Arc::default(),
        }
    }

    /// A store without keychain. Credentials are kept in memory until the process ends.
    pub fn in_memory() -> Self {
        Self { keychain: false, ..Self::os() }
    }

    /// Sets the timeout of one keychain call. A change that was already started may take twice as long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Reads a credential. Returns `None` if it is not set. Shows no prompt.
    ///
    /// # Errors
    /// The keychain could not be read within the timeout.
    pub fn get(&self, profile: &str, slot: Slot) -> Result<Option<SecretString>, VaultError> {
        if let Some(value) = self.remembered(profile, slot) {
            return Ok(Some(value));
        }
        Ok(self.read_keychain(profile, &[slot])?.pop().flatten())
    }

    /// Stores a credential and replaces an existing one. Leading and trailing white space is removed.
    ///
    /// # Errors
    /// The value is empty or too large, or the keychain could not store it. After [`KeychainError::TimedOut`] nothing
    /// was or will be written. After [`KeychainError::WriteUnconfirmed`] the value may or may not be written.
    pub fn set(&self, profile: &str, slot: Slot, value: &SecretString) -> Result<(), VaultError> {
        let value = trimmed(value);
        let bytes = value.expose_secret().len();
        if bytes == 0 {
            return Err(VaultError::Empty);
        }
        if bytes > platform::MAX_ITEM_BYTES {
            return Err(VaultError::TooLarge { bytes, limit: platform::MAX_ITEM_BYTES });
        }
        if !self.keychain {
            self.memory().insert((profile.to_owned(), slot), value);
            return Ok(());
        }
        let owner = profile.to_owned();
        run_with_timeout(self.patience, &self.strays, move |guard| {
            platform::write_credential(&owner, slot, value.expose_secret(), guard)
        })?;
        // The value in memory is older now.
        self.memory().remove(&(profile.to_owned(), slot));
        Ok(())
    }

    /// Removes a credential from memory and from the keychain. Returns whether there was one.
    ///
    /// # Errors
    /// The keychain could not remove it. It is removed from memory anyway.
    pub fn remove(&self, profile: &str, slot: Slot) -> Result<bool, VaultError> {
        let was_remembered = self.memory().remove(&(profile.to_owned(), slot)).is_some();
        if !self.keychain {
            return Ok(was_remembered);
        }
        let owner = profile.to_owned();
        let was_stored = run_with_timeout(self.patience, &self.strays, move |guard| {
            platform::remove_credential(&owner, slot, guard)
        })?;
        Ok(was_remembered || was_stored)
    }

    /// Keeps a credential in memory until the process ends. It has priority over the one in the keychain.
    pub fn remember_for_this_run(&self, profile: &str, slot: Slot, value: &SecretString) {
        let value = trimmed(value);
        if !value.expose_secret().is_empty() {
            self.memory().insert((profile.to_owned(), slot), value);
        }
    }

    /// Checks that the keychain exists, responds, and is unlocked. Changes nothing.
    ///
    /// # Errors
    /// Why the keychain cannot be used.
    pub fn check(&self) -> Result<(), VaultError> {
        if !self.keychain {
            return Ok(());
        }
        run_with_timeout(self.patience, &self.strays, |_| platform::check_keychain())
    }

    /// Shows the prompt of the system to unlock the keychain, and waits at most `answer_within` for it.
    ///
    /// This is the only call that may show a prompt. Use it only for an action of the operator.
    ///
    /// # Errors
    /// [`KeychainError::AccessRefused`] if the prompt was dismissed or could not be shown, or another keychain failure.
    pub fn unlock(&self, answer_within: Duration) -> Result<(), VaultError> {
        if !self.keychain {
            return Ok(());
        }
        run_with_timeout(answer_within, &self.strays, |_| platform::unlock_keychain())
    }

    /// The credential in memory.
    pub(crate) fn remembered(&self, profile: &str, slot: Slot) -> Option<SecretString> {
        self.memory().get(&(profile.to_owned(), slot)).cloned()
    }

    /// Reads several credentials from the keychain with one connection, in the order of `slots`.
    pub(crate) fn read_keychain(
        &self,
        profile: &str,
        slots: &[Slot],
    ) -> Result<Vec<Option<SecretString>>, VaultError> {
        if !self.keychain || slots.is_empty() {
            return Ok(vec![None; slots.len()]);
        }
        let (profile, slots) = (profile.to_owned(), slots.to_vec());
        run_with_timeout(self.patience, &self.strays, move |_| platform::read_credentials(&profile, &slots))
    }

    /// Locks the memory. The map is consistent after a panic, because each change is one call.
    fn memory(&self) -> MutexGuard<'_, HashMap<(String, Slot), SecretString>> {
        self.remembered_values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialStore").field("keychain", &self.keychain).finish_non_exhaustive()
    }
}

/// Removes leading and trailing white space.
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
        vault.get(profile, slot).expect("read from memory").map(|s| s.expose_secret().to_owned())
    }

    #[test]
    fn a_credential_is_trimmed_and_found_only_by_its_profile_and_kind() {
        let vault = Vault::in_memory();
        vault.set("a", Slot::ApiKey, &secret(" key\n")).expect("set");
        assert_eq!(shown(&vault, "a", Slot::ApiKey).as_deref(), Some("key"));
        assert_eq!(shown(&vault, "b", Slot::ApiKey), None);
        assert_eq!(shown(&vault, "a", Slot::SessionToken), None);
    }

    #[test]
    fn remove_returns_whether_there_was_a_credential() {
        let vault = Vault::in_memory();
        vault.set("a", Slot::Password, &secret("p")).expect("set");
        assert_eq!(vault.remove("a", Slot::Password), Ok(true));
        assert_eq!(vault.remove("a", Slot::Password), Ok(false));
    }

    #[test]
    fn clones_share_the_memory() {
        let vault = Vault::os();
        let other = vault.clone();
        vault.remember_for_this_run("a", Slot::ApiKey, &secret("key"));
        assert_eq!(shown(&other, "a", Slot::ApiKey).as_deref(), Some("key"));
    }

    #[test]
    fn empty_and_too_large_values_are_rejected_without_the_keychain() {
        let vault = Vault::os().with_patience(Duration::ZERO);
        assert_eq!(vault.set("a", Slot::ApiKey, &secret(" \n")), Err(VaultError::Empty));
        let long = secret(&"x".repeat(platform::MAX_ITEM_BYTES + 1));
        let limit = platform::MAX_ITEM_BYTES;
        assert_eq!(
            vault.set("a", Slot::ApiKey, &long),
            Err(VaultError::TooLarge { bytes: limit + 1, limit })
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let vault = Vault::in_memory();
        vault.set("a", Slot::ApiKey, &secret("0123456789abcdef")).expect("set");
        assert!(!format!("{vault:?}").contains("cdef"));
    }
}
