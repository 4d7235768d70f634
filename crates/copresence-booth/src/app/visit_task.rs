//! The task of a visit: it builds the API client and runs the visit to its end.

use super::backend_config::ActiveBackendWithSharedSession;
use super::state::{KioskState, ShownOrRunningVisit};
use super::{BackendConfig, Kiosk};
use crate::screen_state::VisitScreenState;
use copresence_client::SetupError;
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::problem;
use copresence_engine::runner::{VisitConfig, VisitStopSignals, run_visit};
use copresence_engine::setup::build_config_using_visit_history;
use copresence_store::VisitId;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

impl Kiosk {
    /// Shows a new visit at once, and spawns the task that runs it. What touches the disk or builds HTTP clients
    /// happens in that task, without the lock.
    pub(super) fn show_and_spawn_visit(&self, state: &mut KioskState) {
        if self.stopping.is_cancelled() {
            return;
        }
        let id = VisitId::new();
        let at = state.active_backend.clone();
        let stop_signals = VisitStopSignals::from(self.stopping.clone());
        let gone = CancellationToken::new();
        // Dropped with the task, however that ends.
        let ending = gone.clone().drop_guard();
        state.add_and_show_visit(
            id,
            ShownOrRunningVisit {
                screen_state: VisitScreenState::new(id.to_string()),
                backend: at.clone(),
                stop_signals: stop_signals.clone(),
                task_done: gone,
            },
        );
        self.spawn_recovery_except_running_visits(state.unended_visits());
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let _ending = ending;
            // A bug ends a visit and not the kiosk: no visitor is left with a screen that does not change.
            if AssertUnwindSafe(kiosk.prepare_and_run_visit(id, at, stop_signals)).catch_unwind().await.is_err() {
                let event =
                    ended_event_for_problem_code("internal", 2, "the program failed in this visit; the log says where");
                kiosk.count_record_and_publish_event(&VisitEvent {
                    visit: id,
                    at: kiosk.clock.wall_clock_time(),
                    kind: event,
                });
            }
        });
    }

    /// How long the QR code of a visit that starts now has to wait, because many codes were not scanned.
    pub fn required_wait_before_next_code(&self) -> Duration {
        self.lock_kiosk_state().unused_codes.required_wait_before_next_code(self.clock.monotonic_timestamp())
    }

    /// Builds the API client, runs the visit to its end, and reports a backend that cannot be set up.
    async fn prepare_and_run_visit(
        &self,
        id: VisitId,
        at: Arc<ActiveBackendWithSharedSession>,
        stop_signals: VisitStopSignals,
    ) {
        let wait = self.required_wait_before_next_code();
        if !wait.is_zero() {
            tracing::warn!(seconds = wait.as_secs(), "many codes were not used; the next one waits");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop_signals.wait_for_first_stop_signal() => {}
            }
        }
        let setup = &self.setup;
        let BackendConfig { profile, target, .. } = &at.config;
        let config = VisitConfig {
            id,
            ..build_config_using_visit_history(profile, target, &setup.data_store, &setup.overrides).await
        };
        let build = {
            let at = at.clone();
            move || at.get_or_build_api_client()
        };
        let api = match tokio::task::spawn_blocking(build).await {
            Ok(api) => api,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        match api {
            Ok(api) => {
                let api = self.inspector.start_recording_and_build_client(&self.metrics, id, &api, target, profile);
                let context = setup.data_store.context_with_default_recovery_limits(
                    api,
                    self.clock,
                    self.build_event_sink_of_shown_visit(),
                );
                let result = run_visit(config, context, stop_signals).await;
                self.spawn_recovery_of_ended_visit(&result);
            }
            Err(error) => {
                self.count_record_and_publish_event(&VisitEvent {
                    visit: id,
                    at: self.clock.wall_clock_time(),
                    kind: build_ended_event_for_failed_setup(&error),
                });
            }
        }
    }
}

/// The end of a visit whose backend cannot be set up.
pub(super) fn build_ended_event_for_failed_setup(error: &SetupError) -> EventKind {
    let code = problem::code_for_client_setup_error(error);
    let exit = if code == "credentials_missing" { 3 } else { 2 };
    ended_event_for_problem_code(code, exit, &error.to_string())
}

/// The `ended` event for a problem code, with its message. The visit ended in phase `issuing`.
pub(super) fn ended_event_for_problem_code(code: &str, exit: u8, detail: &str) -> EventKind {
    let message = problem::operator_message_with_hint(&problem::problem_for_code(code, Some(detail)));
    EventKind::Ended { code: code.to_owned(), exit, message, visit_state: "issuing".to_owned() }
}
