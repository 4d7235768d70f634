//! Time limits of responses, for a process that may be stopped meanwhile.

use std::pin::pin;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

/// Delay of a timer from which the process is taken to have been stopped.
const MIN_STOP: Duration = Duration::from_millis(250);
/// Time to receive what arrived while the process was stopped.
const TIME_AFTER_STOP: Duration = Duration::from_secs(5);

/// Awaits `future` until `deadline`.
///
/// A process that did not run when its deadline passed (it was stopped, or its virtual machine was paused) learns of the
/// deadline before it can read what the system has received for it. `deadline` then becomes [`TIME_AFTER_STOP`] from now,
/// also for the caller.
pub(crate) async fn await_until_extendable_deadline<F: Future>(
    deadline: &mut Instant,
    future: F,
) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    match timeout_at(*deadline, &mut future).await {
        Err(_) if deadline.elapsed() > MIN_STOP => {
            *deadline = Instant::now() + TIME_AFTER_STOP;
            timeout_at(*deadline, future).await
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_future_that_was_stopped_past_its_deadline_still_receives_what_has_arrived() {
        let mut deadline = Instant::now() + Duration::from_millis(1);
        let received = await_until_extendable_deadline(&mut deadline, async {
            // No code of this program runs, and the response arrives.
            std::thread::sleep(2 * MIN_STOP);
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
        let mut deadline = start + Duration::from_secs(1);
        assert!(await_until_extendable_deadline(&mut deadline, std::future::pending::<()>()).await.is_err());
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_extended_once_for_all_that_follows() {
        let start = Instant::now();
        let mut deadline = start + Duration::from_secs(1);
        // The process is stopped for a minute.
        let stopped = async {
            tokio::time::advance(Duration::from_mins(1)).await;
            std::future::pending::<()>().await;
        };
        assert!(await_until_extendable_deadline(&mut deadline, stopped).await.is_err());
        assert_eq!(deadline, start + Duration::from_mins(1) + TIME_AFTER_STOP);
        assert!(await_until_extendable_deadline(&mut deadline, std::future::pending::<()>()).await.is_err());
        assert!(start.elapsed() < Duration::from_secs(67), "{:?}", start.elapsed());
    }
}
