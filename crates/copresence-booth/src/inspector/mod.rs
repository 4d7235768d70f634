//! The inspector for integrators: events and exchanges of the latest visits, kept in memory while the program runs.
//!
//! Each visit uses its own [`ApiClient`] with its own recorder, so that concurrent visits are kept apart. Recording
//! only appends; everything else is computed when the inspector is viewed.

mod recordings;
mod render;

use crate::metrics::BoothMetrics;
use crate::view::Problem;
use crate::view::inspector::{InspectorView, RequirementVerdictView};
use copresence_client::{ApiClient, BackendWithRoutes, Exchange, ExchangeRecorder, Redactor, har};
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::problem::problem_for_code;
use copresence_engine::profile::Profile;
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend};
use copresence_protocol::LinkTemplate;
use copresence_protocol::link::TOKEN_PLACEHOLDER;
use copresence_store::{DiagnosticsFolderKind, VisitId};
use recordings::{DEFAULT_BOUNDS, RecordedEvent, Recordings};
use render::RecordingsCopy;
use serde_json::{Value, json};
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Judges which requirements an exchange with a backend meets or violates.
pub type RequirementJudge = dyn Fn(&Exchange, &BackendWithRoutes) -> Vec<RequirementVerdictView> + Send + Sync;

/// Minimum interval between two views.
const MIN_VIEW_INTERVAL: Duration = Duration::from_millis(250);
/// Pause after building a view, as a multiple of the time that it took. Limits the cost to a tenth of one core.
const PAUSE_FACTOR: u32 = 9;

/// Maximum length of a recorded event, in bytes.
const MAX_EVENT_BYTES: usize = 16 * 1024;

/// Recordings of the latest visits (exchanges and events) for the desk's inspector. Clones share them.
#[derive(Debug, Clone)]
pub struct Inspector(Arc<RecordingsWithChangeSignal>);

/// The recordings and the signal that they have changed.
#[derive(Debug)]
struct RecordingsWithChangeSignal {
    recordings: Mutex<Recordings>,
    changes: watch::Sender<()>,
}

impl Default for Inspector {
    fn default() -> Self {
        Self(Arc::new(RecordingsWithChangeSignal {
            recordings: Mutex::new(Recordings::new(DEFAULT_BOUNDS)),
            changes: watch::Sender::new(()),
        }))
    }
}

/// Records the exchanges of one visit, and counts them.
struct VisitExchangeRecorder {
    inspector: Inspector,
    metrics: BoothMetrics,
    visit: VisitId,
}

impl ExchangeRecorder for VisitExchangeRecorder {
    fn record_exchange(&self, exchange: Exchange) {
        self.metrics.record_request(&exchange);
        self.inspector.lock_recordings().add_exchange_to_known_visit(self.visit, exchange, Instant::now());
        self.inspector.notify_recordings_changed();
    }
}

impl Inspector {
    /// Starts recording a visit. Returns an API client that records its exchanges, and counts them in `metrics`.
    pub(crate) fn start_recording_and_build_client(
        &self,
        metrics: &BoothMetrics,
        visit: VisitId,
        api: &ApiClient,
        target: &ProfileOrSandboxBackend,
        profile: &Profile,
    ) -> ApiClient {
        {
            let mut memory = self.lock_recordings();
            let visit = memory.get_or_insert_visit(visit, jiff::Timestamp::now());
            visit.backend = Some(Arc::new(target.backend_with_profile_routes(profile)));
            visit.link = Some(target.link.clone());
        }
        self.notify_recordings_changed();
        let recorder = VisitExchangeRecorder { inspector: self.clone(), metrics: metrics.clone(), visit };
        api.clone_with_recorder(Arc::new(recorder))
    }

    /// Records an event of a visit, with the Export Token in its link masked.
    pub(crate) fn record_event(&self, event: &VisitEvent) {
        let mut memory = self.lock_recordings();
        let visit = memory.get_or_insert_visit(event.visit, event.at);
        let mut event = event.clone();
        match &mut event.kind {
            EventKind::Started { .. } => visit.started_at = event.at,
            EventKind::Invited { link: filled, .. } => {
                let template = visit.link.as_ref();
                if let Some(token) = template.and_then(|link| link.extract_encoded_token(filled)) {
                    visit.redactor = Redactor::new([percent_decode_token(token).as_str(), token]);
                }
                let shown = |link: &LinkTemplate| {
                    link.template_text().replace(TOKEN_PLACEHOLDER, copresence_client::redact::MASK)
                };
                *filled = template.map_or_else(|| copresence_client::redact::MASK.to_owned(), shown);
            }
            EventKind::Ended { code, .. } => visit.end_code = Some(code.clone()),
            _ => {}
        }
        let text = masked_event_json(&event, &visit.redactor);
        let step =
            RecordedEvent { at: event.at, instant: Instant::now(), kind: event.kind.event_name(), json: text.into() };
        // Of a download, only the latest progress is kept.
        let goes_on = |last: &RecordedEvent| last.kind == "progress" && is_progress_of_same_file(&event.kind, last);
        memory.add_or_replace_last_event(event.visit, step, goes_on);
        drop(memory);
        self.notify_recordings_changed();
    }

