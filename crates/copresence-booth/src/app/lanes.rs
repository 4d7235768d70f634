//! Lanes: a visit whose avatar is being made is handed over and continues as a ticket, which its visitor opens with a
//! code.
//!
//! A ticket is durable before its code is shown, and an attempt is counted, also on disk, before its code is checked.

use super::Kiosk;
use super::state::{KioskState, PickupCodeEntryState, ShownScreenWithState};
use super::tickets::Ticket;
use crate::pin::PinHash;
use crate::view::{OperatorTicketView, Problem, TicketClosing, TicketName, TicketView};
use copresence_engine::SecretString;
use copresence_engine::events::format_rfc3339;
use copresence_engine::problem::problem_for_code;
use copresence_store::{StoreError, TicketClosure, TicketRecord, VisitId};
use jiff::Timestamp;
use rand::RngExt as _;
use std::fmt;
use std::time::Duration;
use tokio::sync::watch;

/// Number of digits of a pickup code.
const PICKUP_CODE_DIGITS: usize = 4;

/// A pickup code as a visitor entered it. It is not printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EnteredPickupCode<'a>(pub &'a str);

impl fmt::Debug for EnteredPickupCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnteredPickupCode(…)")
    }
}

/// A live ticket of a visit at the embedded sandbox, with the link of its QR code, for the sandbox's phone page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxTicketWithLink {
    /// The link in the QR code of the visit, which has its Export Token.
    pub link: String,
    /// The ticket.
    pub ticket: TicketView,
}

/// A new ticket of a visit, before it is live.
struct NotYetLiveTicket {
    name: TicketName,
    code: SecretString,
    code_hash: PinHash,
    handed_over_at: Timestamp,
}

