//! The phone of a run: a person with a real one, or a sandbox that simulates it.

use crate::tester::Tester;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Request to a person to scan a QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Content of the QR code. Contains the Export Token.
    pub link: String,
    /// What the avatar is needed for.
    pub purpose: &'static str,
    /// How long the run waits for the avatar.
    pub patience: Duration,
}

/// Shows invitations to a person with a phone.
pub trait People: Send + Sync {
    /// Shows the QR code. Returns at once.
    fn invite(&self, invitation: &Invitation);

    /// Shows the status of the avatar, as in `processing`.
    fn status(&self, words: &str);

    /// Removes the QR code.
    fn done(&self);

    /// Resolves when the person skips the invitation.
    fn skipped(&self) -> BoxFuture<'_, ()>;

    /// Waits in real time.
    fn wait(&self, time: Duration) -> BoxFuture<'_, ()>;
}

/// Signal that is set once and can be waited for.
#[derive(Debug, Default)]
pub(crate) struct Flag(watch::Sender<bool>);

impl Flag {
    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn wait(&self) {
        // Cannot fail: `self` keeps the sender alive.
        drop(self.0.subscribe().wait_for(|set| *set).await);
    }
}

/// Signal to skip the current invitation. It also counts if it is given while a request is in flight. It does not
/// count for later invitations.
#[derive(Debug, Default)]
pub struct Skip(watch::Sender<bool>);

impl Skip {
    /// Skips the current invitation.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Forgets an earlier request, because a new invitation begins.
    pub fn begin(&self) {
        self.0.send_replace(false);
    }

    /// Resolves when the invitation is to be skipped, then resets the signal.
    pub fn asked(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            drop(self.0.subscribe().wait_for(|asked| *asked).await);
            // Each request counts once.
            self.begin();
        })
    }
}

/// The phone of a run.
#[derive(Clone)]
pub enum Hand {
    /// No phone: acts that need one are omitted.
    Nobody,
    /// A person.
    People(Arc<dyn People>),
    /// A sandbox through its control endpoints: the backend itself, or the upstream of a relay.
    Sandbox(Tester),
}

impl Hand {
    /// The control of the sandbox, if a sandbox simulates the phone.
    pub fn tester(&self) -> Option<&Tester> {
        match self {
            Self::Sandbox(tester) => Some(tester),
            Self::Nobody | Self::People(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_skip_counts_once_and_not_for_the_next_invitation() {
        let skip = Skip::default();
        assert_eq!(skip.asked().now_or_never(), None);
        // Nothing waits for the signal while a request is in flight.
        skip.ask();
        assert_eq!(skip.asked().now_or_never(), Some(()));
        assert_eq!(skip.asked().now_or_never(), None);
        skip.ask();
        skip.begin();
        assert_eq!(skip.asked().now_or_never(), None);
    }
}
