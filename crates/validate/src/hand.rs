//! Who plays the phone, and how time passes meanwhile.

use crate::tester::Tester;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What somebody with a phone is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// What the QR code says: it has the Export Token in it.
    pub link: String,
    /// What the avatar is needed for.
    pub purpose: &'static str,
    /// How long it is waited for.
    pub patience: Duration,
}

/// Somebody at the terminal, with a phone.
pub trait People: Send + Sync {
    /// Shows the code. Returns at once.
    fn invite(&self, invitation: &Invitation);

    /// Tells how far the avatar is, in words.
    fn status(&self, words: &str);

    /// Takes the code away.
    fn done(&self);

    /// Resolves when they leave the check out.
    fn skipped(&self) -> BoxFuture<'_, ()>;

    /// Waits, in real time.
    fn wait(&self, time: Duration) -> BoxFuture<'_, ()>;
}

/// Set once, and waited for.
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
        // The sender is this very value, so that there is an end.
        drop(self.0.subscribe().wait_for(|set| *set).await);
    }
}

/// The wish to leave a check out. It is heard also when it comes while a request is under way, and holds for what was
/// asked of people last.
#[derive(Debug, Default)]
pub struct Skip(watch::Sender<bool>);

impl Skip {
    /// Leaves it out.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Something new is asked of people: an earlier wish is not about it.
    pub fn begin(&self) {
        self.0.send_replace(false);
    }

    /// Resolves when it is to be left out.
    pub fn asked(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            drop(self.0.subscribe().wait_for(|asked| *asked).await);
            // Heard once.
            self.begin();
        })
    }
}

/// Who plays the phone.
#[derive(Clone)]
pub enum Hand {
    /// Nobody: what needs a phone is left out.
    Nobody,
    /// A person.
    People(Arc<dyn People>),
    /// A sandbox by its tester's calls: the backend itself, or the upstream of a relay.
    Sandbox(Tester),
}

impl Hand {
    /// The sandbox's side, if it is one.
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
    fn a_wish_is_heard_late_and_once_and_not_of_what_is_asked_next() {
        let skip = Skip::default();
        assert_eq!(skip.asked().now_or_never(), None);
        // While a request is under way nobody listens.
        skip.ask();
        assert_eq!(skip.asked().now_or_never(), Some(()));
        assert_eq!(skip.asked().now_or_never(), None);
        skip.ask();
        skip.begin();
        assert_eq!(skip.asked().now_or_never(), None);
    }
}
