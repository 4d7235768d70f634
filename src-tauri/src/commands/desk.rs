//! What the desk's pages follow: told until another call takes its place, or the door closes.

use kiosk::clock::Clock;
use kiosk::panel::PinLock;
use kiosk::view::Problem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the door stands open though nobody uses it.
const LOOK: Duration = Duration::from_secs(5);

/// Who follows now.
#[derive(Default)]
pub(crate) struct Follower(Mutex<CancellationToken>);

impl Follower {
    /// Ends whoever followed before; gives what resolves when this one is to end.
    ///
    /// # Errors
    /// `panel_locked`; then the earlier one has ended, too.
    pub(crate) fn replace(
        &self,
        gate: &PinLock,
        clock: Clock,
    ) -> Result<impl Future<Output = ()> + Send + 'static, Problem> {
        gate.require_unlocked(clock.moment())?;
        let replaced = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            current.cancel();
            *current = CancellationToken::new();
            current.clone()
        };
        let (gate, closing) = (gate.clone(), gate.locked_token());
        Ok(async move {
            let idle = async {
                while gate.is_unlocked(clock.moment()) {
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
