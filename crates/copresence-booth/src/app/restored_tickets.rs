//! Restores the live tickets after a restart: the visits of saved avatars are shown again once their code is entered, and
//! visits whose avatars were being made continue.

use super::Kiosk;
use super::state::{KioskState, ShownOrRunningVisit};
use super::tickets::Ticket;
use super::visit_task::{build_ended_event_for_failed_setup, ended_event_for_problem_code};
use crate::pin::PinHash;
use crate::screen_state::VisitScreenState;
use crate::view::{TicketColour, TicketName, TicketState, TicketSymbol};
use copresence_engine::EndPhase;
use copresence_engine::events::{EventKind, SavedFile, VisitEvent};
use copresence_engine::history::{DetailedVisitRecord, FileDownloadState};
use copresence_engine::recovery::{
    ContinueVisitError, ContinuedVisitConfig, RecoveryOutcome, continue_unfinished_visit,
};
use copresence_engine::runner::{EventSink, VisitStopSignals};
use copresence_engine::setup::build_config_using_visit_history;
use copresence_store::{StoreError, TicketRecord, UnfinishedVisit, VisitId};
use jiff::Timestamp;
use rand::RngExt as _;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Kiosk {
    /// Restores the live tickets of earlier runs and continues their visits. Call it once, before
    /// [`spawn_recovery_of_earlier_visits`](Self::spawn_recovery_of_earlier_visits). Needs a tokio runtime.
    pub async fn restore_live_tickets(&self) {
        let journal = &self.setup.data_store.journal;
        let tickets = match journal.load_tickets().await {
            Ok(tickets) => tickets,
            Err(error) => {
                tracing::error!(%error, "the tickets of earlier visits could not be read");
                return;
            }
        };
        for record in tickets.into_iter().filter(|record| record.closure.is_none()) {
            let visit = record.visit;
            if let Err(error) = self.restore_ticket(record).await {
                tracing::error!(%error, visit = %visit, "the ticket of an earlier visit could not be restored");
            }
        }
        self.close_due_tickets_and_publish_snapshot();
    }

    /// Restores one ticket with its visit.
    async fn restore_ticket(&self, record: TicketRecord) -> Result<(), StoreError> {
        let visit = record.visit;
        let journal = &self.setup.data_store.journal;
        // A ticket is deleted with its visit.
        let Some(detail) = journal.load_detailed_visit_record(&visit).await? else { return Ok(()) };
        let unfinished = journal.load_unfinished_visit(&visit).await?.filter(|_| !detail.visit.start.ephemeral);
        let mut screen_state = VisitScreenState::new(visit.to_string());
        for event in rebuild_events_of_journalled_visit(&detail, unfinished.as_ref()) {
            screen_state.apply_event(&event);
        }
        let (ticket_state, _) = screen_state.derive_ticket_state_and_progress();
        let is_finished = matches!(ticket_state, TicketState::Ready | TicketState::Failed);
        let finished_at = is_finished.then(|| {
            let ending = detail.visit.ending.as_ref().map(|ending| ending.at);
            // An avatar that failed, and can be recorded again, has no end: its visitor has the whole time from now on.
            let has_no_end = || self.clock.wall_clock_time();
            self.convert_to_monotonic_time(detail.visit.times.saved.or(ending).unwrap_or_else(has_no_end))
        });
        let (stop_signals, gone) = (VisitStopSignals::from(self.stopping.clone()), CancellationToken::new());
        if unfinished.is_none() {
            gone.cancel();
        }
        {
            let mut state = self.lock_kiosk_state();
            let ticket = self.to_live_ticket(&state, &record, finished_at, ticket_state != TicketState::Making);
            tracing::info!(visit = %visit, ticket = ticket.name.to_english_name(), "a ticket is restored");
            let backend = state.active_backend.clone();
            state.tickets.append_ticket_replacing_same_visit(ticket);
            state.visits.insert(
                visit,
                ShownOrRunningVisit {
                    screen_state,
                    backend,
                    stop_signals: stop_signals.clone(),
                    task_done: gone.clone(),
                },
            );
            self.publish_snapshot_if_changed(&mut state);
        }
        if unfinished.is_some() {
            // Dropped with the task, however that ends.
            let ending = gone.drop_guard();
            let kiosk = self.clone();
            self.tasks.spawn(async move {
                let _ending = ending;
                kiosk.continue_visit_of_ticket(visit, stop_signals).await;
            });
        }
        Ok(())
    }

    /// Continues the visit of a restored ticket to its end.
    async fn continue_visit_of_ticket(&self, visit: VisitId, signals: VisitStopSignals) {
        let setup = &self.setup;
        let backend = self.lock_kiosk_state().active_backend.clone();
        let usual = build_config_using_visit_history(
            &backend.config.profile,
            &backend.config.target,
            &setup.data_store,
            &setup.overrides,
        )
        .await;
        let config = ContinuedVisitConfig { polling: usual.polling, timeout: usual.timeout };
        let kiosk = self.clone();
        // Its end was counted before the restart.
        let event_sink: EventSink =
            Arc::new(move |event: VisitEvent| kiosk.record_and_publish_event_without_counting(&event));
        let find_context = |unfinished: &UnfinishedVisit| self.build_recovery_context(unfinished, event_sink);
        let continued =
            continue_unfinished_visit(&setup.data_store, self.clock, &visit, config, find_context, signals).await;
        let recovered = match continued {
            Ok(result) => {
                self.spawn_recovery_of_ended_visit(&result);
                RecoveryOutcome::from_continued_visit_outcome(result.outcome, result.directory, None)
            }
            // Another program finished it, just before it was locked here.
            Err(ContinueVisitError::NothingLeft) => return self.show_journalled_end_of_ticket(visit).await,
            Err(ContinueVisitError::InUse) => {
                let why = "another program continues the visit";
                self.show_visit_postponed_to_recovery(
                    visit,
                    ended_event_for_problem_code("backend_unreachable", 6, why),
                );
                RecoveryOutcome::InUse
            }
            Err(ContinueVisitError::Unavailable(why)) => {
                let end = match backend.get_or_build_api_client() {
                    Err(error) => build_ended_event_for_failed_setup(&error),
                    Ok(_) => ended_event_for_problem_code("backend_unreachable", 6, &why),
                };
                self.show_visit_postponed_to_recovery(visit, end);
                RecoveryOutcome::Postponed { why, exit: 6 }
            }
        };
        self.metrics.count_visit_recovery_attempt(&recovered);
    }

    /// Shows that the visit of a ticket is not continued now, and waits in the background for the recovery that
    /// finishes it later.
    fn show_visit_postponed_to_recovery(&self, visit: VisitId, end: EventKind) {
        self.record_and_publish_event_without_counting(&VisitEvent {
            visit,
            at: self.clock.wall_clock_time(),
            kind: end,
        });
        self.spawn_wait_for_due_recovery();
    }

    /// Shows the end of a ticket's visit that the journal has.
    async fn show_journalled_end_of_ticket(&self, visit: VisitId) {
        match self.setup.data_store.journal.load_detailed_visit_record(&visit).await {
            Ok(detail) => {
                for event in detail.iter().flat_map(|detail| rebuild_events_of_journalled_visit(detail, None)) {
                    self.record_and_publish_event_without_counting(&event);
                }
            }
            Err(error) => tracing::error!(%error, visit = %visit, "the end of a ticket's visit could not be read"),
        }
    }

    /// Builds the live ticket of a journalled one. A name that this version does not know, or that is taken, is
    /// replaced.
    fn to_live_ticket(
        &self,
        state: &KioskState,
        record: &TicketRecord,
        finished_at: Option<Timestamp>,
        accepts_code: bool,
    ) -> Ticket {
        let name = TicketColour::parse_stable_word(&record.colour)
            .zip(TicketSymbol::parse_stable_word(&record.symbol))
            .map(|(colour, symbol)| TicketName { colour, symbol })
            .filter(|name| state.tickets.iter().all(|other| other.name != *name))
            .unwrap_or_else(|| {
                state.tickets.draw_name_with_unused_colour_and_symbol(|below| rand::rng().random_range(0..below))
            });
        let now = self.clock.monotonic_timestamp();
        let mut ticket = Ticket {
            visit: record.visit,
            name,
            code_hash: record.code_hash.as_deref().and_then(PinHash::parse_phc_string),
            handed_over_at: self.convert_to_monotonic_time(record.handed_over_at),
            wrong_codes: record.wrong_codes,
            blocked_until: now,
            finished_at,
            accepts_code,
        };
        ticket.block_code_entry_after_wrong_codes(now);
        ticket
    }

    /// The monotonic timestamp of a time of day in the past; now, if the time of day is later.
    fn convert_to_monotonic_time(&self, past: Timestamp) -> Timestamp {
        let (wall, now) = (self.clock.wall_clock_time(), self.clock.monotonic_timestamp());
        if past >= wall { now } else { now.saturating_sub(wall.duration_since(past)).unwrap_or(Timestamp::MIN) }
    }
}

