//! Subscriptions of the desk's pages: each ends when another call replaces it, or the panel is locked.

use copresence_booth::panel::PinLock;
use copresence_booth::view::Problem;
use copresence_engine::clock::Clock;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often to check whether the panel has locked itself after idling.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Holds one subscription at a time; a new one ends the one before.
#[derive(Default)]
pub(crate) struct ReplaceableSubscription(Mutex<CancellationToken>);

impl ReplaceableSubscription {
    /// Ends the previous subscription and starts a new one. The returned future resolves when the new subscription
    /// has to end.
    ///
    /// # Errors
    /// `panel_locked` if the panel is locked.
    pub(crate) fn replace_subscription_if_unlocked(
        &self,
        pin_lock: &PinLock,
        clock: Clock,
    ) -> Result<impl Future<Output = ()> + Send + 'static, Problem> {
        pin_lock.require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
        let replaced = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            current.cancel();
            *current = CancellationToken::new();
            current.clone()
        };
        let (pin_lock, closing) = (pin_lock.clone(), pin_lock.cancellation_token_until_panel_locks());
        Ok(async move {
            let idle = async {
                while pin_lock.is_unlocked(clock.millis_since_clock_creation()) {
                    tokio::time::sleep(IDLE_CHECK_INTERVAL).await;
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
