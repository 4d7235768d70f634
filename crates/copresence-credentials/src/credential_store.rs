//! The store of all credentials: the OS keychain, and memory for one run.

use crate::timeout::{AbandonedCallCount, run_with_timeout};
use crate::{CredentialKind, KeychainError, platform};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Default timeout of one keychain call, see [`CredentialStore::store_with_keychain_timeout`].
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Environment variable that switches the keychain off with [`KEYCHAIN_OFF`]: for machines whose keychain must not be used,
/// such as those that build and test.
const KEYCHAIN_VARIABLE: &str = "COPRESENCE_KEYCHAIN";
/// Value of [`KEYCHAIN_VARIABLE`] that switches the keychain off.
const KEYCHAIN_OFF: &str = "off";

/// Where a store keeps credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CredentialStorageMode {
    /// In the OS keychain.
    System,
    /// Nowhere: every keychain call fails with [`KeychainError::SwitchedOff`].
    SwitchedOff,
    /// In memory only.
    MemoryOnly,
}

/// The credentials of all profiles. A credential in memory has priority over the one in the OS keychain. Clones share
/// the memory.
///
/// # Defaults
/// The timeout of one keychain call is [`DEFAULT_TIMEOUT`] (5 s).
#[derive(Clone)]
pub struct CredentialStore {
    keychain: CredentialStorageMode,
    timeout: Duration,
    abandoned: AbandonedCallCount,
    remembered_values: Arc<Mutex<HashMap<(String, CredentialKind), SecretString>>>,
}

impl CredentialStore {
    /// A store that uses the OS keychain: the Secret Service on Linux, Keychain Services on macOS, the Credential
    /// Manager on Windows. Does not access the keychain. With `COPRESENCE_KEYCHAIN=off` in the environment, every call of the
    /// keychain fails.
    pub fn keychain_backed_store() -> Self {
        let is_off = std::env::var_os(KEYCHAIN_VARIABLE).is_some_and(|value| value == KEYCHAIN_OFF);
        Self {
            keychain: if is_off { CredentialStorageMode::SwitchedOff } else { CredentialStorageMode::System },
            timeout: DEFAULT_TIMEOUT,
            abandoned: AbandonedCallCount::default(),
            remembered_values: Arc::default(),
        }
    }

    /// A store without keychain. Credentials are kept in memory until the process ends.
    pub fn memory_only_store() -> Self {
        Self { keychain: CredentialStorageMode::MemoryOnly, ..Self::keychain_backed_store() }
    }

    /// The same store with another timeout for each keychain call. A change that was already started may take twice
    /// as long.
    #[must_use]
    pub fn with_keychain_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Reads a credential. Returns `None` if it is not set. Shows no prompt.
    ///
    /// # Errors
    /// The keychain could not be read within the timeout.
    pub fn get_credential(&self, profile: &str, slot: CredentialKind) -> Result<Option<SecretString>, KeychainError> {
        if let Some(value) = self.remembered_credential(profile, slot) {
            return Ok(Some(value));
        }
        Ok(self.read_keychain_credentials(profile, &[slot])?.pop().flatten())
    }

    /// Stores a credential and replaces an existing one. Leading and trailing white space is removed.
    ///
    /// # Errors
    /// The value is empty or too large, or the keychain could not store it. After [`KeychainError::TimedOut`] nothing
    /// was or will be written. After [`KeychainError::WriteUnconfirmed`] the value may or may not be written.
    pub fn set_credential(
        &self,
        profile: &str,
        slot: CredentialKind,
        value: &SecretString,
    ) -> Result<(), KeychainError> {
        let value = trim_secret(value);
        let bytes = value.expose_secret().len();
        if bytes == 0 {
            return Err(KeychainError::EmptyValue);
        }
        if bytes > platform::MAX_ITEM_BYTES {
            return Err(KeychainError::ValueTooLarge { bytes, limit: platform::MAX_ITEM_BYTES });
        }
        if !self.should_use_keychain_not_memory()? {
            self.lock_remembered_credentials_mutex().insert((profile.to_owned(), slot), value);
            return Ok(());
        }
        let owner = profile.to_owned();
        run_with_timeout(self.timeout, &self.abandoned, move |guard| {
            platform::write_credential(&owner, slot, value.expose_secret(), guard)
        })?;
        // The value in memory is older now.
        self.lock_remembered_credentials_mutex().remove(&(profile.to_owned(), slot));
        Ok(())
    }

    /// Removes a credential from memory and from the keychain. Returns whether there was one.
    ///
    /// # Errors
    /// The keychain could not remove it. It is removed from memory anyway.
    pub fn remove_credential(&self, profile: &str, slot: CredentialKind) -> Result<bool, KeychainError> {
        let was_remembered = self.lock_remembered_credentials_mutex().remove(&(profile.to_owned(), slot)).is_some();
        if !self.should_use_keychain_not_memory()? {
            return Ok(was_remembered);
        }
        let owner = profile.to_owned();
        let was_stored = run_with_timeout(self.timeout, &self.abandoned, move |guard| {
            platform::remove_credential(&owner, slot, guard)
        })?;
        Ok(was_remembered || was_stored)
    }

    /// Keeps a credential in memory until the process ends. It has priority over the one in the keychain.
    pub fn remember_credential_for_run(&self, profile: &str, slot: CredentialKind, value: &SecretString) {
        let value = trim_secret(value);
        if !value.expose_secret().is_empty() {
            self.lock_remembered_credentials_mutex().insert((profile.to_owned(), slot), value);
        }
    }

