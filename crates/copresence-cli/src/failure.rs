//! A failure that ends a command before its work starts, with its exit code.

use copresence_engine::SetupError;
use copresence_engine::StoreError;
use copresence_engine::credentials::{CredentialKind, KeychainError, credential_kinds_usable_by_profile};
use copresence_engine::profile::{Profile, ProfileError};
use copresence_engine::setup::ProfileBackendError;

/// Message for people, exit code, and stable error code for `--json`.
#[derive(Debug)]
pub(crate) struct CommandFailure {
    exit_code: u8,
    error_code: &'static str,
    message: String,
    /// Remedies, one per line; printed for people only.
    remedies: Vec<String>,
}

impl CommandFailure {
    /// Failure of usage or configuration (exit 2).
    pub(crate) fn usage_error(message: impl Into<String>) -> Self {
        Self { exit_code: 2, error_code: "configuration", message: message.into(), remedies: Vec::new() }
    }

    /// Failure because credentials are missing (exit 3).
    pub(crate) fn missing_credentials_error(message: impl Into<String>) -> Self {
        Self { exit_code: 3, error_code: "credentials_missing", message: message.into(), remedies: Vec::new() }
    }

    /// Failure because the program was interrupted before the visit started (exit 130).
    pub(crate) fn interrupted_before_start_error() -> Self {
        let message = "nothing was asked for yet".to_owned();
        Self { exit_code: 130, error_code: "interrupted", message, remedies: Vec::new() }
    }

    /// Failure because a command could not be started: exit 127 if it does not exist, 126 otherwise, as with a shell.
    pub(crate) fn command_start_error(exit_code: u8, message: String) -> Self {
        Self { exit_code, error_code: "command_not_started", message, remedies: Vec::new() }
    }

    /// For missing credentials (exit 3): adds which credentials this profile can use, and how to set them.
    pub(crate) fn with_remedy_if_credentials_missing(mut self, profile: &Profile) -> Self {
        if self.exit_code == 3 {
            let names: Vec<_> = credential_kinds_usable_by_profile(profile)
                .into_iter()
                .map(CredentialKind::overriding_env_var_name)
                .collect();
            let name = &profile.name;
            self.remedies.push(format!(
                "the profile `{name}` can use {} from the environment, or the keychain's: \
                 `copresence credentials set --profile {name}`",
                names.join(", ")
            ));
        }
        self
    }

    /// Adds a remedy.
    pub(crate) fn with_remedy(mut self, remedy: String) -> Self {
        self.remedies.push(remedy);
        self
    }

    /// One line that says what happened.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The message and the remedies as lines for people.
    pub(crate) fn message_and_remedy_lines(&self) -> Vec<String> {
        let words = std::iter::once("what to do").chain(std::iter::repeat("or"));
        let remedies = self.remedies.iter().zip(words).map(|(remedy, word)| format!("  {word}: {remedy}"));
        std::iter::once(format!("error: {}", self.message)).chain(remedies).collect()
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// Stable error code for `--json`.
    pub(crate) fn error_code(&self) -> &'static str {
        self.error_code
    }
}

impl From<ProfileError> for CommandFailure {
    fn from(error: ProfileError) -> Self {
        Self::usage_error(error.to_string())
    }
}

impl From<StoreError> for CommandFailure {
    fn from(error: StoreError) -> Self {
        let code = if error.is_disk_full() { "disk_full" } else { "storage_failed" };
        Self { exit_code: 2, error_code: code, message: error.to_string(), remedies: Vec::new() }
    }
}

impl From<KeychainError> for CommandFailure {
    fn from(error: KeychainError) -> Self {
        Self { remedies: vec![error.remedy().to_owned()], ..Self::missing_credentials_error(error.to_string()) }
    }
}

impl From<SetupError> for CommandFailure {
    fn from(error: SetupError) -> Self {
        Self::missing_credentials_error(error.to_string())
    }
}

impl From<ProfileBackendError> for CommandFailure {
    fn from(error: ProfileBackendError) -> Self {
        match error {
            ProfileBackendError::Keychain(error) => error.into(),
            other => Self::usage_error(other.to_string()),
        }
    }
}
