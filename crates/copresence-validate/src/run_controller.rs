//! Controls runs for a host with a user interface: one run at a time, as snapshots; can be stopped and skipped.

use crate::act::Act;
use crate::check::{Check, Verdict};
use crate::checks::CHECKS;
use crate::phone_driver::{
    InvitationDisplay, InvitationEndWithoutAvatar, InvitationSkipSignal, PhoneDriver, ScanInvitation, StopSignal,
};
use crate::report::{Report, html, junit};
use crate::requirement::{Level, requirement_ids_of_check, strictest_level_of_check};
use crate::run::{CheckRun, RunEvent};
use crate::run_error::RunError;
use crate::run_plan::RunPlanWithCosts;
use crate::sandbox_control::SandboxControl;
use crate::target::{CheckTarget, RunLimits};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use url::Url;

/// Snapshot of a run. Before the first run it lists the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSnapshot {
    /// State of the run.
    pub state: RunState,
    /// Every check, in report order.
    pub checks: Vec<CheckSnapshot>,
    /// The act that is running.
    pub current_act: Option<Act>,
    /// The invitation to scan a QR code, and the last status of the avatar.
    pub invitation: Option<(ScanInvitation, Option<String>)>,
    /// Number of requests sent so far.
    pub requests_sent: u32,
    /// Number of Export Tokens generated so far.
    pub tokens_made: u32,
    /// The run in one sentence, once it has ended.
    pub summary: Option<String>,
    /// Messages for people, oldest first.
    pub notes: Vec<String>,
}

/// Whether the run is idle, in progress, ended, aborted or could not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// No run was started.
    Idle,
    /// The run is in progress.
    Running,
    /// The run has ended.
    Ended {
        /// Whether no required check (MUST) failed.
        passed: bool,
    },
    /// The run was stopped, or could not judge the backend.
    Aborted(RunError),
    /// The run could not start; the reason.
    NotStarted(String),
}

/// Snapshot of a check: what it verifies, and its verdict once it was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckSnapshot {
    /// Id of the check.
    pub check_id: &'static str,
    /// What should hold, as a sentence.
    pub title: &'static str,
    /// Level of the check.
    pub level: Level,
    /// The verdict; `None` until the check was judged.
    pub verdict: Option<Verdict>,
    /// The findings of a failed check; otherwise the detail or the reason.
    pub findings: Vec<String>,
    /// What to do if the check fails.
    pub remedy: &'static str,
    /// Ids of the requirements that the check covers.
    pub requirements: Vec<&'static str>,
}

/// Which phone a run uses.
#[derive(Debug, Clone)]
pub enum PhoneMode {
    /// No phone.
    NoPhone,
    /// A person who sees the snapshots.
    SnapshotViewer,
    /// The phone that this sandbox simulates.
    Sandbox(SandboxControl),
}

/// The report of a finished run and its HTTP Archive, before they are written to files.
#[derive(Debug, Clone)]
pub struct ReportWithHar {
    /// The report.
    pub report: Report,
    /// Every exchange as an HTTP Archive.
    pub har: serde_json::Value,
}

/// A run is already in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run of checks is already in progress")]
pub struct RunInProgressError;

/// Starts and stops runs, one at a time. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct RunController(Arc<SharedControllerState>);

/// State that all clones of a controller share.
#[derive(Debug)]
struct SharedControllerState {
    snapshots: watch::Sender<RunSnapshot>,
    active_run: Mutex<Option<Arc<RunSignals>>>,
    last_bundle: Mutex<Option<ReportWithHar>>,
}

/// Signals to the run in progress.
#[derive(Debug, Default)]
struct RunSignals {
    stop_signal: StopSignal,
    skip_signal: InvitationSkipSignal,
}

impl Default for SharedControllerState {
    fn default() -> Self {
        Self {
            snapshots: watch::Sender::new(RunSnapshot::new(RunState::Idle)),
            active_run: Mutex::default(),
            last_bundle: Mutex::default(),
        }
    }
}

