//! The phone of a run: a person with a real one, or a sandbox that simulates it.

use crate::sandbox_control::SandboxControl;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Request to a person to scan a QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanInvitation {
    /// Content of the QR code. Contains the Export Token.
    pub link: String,
    /// What the avatar is needed for.
    pub purpose: &'static str,
    /// How long the run waits for the avatar.
    pub timeout: Duration,
}

/// Why an invitation ended without an avatar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvitationEndWithoutAvatar {
    /// A person skipped it.
    Skipped,
    /// The phone failed; the reason.
    PhoneFailed(String),
}

/// Shows invitations to a person with a phone, or to a program that plays one.
pub trait InvitationDisplay: Send + Sync {
    /// Shows the QR code. Returns at once.
    fn show_invitation(&self, invitation: &ScanInvitation);

    /// Shows the status of the avatar, as in `processing`.
    fn show_avatar_status(&self, words: &str);

    /// Ends the invitation: it is no longer shown, and the next one starts anew.
    fn end_invitation(&self);

    /// Resolves when the invitation ends without an avatar.
    fn wait_for_end_without_avatar(&self) -> BoxFuture<'_, InvitationEndWithoutAvatar>;

    /// Waits in real time.
    fn sleep_real_time(&self, time: Duration) -> BoxFuture<'_, ()>;
}

/// Signal that is set once and can be waited for.
#[derive(Debug, Default)]
pub(crate) struct StopSignal(watch::Sender<bool>);

impl StopSignal {
    /// Asks the run of the checks to stop. Cannot be undone.
    pub(crate) fn request_run_stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether a stop was requested.
    pub(crate) fn is_stop_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when a stop is requested; at once if it already was.
    pub(crate) async fn wait_for_stop(&self) {
        // Cannot fail: `self` keeps the sender alive.
        drop(self.0.subscribe().wait_for(|set| *set).await);
    }
}

/// Signal to skip the current invitation. It also counts if it is given while a request is in flight. It does not
/// count for later invitations.
#[derive(Debug, Default)]
pub struct InvitationSkipSignal(watch::Sender<bool>);

impl InvitationSkipSignal {
    /// Requests that the current invitation be skipped.
    pub fn request_invitation_skip(&self) {
        self.0.send_replace(true);
    }

    /// Resets the signal when a new invitation begins, so that an earlier request does not skip it.
    pub fn reset_skip(&self) {
        self.0.send_replace(false);
    }

    /// Resolves when the invitation is to be skipped, then resets the signal.
    pub fn wait_for_end_without_avatar(&self) -> BoxFuture<'_, InvitationEndWithoutAvatar> {
        Box::pin(async {
            drop(self.0.subscribe().wait_for(|asked| *asked).await);
            // Each request counts once.
            self.reset_skip();
            InvitationEndWithoutAvatar::Skipped
        })
    }
}

/// What scans the QR code in a run: a person, a sandbox, or nothing.
#[derive(Clone)]
pub enum PhoneDriver {
    /// No phone: acts that need one are omitted.
    Unavailable,
    /// A person.
    Person(Arc<dyn InvitationDisplay>),
    /// A sandbox through its control endpoints: the backend itself, or the upstream of a relay.
    Sandbox(SandboxControl),
}

impl PhoneDriver {
    /// The control of the sandbox, if a sandbox simulates the phone.
    pub fn sandbox_control(&self) -> Option<&SandboxControl> {
        match self {
            Self::Sandbox(tester) => Some(tester),
            Self::Unavailable | Self::Person(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_skip_counts_once_and_not_for_the_next_invitation() {
        let skip = InvitationSkipSignal::default();
        assert_eq!(skip.wait_for_end_without_avatar().now_or_never(), None);
        // Nothing waits for the signal while a request is in flight.
        skip.request_invitation_skip();
        assert_eq!(skip.wait_for_end_without_avatar().now_or_never(), Some(InvitationEndWithoutAvatar::Skipped));
        assert_eq!(skip.wait_for_end_without_avatar().now_or_never(), None);
        skip.request_invitation_skip();
        skip.reset_skip();
        assert_eq!(skip.wait_for_end_without_avatar().now_or_never(), None);
    }
}
