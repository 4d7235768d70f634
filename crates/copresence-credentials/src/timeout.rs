//! Runs calls that may never return, each on its own thread with a timeout.
//!
//! A thread cannot be stopped from outside. Before a call changes the keychain, it must
//! [commit](RevocableChangePermit::begin_change_unless_abandoned). This fails after the call was abandoned, so an abandoned call
//! changes nothing. Its secrets are zeroed when the thread ends. A thread that never ends keeps them until the process
//! ends.

use crate::KeychainError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Maximum number of abandoned calls whose threads still run.
const MAX_ABANDONED_CALLS: usize = 8;

// States of a call.
const STATE_OPEN: u8 = 0;
const STATE_COMMITTED: u8 = 1;
const STATE_ABANDONED: u8 = 2;
const STATE_DONE: u8 = 3;

/// Number of abandoned calls whose threads still run. Clones share the counter.
#[derive(Debug, Clone, Default)]
pub(crate) struct AbandonedCallCount(Arc<AtomicUsize>);

/// Permits a call to change the keychain, until the call is abandoned.
#[derive(Debug)]
pub(crate) struct RevocableChangePermit {
    state: AtomicU8,
    timeout: Duration,
}

impl RevocableChangePermit {
    /// Claims the right to change the keychain. Must be called directly before the change. Fails if the call was
    /// already abandoned.
    pub(crate) fn begin_change_unless_abandoned(&self) -> Result<(), KeychainError> {
        match self.state.compare_exchange(STATE_OPEN, STATE_COMMITTED, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) | Err(STATE_COMMITTED) => Ok(()),
            Err(_) => Err(KeychainError::TimedOut { after: self.timeout }),
        }
    }

    /// Abandons the call if it is in the state `from`. Returns whether it was.
    fn abandon_call_if_in_state(&self, from: u8) -> bool {
        self.state.compare_exchange(from, STATE_ABANDONED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// Marks the completion of a keychain call when its thread ends, by a result or by a panic. An abandoned call is no
/// longer counted then.
struct CallCompletionMarker {
    guard: Arc<RevocableChangePermit>,
    abandoned: AbandonedCallCount,
}

impl Drop for CallCompletionMarker {
    fn drop(&mut self) {
        if self.guard.state.swap(STATE_DONE, Ordering::SeqCst) == STATE_ABANDONED {
            self.abandoned.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Runs `work` on its own thread and waits at most `timeout` for the result, or twice as long if a change was started.
pub(crate) fn run_with_timeout<T: Send + 'static>(
    timeout: Duration,
    abandoned: &AbandonedCallCount,
    work: impl FnOnce(&RevocableChangePermit) -> Result<T, KeychainError> + Send + 'static,
) -> Result<T, KeychainError> {
    let calls = abandoned.0.load(Ordering::SeqCst);
    if calls >= MAX_ABANDONED_CALLS {
        return Err(KeychainError::TooManyAbandonedCalls { calls });
    }
    let guard = Arc::new(RevocableChangePermit { state: AtomicU8::new(STATE_OPEN), timeout });
    let (sender, results) = sync_channel(1);
    let end = CallCompletionMarker { guard: Arc::clone(&guard), abandoned: abandoned.clone() };
    std::thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(move || {
            let end = end;
            let result = work(&end.guard);
            // If the call was abandoned, the result and its secrets are dropped here.
            drop(sender.send(result));
        })
        .map_err(|e| KeychainError::PlatformFailure { detail: format!("no thread could be started: {e}") })?;

    if let Some(result) = wait_for_result(&results, timeout) {
        return result;
    }
    abandoned.0.fetch_add(1, Ordering::SeqCst);
    if guard.abandon_call_if_in_state(STATE_OPEN) {
        tracing::warn!(?timeout, "the keychain did not respond; the call was abandoned");
        return Err(KeychainError::TimedOut { after: timeout });
    }
    // A change was started or the call has just ended, so it must not be reported as "not written".
    let late = wait_for_result(&results, timeout);
    if late.is_none() && guard.abandon_call_if_in_state(STATE_COMMITTED) {
        tracing::warn!(?timeout, "the keychain did not confirm a change; the call was abandoned");
        return Err(KeychainError::WriteUnconfirmed { after: timeout * 2 });
    }
    abandoned.0.fetch_sub(1, Ordering::SeqCst);
    late.or_else(|| results.try_recv().ok()).unwrap_or_else(|| Err(thread_died_error()))
}

/// Waits for the result of a call. Returns `None` after the timeout.
fn wait_for_result<T>(
    results: &Receiver<Result<T, KeychainError>>,
    timeout: Duration,
) -> Option<Result<T, KeychainError>> {
    match results.recv_timeout(timeout) {
        Ok(result) => Some(result),
        Err(RecvTimeoutError::Disconnected) => Some(Err(thread_died_error())),
        Err(RecvTimeoutError::Timeout) => None,
    }
}

/// The error for a call whose thread panicked.
fn thread_died_error() -> KeychainError {
    KeychainError::PlatformFailure { detail: "the keychain library stopped unexpectedly".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;
    use std::time::Instant;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_result_in_time_is_returned() {
        assert_eq!(run_with_timeout(LONG, &AbandonedCallCount::default(), |_| Ok(7)), Ok(7));
        let refused: Result<(), _> =
            run_with_timeout(LONG, &AbandonedCallCount::default(), |_| Err(KeychainError::Locked));
        assert_eq!(refused, Err(KeychainError::Locked));
    }

    #[test]
    fn an_abandoned_call_changes_nothing_when_it_resumes() {
        let (wake, woken) = channel::<()>();
        let (report, reports) = channel();
        let abandoned = AbandonedCallCount::default();
        let abandoned_call: Result<(), _> = run_with_timeout(SHORT, &abandoned, move |guard| {
            let _ = woken.recv();
            let outcome = guard.begin_change_unless_abandoned();
            report.send(outcome.clone()).expect("the test receives");
            outcome
        });
        assert_eq!(abandoned_call, Err(KeychainError::TimedOut { after: SHORT }));
        assert_eq!(abandoned.0.load(Ordering::SeqCst), 1);
        wake.send(()).expect("the call still waits");
        assert_eq!(reports.recv(), Ok(Err(KeychainError::TimedOut { after: SHORT })));
    }

    #[test]
    fn an_unconfirmed_change_is_not_reported_as_not_made() {
        let (wake, woken) = channel::<()>();
        // Long enough for the call to start on a busy machine.
        let timeout = Duration::from_secs(1);
        let outcome: Result<(), _> = run_with_timeout(timeout, &AbandonedCallCount::default(), move |guard| {
            guard.begin_change_unless_abandoned()?;
            let _ = woken.recv();
            Ok(())
        });
        assert_eq!(outcome, Err(KeychainError::WriteUnconfirmed { after: timeout * 2 }));
        drop(wake);
    }

    #[test]
    fn abandoned_calls_are_limited_and_no_longer_counted_when_they_end() {
        let abandoned = AbandonedCallCount::default();
        let gate = Arc::new(Mutex::new(()));
        let shut = gate.lock().expect("not poisoned");
        for _ in 0..MAX_ABANDONED_CALLS {
            let gate = Arc::clone(&gate);
            let outcome = run_with_timeout(SHORT, &abandoned, move |_| {
                drop(gate.lock());
                Ok(())
            });
            assert_eq!(outcome, Err(KeychainError::TimedOut { after: SHORT }));
        }
        assert_eq!(
            run_with_timeout(LONG, &abandoned, |_| Ok(())),
            Err(KeychainError::TooManyAbandonedCalls { calls: MAX_ABANDONED_CALLS })
        );
        drop(shut);
        while abandoned.0.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        assert_eq!(run_with_timeout(LONG, &abandoned, |_| Ok(())), Ok(()));
    }

    #[test]
    fn a_panic_in_the_keychain_library_is_an_error() {
        let outcome: Result<(), _> =
            run_with_timeout(LONG, &AbandonedCallCount::default(), |_| panic!("intended by the test"));
        assert!(matches!(outcome, Err(KeychainError::PlatformFailure { .. })), "{outcome:?}");
    }

    #[test]
    fn an_abandoned_call_that_panics_is_no_longer_counted() {
        let (wake, woken) = channel::<()>();
        let abandoned = AbandonedCallCount::default();
        let outcome: Result<(), _> = run_with_timeout(SHORT, &abandoned, move |_| {
            let _ = woken.recv();
            panic!("intended by the test");
        });
        assert_eq!(outcome, Err(KeychainError::TimedOut { after: SHORT }));
        assert_eq!(abandoned.0.load(Ordering::SeqCst), 1);
        wake.send(()).expect("the call still waits");
        let deadline = Instant::now() + LONG;
        while abandoned.0.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < deadline, "the call is still counted");
            std::thread::yield_now();
        }
        assert_eq!(run_with_timeout(LONG, &abandoned, |_| Ok(())), Ok(()));
    }
}
