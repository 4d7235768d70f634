//! Credentials in the OS keychain, with one item per profile and [`CredentialKind`], or in the environment.
//!
//! A keychain can be missing, locked, or unresponsive. Every call runs on its own thread with a timeout, only
//! [`CredentialStore::unlock_keychain`] may show a prompt, and every failure is a [`KeychainError`] with a remedy. A
//! secret that the keychain cannot store can be kept in memory with [`CredentialStore::remember_for_this_run`].
//!
//! An item has the service name [`KEYCHAIN_SERVICE`] and the user name `<profile>/<kind>`, in the form that `keyring`
//! uses. `secret-tool lookup service copresence-kiosk username sandbox/api-key` finds the same item.

mod error;
mod found;
#[cfg_attr(any(target_os = "macos", windows), path = "platform/native.rs")]
#[cfg_attr(not(any(target_os = "macos", windows)), path = "platform/secret_service.rs")]
mod platform;
mod slot;
mod timeout;
mod vault;

pub use error::VaultError;
pub use found::{Found, Origin, load, load_for};
pub use slot::Slot;
pub use vault::{DEFAULT_PATIENCE, Vault};

/// The service name of every keychain item of this program.
pub const SERVICE: &str = "copresence-kiosk";