/// The events from which the screen of a journalled visit is built: its code and status if it continues, otherwise its end.
fn rebuild_events_of_journalled_visit(
    detail: &DetailedVisitRecord,
    unfinished: Option<&UnfinishedVisit>,
) -> Vec<VisitEvent> {
    let record = &detail.visit;
    let visit = record.start.id;
    let mut events = Vec::new();
    let mut add = |at: Timestamp, kind: EventKind| events.push(VisitEvent { visit, at, kind });
    if let Some(link) = unfinished.and_then(|unfinished| unfinished.link.clone()) {
        let at = record.times.issued.unwrap_or(record.start.started_at);
        add(at, EventKind::Invited { link, expires_at: record.token_expires_at });
    }
    let latest = record.times.processing.or(record.times.queued).or(record.times.associated);
    if let Some((at, status)) = latest.zip(record.last_status.clone()) {
        let (completion_progress, queue_position, next_poll_ms) = (-1, -1, 0);
        add(at, EventKind::Status { completion_status: status, completion_progress, queue_position, next_poll_ms });
    }
    if unfinished.is_some() {
        return events;
    }
    if let Some(at) = record.times.redeemed {
        add(at, EventKind::Redeemed { exports: Vec::new() });
    }
    if let Some(ending) = &record.ending {
        if ending.visit_state == EndPhase::Saved.as_str()
            && let Some(directory) = &ending.directory
        {
            let files = list_complete_files_of_visit(detail);
            add(ending.at, EventKind::Saved { directory: directory.display().to_string(), files });
        }
        let (code, message, visit_state) = (ending.code.clone(), ending.message.clone(), ending.visit_state.clone());
        add(ending.at, EventKind::Ended { code, exit: ending.exit, message, visit_state });
    } else {
        let why = "the sandbox ended with the program while it made this avatar";
        add(record.start.started_at, ended_event_for_problem_code("avatar_failed", 5, why));
    }
    events
}

/// The complete files of a visit.
fn list_complete_files_of_visit(detail: &DetailedVisitRecord) -> Vec<SavedFile> {
    let saved = detail.files.iter().filter_map(|file| match &file.state {
        FileDownloadState::Complete { bytes, sha256, notes, .. } => Some(SavedFile {
            path: file.name.clone(),
            export_type: file.export_type.as_str().to_owned(),
            bytes: *bytes,
            sha256: sha256.to_string(),
            notes: notes.clone(),
        }),
        _ => None,
    });
    saved.collect()
}
