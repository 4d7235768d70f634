//! Why the keychain could not be used, and what to do about it.

use std::time::Duration;

/// Why the OS keychain did not do what it was asked. No variant carries anything of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// There is no D-Bus session bus, over which the Secret Service would be reached.
    #[error("the system's keychain cannot be reached: this session has no D-Bus session bus ({detail})")]
    NoBus {
        /// What the connection said.
        detail: String,
    },
    /// The bus is there, but no program on it offers the Secret Service.
    #[error("this session has no keychain: nothing on its D-Bus offers the Secret Service ({detail})")]
    NoService {
        /// What the bus said.
        detail: String,
    },
    /// The keychain runs but has no keyring in which something could be stored.
    #[error("the system's keychain holds no keyring yet, so nothing can be stored in it")]
    NoCollection,
    /// The keyring is locked; reading or writing would need its password.
    #[error("the system's keychain is locked")]
    Locked,
    /// The keychain did not answer in time. Nothing was written, and nothing will be.
    #[error("the system's keychain did not answer within {} s", after.as_secs_f32())]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// A change was sent and never confirmed: it may have been made, or may still be.
    #[error(
        "the system's keychain did not confirm a change within {} s; it may or may not have been made",
        after.as_secs_f32()
    )]
    WriteUnanswered {
        /// How long it was waited for.
        after: Duration,
    },
    /// So many earlier calls are still unanswered that no further one is made.
    #[error("the system's keychain has left {calls} calls unanswered; no further one is made")]
    Stuck {
        /// How many calls are unanswered.
        calls: usize,
    },
    /// The system, or the person it asked, refused access to the item.
    #[error("access to the system's keychain was refused ({detail})")]
    Refused {
        /// What the system said.
        detail: String,
    },
    /// The value is longer than the keychain takes.
    #[error("the value has {bytes} bytes; the system's keychain takes at most {limit} in one item")]
    TooLarge {
        /// Length of the value in bytes.
        bytes: usize,
        /// The most bytes that one item can hold.
        limit: usize,
    },
    /// The value is empty.
    #[error("an empty value cannot be stored as a credential")]
    Empty,
    /// The stored item is not text, so not something that this program wrote.
    #[error("the keychain's item “{item}” of service “{}” is not text", crate::SERVICE)]
    NotText {
        /// The item's user name: `<profile>/<slot>`.
        item: String,
    },
    /// Anything else that the platform reported.
    #[error("the system's keychain failed: {detail}")]
    Platform {
        /// What the platform said.
        detail: String,
    },
}

impl VaultError {
    /// A stable word for logs, reports and scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoBus { .. } => "keychain-no-bus",
            Self::NoService { .. } => "keychain-no-service",
            Self::NoCollection => "keychain-no-keyring",
            Self::Locked => "keychain-locked",
            Self::TimedOut { .. } => "keychain-timed-out",
            Self::WriteUnanswered { .. } => "keychain-write-unanswered",
            Self::Stuck { .. } => "keychain-stuck",
            Self::Refused { .. } => "keychain-refused",
            Self::TooLarge { .. } => "credential-too-large",
            Self::Empty => "credential-empty",
            Self::NotText { .. } => "keychain-item-not-text",
            Self::Platform { .. } => "keychain-failed",
        }
    }

    /// What a person at this machine can do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoBus { .. } => {
                "Start the program from a desktop session. On a machine without one, run it under \
                 `dbus-run-session`, or pass the credentials in COPRESENCE_API_KEY and \
                 COPRESENCE_SESSION_TOKEN (or COPRESENCE_USERNAME and COPRESENCE_PASSWORD)."
            }
            Self::NoService { .. } => {
                "Install and start a keychain that offers the Secret Service, such as gnome-keyring or KWallet \
                 (on Debian: `apt install gnome-keyring`, then log in anew), or pass the credentials in \
                 COPRESENCE_API_KEY and COPRESENCE_SESSION_TOKEN."
            }
            Self::NoCollection => {
                "Log in once with a password, which makes the keyring “Login”, or make one in “Passwords and \
                 Keys” and set it as the default. Without a desktop: `pkill gnome-keyring; printf %s PASSWORD | \
                 gnome-keyring-daemon --unlock --components=secrets` (one that runs already would stay in the way)."
            }
            Self::Locked => LOCKED,
            Self::TimedOut { .. } | Self::Stuck { .. } => {
                "If the system shows a question about the keychain, answer it and try again. If not, log out and \
                 in again, which restarts the keychain; until then pass the credentials in the environment \
                 (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN)."
            }
            Self::WriteUnanswered { .. } => {
                "Look whether the change was made (`copresence credentials status`), and make it again if not."
            }
            Self::Refused { .. } => REFUSED,
            Self::TooLarge { .. } => {
                "Check that only the credential was given, not a whole file. If it is really that long, pass it \
                 in the environment (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN)."
            }
            Self::Empty => "Give the value, or remove the credential with `copresence credentials remove`.",
            Self::NotText { .. } => {
                "Remove the item in the system's keychain program, then set the credential again."
            }
            Self::Platform { .. } => {
                "Try again; if it persists, log out and in again, or pass the credentials in the environment \
                 (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN)."
            }
        }
    }

    /// Whether keeping the secret in memory for this run gets a person further now.
    pub const fn memory_can_help(&self) -> bool {
        !matches!(self, Self::Empty)
    }
}