    /// Checks that the keychain exists, responds, and is unlocked. Changes nothing.
    ///
    /// # Errors
    /// Why the keychain cannot be used.
    pub fn check_keychain(&self) -> Result<(), KeychainError> {
        if !self.should_use_keychain_not_memory()? {
            return Ok(());
        }
        run_with_timeout(self.timeout, &self.abandoned, |_| platform::check_keychain())
    }

    /// Shows the prompt of the system to unlock the keychain, and waits at most `answer_within` for it.
    ///
    /// This is the only call that may show a prompt. Use it only for an action of the operator.
    ///
    /// # Errors
    /// [`KeychainError::AccessRefused`] if the prompt was dismissed or could not be shown, or another keychain failure.
    pub fn prompt_to_unlock_keychain(&self, answer_within: Duration) -> Result<(), KeychainError> {
        if !self.should_use_keychain_not_memory()? {
            return Ok(());
        }
        run_with_timeout(answer_within, &self.abandoned, |_| platform::unlock_keychain_if_needed())
    }

    /// Whether calls go to the keychain, and not to memory.
    ///
    /// # Errors
    /// The keychain is switched off.
    fn should_use_keychain_not_memory(&self) -> Result<bool, KeychainError> {
        match self.keychain {
            CredentialStorageMode::System => Ok(true),
            CredentialStorageMode::SwitchedOff => Err(KeychainError::SwitchedOff),
            CredentialStorageMode::MemoryOnly => Ok(false),
        }
    }

    /// The credential in memory.
    pub(crate) fn remembered_credential(&self, profile: &str, slot: CredentialKind) -> Option<SecretString> {
        self.lock_remembered_credentials_mutex().get(&(profile.to_owned(), slot)).cloned()
    }

    /// Reads several credentials from the keychain with one connection, in the order of `slots`.
    pub(crate) fn read_keychain_credentials(
        &self,
        profile: &str,
        slots: &[CredentialKind],
    ) -> Result<Vec<Option<SecretString>>, KeychainError> {
        if slots.is_empty() || !self.should_use_keychain_not_memory()? {
            return Ok(vec![None; slots.len()]);
        }
        let (profile, slots) = (profile.to_owned(), slots.to_vec());
        run_with_timeout(self.timeout, &self.abandoned, move |_| platform::read_credentials(&profile, &slots))
    }

    /// Locks the mutex of the remembered credentials. The map is consistent after a panic, because each change is one
    /// call.
    fn lock_remembered_credentials_mutex(&self) -> MutexGuard<'_, HashMap<(String, CredentialKind), SecretString>> {
        self.remembered_values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialStore").field("keychain", &self.keychain).finish_non_exhaustive()
    }
}

/// Removes leading and trailing white space.
fn trim_secret(value: &SecretString) -> SecretString {
    SecretString::from(value.expose_secret().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn shown(vault: &CredentialStore, profile: &str, slot: CredentialKind) -> Option<String> {
        vault.get_credential(profile, slot).expect("read from memory").map(|s| s.expose_secret().to_owned())
    }

    #[test]
    fn a_credential_is_trimmed_and_found_only_by_its_profile_and_kind() {
        let vault = CredentialStore::memory_only_store();
        vault.set_credential("a", CredentialKind::ApiKey, &secret(" key\n")).expect("set");
        assert_eq!(shown(&vault, "a", CredentialKind::ApiKey).as_deref(), Some("key"));
        assert_eq!(shown(&vault, "b", CredentialKind::ApiKey), None);
        assert_eq!(shown(&vault, "a", CredentialKind::SessionToken), None);
    }

    #[test]
    fn remove_returns_whether_there_was_a_credential() {
        let vault = CredentialStore::memory_only_store();
        vault.set_credential("a", CredentialKind::Password, &secret("p")).expect("set");
        assert_eq!(vault.remove_credential("a", CredentialKind::Password), Ok(true));
        assert_eq!(vault.remove_credential("a", CredentialKind::Password), Ok(false));
    }

    #[test]
    fn clones_share_the_memory() {
        let vault = CredentialStore::keychain_backed_store();
        let other = vault.clone();
        vault.remember_credential_for_run("a", CredentialKind::ApiKey, &secret("key"));
        assert_eq!(shown(&other, "a", CredentialKind::ApiKey).as_deref(), Some("key"));
    }

    #[test]
    fn empty_and_too_large_values_are_rejected_without_the_keychain() {
        let vault = CredentialStore::keychain_backed_store().with_keychain_timeout(Duration::ZERO);
        assert_eq!(vault.set_credential("a", CredentialKind::ApiKey, &secret(" \n")), Err(KeychainError::EmptyValue));
        let long = secret(&"x".repeat(platform::MAX_ITEM_BYTES + 1));
        let limit = platform::MAX_ITEM_BYTES;
        assert_eq!(
            vault.set_credential("a", CredentialKind::ApiKey, &long),
            Err(KeychainError::ValueTooLarge { bytes: limit + 1, limit })
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let vault = CredentialStore::memory_only_store();
        vault.set_credential("a", CredentialKind::ApiKey, &secret("0123456789abcdef")).expect("set");
        assert!(!format!("{vault:?}").contains("cdef"));
    }
}
