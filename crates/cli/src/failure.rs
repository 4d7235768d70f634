//! What ends a command before its work could, with its exit code.

use kiosk::SetupError;
use kiosk::StoreError;
use kiosk::credentials::VaultError;
use kiosk::profile::ProfileError;
use kiosk::setup::TargetError;
use std::fmt;

/// A message for people, the exit code, and the stable word for `--json`.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    code: &'static str,
    message: String,
}

impl Failure {
    /// Exit 2: usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: 2, code: "configuration", message: message.into() }
    }

    /// Exit 3: credentials are missing.
    pub(crate) fn credentials(message: impl Into<String>) -> Self {
        Self { exit: 3, code: "credentials_missing", message: message.into() }
    }

    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { exit: 2, code: "storage_failed", message: error.to_string() }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::credentials(format!("{error}\n  what to do: {}", error.remedy()))
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        Self::credentials(error.to_string())
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Keychain(error) => error.into(),
            other => Self::usage(other.to_string()),
        }
    }
}
