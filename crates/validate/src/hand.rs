//! Who plays the phone, and how time passes meanwhile.

use crate::tester::Tester;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// What somebody with a phone is asked.
#[derive(Debug, Clone)]
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
