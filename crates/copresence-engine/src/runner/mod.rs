//! Runs visits: one task owns a visit, has one call in flight, and feeds every event to the machine.

mod config;
mod content_doubts;
mod delivery_journal;
mod doubted_copy;
mod download;
mod download_coordinator;
mod error_page_detector;
mod failure;
mod file_download;
mod file_request;
mod file_urls;
mod finish_file;
mod range_overlap;
mod receive_file;
mod redeem;
mod response_check;
mod save;
mod space;
mod token_issuing;
mod visit_runner;

pub use config::{DEFAULT_DOWNLOAD_PAUSE, EventSink, VisitConfig, VisitContext, VisitResult};
pub use failure::to_visit_step_failure;
pub use redeem::interpret_redeem_call;
pub(crate) use redeem::{journal_answer_kind_of_result, mask_secrets_in_export_types, parse_redeem_response};
pub(crate) use save::find_avatar_folder_with_manifest;
pub(crate) use space::RequiredDiskSpace;
pub(crate) use visit_runner::{FirstEventOrEffects, RunnerResult, VisitRunner, derive_jitter_seed};

use crate::events::{EventKind, VisitEvent};
use crate::problem::{self, Problem};
use copresence_visit::outcome::EndPhase;
use copresence_visit::{MachineEvent, Outcome};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// What may end a visit early.
#[derive(Debug, Clone, Default)]
pub struct VisitStopSignals {
    /// The program stops: the visit ends, and the journal keeps what recovery needs. A file in flight that may not come again
    /// is awaited.
    pub interrupted: CancellationToken,
    /// The visit is to be deleted: it ends as if interrupted, and no file is awaited.
    pub forgotten: CancellationToken,
    /// The visitor left: the visit ends, unless an avatar is on its way.
    pub visitor_left: CancellationToken,
}

impl VisitStopSignals {
    /// Whether the visitor left, the visit is to be deleted, or the program stops.
    pub fn is_any_stop_requested(&self) -> bool {
        [&self.interrupted, &self.forgotten, &self.visitor_left].into_iter().any(CancellationToken::is_cancelled)
    }

    /// Waits for the first of the signals.
    pub async fn wait_for_first_stop_signal(&self) {
        tokio::select! {
            () = self.interrupted.cancelled() => {}
            () = self.forgotten.cancelled() => {}
            () = self.visitor_left.cancelled() => {}
        }
    }
}

impl From<CancellationToken> for VisitStopSignals {
    fn from(interrupted: CancellationToken) -> Self {
        Self { interrupted, ..Self::default() }
    }
}

/// Runs one visit to its end.
///
/// Dropping the future abandons the visit as a crash would: the journal keeps what recovery needs.
pub async fn run_visit(config: VisitConfig, context: VisitContext, leave: impl Into<VisitStopSignals>) -> VisitResult {
    let leave = leave.into();
    let (id, clock, event_sink) = (config.id, context.clock, context.event_sink.clone());
    let emit = move |event| event_sink(VisitEvent { visit: id, at: clock.wall_clock_time(), kind: event });
    emit(EventKind::Started { profile: config.profile.clone(), api_url: config.api_url.clone() });
    match VisitRunner::runner_for_journaled_new_visit(config, context).await {
        Ok(runner) => {
            let RunnerResult { outcome, directory, .. } =
                runner.run_to_end(FirstEventOrEffects::Event(MachineEvent::Started), leave).await;
            VisitResult { outcome, directory }
        }
        Err(error) => {
            let outcome = failure::outcome_of_unjournalled_visit_start(&error);
            let problem = problem::problem_for_outcome(&outcome);
            let (_, event) = ended_event_and_message(&outcome, &problem, EndPhase::Issuing.as_str(), None);
            emit(event);
            VisitResult { outcome, directory: None }
        }
    }
}

/// The last event of a visit, and its message.
fn ended_event_and_message(
    outcome: &Outcome,
    problem: &Problem,
    state: &str,
    directory: Option<&std::path::Path>,
) -> (String, EventKind) {
    let mut message = problem::operator_message_with_hint(problem);
    if let Some(directory) = directory {
        message = format!("{} The files are in {}", message.trim_end(), directory.display());
    }
    let event = EventKind::Ended {
        code: outcome.error_code().to_owned(),
        exit: outcome.exit_code(),
        message: message.clone(),
        visit_state: state.to_owned(),
    };
    (message, event)
}

/// The date in a folder's name: the day on which the visit began (UTC), so that a later run finds the folder of an
/// earlier one in any time zone.
pub fn visit_start_date_for_folder(started: Timestamp) -> jiff::civil::Date {
    started.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// A duration in whole milliseconds, at most `u64::MAX`.
fn duration_as_millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Runs blocking work (an fsync, the digest of a large file) without delaying the other visits on this thread. A
/// runtime with one thread cannot move them, so there it just blocks.
pub(crate) fn block_in_place<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
