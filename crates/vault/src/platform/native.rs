//! The keychain of macOS and the Credential Manager of Windows, through `keyring`.

use crate::patience::Ticket;
use crate::{SERVICE, Slot, VaultError};
use keyring::{Entry, Error};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// The most bytes in one item.
#[cfg(windows)]
pub(crate) const MOST_BYTES: usize = 2560;
/// The most bytes in one item: no credential is longer, and a file given by mistake is.
#[cfg(not(windows))]
pub(crate) const MOST_BYTES: usize = 64 * 1024;

pub(crate) fn check() -> Result<(), VaultError> {
    // Asking for an item that nobody writes needs all that reading needs, and asks nothing of a person.
    match open("none", Slot::ApiKey)?.get_secret() {
        Ok(value) => {
            drop(Zeroizing::new(value));
            Ok(())
        }
        Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(told(error)),
    }
}

/// These systems ask by themselves when an item is read.
pub(crate) fn unlock() -> Result<(), VaultError> {
    check()
}

/// The values of `slots`, in their order.
pub(crate) fn read(profile: &str, slots: &[Slot]) -> Result<Vec<Option<SecretString>>, VaultError> {
    slots.iter().map(|slot| read_one(profile, *slot)).collect()
}

pub(crate) fn write(profile: &str, slot: Slot, value: &str, ticket: &Ticket) -> Result<(), VaultError> {
    let entry = open(profile, slot)?;
    ticket.commit()?;
    // Bytes, not a "password": Windows would store that as UTF-16 and so halve what fits.
    entry.set_secret(value.as_bytes()).map_err(told)
}

/// Whether there was something to remove.
pub(crate) fn remove(profile: &str, slot: Slot, ticket: &Ticket) -> Result<bool, VaultError> {
    let entry = open(profile, slot)?;
    ticket.commit()?;
    match entry.delete_credential() {
        Ok(()) => Ok(true),
        Err(Error::NoEntry) => Ok(false),
        Err(error) => Err(told(error)),
    }
}

fn open(profile: &str, slot: Slot) -> Result<Entry, VaultError> {
    // Asked first, because `Entry::new` hides the cause.
    if let Err(error) = Entry::store_status() {
        return Err(VaultError::Platform { detail: error.to_string() });
    }
    Entry::new(SERVICE, &slot.item_user(profile)).map_err(told)
}

fn read_one(profile: &str, slot: Slot) -> Result<Option<SecretString>, VaultError> {
    match open(profile, slot)?.get_secret() {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| VaultError::NotText { item: slot.item_user(profile) })?;
            Ok(Some(SecretString::from(text)))
        }
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(told(error)),
    }
}

fn told(error: Error) -> VaultError {
    match error {
        Error::NoStorageAccess(cause) => VaultError::Refused { detail: cause.to_string() },
        Error::TooLong(_, limit) => VaultError::TooLarge { bytes: limit as usize + 1, limit: limit as usize },
        Error::PlatformFailure(cause) => VaultError::Platform { detail: cause.to_string() },
        // These carry the item's bytes: never shown.
        Error::BadEncoding(bytes) | Error::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            VaultError::Platform { detail: "the stored item is not readable".to_owned() }
        }
        other => VaultError::Platform { detail: other.to_string() },
    }
}
