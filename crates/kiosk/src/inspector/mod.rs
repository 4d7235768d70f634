//! The inspector for integrators: events and exchanges of the latest visits, kept in memory while the program runs.
//!
//! Each visit uses its own [`Api`] with its own recorder, so that concurrent visits are kept apart. Recording only
//! appends; everything else is computed when the inspector is viewed.

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

/// Judges which requirements an exchange with a backend meets or violates.
pub type Rules = dyn Fn(&Exchange, &Backend) -> Vec<RuleView> + Send + Sync;

/// Minimum interval between two views.
const SPACING: Duration = Duration::from_millis(250);
/// Pause after building a view, as a multiple of the time that it took. Limits the cost to a tenth of one core.
const RESTS: u32 = 9;

/// Maximum length of a recorded event, in bytes.
const LONGEST_LINE: usize = 16 * 1024;

/// The recordings. Clones share them.
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

/// Records the exchanges of one visit.
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
    /// Starts recording a visit. Returns an API client that records its exchanges.
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

    /// Records an event of a visit, with the Export Token in its link masked.
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
        // Of a download, only the latest progress is kept.
        let goes_on = |last: &Step| last.event == "progress" && step_is_progress(&line.event, last);
        memory.step(line.visit, step, goes_on);
        drop(memory);
        self.changed();
    }

    /// Removes the recordings of a visit.
    pub(crate) fn forget(&self, visit: VisitId) {
        if self.memory().forget(visit) {
            self.changed();
        }
    }

    /// The current recordings, with the timeline of the requested visit or of the newest one.
    pub fn view(&self, visit: Option<&str>, rules: &Rules) -> InspectorView {
        let taken = Taken::of(&self.memory(), visit);
        taken.view(rules)
    }

    /// Sends the current recordings to `send`, then again after each change, about four times a second at most. Returns
    /// when `until` completes, or when `send` returns false.
    pub async fn tell(
        &self,
        visit: Option<String>,
        rules: Arc<Rules>,
        until: impl Future<Output = ()> + Send,
        send: impl Fn(InspectorView) -> bool + Send,
    ) {
        let mut changes = self.0.changes.subscribe();
        let updates = async {
            loop {
                changes.mark_unchanged();
                let (inspector, visit, rules) = (self.clone(), visit.clone(), rules.clone());
                let began = Instant::now();
                let made = tokio::task::spawn_blocking(move || inspector.view(visit.as_deref(), &*rules));
                let Ok(view) = made.await else { return };
                if !send(view) {
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
            () = updates => {}
        }
    }

    /// Saves a visit's exchanges as an HTTP Archive in the data folder, and returns its path. Blocks on the disk.
    ///
    /// # Errors
    /// `not_recorded` if the visit is not remembered; `storage_failed` if the file cannot be written.
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
        // A panic leaves no partial change.
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.0.changes.send_replace(());
    }
}

/// Decodes a percent-encoded token from a link.
fn decoded(token: &str) -> String {
    let pair = url::form_urlencoded::parse(token.as_bytes()).next();
    pair.map(|(token, _)| token.into_owned()).unwrap_or_default()
}

/// Whether the event reports progress of the same file as the last recorded event.
fn step_is_progress(event: &LineEvent, last: &Step) -> bool {
    let LineEvent::Progress { file, .. } = event else { return false };
    let known = serde_json::from_str::<Value>(&last.line);
    known.is_ok_and(|known| known["file"] == file.as_str())
}

/// The event as JSON on one line, with the visit's token masked. A line that is too long is replaced by its length.
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
