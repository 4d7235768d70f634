//! Performs a visit's effects: one owner task a visit, one thing in flight, and every event fed back.

mod fault;
mod issue;
mod order;
mod pump;
mod redeem;
mod room;
mod run;
mod save;

pub(crate) use order::DEFAULT_LIMITS;
pub use order::{DOWNLOAD_PAUSE, Ended, Order, Parts, Teller};
pub(crate) use redeem::{Redeemed, Salvage, mask_types, read, redeem};
pub(crate) use room::Needed;
pub(crate) use save::{SaveOrder, Saved, save};

use crate::line::{Line, LineEvent};
use crate::problem;
use jiff::Timestamp;
use run::Run;
use tokio_util::sync::CancellationToken;
use visit::Outcome;

/// What may end a visit before its time.
#[derive(Debug, Clone, Default)]
pub struct Leave {
    /// The program is to stop: every visit ends, and the journal has what `recover` needs.
    pub interrupted: CancellationToken,
    /// The visitor left: the visit ends, unless an avatar is on its way.
    pub left: CancellationToken,
}

impl From<CancellationToken> for Leave {
    fn from(interrupted: CancellationToken) -> Self {
        Self { interrupted, ..Self::default() }
    }
}

/// Drives one visit to its end.
///
/// Dropping the future abandons the visit as a crash would: the journal has what `recover` needs.
pub async fn drive(order: Order, parts: Parts, leave: impl Into<Leave>) -> Ended {
    let leave = leave.into();
    let told = parts.teller.clone();
    let (id, clock) = (order.id, parts.clock);
    let tell = move |event| told(Line { visit: id, at: clock.now(), event });
    tell(LineEvent::Started { profile: order.profile.clone(), api_url: order.api_url.clone() });
    match Run::begin(order, parts).await {
        Ok(run) => run.run(leave).await,
        Err(error) => {
            let outcome = fault::of_disk_outcome(&error);
            tell(ended_line(&outcome, visit::outcome::EndedIn::Issuing.as_str(), None));
            Ended { outcome, directory: None }
        }
    }
}

/// The last line, from the words of the outcome and where the files are.
pub(crate) fn ended_line(outcome: &Outcome, state: &str, directory: Option<&std::path::Path>) -> LineEvent {
    let mut message = problem::message(&problem::of_outcome(outcome));
    if let Some(directory) = directory {
        message = format!("{} The files are in {}", message.trim_end(), directory.display());
    }
    LineEvent::Ended {
        code: outcome.code().to_owned(),
        exit: outcome.exit(),
        message,
        visit_state: state.to_owned(),
    }
}

/// The date in a folder's name: the day on which the visit began (UTC), so that a later run finds the folder of an
/// earlier one wherever its clock stands.
pub(crate) fn day_of(started: Timestamp) -> jiff::civil::Date {
    started.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Runs what waits for the disk (an fsync, the hash of a large file) without holding up the other visits that this
/// thread serves. On a runtime of one thread there is none to move them to.
fn at_the_disk<T>(act: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(act),
        _ => act(),
    }
}
