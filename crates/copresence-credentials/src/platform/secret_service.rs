//! The Secret Service over D-Bus, for example gnome-keyring or `KWallet`.
//!
//! Each call makes its own connection, so that the program works with a keychain that is started late or restarted.
//! Only [`unlock_keychain_if_needed`] may show a prompt. The other functions unlock what can be unlocked without one,
//! such as a keyring with an empty password, and report the rest as locked.

use crate::timeout::RevocableChangePermit;
use crate::{CredentialKind, KEYCHAIN_SERVICE, KeychainError};
use secrecy::SecretString;
use secret_service::blocking::{Collection, Item, SecretService};
use secret_service::{EncryptionType, Error};
use std::collections::HashMap;
use zbus::zvariant::OwnedObjectPath;
use zeroize::Zeroizing;

/// Maximum size of an item, in bytes. Longer than any credential, and rejects most files that are given by mistake.
pub(crate) const MAX_ITEM_BYTES: usize = 64 * 1024;

/// Checks that the default keyring exists and is unlocked.
pub(crate) fn check_keychain() -> Result<(), KeychainError> {
    let service = connect_to_secret_service()?;
    get_default_keyring_unlocking_without_prompt(&service).map(drop)
}

/// Unlocks the default keyring. Shows a prompt if it is locked, and waits until the prompt is closed.
pub(crate) fn unlock_keychain_if_needed() -> Result<(), KeychainError> {
    let service = connect_to_secret_service()?;
    let collection = default_keyring(&service)?;
    if collection.is_locked().map_err(convert_secret_service_error)? {
        collection.unlock().map_err(convert_secret_service_error)?;
    }
    Ok(())
}

/// Reads the credentials `slots` of a profile over one connection, in this order. `None` for each that is not
/// stored.
pub(crate) fn read_credentials(
    profile: &str,
    slots: &[CredentialKind],
) -> Result<Vec<Option<SecretString>>, KeychainError> {
    let service = connect_to_secret_service()?;
    slots.iter().map(|slot| read_credential(&service, &slot.keychain_user_name(profile))).collect()
}

/// Stores a credential, and removes other items with the same name.
pub(crate) fn write_credential(
    profile: &str,
    slot: CredentialKind,
    value: &str,
    guard: &RevocableChangePermit,
) -> Result<(), KeychainError> {
    let service = connect_to_secret_service()?;
    let user = slot.keychain_user_name(profile);
    let found = find_items_unlocking_without_prompt(&service, &user)?;
    let Some((item, duplicates)) = found.split_first() else {
        let collection = get_default_keyring_unlocking_without_prompt(&service)?;
        guard.begin_change_unless_abandoned()?;
        let label = keychain_item_label(slot, profile);
        let bytes = value.as_bytes();
        collection
            .create_item(&label, item_attributes(&user), bytes, true, TEXT_CONTENT_TYPE)
            .map_err(convert_secret_service_error)?;
        return Ok(());
    };
    guard.begin_change_unless_abandoned()?;
    item.set_secret(value.as_bytes(), TEXT_CONTENT_TYPE).map_err(convert_secret_service_error)?;
    // A second item with the same name could be returned instead, so it is removed.
    duplicates.iter().try_for_each(|duplicate| duplicate.delete().map_err(convert_secret_service_error))
}

/// Removes a credential. Returns whether there was one.
pub(crate) fn remove_credential(
    profile: &str,
    slot: CredentialKind,
    guard: &RevocableChangePermit,
) -> Result<bool, KeychainError> {
    let service = connect_to_secret_service()?;
    let found = find_items_unlocking_without_prompt(&service, &slot.keychain_user_name(profile))?;
    if found.is_empty() {
        // Some services find nothing in a locked keyring, so an empty result is valid only if the keyring is unlocked.
        return get_default_keyring_unlocking_without_prompt(&service).map(|_| false);
    }
    guard.begin_change_unless_abandoned()?;
    found.iter().try_for_each(|item| item.delete().map_err(convert_secret_service_error))?;
    Ok(true)
}

const TEXT_CONTENT_TYPE: &str = "text/plain; charset=utf8";

/// Connects to the Secret Service.
fn connect_to_secret_service() -> Result<SecretService<'static>, KeychainError> {
    SecretService::connect(EncryptionType::Dh).map_err(convert_secret_service_error)
}

/// The value of the item with this user name.
fn read_credential(service: &SecretService<'static>, user: &str) -> Result<Option<SecretString>, KeychainError> {
    if let Some(item) = find_items_unlocking_without_prompt(service, user)?.first() {
        let bytes = Zeroizing::new(item.get_secret().map_err(convert_secret_service_error)?);
        let text = std::str::from_utf8(&bytes).map_err(|_| KeychainError::ItemNotText { item: user.to_owned() })?;
        return Ok(Some(SecretString::from(text)));
    }
    // An empty result is valid only if the keyring is unlocked.
    match get_default_keyring_unlocking_without_prompt(service) {
        Ok(_) | Err(KeychainError::NoKeyring) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The items with this user name. Fails with `Locked` if one of them stays locked without a prompt.
fn find_items_unlocking_without_prompt<'a>(
    service: &'a SecretService<'static>,
    user: &str,
) -> Result<Vec<Item<'a>>, KeychainError> {
    let search = || service.search_items(item_attributes(user)).map_err(convert_secret_service_error);
    let mut found = search()?;
    if !found.locked.is_empty() {
        unlock_without_prompt(found.locked.iter().map(|item| &item.item_path))?;
        found = search()?;
    }
    if found.locked.is_empty() { Ok(found.unlocked) } else { Err(KeychainError::Locked) }
}

