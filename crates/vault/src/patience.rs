//! Calls that may never come back, on threads of their own.
//!
//! A thread cannot be stopped from outside. So one that is given up holds a [`Ticket`] that has been withdrawn:
//! before it changes anything it must [commit](Ticket::commit), and a withdrawn ticket refuses. What it holds
//! of a secret is zeroed when it ends, which may be never; that memory then goes with the process.

use crate::VaultError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The most calls that may be left unanswered at a time.
const MOST_STRAYS: usize = 8;

const OPEN: u8 = 0;
const COMMITTED: u8 = 1;
const WITHDRAWN: u8 = 2;
const DONE: u8 = 3;

/// How many given-up threads are still waiting for the keychain.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strays(Arc<AtomicUsize>);

/// The right of a call to change something, which ends when nobody waits for the call any more.
#[derive(Debug)]
pub(crate) struct Ticket {
    state: AtomicU8,
    patience: Duration,
}

impl Ticket {
    /// Asked right before the keychain is changed.
    pub(crate) fn commit(&self) -> Result<(), VaultError> {
        match self.state.compare_exchange(OPEN, COMMITTED, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) | Err(COMMITTED) => Ok(()),
            Err(_) => Err(VaultError::TimedOut { after: self.patience }),
        }
    }

    fn withdraw(&self, from: u8) -> bool {
        self.state.compare_exchange(from, WITHDRAWN, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// Runs `work` on its own thread and waits for at most `patience`; twice that when a change was under way.
pub(crate) fn within<T: Send + 'static>(
    patience: Duration,
    strays: &Strays,
    work: impl FnOnce(&Ticket) -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    let calls = strays.0.load(Ordering::SeqCst);
    if calls >= MOST_STRAYS {
        return Err(VaultError::Stuck { calls });
    }
    let ticket = Arc::new(Ticket { state: AtomicU8::new(OPEN), patience });
    let (answer, answers) = sync_channel(1);
    let (held, counted) = (Arc::clone(&ticket), strays.clone());
    std::thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(move || {
            let result = work(&held);
            // Nobody may be listening any more; then the result, secrets and all, is dropped here.
            drop(answer.send(result));
            if held.state.swap(DONE, Ordering::SeqCst) == WITHDRAWN {
                counted.0.fetch_sub(1, Ordering::SeqCst);
            }
        })
        .map_err(|e| VaultError::Platform { detail: format!("no thread could be started: {e}") })?;

    if let Some(result) = wait(&answers, patience) {
        return result;
    }
    strays.0.fetch_add(1, Ordering::SeqCst);
    if ticket.withdraw(OPEN) {
        tracing::warn!(?patience, "the keychain did not answer; the call was given up");
        return Err(VaultError::TimedOut { after: patience });
    }
    // A change is under way, or the answer came this moment: neither may be called "not written".
    let late = wait(&answers, patience);
    if late.is_none() && ticket.withdraw(COMMITTED) {
        tracing::warn!(?patience, "the keychain did not confirm a change; the call was given up");
        return Err(VaultError::WriteUnanswered { after: patience * 2 });
    }
    strays.0.fetch_sub(1, Ordering::SeqCst);
    late.or_else(|| answers.try_recv().ok()).unwrap_or_else(|| Err(died()))
}

fn wait<T>(answers: &Receiver<Result<T, VaultError>>, patience: Duration) -> Option<Result<T, VaultError>> {
    match answers.recv_timeout(patience) {
        Ok(result) => Some(result),
        Err(RecvTimeoutError::Disconnected) => Some(Err(died())),
        Err(RecvTimeoutError::Timeout) => None,
    }
}

fn died() -> VaultError {
    VaultError::Platform { detail: "the library that talks to it stopped unexpectedly".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn an_answer_in_time_is_the_answer() {
        assert_eq!(within(LONG, &Strays::default(), |_| Ok(7)), Ok(7));
        let refused: Result<(), _> = within(LONG, &Strays::default(), |_| Err(VaultError::Locked));
        assert_eq!(refused, Err(VaultError::Locked));
    }

    #[test]
    fn a_call_that_was_given_up_changes_nothing_when_it_wakes() {
        let (wake, woken) = channel::<()>();
        let (report, reports) = channel();
        let strays = Strays::default();
        let given_up: Result<(), _> = within(SHORT, &strays, move |ticket| {
            let _ = woken.recv();
            let outcome = ticket.commit();
            report.send(outcome.clone()).expect("the test listens");
            outcome
        });
        assert_eq!(given_up, Err(VaultError::TimedOut { after: SHORT }));
        assert_eq!(strays.0.load(Ordering::SeqCst), 1);
        wake.send(()).expect("the call still waits");
        assert_eq!(reports.recv(), Ok(Err(VaultError::TimedOut { after: SHORT })));
    }

    #[test]
    fn a_change_without_an_answer_is_never_called_not_made() {
        let (wake, woken) = channel::<()>();
        // Long enough for the call to begin, however busy the machine is.
        let patience = Duration::from_secs(1);
        let outcome: Result<(), _> = within(patience, &Strays::default(), move |ticket| {
            ticket.commit()?;
            let _ = woken.recv();
            Ok(())
        });
        assert_eq!(outcome, Err(VaultError::WriteUnanswered { after: patience * 2 }));
        drop(wake);
    }

    #[test]
    fn unanswered_calls_do_not_pile_up_and_are_forgotten_when_they_end() {
        let strays = Strays::default();
        let gate = Arc::new(Mutex::new(()));
        let shut = gate.lock().expect("not poisoned");
        for _ in 0..MOST_STRAYS {
            let gate = Arc::clone(&gate);
            let outcome = within(SHORT, &strays, move |_| {
                drop(gate.lock());
                Ok(())
            });
            assert_eq!(outcome, Err(VaultError::TimedOut { after: SHORT }));
        }
        assert_eq!(within(LONG, &strays, |_| Ok(())), Err(VaultError::Stuck { calls: MOST_STRAYS }));
        drop(shut);
        while strays.0.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        assert_eq!(within(LONG, &strays, |_| Ok(())), Ok(()));
    }

    #[test]
    fn a_panic_in_the_library_is_an_error() {
        let outcome: Result<(), _> = within(LONG, &Strays::default(), |_| panic!("meant to"));
        assert!(matches!(outcome, Err(VaultError::Platform { .. })), "{outcome:?}");
    }
}
