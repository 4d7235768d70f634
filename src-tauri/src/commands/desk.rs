//! Subscriptions of the desk's pages: each ends when another call replaces it, or the panel is locked.

use kiosk::clock::Clock;
use kiosk::panel::Gate;
use kiosk::view::Problem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often to check whether the panel has locked itself after idling.
const LOOK: Duration = Duration::from_secs(5);

/// The current subscription of one kind.
#[derive(Default)]
pub(crate) struct Follower(Mutex<CancellationToken>);

impl Follower {
    /// Ends the subscription before; the returned future resolves when the new one has to end.
    ///
    /// # Errors
    /// `panel_locked` when the panel is locked.
    pub(crate) fn replace(
        &self,
        gate: &Gate,
        clock: Clock,
    ) -> Result<impl Future<Output = ()> + Send + 'static, Problem> {
        gate.check(clock.moment())?;
        let replaced = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            current.cancel();
            *current = CancellationToken::new();
            current.clone()
        };
        let (gate, closing) = (gate.clone(), gate.closing());
        Ok(async move {
            let idle = async {
                while gate.is_open(clock.moment()) {
                    tokio::time::sleep(LOOK).await;
                }
            };
            tokio::select! {
                () = replaced.cancelled() => {}
                () = closing.cancelled() => {}
                () = idle => {}
            }
        })
    }
}