impl RunSnapshot {
    fn new(state: RunState) -> Self {
        let check = |check: &&'static Check| CheckSnapshot {
            check_id: check.id,
            title: check.title,
            level: strictest_level_of_check(check.id),
            verdict: None,
            findings: Vec::new(),
            remedy: check.remedy,
            requirements: requirement_ids_of_check(check.id),
        };
        Self {
            state,
            checks: CHECKS.iter().map(check).collect(),
            current_act: None,
            invitation: None,
            requests_sent: 0,
            tokens_made: 0,
            summary: None,
            notes: Vec::new(),
        }
    }

    /// Updates the shown state of the run from one event.
    fn update_snapshot_from_event(&mut self, event: &RunEvent<'_>) {
        match event {
            RunEvent::ActStarted(act) => self.current_act = Some(*act),
            RunEvent::StepFinished(_) => self.requests_sent += 1,
            // The state tells it once the run has ended.
            RunEvent::RunFailed(_) => {}
            RunEvent::TokensMade(tokens) => self.tokens_made = *tokens,
            RunEvent::Message(words) => self.notes.push(words.clone()),
            RunEvent::CheckJudged(check, judged) => {
                if let Some(view) = self.checks.iter_mut().find(|view| view.check_id == check.id) {
                    view.verdict = Some(judged.verdict());
                    view.findings = judged.findings_or_reason_sentences();
                }
            }
        }
    }
}

impl RunController {
    /// Subscribes to snapshots. A slow subscriber skips to the newest one.
    pub fn subscribe_to_snapshots(&self) -> watch::Receiver<RunSnapshot> {
        self.0.snapshots.subscribe()
    }

    /// Plans a run. Sends no request.
    pub fn plan_run(&self, target: &CheckTarget, options: &RunLimits, player: PhoneMode) -> RunPlanWithCosts {
        RunPlanWithCosts::new(target, options, &self.phone_driver_from_mode(player, Arc::default()))
    }

    /// Marks a run as active at once and discards the last report. The returned future executes the run.
    ///
    /// # Errors
    /// [`RunInProgressError`] while another run is in progress.
    pub fn reserve_run_and_return_future(
        &self,
        target: CheckTarget,
        options: RunLimits,
        player: PhoneMode,
    ) -> Result<impl Future<Output = ()> + Send + 'static, RunInProgressError> {
        let running = {
            let mut present = lock_ignoring_poison(&self.0.active_run);
            if present.is_some() {
                return Err(RunInProgressError);
            }
            present.insert(Arc::default()).clone()
        };
        *lock_ignoring_poison(&self.0.last_bundle) = None;
        self.0.snapshots.send_replace(RunSnapshot::new(RunState::Running));
        let guard = RunReservationGuard(self.clone());
        Ok(async move {
            let controller = guard.0.clone();
            let phone = controller.phone_driver_from_mode(player, running.clone());
            controller.run_checks_updating_snapshots(&target, &options, &phone, &running).await;
        })
    }

    /// Stops the run in progress. Verdicts that exist by then are kept.
    pub fn stop_run(&self) {
        if let Some(running) = lock_ignoring_poison(&self.0.active_run).as_ref() {
            running.stop_signal.request_run_stop();
        }
    }

    /// Skips the invitation that is shown now, if there is one.
    pub fn skip_invitation(&self) {
        if let Some(running) = lock_ignoring_poison(&self.0.active_run).as_ref()
            && self.0.snapshots.borrow().invitation.is_some()
        {
            running.skip_signal.request_invitation_skip();
        }
    }

    /// The documents of the last run, once it has ended.
    pub fn last_report_with_har(&self) -> Option<ReportWithHar> {
        lock_ignoring_poison(&self.0.last_bundle).clone()
    }

    /// The phone driver of a run: none, a sandbox, or a person who sees the invitation in the snapshots.
    fn phone_driver_from_mode(&self, player: PhoneMode, running: Arc<RunSignals>) -> PhoneDriver {
        match player {
            PhoneMode::NoPhone => PhoneDriver::Unavailable,
            PhoneMode::Sandbox(tester) => PhoneDriver::Sandbox(tester),
            PhoneMode::SnapshotViewer => {
                PhoneDriver::Person(Arc::new(SnapshotInvitationDisplay { controller: self.clone(), signals: running }))
            }
        }
    }

    /// Plans and runs the acts, keeps the report documents, and publishes each change as a snapshot.
    async fn run_checks_updating_snapshots(
        &self,
        target: &CheckTarget,
        options: &RunLimits,
        phone: &PhoneDriver,
        running: &RunSignals,
    ) {
        let plan = RunPlanWithCosts::new(target, options, phone);
        self.update_snapshot(|view| view.notes.extend(plan.describe_costs_and_omitted_acts()));
        let on_event = |event: RunEvent<'_>| self.update_snapshot(|view| view.update_snapshot_from_event(&event));
        let began = Timestamp::now();
        let run = match CheckRun::new(target, options, phone, &plan, &on_event) {
            Ok(run) => run,
            Err(error) => {
                return self.update_snapshot(|view| view.state = RunState::NotStarted(error.to_string()));
            }
        };
        let ended = run.run_acts_until_stopped(running.stop_signal.wait_for_stop()).await;
        let report = Report::new(target, options, &plan, &ended, (began, Timestamp::now()));
        let new_state = match &ended.error {
            Some(error) => RunState::Aborted(error.clone()),
            None => RunState::Ended { passed: report.exit == 0 },
        };
        let summary = report.summary();
        *lock_ignoring_poison(&self.0.last_bundle) = Some(ReportWithHar { har: ended.to_har(), report });
        self.update_snapshot(|view| {
            view.state = new_state;
            view.summary = Some(summary);
        });
    }

    /// Changes the snapshot of the run, and notifies its watchers.
    fn update_snapshot(&self, change: impl FnOnce(&mut RunSnapshot)) {
        self.0.snapshots.send_modify(change);
    }
}