    /// Removes the recordings of a visit.
    pub(crate) fn forget_recordings_of_visit(&self, visit: VisitId) {
        if self.lock_recordings().remove_visit_by_id(visit) {
            self.notify_recordings_changed();
        }
    }

    /// The current recordings, with the timeline of the requested visit or of the newest one.
    pub fn build_inspector_view_of_visit_or_newest(
        &self,
        visit: Option<&str>,
        rules: &RequirementJudge,
    ) -> InspectorView {
        let taken = RecordingsCopy::copy_recordings(&self.lock_recordings(), visit);
        taken.to_inspector_view(rules)
    }

    /// Sends the current recordings to `send`, then again after each change, about four times a second at most. Returns
    /// when `until` completes, or when `send` returns false.
    pub async fn stream_inspector_views(
        &self,
        visit: Option<String>,
        rules: Arc<RequirementJudge>,
        until: impl Future<Output = ()> + Send,
        send: impl Fn(InspectorView) -> bool + Send,
    ) {
        let mut changes = self.0.changes.subscribe();
        let updates = async {
            loop {
                changes.mark_unchanged();
                let (inspector, visit, rules) = (self.clone(), visit.clone(), rules.clone());
                let began = Instant::now();
                let made = tokio::task::spawn_blocking(move || {
                    inspector.build_inspector_view_of_visit_or_newest(visit.as_deref(), &*rules)
                });
                let Ok(view) = made.await else { return };
                if !send(view) {
                    return;
                }
                tokio::time::sleep(MIN_VIEW_INTERVAL.max(began.elapsed() * PAUSE_FACTOR)).await;
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
    pub fn save_har(&self, data_store: &DataStore, visit: &str) -> Result<PathBuf, Problem> {
        let taken = self.lock_recordings().recorded_visits().find(|known| known.id.to_string() == visit).cloned();
        let taken = taken.ok_or_else(|| problem_for_code("not_recorded", None))?;
        let archive = har::har_from_exchanges(taken.exchanges.iter().map(|kept| &kept.exchange));
        let mut text = serde_json::to_string_pretty(&archive).unwrap_or_default();
        text.push('\n');
        let name = format!("{}-{visit}.har", copresence_engine::runner::visit_start_date_for_folder(taken.started_at));
        let path = data_store.data.write_diagnostics_file(DiagnosticsFolderKind::Inspector, &name, text.as_bytes());
        path.map_err(|error| problem_for_code("storage_failed", Some(&error.to_string())))
    }

    /// Locks the mutex of the recordings.
    fn lock_recordings(&self) -> MutexGuard<'_, Recordings> {
        // A panic leaves no partial change.
        self.0.recordings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the streams of views after the recordings changed.
    fn notify_recordings_changed(&self) {
        self.0.changes.send_replace(());
    }
}

/// Decodes a percent-encoded token from a link.
fn percent_decode_token(token: &str) -> String {
    let pair = url::form_urlencoded::parse(token.as_bytes()).next();
    pair.map(|(token, _)| token.into_owned()).unwrap_or_default()
}

/// Whether the event reports progress of the same file as the last recorded event.
fn is_progress_of_same_file(event: &EventKind, last: &RecordedEvent) -> bool {
    let EventKind::Progress { file, .. } = event else { return false };
    let known = serde_json::from_str::<Value>(&last.json);
    known.is_ok_and(|known| known["file"] == file.as_str())
}

/// The event as JSON on one line, with the visit's token masked. A line that is too long is replaced by its length.
fn masked_event_json(event: &VisitEvent, redactor: &Redactor) -> String {
    let text = redactor.redact_text(&serde_json::to_string(event).unwrap_or_default());
    if text.len() <= MAX_EVENT_BYTES && text.starts_with('{') {
        return text;
    }
    let at = copresence_engine::events::format_rfc3339(event.at);
    json!({ "event": event.kind.event_name(), "visit": event.visit.to_string(), "at": at, "left_out": text.len() })
        .to_string()
}

#[cfg(test)]
mod tests;