/// Unlocks keyrings or items as far as the service does so without a prompt. "Unlock the specified objects. … Prompt
/// object path, or `/` if no prompt is necessary" (Secret Service API, `Service.Unlock`). The prompt itself is never
/// shown: that is a call of its own.
fn unlock_without_prompt<'a>(objects: impl Iterator<Item = &'a OwnedObjectPath>) -> Result<(), KeychainError> {
    const SERVICE: Option<&str> = Some("org.freedesktop.secrets");
    let convert = |error: zbus::Error| {
        let detail = error.to_string();
        convert_dbus_error(&error, detail)
    };
    let objects: Vec<&OwnedObjectPath> = objects.collect();
    let bus = zbus::blocking::Connection::session().map_err(convert)?;
    let interface = Some("org.freedesktop.Secret.Service");
    let reply =
        bus.call_method(SERVICE, "/org/freedesktop/secrets", interface, "Unlock", &(objects,)).map_err(convert)?;
    let (_, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) = reply.body().deserialize().map_err(convert)?;
    if prompt.as_str() != "/" {
        // The service keeps an unused prompt until the connection ends. Some services cannot dismiss one.
        _ = bus.call_method(SERVICE, &prompt, Some("org.freedesktop.Secret.Prompt"), "Dismiss", &());
    }
    Ok(())
}

/// The attributes that identify an item.
fn item_attributes(user: &str) -> HashMap<&str, &str> {
    HashMap::from([("service", KEYCHAIN_SERVICE), ("username", user)])
}

/// The default keyring, locked or not. Fails with `NoKeyring` if there is none.
fn default_keyring<'a>(service: &'a SecretService<'static>) -> Result<Collection<'a>, KeychainError> {
    service.get_default_collection().map_err(|error| match error {
        Error::NoResult => KeychainError::NoKeyring,
        other => convert_secret_service_error(other),
    })
}

/// The default keyring, if it is unlocked or can be unlocked without a prompt.
fn get_default_keyring_unlocking_without_prompt<'a>(
    service: &'a SecretService<'static>,
) -> Result<Collection<'a>, KeychainError> {
    let collection = default_keyring(service)?;
    let is_locked = || collection.is_locked().map_err(convert_secret_service_error);
    if is_locked()? {
        unlock_without_prompt(std::iter::once(&collection.collection_path))?;
        if is_locked()? {
            return Err(KeychainError::Locked);
        }
    }
    Ok(collection)
}

/// Converts an error of the Secret Service.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes the error by value")]
fn convert_secret_service_error(error: Error) -> KeychainError {
    let detail = error.to_string();
    match &error {
        Error::Locked => KeychainError::Locked,
        Error::Prompt | Error::PromptDisconnected => KeychainError::AccessRefused { detail },
        Error::Unavailable => KeychainError::NoBus { detail },
        Error::Zbus(bus) | Error::ZbusFdo(zbus::fdo::Error::ZBus(bus)) => convert_dbus_error(bus, detail),
        Error::ZbusFdo(standard) => convert_standard_dbus_error(standard, detail),
        _ => KeychainError::PlatformFailure { detail },
    }
}

/// Converts an error of the D-Bus connection.
fn convert_dbus_error(error: &zbus::Error, detail: String) -> KeychainError {
    match error {
        zbus::Error::Address(_) | zbus::Error::Connection(..) | zbus::Error::Handshake(_) => {
            KeychainError::NoBus { detail }
        }
        zbus::Error::FDO(standard) => convert_standard_dbus_error(standard, detail),
        zbus::Error::MethodError(name, ..) => match name.as_str() {
            "org.freedesktop.Secret.Error.IsLocked" => KeychainError::Locked,
            name if is_missing_service_error(name) => KeychainError::NoService { detail },
            _ => KeychainError::PlatformFailure { detail },
        },
        _ => KeychainError::PlatformFailure { detail },
    }
}

/// Converts a standard D-Bus error (`org.freedesktop.DBus.Error.*`).
fn convert_standard_dbus_error(error: &zbus::fdo::Error, detail: String) -> KeychainError {
    use zbus::fdo::Error as Standard;
    match error {
        Standard::ServiceUnknown(_)
        | Standard::NameHasNoOwner(_)
        | Standard::SpawnExecFailed(_)
        | Standard::SpawnForkFailed(_)
        | Standard::SpawnChildExited(_)
        | Standard::SpawnChildSignaled(_)
        | Standard::SpawnFailed(_)
        | Standard::SpawnServiceNotFound(_) => KeychainError::NoService { detail },
        Standard::NoServer(_) | Standard::BadAddress(_) | Standard::AuthFailed(_) => KeychainError::NoBus { detail },
        Standard::AccessDenied(_) => KeychainError::AccessRefused { detail },
        _ => KeychainError::PlatformFailure { detail },
    }
}

/// Whether the name of a D-Bus error says that the service does not exist or could not be started.
fn is_missing_service_error(name: &str) -> bool {
    let bus = "org.freedesktop.DBus.Error.";
    name.strip_prefix(bus)
        .is_some_and(|rest| matches!(rest, "ServiceUnknown" | "NameHasNoOwner") || rest.starts_with("Spawn."))
}

/// The label of an item, as shown in the keychain program of the system.
fn keychain_item_label(slot: CredentialKind, profile: &str) -> String {
    match slot {
        CredentialKind::PassportKey => format!("Copresence kiosk: {slot}"),
        _ => format!("Copresence kiosk: {slot} of profile {profile}"),
    }
}
