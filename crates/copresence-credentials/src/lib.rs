//! Credentials in the OS keychain, with one item per profile and [`CredentialKind`], or in the environment.
//!
//! A keychain can be missing, locked, or unresponsive. Every call runs on its own thread with a timeout, only
//! [`CredentialStore::prompt_to_unlock_keychain`] may show a prompt, and every failure is a [`KeychainError`] with a
//! remedy. A secret that the keychain cannot store can be kept in memory with
//! [`CredentialStore::remember_credential_for_run`].
//!
//! An item has the service name [`KEYCHAIN_SERVICE`] and the user name `<profile>/<kind>`, in the form that `keyring`
//! uses. `secret-tool lookup service copresence-kiosk username sandbox/api-key` finds the same item.

mod credential_kind;
mod credential_store;
mod error;
mod lookup;
#[cfg_attr(any(target_os = "macos", windows), path = "platform/native.rs")]
#[cfg_attr(not(any(target_os = "macos", windows)), path = "platform/secret_service.rs")]
mod platform;
mod process_secrets;
mod timeout;

pub use credential_kind::CredentialKind;
pub use credential_store::{CredentialStore, DEFAULT_TIMEOUT};
pub use error::KeychainError;
pub use lookup::{CredentialOrigin, FoundCredentials, load_credentials, load_wanted_credentials};
pub use process_secrets::{EnvironmentCredentials, disable_core_dumps};

/// The service name of every keychain item of this program.
pub const KEYCHAIN_SERVICE: &str = "copresence-kiosk";
