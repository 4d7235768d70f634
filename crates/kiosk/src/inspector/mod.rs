//! The integrator's inspector: what the latest visits did and which exchanges they had, remembered while the program
//! runs.
//!
//! Each visit records through an [`Api`] of its own, so that its exchanges are its own, however many run at once.
//! Recording puts a thing into a list; everything that takes work is done when somebody looks.

mod memory;
mod show;

use crate::line::{Line, LineEvent};
use crate::problem::problem;
use crate::profile::Profile;
use crate::setup::{Disk, Target};
use crate::view::Problem;
use crate::view::inspector::{InspectorView, RuleView};
use client::{Api, Backend, Exchange, Recorder, Redactor, har};
use memory::{BOUNDS, Memory, Step};
use protocol::LinkTemplate;
use protocol::link::PLACEHOLDER;
use serde_json::{Value, json};
use show::Taken;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::{HostFolder, VisitId};
use tokio::sync::watch;

/// Which rules an exchange with a backend keeps or breaks. Judged by whoever knows the specification's sentences.
pub type Rules = dyn Fn(&Exchange, &Backend) -> Vec<RuleView> + Send + Sync;

/// The shortest time between two views.
const SPACING: Duration = Duration::from_millis(250);
/// So many times as long as a view takes to make nothing else is made: looking never costs more than a tenth.
const RESTS: u32 = 9;

/// The longest line that is kept, in bytes.
const LONGEST_LINE: usize = 16 * 1024;

/// The recordings. Clones are handles of the same ones.
#[derive(Debug, Clone)]
pub struct Inspector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    memory: Mutex<Memory>,
    changes: watch::Sender<()>,
}

impl Default for Inspector {
    fn default() -> Self {
        Self(Arc::new(Inner { memory: Mutex::new(Memory::new(BOUNDS)), changes: watch::Sender::new(()) }))
    }
}

/// Records one visit's exchanges.
struct OfVisit {
    inspector: Inspector,
    visit: VisitId,
}

impl Recorder for OfVisit {
    fn record(&self, exchange: Exchange) {
        self.inspector.memory().exchange(self.visit, exchange, Instant::now());
        self.inspector.changed();
    }
}

impl Inspector {
    /// The way to the backend for this visit, on which its exchanges are recorded.
    pub(crate) fn follow(&self, visit: VisitId, api: &Api, target: &Target, profile: &Profile) -> Api {
        {
            let mut memory = self.memory();
            let visit = memory.visit(visit, jiff::Timestamp::now());
            visit.backend = Some(Arc::new(target.backend(profile)));
            visit.link = Some(target.link.clone());
        }
        self.changed();
        api.recorded_by(Arc::new(OfVisit { inspector: self.clone(), visit }))
    }

    /// Takes a line of a visit, without the Export Token in its link.
    pub(crate) fn take(&self, line: &Line) {
        let mut memory = self.memory();
        let visit = memory.visit(line.visit, line.at);
        let mut line = line.clone();
        match &mut line.event {
            LineEvent::Started { .. } => visit.started = line.at,
            LineEvent::Invited { link: filled, .. } => {
                let template = visit.link.as_ref();
                if let Some(token) = template.and_then(|link| link.encoded_token(filled)) {
                    visit.redactor = Redactor::new([decoded(token).as_str(), token]);
                }
                let shown = |link: &LinkTemplate| link.as_str().replace(PLACEHOLDER, client::redact::MASK);
                *filled = template.map_or_else(|| client::redact::MASK.to_owned(), shown);
            }
            LineEvent::Ended { code, .. } => visit.ended = Some(code.clone()),
            _ => {}
        }
        let text = written(&line, &visit.redactor);
        let step = Step { at: line.at, moment: Instant::now(), event: line.event.word(), line: text.into() };
        // Of a file on its way only how far it is now.
        let goes_on = |last: &Step| last.event == "progress" && step_is_progress(&line.event, last);
        memory.step(line.visit, step, goes_on);
        drop(memory);
        self.changed();
    }

    /// Remembers nothing of it any more.
    pub(crate) fn forget(&self, visit: VisitId) {
        if self.memory().forget(visit) {
            self.changed();
        }
    }

    /// The recordings now: of the visit asked for, or of the newest.
    pub fn view(&self, visit: Option<&str>, rules: &Rules) -> InspectorView {
        let taken = Taken::of(&self.memory(), visit);
        taken.view(rules)
    }

    /// Tells the recordings, whole: as they are now and after each change, some four times a second at most. Ends with
    /// `until`, or when `tell` says that nobody listens.
    pub async fn tell(
        &self,
        visit: Option<String>,
        rules: Arc<Rules>,
        until: impl Future<Output = ()> + Send,
        tell: impl Fn(InspectorView) -> bool + Send,
    ) {
        let mut changes = self.0.changes.subscribe();
        let told = async {
            loop {
                changes.mark_unchanged();
                let (inspector, visit, rules) = (self.clone(), visit.clone(), rules.clone());
                let began = Instant::now();
                let made = tokio::task::spawn_blocking(move || inspector.view(visit.as_deref(), &*rules));
                let Ok(view) = made.await else { return };
                if !tell(view) {
                    return;
                }
                tokio::time::sleep(SPACING.max(began.elapsed() * RESTS)).await;
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = until => {}
            () = told => {}
        }
    }

    /// Saves a visit's exchanges as an HTTP Archive into the data folder; gives its path. Blocks on the disk.
    ///
    /// # Errors
    /// `not_recorded` for a visit that is not remembered; those of the disk.
    pub fn save_har(&self, disk: &Disk, visit: &str) -> Result<PathBuf, Problem> {
        let taken = self.memory().visits().find(|known| known.id.to_string() == visit).cloned();
        let taken = taken.ok_or_else(|| problem("not_recorded", None))?;
        let archive = har::document(taken.exchanges.iter().map(|kept| &kept.exchange));
        let mut text = serde_json::to_string_pretty(&archive).unwrap_or_default();
        text.push('\n');
        let name = format!("{}-{visit}.har", crate::drive::day_of(taken.started));
        let path = disk.data.write_into(HostFolder::Inspector, &name, text.as_bytes());
        path.map_err(|error| problem("storage_failed", Some(&error.to_string())))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change of it is whole.
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.0.changes.send_replace(());
    }
}

/// A token as it is, from how a link says it.
fn decoded(token: &str) -> String {
    let pair = url::form_urlencoded::parse(token.as_bytes()).next();
    pair.map(|(token, _)| token.into_owned()).unwrap_or_default()
}

/// Whether a line only says how far the file of the last one is.
fn step_is_progress(event: &LineEvent, last: &Step) -> bool {
    let LineEvent::Progress { file, .. } = event else { return false };
    let known = serde_json::from_str::<Value>(&last.line);
    known.is_ok_and(|known| known["file"] == file.as_str())
}

/// As JSON on one line, without the visit's token, and bounded.
fn written(line: &Line, redactor: &Redactor) -> String {
    let text = redactor.text(&serde_json::to_string(line).unwrap_or_default());
    if text.len() <= LONGEST_LINE && text.starts_with('{') {
        return text;
    }
    let at = crate::line::rfc3339(line.at);
    json!({ "event": line.event.word(), "visit": line.visit.to_string(), "at": at, "left_out": text.len() })
        .to_string()
}

#[cfg(test)]
mod tests;
