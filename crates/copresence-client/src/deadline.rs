//! Time limits of responses, for a process that may be stopped meanwhile.

use std::pin::pin;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

/// The most that a timer is late in a process that runs, even on a busy machine.
const MAX_TIMER_DELAY: Duration = Duration::from_millis(250);
/// Time to receive what arrived while the process was stopped.
const TIME_AFTER_STOP: Duration = Duration::from_secs(5);

/// Awaits `future` until `deadline`.
///
/// A process that did not run when its deadline passed (it was stopped, or its virtual machine was paused) learns of the
/// deadline before it can read what the system has received for it. `future` then gets [`TIME_AFTER_STOP`] more.
pub(crate) async fn await_until<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    match timeout_at(deadline, &mut future).await {
        Err(_) if deadline.elapsed() > MAX_TIMER_DELAY => timeout(TIME_AFTER_STOP, future).await,
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_future_that_was_stopped_past_its_deadline_still_receives_what_has_arrived() {
        let deadline = Instant::now() + Duration::from_millis(1);
        let received = await_until(deadline, async {
            // No code of this program runs, and the response arrives.
            std::thread::sleep(2 * MAX_TIMER_DELAY);
            // Other tasks read it, and the timer is processed before them.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            "response"
        });
        assert_eq!(received.await, Ok("response"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_passes_while_the_process_runs_is_not_extended() {
        let start = Instant::now();
        assert!(await_until(start + Duration::from_secs(1), std::future::pending::<()>()).await.is_err());
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}