impl Kiosk {
    /// Hands over the visit on the screen, if its avatar is being made and a lane is free. The screen shows the ticket once
    /// that is durable.
    pub(super) fn start_hand_over_of_shown_visit(&self, state: &mut KioskState) {
        let Some((visit, _)) = state.shown_visit() else { return };
        if !state.can_hand_over_shown_visit(self.clock.wall_clock_time())
            || !state.has_lane_for_shown_visit()
            || state.handing_over.is_some()
        {
            return;
        }
        state.handing_over = Some(visit);
        let name = state.tickets.draw_name_with_unused_colour_and_symbol(|below| rand::rng().random_range(0..below));
        let place = u32::try_from(state.tickets.len()).unwrap_or(u32::MAX);
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let made = kiosk.make_and_journal_ticket(visit, name, place).await;
            kiosk.finish_hand_over_and_show_ticket(visit, made).await;
        });
    }

    /// Draws a pickup code, and journals a new ticket with the hash of the code.
    async fn make_and_journal_ticket(
        &self,
        visit: VisitId,
        name: TicketName,
        place: u32,
    ) -> Result<NotYetLiveTicket, String> {
        let code = SecretString::from(format!("{:04}", rand::rng().random_range(0..10_000_u32)));
        let hashed = code.clone();
        let code_hash = tokio::task::spawn_blocking(move || PinHash::from_pin(&hashed)).await;
        let code_hash = code_hash.map_err(|error| error.to_string()).flatten()?;
        let record = TicketRecord {
            visit,
            colour: name.colour.as_stable_word().to_owned(),
            symbol: name.symbol.as_stable_word().to_owned(),
            code_hash: Some(code_hash.as_str().to_owned()),
            place,
            handed_over_at: self.clock.wall_clock_time(),
            wrong_codes: 0,
            closure: None,
        };
        self.setup.data_store.journal.record_ticket(&record).await.map_err(|error| error.to_string())?;
        Ok(NotYetLiveTicket { name, code, code_hash, handed_over_at: self.clock.monotonic_timestamp() })
    }

    /// Shows the ticket that was made. If its visitor left meanwhile, or the visit ended, there is no ticket.
    async fn finish_hand_over_and_show_ticket(&self, visit: VisitId, made: Result<NotYetLiveTicket, String>) {
        let is_journalled = made.is_ok();
        let is_live = {
            let mut state = self.lock_kiosk_state();
            state.handing_over = None;
            let is_still_shown = state.shown_visit().is_some_and(|(shown, _)| shown == visit);
            let is_live = match made {
                Ok(new) if is_still_shown && state.can_hand_over_shown_visit(self.clock.wall_clock_time()) => {
                    let NotYetLiveTicket { name, code, code_hash, handed_over_at } = new;
                    state.count_shown_code_if_unscanned(handed_over_at);
                    state.tickets.append_ticket_replacing_same_visit(Ticket {
                        visit,
                        name,
                        code_hash: Some(code_hash),
                        handed_over_at,
                        wrong_codes: 0,
                        blocked_until: handed_over_at,
                        finished_at: None,
                        accepts_code: false,
                    });
                    state.update_ticket_from_visit(&visit, handed_over_at);
                    state.shown = ShownScreenWithState::Ticket { visit, name, code };
                    true
                }
                Ok(_) => false,
                Err(why) => {
                    let problem = problem_for_code("storage_failed", Some(&why));
                    tracing::error!(code = problem.code, visit = %visit, "a ticket could not be saved: {}", problem.operator);
                    state.last_problem = Some((self.clock.wall_clock_time(), problem));
                    false
                }
            };
            self.publish_snapshot_if_changed(&mut state);
            is_live
        };
        if is_journalled && !is_live {
            log_ticket_write_failure(visit, self.setup.data_store.journal.remove_ticket_not_handed_over(&visit).await);
        }
    }

    /// Shows the pickup code entry of a ticket. Does nothing while a visit that has not ended is on the screen.
    pub(super) fn show_pickup_code_entry(&self, state: &mut KioskState, visit: &str) {
        self.close_expired_or_never_scanned_tickets(state);
        let Some((visit, name)) = find_ticket_by_visit_id_text(state, visit) else { return };
        if !state.is_screen_free_for_visit() {
            return;
        }
        self.leave_visit_and_forget_if_unretained(state);
        state.shown =
            ShownScreenWithState::PickUp(PickupCodeEntryState { visit, name, is_checking: false, was_wrong: false });
        self.publish_snapshot_when_entry_is_unblocked(state, visit);
    }

    /// Checks a pickup code for the ticket whose code entry is shown, if one is accepted now. The right code closes the
    /// ticket and shows its visit.
    pub(super) fn start_pickup_code_check(&self, state: &mut KioskState, code: EnteredPickupCode<'_>) {
        self.close_expired_or_never_scanned_tickets(state);
        let now = self.clock.monotonic_timestamp();
        let KioskState { shown: ShownScreenWithState::PickUp(entry), tickets, .. } = state else { return };
        let Some(ticket) = tickets.find_by_visit_mut(&entry.visit).filter(|_| !entry.is_checking) else { return };
        if code.0.len() != PICKUP_CODE_DIGITS || !code.0.bytes().all(|digit| digit.is_ascii_digit()) {
            // No code has this form, so the attempt reveals nothing and is not counted.
            entry.was_wrong = ticket.accepts_code;
            return;
        }
        if !ticket.count_pickup_attempt_if_allowed(now) {
            return;
        }
        let Some(code_hash) = ticket.code_hash.clone() else { return };
        let (visit, wrong_codes) = (ticket.visit, ticket.wrong_codes);
        (entry.is_checking, entry.was_wrong) = (true, false);
        let (kiosk, code) = (self.clone(), SecretString::from(code.0));
        self.tasks.spawn(async move {
            let journal = &kiosk.setup.data_store.journal;
            log_ticket_write_failure(visit, journal.record_wrong_ticket_code_count(&visit, wrong_codes).await);
            let is_right = tokio::task::spawn_blocking(move || code_hash.matches_pin(&code)).await.unwrap_or(false);
            let is_opened = kiosk.show_visit_or_wrong_pickup_code(visit, is_right);
            if is_opened {
                kiosk.journal_closed_ticket(visit, TicketClosing::PickedUp).await;
            } else if is_right {
                // Its visitor left the code entry meanwhile, or it expired: what was entered was right.
                log_ticket_write_failure(visit, journal.record_wrong_ticket_code_count(&visit, wrong_codes - 1).await);
            }
        });
    }

    /// Shows the visit if the pickup code was right, otherwise that it was wrong. Returns whether the visit is shown.
    fn show_visit_or_wrong_pickup_code(&self, visit: VisitId, is_right: bool) -> bool {
        let mut state = self.lock_kiosk_state();
        let is_shown = match &mut state.shown {
            ShownScreenWithState::PickUp(entry) if entry.visit == visit => {
                (entry.is_checking, entry.was_wrong) = (false, !is_right);
                true
            }
            _ => false,
        };
        if is_right && let Some(ticket) = state.tickets.find_by_visit_mut(&visit) {
            ticket.wrong_codes = ticket.wrong_codes.saturating_sub(1);
            ticket.blocked_until = self.clock.monotonic_timestamp();
        }
        let is_opened = is_shown && is_right && state.tickets.remove_by_visit(&visit).is_some();
        if is_opened {
            state.shown = ShownScreenWithState::Visit(visit);
        }
        self.publish_snapshot_when_entry_is_unblocked(&state, visit);
        self.publish_snapshot_if_changed(&mut state);
        is_opened
    }

    /// Publishes a snapshot when the code entry of a ticket accepts pickup codes again.
    fn publish_snapshot_when_entry_is_unblocked(&self, state: &KioskState, visit: VisitId) {
        let now = self.clock.monotonic_timestamp();
        let Some(until) = state.tickets.find_by_visit(&visit).and_then(|ticket| ticket.code_entry_blocked_until(now))
        else {
            return;
        };
        let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = kiosk.stopping.cancelled() => {}
                () = tokio::time::sleep(wait) => kiosk.publish_snapshot_if_changed(&mut kiosk.lock_kiosk_state()),
            }
        });
    }

    /// Closes the tickets that have expired, and those whose visits ended before a phone scanned their QR codes, and
    /// publishes a snapshot. Their visits are kept or deleted as the retention setting says. Call it periodically.
    /// Needs a tokio runtime.
    pub fn close_due_tickets_and_publish_snapshot(&self) {
        let mut state = self.lock_kiosk_state();
        self.close_expired_or_never_scanned_tickets(&mut state);
        self.publish_snapshot_if_changed(&mut state);
    }

    /// Closes the tickets that have expired, and those whose visits ended before a phone scanned their QR codes. Does
    /// nothing while the program stops.
    fn close_expired_or_never_scanned_tickets(&self, state: &mut KioskState) {
        if self.stopping.is_cancelled() {
            // The visits that are interrupted now continue at the next start.
            return;
        }
        for visit in state.find_ticketed_visits_ended_without_scan() {
            self.close_unclaimed_ticket_and_cancel_visit(state, visit, TicketClosing::Expired);
        }
        let minutes = state.booth_settings.lanes.ticket_minutes;
        for visit in state.tickets.find_visits_of_expired_tickets(minutes, self.clock.monotonic_timestamp()) {
            self.close_unclaimed_ticket_and_cancel_visit(state, visit, TicketClosing::Expired);
        }
    }

    /// Closes a ticket whose visitor did not return: cancels its visit, journals the closing, and deletes the visit if
    /// the retention time is 0.
    fn close_unclaimed_ticket_and_cancel_visit(&self, state: &mut KioskState, visit: VisitId, closing: TicketClosing) {
        let Some(ticket) = state.tickets.remove_by_visit(&visit) else { return };
        tracing::info!(visit = %visit, ticket = ticket.name.to_english_name(), closed = closing.as_stable_word(), "a ticket is closed");
        let gone = state.visits.get(&visit).map(|active_visit| {
            active_visit.stop_signals.visitor_left.cancel();
            active_visit.task_done.clone()
        });
        state.drop_ended_unshown_unticketed_visits();
        let kiosk = self.clone();
        self.tasks.spawn(async move { kiosk.journal_closed_ticket(visit, closing).await });
        if state.booth_settings.keep_hours == Some(0)
            && let Some(gone) = gone
        {
            self.spawn_forgetting_once_ended(state, visit, gone);
        }
    }

    /// Subscribes to the live tickets of visits at the embedded sandbox, for its phone pages. They contain Export Tokens.
    pub fn subscribe_sandbox_tickets(&self) -> watch::Receiver<Vec<SandboxTicketWithLink>> {
        self.sandbox_tickets.subscribe()
    }

    /// Sends the tickets of visits at the embedded sandbox to its phone pages, if they changed.
    pub(super) fn publish_tickets_to_sandbox_phone_pages(&self, state: &KioskState) {
        let tickets: Vec<SandboxTicketWithLink> = state
            .tickets
            .iter()
            .filter_map(|ticket| {
                let visit = state.visits.get(&ticket.visit)?;
                let link = visit.screen_state.shown_qr_link()?.to_owned();
                let is_at_sandbox = visit.backend.config.target.is_embedded_sandbox;
                is_at_sandbox.then(|| SandboxTicketWithLink { link, ticket: state.build_ticket_view(ticket) })
            })
            .collect();
        self.sandbox_tickets.send_if_modified(|sent| {
            let is_changed = *sent != tickets;
            *sent = tickets;
            is_changed
        });
    }

    /// Whether a visit has a live ticket: it waits for its visitor.
    pub fn has_live_ticket(&self, visit: &VisitId) -> bool {
        self.lock_kiosk_state().tickets.find_by_visit(visit).is_some()
    }

    /// The live tickets as the operator sees them, in the order of the strip.
    pub fn build_operator_ticket_views(&self) -> Vec<OperatorTicketView> {
        let state = self.lock_kiosk_state();
        let times = self.read_wall_and_monotonic_clock();
        let minutes = state.booth_settings.lanes.ticket_minutes;
        let view = |ticket: &Ticket| OperatorTicketView {
            ticket: state.build_ticket_view(ticket),
            handed_over_at: format_rfc3339(times.convert_to_wall_time(ticket.handed_over_at)),
            expires_at: ticket.expiry_time(minutes).map(|at| format_rfc3339(times.convert_to_wall_time(at))),
            wrong_codes: ticket.wrong_codes,
        };
        state.tickets.iter().map(view).collect()
    }

    /// Shows the visit of a ticket without its pickup code, and closes the ticket. For the operator. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// `ticket_unknown`; `screen_in_use` while a visit that has not ended is on the screen.
    pub fn show_ticket_visit_without_pickup_code(&self, visit: &str) -> Result<(), Problem> {
        let mut state = self.lock_kiosk_state();
        let (visit, _) =
            find_ticket_by_visit_id_text(&state, visit).ok_or_else(|| problem_for_code("ticket_unknown", None))?;
        if !state.is_screen_free_for_visit() {
            return Err(problem_for_code("screen_in_use", None));
        }
        self.leave_visit_and_forget_if_unretained(&mut state);
        state.tickets.remove_by_visit(&visit);
        state.shown = ShownScreenWithState::Visit(visit);
        self.publish_snapshot_if_changed(&mut state);
        drop(state);
        let kiosk = self.clone();
        self.tasks.spawn(async move { kiosk.journal_closed_ticket(visit, TicketClosing::OpenedByOperator).await });
        Ok(())
    }

    /// Closes a ticket and deletes its visit with its files, also while its avatar is being made. For the operator.
    ///
    /// # Errors
    /// `ticket_unknown`; `forget_incomplete` with what is left.
    pub async fn close_ticket_and_forget_visit(&self, visit: &str) -> Result<(), Problem> {
        let (visit, gone) = {
            let mut state = self.lock_kiosk_state();
            let (visit, _) =
                find_ticket_by_visit_id_text(&state, visit).ok_or_else(|| problem_for_code("ticket_unknown", None))?;
            state.tickets.remove_by_visit(&visit);
            if matches!(&state.shown, ShownScreenWithState::Ticket { visit: shown, .. } if *shown == visit) {
                state.shown = ShownScreenWithState::Attract;
            }
            let gone = state.visits.get(&visit).map(|active_visit| {
                active_visit.stop_signals.forgotten.cancel();
                active_visit.task_done.clone()
            });
            // Recovery must not take it before it is deleted.
            state.to_forget.insert(visit);
            state.drop_ended_unshown_unticketed_visits();
            self.publish_snapshot_if_changed(&mut state);
            (visit, gone)
        };
        if let Some(gone) = gone {
            gone.cancelled().await;
        }
        self.forget_ended_visit(visit).await.map_or(Ok(()), Err)
    }

    /// Moves a ticket to another place of the strip, from 0. For the operator.
    ///
    /// # Errors
    /// `ticket_unknown`; `storage_failed` if the order cannot be saved for the next start.
    pub async fn move_ticket_in_strip_for_operator(&self, visit: &str, place: u32) -> Result<(), Problem> {
        let order: Vec<VisitId> = {
            let mut state = self.lock_kiosk_state();
            let (visit, _) =
                find_ticket_by_visit_id_text(&state, visit).ok_or_else(|| problem_for_code("ticket_unknown", None))?;
            state.tickets.move_ticket_to_place(&visit, usize::try_from(place).unwrap_or(usize::MAX));
            self.publish_snapshot_if_changed(&mut state);
            state.tickets.iter().map(|ticket| ticket.visit).collect()
        };
        let recorded = self.setup.data_store.journal.record_ticket_order(&order).await;
        recorded.map_err(|error| problem_for_code("storage_failed", Some(&error.to_string())))
    }

    /// Journals that a ticket is closed. A failure is logged: after a restart, the ticket is there again with its code.
    async fn journal_closed_ticket(&self, visit: VisitId, closing: TicketClosing) {
        let closure = TicketClosure { how: closing.as_stable_word().to_owned(), at: self.clock.wall_clock_time() };
        log_ticket_write_failure(
            visit,
            self.setup.data_store.journal.close_ticket_and_erase_code(&visit, &closure).await,
        );
    }
}

/// Logs that a ticket could not be journalled, if so.
fn log_ticket_write_failure(visit: VisitId, written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::error!(%error, visit = %visit, "a ticket could not be saved");
    }
}

/// The live ticket of a visit id as text.
fn find_ticket_by_visit_id_text(state: &KioskState, visit: &str) -> Option<(VisitId, TicketName)> {
    let visit: VisitId = visit.parse().ok()?;
    state.tickets.find_by_visit(&visit).map(|ticket| (visit, ticket.name))
}
