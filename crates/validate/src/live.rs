//! Controls runs for a host with a user interface: one run at a time, as snapshots; can be stopped and skipped.

use crate::act::Act;
use crate::check::{Check, Verdict};
use crate::checks::CHECKS;
use crate::hand::{Flag, Hand, Invitation, People, Skip};
use crate::plan::Plan;
use crate::report::{Report, html, junit};
use crate::requirement::{Level, covered_by, level_of};
use crate::run::{Event, Run, RunError};
use crate::target::{Options, Target};
use crate::tester::Tester;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use url::Url;

/// Snapshot of a run. Before the first run it lists the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// State of the run.
    pub stand: Stand,
    /// Every check, in report order.
    pub checks: Vec<CheckView>,
    /// The act that is running.
    pub doing: Option<Act>,
    /// The invitation to scan a QR code, and the last status of the avatar.
    pub invitation: Option<(Invitation, Option<String>)>,
    /// Number of requests sent so far.
    pub requests: u32,
    /// Number of Export Tokens generated so far.
    pub tokens: u32,
    /// The run in one sentence, once it has ended.
    pub summary: Option<String>,
    /// Messages for people, oldest first.
    pub notes: Vec<String>,
}

/// State of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
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
    Broken(RunError),
    /// The run could not start; the reason.
    Unable(String),
}

/// Snapshot of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckView {
    /// Id of the check.
    pub check: &'static str,
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
pub enum Player {
    /// No phone.
    Nobody,
    /// A person who sees the snapshots.
    Watcher,
    /// The phone that this sandbox simulates.
    Sandbox(Tester),
}

/// The documents of a finished run.
#[derive(Debug, Clone)]
pub struct Documents {
    /// The report.
    pub report: Report,
    /// Every exchange as an HTTP Archive.
    pub har: serde_json::Value,
}

/// A run is already in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run of checks is already in progress")]
pub struct Busy;

/// Starts and stops runs, one at a time. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    views: watch::Sender<View>,
    running: Mutex<Option<Arc<Running>>>,
    documents: Mutex<Option<Documents>>,
}

/// Signals to the run in progress.
#[derive(Debug, Default)]
struct Running {
    stop: Flag,
    skip: Skip,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            views: watch::Sender::new(View::new(Stand::Idle)),
            running: Mutex::default(),
            documents: Mutex::default(),
        }
    }
}

impl View {
    fn new(stand: Stand) -> Self {
        let check = |check: &&'static Check| CheckView {
            check: check.id,
            title: check.title,
            level: level_of(check.id),
            verdict: None,
            findings: Vec::new(),
            remedy: check.remedy,
            requirements: covered_by(check.id),
        };
        Self {
            stand,
            checks: CHECKS.iter().map(check).collect(),
            doing: None,
            invitation: None,
            requests: 0,
            tokens: 0,
            summary: None,
            notes: Vec::new(),
        }
    }

    /// Applies an event of the run.
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Began(act) => self.doing = Some(*act),
            Event::Step(_) => self.requests += 1,
            Event::Made(tokens) => self.tokens = *tokens,
            Event::Note(words) => self.notes.push(words.clone()),
            Event::Judged(check, judged) => {
                if let Some(view) = self.checks.iter_mut().find(|view| view.check == check.id) {
                    view.verdict = Some(judged.verdict());
                    view.findings = judged.words();
                }
            }
        }
    }
}

impl Live {
    /// Subscribes to snapshots. A slow subscriber skips to the newest one.
    pub fn views(&self) -> watch::Receiver<View> {
        self.0.views.subscribe()
    }

    /// Plans a run. Sends no request.
    pub fn plan(&self, target: &Target, options: &Options, player: Player) -> Plan {
        Plan::new(target, options, &self.hand(player, Arc::default()))
    }

