//! Failures of the keychain and their remedies.

use std::time::Duration;

/// Why a call of the OS keychain failed. No variant contains a part of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeychainError {
    /// There is no D-Bus session bus, so the Secret Service cannot be reached.
    #[error("the system's keychain cannot be reached: this session has no D-Bus session bus ({detail})")]
    NoBus {
        /// The error of the connection.
        detail: String,
    },
    /// No program on the D-Bus session bus provides the Secret Service.
    #[error("this session has no keychain: no program on D-Bus provides the Secret Service ({detail})")]
    NoService {
        /// The error of D-Bus.
        detail: String,
    },
    /// The environment says that the keychain must not be used.
    #[error("the system's keychain is switched off by COPRESENCE_KEYCHAIN=off")]
    SwitchedOff,
    /// The keychain has no keyring, so nothing can be stored in it.
    #[error("the system's keychain has no keyring yet, so nothing can be stored in it")]
    NoKeyring,
    /// The keyring is locked. Reading and writing need its password.
    #[error("the system's keychain is locked")]
    Locked,
    /// The keychain did not respond in time. Nothing was or will be written.
    #[error("the system's keychain did not respond within {} s", after.as_secs_f32())]
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// A change was sent and not confirmed. It may have been made, or may still be made.
    #[error(
        "the system's keychain did not confirm a change within {} s; it may or may not have been made",
        after.as_secs_f32()
    )]
    WriteUnconfirmed {
        /// The timeout.
        after: Duration,
    },
    /// Too many earlier calls are still waiting for a response.
    #[error("the system's keychain has not responded to {calls} earlier calls, so no further call is made")]
    TooManyAbandonedCalls {
        /// Number of calls without a response.
        calls: usize,
    },
    /// The system or the user refused access to the item.
    #[error("access to the system's keychain was refused ({detail})")]
    AccessRefused {
        /// The error of the system.
        detail: String,
    },
    /// The value is too long for the keychain.
    #[error("the value has {bytes} bytes, but the system's keychain stores at most {limit} bytes per item")]
    ValueTooLarge {
        /// Length of the value in bytes.
        bytes: usize,
        /// Maximum size of an item in bytes.
        limit: usize,
    },
    /// The value is empty.
    #[error("an empty value cannot be stored as a credential")]
    EmptyValue,
    /// The stored item is not text, so this program did not write it.
    #[error("the keychain item “{item}” of service “{}” is not text", crate::KEYCHAIN_SERVICE)]
    ItemNotText {
        /// The user name of the item: `<profile>/<kind>`.
        item: String,
    },
    /// Any other failure of the platform.
    #[error("the system's keychain failed: {detail}")]
    PlatformFailure {
        /// The error of the platform.
        detail: String,
    },
}

impl KeychainError {
    /// The stable error code for logs, reports and scripts.
    pub const fn error_code(&self) -> &'static str {
        match self {
            Self::NoBus { .. } => "keychain-no-bus",
            Self::NoService { .. } => "keychain-no-service",
            Self::SwitchedOff => "keychain-switched-off",
            Self::NoKeyring => "keychain-no-keyring",
            Self::Locked => "keychain-locked",
            Self::TimedOut { .. } => "keychain-timed-out",
            Self::WriteUnconfirmed { .. } => "keychain-write-unanswered",
            Self::TooManyAbandonedCalls { .. } => "keychain-stuck",
            Self::AccessRefused { .. } => "keychain-refused",
            Self::ValueTooLarge { .. } => "credential-too-large",
            Self::EmptyValue => "credential-empty",
            Self::ItemNotText { .. } => "keychain-item-not-text",
            Self::PlatformFailure { .. } => "keychain-failed",
        }
    }

    /// What the operator can do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoBus { .. } => {
                "Start the program from a desktop session. On a machine without one, run it under \
                 `dbus-run-session`, or pass the credentials in COPRESENCE_API_KEY and \
                 COPRESENCE_SESSION_TOKEN (or COPRESENCE_USERNAME and COPRESENCE_PASSWORD)."
            }
            Self::NoService { .. } => {
                "Install and start a keychain that provides the Secret Service, such as gnome-keyring or KWallet \
                 (on Debian: `apt install gnome-keyring`, then log in again), or pass the credentials in \
                 COPRESENCE_API_KEY and COPRESENCE_SESSION_TOKEN."
            }
            Self::SwitchedOff => {
                "Pass the credentials in COPRESENCE_API_KEY and COPRESENCE_SESSION_TOKEN (or COPRESENCE_USERNAME and \
                 COPRESENCE_PASSWORD), or remove COPRESENCE_KEYCHAIN from the environment."
            }
            Self::NoKeyring => {
                "Log in once with a password, which creates the keyring “Login”, or create one in “Passwords and \
                 Keys” and set it as the default. KWallet: create a wallet in “KDE Wallet” and name it as the default. \
                 KeePassXC: in the settings, “Secret Service Integration”, choose the database and the group to \
                 expose, and open the database. Without a desktop: `pkill gnome-keyring; printf %s PASSWORD | \
                 gnome-keyring-daemon --unlock --components=secrets` (a running daemon must be stopped first)."
            }
            Self::Locked => REMEDY_LOCKED,
            Self::TimedOut { .. } | Self::TooManyAbandonedCalls { .. } => {
                "If the system shows a prompt for the keychain, answer it and try again. If not, log out and in \
                 again, which restarts the keychain; until then pass the credentials in the environment \
                 (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN)."
            }
            Self::WriteUnconfirmed { .. } => {
                "Check whether the change was made (`copresence credentials status`), and repeat it if not."
            }
            Self::AccessRefused { .. } => REMEDY_REFUSED,
            Self::ValueTooLarge { .. } => {
                "Check that the value is only the credential, not a whole file. If it is really that long, pass it \
                 in the environment (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN)."
            }
            Self::EmptyValue => "Enter a value, or remove the credential with `copresence credentials remove`.",
            Self::ItemNotText { .. } => {
                "Remove the item in the keychain program of the system, then set the credential again."
            }
            Self::PlatformFailure { .. } => {
                "Try again; if it persists, log out and in again, or pass the credentials in the environment \
                 (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN)."
            }
        }
    }

    /// Whether the operator can keep the secret in memory for this run instead.
    pub const fn can_use_memory_instead(&self) -> bool {
        !matches!(self, Self::EmptyValue)
    }
}