/// Allows the next run when dropped, however this one ended.
struct RunReservationGuard(RunController);

impl Drop for RunReservationGuard {
    fn drop(&mut self) {
        *lock_ignoring_poison(&self.0.0.active_run) = None;
        self.0.update_snapshot(|view| {
            (view.current_act, view.invitation) = (None, None);
            if view.state == RunState::Running {
                view.state = RunState::Aborted(RunError::Stopped);
            }
        });
    }
}

impl ReportWithHar {
    /// Renders the documents: the name and the text of each file.
    ///
    /// # Errors
    /// The reason, if a document cannot be rendered.
    pub fn render_report_files(&self) -> Result<[(&'static str, String); 4], String> {
        let mut har = serde_json::to_string_pretty(&self.har).map_err(|error| error.to_string())?;
        har.push('\n');
        Ok([
            ("report.html", html::render_html(&self.report, None).map_err(|error| error.to_string())?),
            ("report.json", self.report.to_json()),
            ("junit.xml", junit::render_junit(&self.report).map_err(|error| error.to_string())?),
            ("exchanges.har", har),
        ])
    }

    /// Name for a folder of these files: the date, the backend's host and its port.
    pub fn report_folder_name(&self) -> String {
        let day = self.report.started_at.get(..10).unwrap_or_default();
        let url = self.report.target.url.parse::<Url>().ok();
        let host = url.map_or_else(
            || "backend".to_owned(),
            |url| match url.port() {
                Some(port) => format!("{}-{port}", url.host_str().unwrap_or_default()),
                None => url.host_str().unwrap_or_default().to_owned(),
            },
        );
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
        format!("{day}-{}", host.chars().map(plain).collect::<String>())
    }
}

/// Shows invitations in the snapshots.
struct SnapshotInvitationDisplay {
    controller: RunController,
    signals: Arc<RunSignals>,
}

impl InvitationDisplay for SnapshotInvitationDisplay {
    /// Puts the invitation into the snapshot, without a status, and resets an earlier skip.
    fn show_invitation(&self, invitation: &ScanInvitation) {
        self.signals.skip_signal.reset_skip();
        self.controller.update_snapshot(|view| view.invitation = Some((invitation.clone(), None)));
    }

    /// Shows the status of the avatar beside the invitation.
    fn show_avatar_status(&self, status: &str) {
        self.controller.0.snapshots.send_if_modified(|view| match &mut view.invitation {
            Some((_, shown)) if shown.as_deref() != Some(status) => {
                *shown = Some(status.to_owned());
                true
            }
            _ => false,
        });
    }

    /// Removes the invitation from the snapshot.
    fn end_invitation(&self) {
        self.controller.update_snapshot(|view| view.invitation = None);
    }

    /// Waits until the operator skips the invitation.
    fn wait_for_end_without_avatar(&self) -> BoxFuture<'_, InvitationEndWithoutAvatar> {
        self.signals.skip_signal.wait_for_end_without_avatar()
    }

    fn sleep_real_time(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// Locks a mutex and ignores poisoning: the guarded values are consistent at all times.
fn lock_ignoring_poison<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