    /// Starts a run. The returned future executes it. If the future is dropped early, the run counts as stopped and
    /// leaves no report.
    ///
    /// # Errors
    /// [`AlreadyRunning`] while another run is in progress.
    pub fn begin(
        &self,
        target: Target,
        options: Options,
        player: Player,
    ) -> Result<impl Future<Output = ()> + Send + 'static, Busy> {
        let running = {
            let mut present = locked(&self.0.running);
            if present.is_some() {
                return Err(Busy);
            }
            present.insert(Arc::default()).clone()
        };
        *locked(&self.0.documents) = None;
        self.0.views.send_replace(View::new(Stand::Running));
        let guard = Over(self.clone());
        Ok(async move {
            let controller = guard.0.clone();
            let phone = controller.hand(player, running.clone());
            controller.run(&target, &options, &phone, &running).await;
        })
    }

    /// Stops the run in progress. Verdicts that exist by then are kept.
    pub fn stop(&self) {
        if let Some(running) = locked(&self.0.running).as_ref() {
            running.stop.set();
        }
    }

    /// Skips the invitation that is shown now, if there is one.
    pub fn skip(&self) {
        if let Some(running) = locked(&self.0.running).as_ref()
            && self.0.views.borrow().invitation.is_some()
        {
            running.skip.ask();
        }
    }

    /// The documents of the last run, once it has ended.
    pub fn documents(&self) -> Option<Documents> {
        locked(&self.0.documents).clone()
    }

    fn hand(&self, player: Player, running: Arc<Running>) -> Hand {
        match player {
            Player::Nobody => Hand::Nobody,
            Player::Sandbox(tester) => Hand::Sandbox(tester),
            Player::Watcher => Hand::People(Arc::new(Watcher { live: self.clone(), running })),
        }
    }

    async fn run(&self, target: &Target, options: &Options, phone: &Hand, running: &Running) {
        let plan = Plan::new(target, options, phone);
        self.change(|view| view.notes.extend(plan.words()));
        let on_event = |event: Event<'_>| self.change(|view| view.take(&event));
        let began = Timestamp::now();
        let run = match Run::new(target, options, phone, &plan, &on_event) {
            Ok(run) => run,
            Err(error) => return self.change(|view| view.stand = Stand::Unable(error.to_string())),
        };
        let ended = run.run_until(running.stop.wait()).await;
        let report = Report::new(target, options, &plan, &ended, (began, Timestamp::now()));
        let stand = match &ended.error {
            Some(error) => Stand::Broken(error.clone()),
            None => Stand::Ended { passed: report.exit == 0 },
        };
        let summary = report.summary();
        *locked(&self.0.documents) = Some(Documents { har: ended.har(), report });
        self.change(|view| {
            view.stand = stand;
            view.summary = Some(summary);
        });
    }

    fn change(&self, change: impl FnOnce(&mut View)) {
        self.0.views.send_modify(change);
    }
}

/// Allows the next run when dropped, however this one ended.
struct Over(Live);

impl Drop for Over {
    fn drop(&mut self) {
        *locked(&self.0.0.running) = None;
        self.0.change(|view| {
            (view.doing, view.invitation) = (None, None);
            if view.stand == Stand::Running {
                view.stand = Stand::Broken(RunError::Stopped);
            }
        });
    }
}

impl Documents {
    /// Renders the documents: the name and the text of each file.
    ///
    /// # Errors
    /// The reason, if a document cannot be rendered.
    pub fn files(&self) -> Result<[(&'static str, String); 4], String> {
        let mut har = serde_json::to_string_pretty(&self.har).map_err(|error| error.to_string())?;
        har.push('\n');
        Ok([
            ("report.html", html::document(&self.report, None).map_err(|error| error.to_string())?),
            ("report.json", self.report.to_json()),
            ("junit.xml", junit::document(&self.report).map_err(|error| error.to_string())?),
            ("exchanges.har", har),
        ])
    }

    /// Name for a folder of these files: the date, the backend's host and its port.
    pub fn folder(&self) -> String {
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
struct Watcher {
    live: Live,
    running: Arc<Running>,
}

impl People for Watcher {
    fn invite(&self, invitation: &Invitation) {
        self.running.skip.begin();
        self.live.change(|view| view.invitation = Some((invitation.clone(), None)));
    }

    fn status(&self, status: &str) {
        self.live.0.views.send_if_modified(|view| match &mut view.invitation {
            Some((_, shown)) if shown.as_deref() != Some(status) => {
                *shown = Some(status.to_owned());
                true
            }
            _ => false,
        });
    }

    fn done(&self) {
        self.live.change(|view| view.invitation = None);
    }

    fn skipped(&self) -> BoxFuture<'_, ()> {
        self.running.skip.asked()
    }

    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// Locks a mutex and ignores poisoning: the guarded values are consistent at all times.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