#[cfg(target_os = "macos")]
const LOCKED: &str = "Unlock it: open “Keychain Access”, choose “login” and “Unlock”, then try again.";
#[cfg(windows)]
const LOCKED: &str = "Log in to Windows with the account that stored the credentials, then try again.";
#[cfg(not(any(target_os = "macos", windows)))]
const LOCKED: &str = "Unlock it: open “Passwords and Keys” (seahorse), choose the keyring “Login” and “Unlock”. A desktop that \
     logs in by itself leaves the keyring locked: on a kiosk give that keyring an empty password, or pass the \
     credentials in the environment (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN).";

#[cfg(target_os = "macos")]
const REFUSED: &str = "Choose “Always Allow” when macOS asks, or allow this program in “Keychain Access” (the item's \
     “Access Control”).";
#[cfg(windows)]
const REFUSED: &str =
    "Run the program as the Windows user who stored the credentials (see “Credential Manager”).";
#[cfg(not(any(target_os = "macos", windows)))]
const REFUSED: &str =
    "Answer the keychain's question with its password, or unlock the keyring in “Passwords and Keys” first.";

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<VaultError> {
        let detail = String::new;
        let after = Duration::from_secs(5);
        vec![
            VaultError::NoBus { detail: detail() },
            VaultError::NoService { detail: detail() },
            VaultError::NoCollection,
            VaultError::Locked,
            VaultError::TimedOut { after },
            VaultError::WriteUnanswered { after },
            VaultError::Stuck { calls: 8 },
            VaultError::Refused { detail: detail() },
            VaultError::TooLarge { bytes: 3000, limit: 2560 },
            VaultError::Empty,
            VaultError::NotText { item: "sandbox/api-key".into() },
            VaultError::Platform { detail: detail() },
        ]
    }

    #[test]
    fn codes_are_distinct_words() {
        let mut codes: Vec<&str> = every().iter().map(VaultError::code).collect();
        assert!(codes.iter().all(|c| c.chars().all(|c| c.is_ascii_lowercase() || c == '-')), "{codes:?}");
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), every().len());
    }

    #[test]
    fn every_failure_ends_in_something_to_do() {
        for error in every() {
            assert!(error.remedy().len() > 40, "{error:?}");
            assert!(error.remedy().ends_with('.'), "{error:?}");
        }
    }

    #[test]
    fn a_time_out_says_how_long_it_waited() {
        let text = VaultError::TimedOut { after: Duration::from_millis(1500) }.to_string();
        assert!(text.contains("1.5 s"), "{text}");
    }
}