#[cfg(target_os = "macos")]
const REMEDY_LOCKED: &str = "Unlock it: open “Keychain Access”, choose “login” and “Unlock”, then try again.";
#[cfg(windows)]
const REMEDY_LOCKED: &str = "Log in to Windows with the account that stored the credentials, then try again.";
#[cfg(not(any(target_os = "macos", windows)))]
const REMEDY_LOCKED: &str = "Unlock it: open “Passwords and Keys” (seahorse), choose the keyring “Login” and “Unlock”. A desktop that \
     logs in by itself leaves the keyring locked: on a kiosk give that keyring an empty password, or pass the \
     credentials in the environment (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN).";

#[cfg(target_os = "macos")]
const REMEDY_REFUSED: &str = "Choose “Always Allow” when macOS asks, or allow this program in “Keychain Access” (the item's \
     “Access Control”).";
#[cfg(windows)]
const REMEDY_REFUSED: &str =
    "Run the program as the Windows user who stored the credentials (see “Credential Manager”).";
#[cfg(not(any(target_os = "macos", windows)))]
const REMEDY_REFUSED: &str =
    "Answer the keychain's question with its password, or unlock the keyring in “Passwords and Keys” first.";

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<KeychainError> {
        let detail = String::new;
        let after = Duration::from_secs(5);
        vec![
            KeychainError::NoBus { detail: detail() },
            KeychainError::NoService { detail: detail() },
            KeychainError::SwitchedOff,
            KeychainError::NoKeyring,
            KeychainError::Locked,
            KeychainError::TimedOut { after },
            KeychainError::WriteUnconfirmed { after },
            KeychainError::TooManyAbandonedCalls { calls: 8 },
            KeychainError::AccessRefused { detail: detail() },
            KeychainError::ValueTooLarge { bytes: 3000, limit: 2560 },
            KeychainError::EmptyValue,
            KeychainError::ItemNotText { item: "sandbox/api-key".into() },
            KeychainError::PlatformFailure { detail: detail() },
        ]
    }

    #[test]
    fn codes_are_distinct_and_lowercase() {
        let mut codes: Vec<&str> = every().iter().map(KeychainError::error_code).collect();
        assert!(codes.iter().all(|c| c.chars().all(|c| c.is_ascii_lowercase() || c == '-')), "{codes:?}");
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), every().len());
    }

    #[test]
    fn every_failure_has_a_remedy() {
        for error in every() {
            assert!(error.remedy().len() > 40, "{error:?}");
            assert!(error.remedy().ends_with('.'), "{error:?}");
        }
    }

    #[test]
    fn a_timeout_message_contains_its_duration() {
        let text = KeychainError::TimedOut { after: Duration::from_millis(1500) }.to_string();
        assert!(text.contains("1.5 s"), "{text}");
    }
}
