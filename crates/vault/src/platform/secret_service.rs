//! The Secret Service over D-Bus: gnome-keyring, `KWallet`, and what else offers it.
//!
//! Each call makes its own connection: a keychain that was started late, restarted, or got stuck is then no
//! reason to restart the program. Nothing here but [`unlock`] may lead to a prompt: what is locked is refused
//! before it is touched.

use crate::patience::Ticket;
use crate::{SERVICE, Slot, VaultError};
use secrecy::SecretString;
use secret_service::blocking::{Collection, SecretService};
use secret_service::{EncryptionType, Error};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// The most bytes in one item: no credential is longer, and a file given by mistake is.
pub(crate) const MOST_BYTES: usize = 64 * 1024;

pub(crate) fn check() -> Result<(), VaultError> {
    let service = connect()?;
    unlocked_default(&service).map(drop)
}

/// Has the keychain ask the person at the screen for its password, and waits for the answer.
pub(crate) fn unlock() -> Result<(), VaultError> {
    let service = connect()?;
    let collection = default_collection(&service)?;
    if collection.is_locked().map_err(told)? {
        collection.unlock().map_err(told)?;
    }
    Ok(())
}

/// The values of `slots`, in their order.
pub(crate) fn read(profile: &str, slots: &[Slot]) -> Result<Vec<Option<SecretString>>, VaultError> {
    let service = connect()?;
    slots.iter().map(|slot| read_one(&service, &slot.item_user(profile))).collect()
}

pub(crate) fn write(profile: &str, slot: Slot, value: &str, ticket: &Ticket) -> Result<(), VaultError> {
    let service = connect()?;
    let user = slot.item_user(profile);
    let found = service.search_items(attributes(&user)).map_err(told)?;
    if !found.locked.is_empty() {
        return Err(VaultError::Locked);
    }
    let Some((kept, doubles)) = found.unlocked.split_first() else {
        let collection = unlocked_default(&service)?;
        ticket.commit()?;
        let label = slot.item_label(profile);
        let bytes = value.as_bytes();
        collection.create_item(&label, attributes(&user), bytes, true, TEXT).map_err(told)?;
        return Ok(());
    };
    ticket.commit()?;
    kept.set_secret(value.as_bytes(), TEXT).map_err(told)?;
    // A second item of the same name (another keyring, another program) would be read by chance: gone.
    doubles.iter().try_for_each(|double| double.delete().map_err(told))
}

/// Whether there was something to remove.
pub(crate) fn remove(profile: &str, slot: Slot, ticket: &Ticket) -> Result<bool, VaultError> {
    let service = connect()?;
    let found = service.search_items(attributes(&slot.item_user(profile))).map_err(told)?;
    if !found.locked.is_empty() {
        return Err(VaultError::Locked);
    }
    if found.unlocked.is_empty() {
        // With a locked keyring some services find nothing: that is no proof that nothing is there.
        return unlocked_default(&service).map(|_| false);
    }
    ticket.commit()?;
    found.unlocked.iter().try_for_each(|item| item.delete().map_err(told))?;
    Ok(true)
}

const TEXT: &str = "text/plain; charset=utf8";

fn connect() -> Result<SecretService<'static>, VaultError> {
    SecretService::connect(EncryptionType::Dh).map_err(told)
}

fn read_one(service: &SecretService<'static>, user: &str) -> Result<Option<SecretString>, VaultError> {
    let found = service.search_items(attributes(user)).map_err(told)?;
    if let Some(item) = found.unlocked.first() {
        let bytes = Zeroizing::new(item.get_secret().map_err(told)?);
        let text = std::str::from_utf8(&bytes).map_err(|_| VaultError::NotText { item: user.to_owned() })?;
        return Ok(Some(SecretString::from(text)));
    }
    if !found.locked.is_empty() {
        return Err(VaultError::Locked);
    }
    // Nothing found: said only of a keyring that could be looked into.
    match unlocked_default(service) {
        Ok(_) | Err(VaultError::NoCollection) => Ok(None),
        Err(error) => Err(error),
    }
}

fn attributes(user: &str) -> HashMap<&str, &str> {
    HashMap::from([("service", SERVICE), ("username", user)])
}

fn default_collection<'a>(service: &'a SecretService<'static>) -> Result<Collection<'a>, VaultError> {
    service.get_default_collection().map_err(|error| match error {
        Error::NoResult => VaultError::NoCollection,
        other => told(other),
    })
}

fn unlocked_default<'a>(service: &'a SecretService<'static>) -> Result<Collection<'a>, VaultError> {
    let collection = default_collection(service)?;
    if collection.is_locked().map_err(told)? { Err(VaultError::Locked) } else { Ok(collection) }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` asks for")]
fn told(error: Error) -> VaultError {
    let detail = error.to_string();
    match &error {
        Error::Locked => VaultError::Locked,
        Error::Prompt | Error::PromptDisconnected => VaultError::Refused { detail },
        Error::Unavailable => VaultError::NoBus { detail },
        Error::Zbus(bus) | Error::ZbusFdo(zbus::fdo::Error::ZBus(bus)) => told_by_bus(bus, detail),
        Error::ZbusFdo(standard) => told_by_standard(standard, detail),
        _ => VaultError::Platform { detail },
    }
}

fn told_by_bus(error: &zbus::Error, detail: String) -> VaultError {
    match error {
        zbus::Error::Address(_) | zbus::Error::Connection(..) | zbus::Error::Handshake(_) => {
            VaultError::NoBus { detail }
        }
        zbus::Error::FDO(standard) => told_by_standard(standard, detail),
        zbus::Error::MethodError(name, ..) => match name.as_str() {
            "org.freedesktop.Secret.Error.IsLocked" => VaultError::Locked,
            name if no_such_service(name) => VaultError::NoService { detail },
            _ => VaultError::Platform { detail },
        },
        _ => VaultError::Platform { detail },
    }
}

fn told_by_standard(error: &zbus::fdo::Error, detail: String) -> VaultError {
    use zbus::fdo::Error as Standard;
    match error {
        Standard::ServiceUnknown(_)
        | Standard::NameHasNoOwner(_)
        | Standard::SpawnExecFailed(_)
        | Standard::SpawnForkFailed(_)
        | Standard::SpawnChildExited(_)
        | Standard::SpawnChildSignaled(_)
        | Standard::SpawnFailed(_)
        | Standard::SpawnServiceNotFound(_) => VaultError::NoService { detail },
        Standard::NoServer(_) | Standard::BadAddress(_) | Standard::AuthFailed(_) => {
            VaultError::NoBus { detail }
        }
        Standard::AccessDenied(_) => VaultError::Refused { detail },
        _ => VaultError::Platform { detail },
    }
}

fn no_such_service(name: &str) -> bool {
    let bus = "org.freedesktop.DBus.Error.";
    name.strip_prefix(bus)
        .is_some_and(|rest| matches!(rest, "ServiceUnknown" | "NameHasNoOwner") || rest.starts_with("Spawn."))
}
