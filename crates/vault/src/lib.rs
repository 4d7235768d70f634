//! Credentials in the OS keychain: one item for each profile and [`Slot`], and the environment for CI.
//!
//! A keychain can be missing, locked, or silent. None of these may stop the program: every call to it runs on
//! a thread of its own with a time limit, no call but [`Vault::unlock`] ever shows a prompt, and every failure
//! is a [`VaultError`] that says what to do. A secret that the keychain cannot take may be kept in memory with
//! [`Vault::remember_for_this_run`].
//!
//! An item has the service name [`SERVICE`] and the user name `<profile>/<slot>`, as `keyring` would write it:
//! `secret-tool lookup service copresence-kiosk username sandbox/api-key` finds the same one.

mod error;
mod found;
mod patience;
#[cfg_attr(any(target_os = "macos", windows), path = "platform/native.rs")]
#[cfg_attr(not(any(target_os = "macos", windows)), path = "platform/secret_service.rs")]
mod platform;
mod slot;
mod vault;

pub use error::VaultError;
pub use found::{Found, Origin, load, load_for};
pub use slot::Slot;
pub use vault::{DEFAULT_PATIENCE, Vault};

/// The service name of every item that this program keeps in the keychain.
pub const SERVICE: &str = "copresence-kiosk";
