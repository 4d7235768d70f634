//! A run that somebody watches: one at a time, whole at each moment, stopped and skipped by hand.

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

/// A run, whole; before the first, what could be run.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// How the run stands.
    pub stand: Stand,
    /// Every check, in its order.
    pub checks: Vec<CheckView>,
    /// What is being done now.
    pub doing: Option<Act>,
    /// What somebody with a phone is asked, and how far the avatar is, in words.
    pub invitation: Option<(Invitation, Option<String>)>,
    /// Requests sent so far.
    pub requests: u32,
    /// Export Tokens made so far.
    pub tokens: u32,
    /// The run in one sentence, when it is over.
    pub summary: Option<String>,
    /// What people should know, in the order in which it came.
    pub notes: Vec<String>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// None was begun.
    Idle,
    /// Under way.
    Running,
    /// Ended; whether every required check that could be judged passed.
    Ended {
        /// No MUST failed.
        passed: bool,
    },
    /// It could tell nothing, or was stopped.
    Broken(RunError),
    /// It could not begin, in words.
    Unable(String),
}

/// A check, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckView {
    /// The check.
    pub check: &'static str,
    /// What should hold.
    pub title: &'static str,
    /// How much it weighs.
    pub level: Level,
    /// None while it waits.
    pub verdict: Option<Verdict>,
    /// What was seen, or what is wrong.
    pub findings: Vec<String>,
    /// What to do when it fails.
    pub remedy: &'static str,
    /// The requirements that it covers.
    pub requirements: Vec<&'static str>,
}

/// Who plays the phone.
#[derive(Debug, Clone)]
pub enum Player {
    /// Nobody.
    Nobody,
    /// Whoever looks at the views.
    Watcher,
    /// A sandbox.
    Sandbox(Tester),
}

/// What a run leaves to be handed over.
#[derive(Debug, Clone)]
pub struct Documents {
    /// The report.
    pub report: Report,
    /// Every exchange, as an HTTP Archive.
    pub har: serde_json::Value,
}

/// A run is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run of checks is already in progress")]
pub struct Busy;

/// Runs, one at a time. Clones are handles of the same ones.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    views: watch::Sender<View>,
    running: Mutex<Option<Arc<Running>>>,
    documents: Mutex<Option<Documents>>,
}

/// What can be asked of a run under way.
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
    /// Each view from now on; a slow reader skips to the newest.
    pub fn views(&self) -> watch::Receiver<View> {
        self.0.views.subscribe()
    }

    /// What such a run would do; asks nobody.
    pub fn plan(&self, target: &Target, options: &Options, player: Player) -> Plan {
        Plan::new(target, options, &self.hand(player, Arc::default()))
    }

    /// Begins a run; what it gives is to be awaited to its end. Dropped before, the run is over as if it was stopped,
    /// without a report.
    ///
    /// # Errors
    /// While another is under way.
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
        let over = Over(self.clone());
        Ok(async move {
            let live = over.0.clone();
            let hand = live.hand(player, running.clone());
            live.run(&target, &options, &hand, &running).await;
        })
    }

    /// Ends the run under way early; what was judged by then stays.
    pub fn stop(&self) {
        if let Some(running) = locked(&self.0.running).as_ref() {
            running.stop.set();
        }
    }

    /// Leaves out what waits for a phone just now.
    pub fn skip(&self) {
        if let Some(running) = locked(&self.0.running).as_ref()
            && self.0.views.borrow().invitation.is_some()
        {
            running.skip.ask();
        }
    }

    /// What the last run left, once it is over.
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

    async fn run(&self, target: &Target, options: &Options, hand: &Hand, running: &Running) {
        let plan = Plan::new(target, options, hand);
        self.change(|view| view.notes.extend(plan.words()));
        let tell = |event: Event<'_>| self.change(|view| view.take(&event));
        let began = Timestamp::now();
        let run = match Run::new(target, options, hand, &plan, &tell) {
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

/// Makes room for the next run, however this one ended.
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
    /// Each file's name, and what stands in it.
    ///
    /// # Errors
    /// In words, when one cannot be put together.
    pub fn files(&self) -> Result<[(&'static str, String); 4], String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let mut har = serde_json::to_string_pretty(&self.har).map_err(|error| words(&error))?;
        har.push('\n');
        Ok([
            ("report.html", html::document(&self.report, None).map_err(|error| words(&error))?),
            ("report.json", self.report.to_json()),
            ("junit.xml", junit::document(&self.report).map_err(|error| words(&error))?),
            ("exchanges.har", har),
        ])
    }

    /// What a folder of them is called: the day, and the backend's host.
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

/// Somebody who looks at the views, with a phone.
struct Watcher {
    live: Live,
    running: Arc<Running>,
}

impl People for Watcher {
    fn invite(&self, invitation: &Invitation) {
        self.running.skip.begin();
        self.live.change(|view| view.invitation = Some((invitation.clone(), None)));
    }

    fn status(&self, words: &str) {
        self.live.0.views.send_if_modified(|view| match &mut view.invitation {
            Some((_, status)) if status.as_deref() != Some(words) => {
                *status = Some(words.to_owned());
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

/// What is kept here is whole at each moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
