//! The keychain of macOS and the Credential Manager of Windows, with `keyring`.

use crate::timeout::RevocableChangePermit;
use crate::{CredentialKind, KEYCHAIN_SERVICE, KeychainError};
use keyring::{Entry, Error};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Maximum size of an item, in bytes. This is the limit of Windows.
#[cfg(windows)]
pub(crate) const MAX_ITEM_BYTES: usize = 2560;
/// Maximum size of an item, in bytes. Longer than any credential, and rejects most files that are given by mistake.
#[cfg(not(windows))]
pub(crate) const MAX_ITEM_BYTES: usize = 64 * 1024;

/// Checks that the keychain can be used.
pub(crate) fn check_keychain() -> Result<(), KeychainError> {
    // Reading an item that does not exist checks everything that reading needs, and shows no prompt.
    match open_keychain_entry("none", CredentialKind::ApiKey)?.get_secret() {
        Ok(value) => {
            drop(Zeroizing::new(value));
            Ok(())
        }
        Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(keychain_error_from_keyring(error)),
    }
}

/// Unlocks the keychain as far as needed: only checks that it can be used, because these systems show their own
/// prompt when an item is read.
pub(crate) fn unlock_keychain_if_needed() -> Result<(), KeychainError> {
    check_keychain()
}

/// Reads the credentials `slots` of a profile, in this order. `None` for each that is not stored.
pub(crate) fn read_credentials(
    profile: &str,
    slots: &[CredentialKind],
) -> Result<Vec<Option<SecretString>>, KeychainError> {
    slots.iter().map(|slot| read_credential(profile, *slot)).collect()
}

/// Stores a credential.
pub(crate) fn write_credential(
    profile: &str,
    slot: CredentialKind,
    value: &str,
    permit: &RevocableChangePermit,
) -> Result<(), KeychainError> {
    let entry = open_keychain_entry(profile, slot)?;
    permit.begin_change_unless_abandoned()?;
    // `set_password` would store UTF-16 on Windows, which halves the maximum length.
    entry.set_secret(value.as_bytes()).map_err(keychain_error_from_keyring)
}

/// Removes a credential. Returns whether there was one.
pub(crate) fn remove_credential(
    profile: &str,
    slot: CredentialKind,
    permit: &RevocableChangePermit,
) -> Result<bool, KeychainError> {
    let entry = open_keychain_entry(profile, slot)?;
    permit.begin_change_unless_abandoned()?;
    match entry.delete_credential() {
        Ok(()) => Ok(true),
        Err(Error::NoEntry) => Ok(false),
        Err(error) => Err(keychain_error_from_keyring(error)),
    }
}

/// Opens the keychain entry of a credential.
fn open_keychain_entry(profile: &str, slot: CredentialKind) -> Result<Entry, KeychainError> {
    // Checked first, because `Entry::new` hides the cause.
    if let Err(error) = Entry::store_status() {
        return Err(KeychainError::PlatformFailure { detail: error.to_string() });
    }
    Entry::new(KEYCHAIN_SERVICE, &slot.keychain_user_name(profile)).map_err(keychain_error_from_keyring)
}

/// The value of one credential.
fn read_credential(profile: &str, slot: CredentialKind) -> Result<Option<SecretString>, KeychainError> {
    match open_keychain_entry(profile, slot)?.get_secret() {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| KeychainError::ItemNotText { item: slot.keychain_user_name(profile) })?;
            Ok(Some(SecretString::from(text)))
        }
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(keychain_error_from_keyring(error)),
    }
}

/// Converts an error of `keyring`.
fn keychain_error_from_keyring(error: Error) -> KeychainError {
    match error {
        Error::NoStorageAccess(cause) => KeychainError::AccessRefused { detail: cause.to_string() },
        Error::TooLong(_, limit) => KeychainError::ValueTooLarge { bytes: limit as usize + 1, limit: limit as usize },
        Error::PlatformFailure(cause) => KeychainError::PlatformFailure { detail: cause.to_string() },
        // These contain the bytes of the item, which must not be shown.
        Error::BadEncoding(bytes) | Error::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            KeychainError::PlatformFailure { detail: "the stored item is not readable".to_owned() }
        }
        other => KeychainError::PlatformFailure { detail: other.to_string() },
    }
}
