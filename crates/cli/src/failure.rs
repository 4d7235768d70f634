//! A failure that ends a command before its work starts, with its exit code.

use kiosk::SetupError;
use kiosk::StoreError;
use kiosk::credentials::{Slot, VaultError, wanted};
use kiosk::profile::{Profile, ProfileError};
use kiosk::setup::TargetError;
use std::fmt;

/// Message for people, exit code, and stable error code for `--json`.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    code: &'static str,
    message: String,
    /// Remedies, one per line; printed for people only.
    remedies: Vec<String>,
}

impl Failure {
    /// Exit 2: usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: 2, code: "configuration", message: message.into(), remedies: Vec::new() }
    }

    /// Exit 3: credentials are missing.
    pub(crate) fn credentials(message: impl Into<String>) -> Self {
        Self { exit: 3, code: "credentials_missing", message: message.into(), remedies: Vec::new() }
    }

    /// Exit 130: interrupted before the visit started.
    pub(crate) fn interrupted() -> Self {
        let message = "nothing was asked for yet".to_owned();
        Self { exit: 130, code: "interrupted", message, remedies: Vec::new() }
    }

    /// For missing credentials (exit 3): adds which credentials this profile can use, and how to set them.
    pub(crate) fn at(mut self, profile: &Profile) -> Self {
        if self.exit == 3 {
            let names: Vec<_> = wanted(profile).into_iter().map(Slot::env_name).collect();
            let name = &profile.name;
            self.remedies.push(format!(
                "the profile `{name}` can use {} from the environment, or the keychain's: \
                 `copresence credentials set --profile {name}`",
                names.join(", ")
            ));
        }
        self
    }

    /// One line that says what happened.
    pub(crate) fn message(&self) -> &str {
        &self.message
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
        f.write_str(&self.message)?;
        let words = std::iter::once("what to do").chain(std::iter::repeat("or"));
        self.remedies.iter().zip(words).try_for_each(|(remedy, word)| write!(f, "\n  {word}: {remedy}"))
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = if error.is_disk_full() { "disk_full" } else { "storage_failed" };
        Self { exit: 2, code, message: error.to_string(), remedies: Vec::new() }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self { remedies: vec![error.remedy().to_owned()], ..Self::credentials(error.to_string()) }
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
