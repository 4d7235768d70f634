//! The live tickets: visits that were handed over and wait for their visitors. Without a clock, randomness or I/O.

use crate::pin::{FREE_ATTEMPTS, PinHash, delay_after_failed_attempts};
use crate::view::{TicketColour, TicketName, TicketState, TicketSymbol};
use copresence_store::VisitId;
use jiff::Timestamp;
use std::time::Duration;

/// A live ticket. Times are monotonic ones ([`copresence_engine::clock::Clock::monotonic_timestamp`]).
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) visit: VisitId,
    pub(super) name: TicketName,
    /// Hash of the pickup code. `None` if the journal has none that can be used: then only the operator can open it.
    pub(super) code_hash: Option<PinHash>,
    pub(super) handed_over_at: Timestamp,
    /// Wrong codes so far; one that is being checked counts.
    pub(super) wrong_codes: u32,
    /// No code is accepted before this time.
    pub(super) blocked_until: Timestamp,
    /// Since when the avatar is saved or failed; `None` before.
    pub(super) finished_at: Option<Timestamp>,
    /// Whether its code is accepted: not while the avatar is being made.
    pub(super) accepts_code: bool,
}

impl Ticket {
    /// Number of wrong pickup codes that can still be entered before a wait, at least 1.
    pub(super) fn count_attempts_left_before_wait(&self) -> u32 {
        FREE_ATTEMPTS.saturating_sub(self.wrong_codes).max(1)
    }

    /// The time until which no pickup code is accepted, if that is after `now`.
    pub(super) fn code_entry_blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        (now < self.blocked_until).then_some(self.blocked_until)
    }

    /// The time at which the ticket expires: `ticket_minutes` after its avatar was finished; `None` while the avatar is
    /// being made.
    pub(super) fn expiry_time(&self, ticket_minutes: u32) -> Option<Timestamp> {
        let waits = Duration::from_secs(u64::from(ticket_minutes) * 60);
        Some(self.finished_at?.saturating_add(waits).unwrap_or(Timestamp::MAX))
    }

    /// Counts an attempt at the pickup code as wrong until it proves right, so that neither parallel attempts nor a
    /// crash give more of them. Returns `false` if no attempt is accepted at `now`.
    pub(super) fn count_pickup_attempt_if_allowed(&mut self, now: Timestamp) -> bool {
        if self.code_hash.is_none() || !self.accepts_code || self.code_entry_blocked_until(now).is_some() {
            return false;
        }
        self.wrong_codes = self.wrong_codes.saturating_add(1);
        self.block_code_entry_after_wrong_codes(now);
        true
    }

    /// Blocks the pickup code entry from `now` on, for the wait that the number of wrong codes requires. Also called
    /// after a restart.
    pub(super) fn block_code_entry_after_wrong_codes(&mut self, now: Timestamp) {
        let wait = delay_after_failed_attempts(self.wrong_codes);
        self.blocked_until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    }
}

/// The live tickets, in the order of the strip.
#[derive(Debug, Default)]
pub(super) struct LiveTicketList(Vec<Ticket>);

impl LiveTicketList {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Ticket> {
        self.0.iter()
    }

    /// The ticket of a visit.
    pub(super) fn find_by_visit(&self, visit: &VisitId) -> Option<&Ticket> {
        self.0.iter().find(|ticket| ticket.visit == *visit)
    }

    /// The ticket of a visit, to be changed.
    pub(super) fn find_by_visit_mut(&mut self, visit: &VisitId) -> Option<&mut Ticket> {
        self.0.iter_mut().find(|ticket| ticket.visit == *visit)
    }

    /// Adds a ticket behind the others, in place of an earlier one of the same visit.
    pub(super) fn append_ticket_replacing_same_visit(&mut self, ticket: Ticket) {
        self.remove_by_visit(&ticket.visit);
        self.0.push(ticket);
    }

    /// Removes the ticket of a visit, and returns it.
    pub(super) fn remove_by_visit(&mut self, visit: &VisitId) -> Option<Ticket> {
        let place = self.0.iter().position(|ticket| ticket.visit == *visit)?;
        Some(self.0.remove(place))
    }

    /// Moves a ticket to a place from 0; a place behind the last is the last. `false` if there is no such ticket.
    pub(super) fn move_ticket_to_place(&mut self, visit: &VisitId, place: usize) -> bool {
        let Some(ticket) = self.remove_by_visit(visit) else { return false };
        self.0.insert(place.min(self.0.len()), ticket);
        true
    }

    /// Notes the state of a ticket. It expires some time after it was first noted as ready or failed.
    pub(super) fn note_ticket_state_and_finish_time(&mut self, visit: &VisitId, state: TicketState, now: Timestamp) {
        if let Some(ticket) = self.find_by_visit_mut(visit) {
            let is_finished = matches!(state, TicketState::Ready | TicketState::Failed);
            ticket.finished_at = if is_finished { ticket.finished_at.or(Some(now)) } else { None };
            ticket.accepts_code = state != TicketState::Making;
        }
    }

    /// The visits of the tickets that have expired at `now`.
    pub(super) fn find_visits_of_expired_tickets(&self, ticket_minutes: u32, now: Timestamp) -> Vec<VisitId> {
        let expired = self.0.iter().filter(|ticket| ticket.expiry_time(ticket_minutes).is_some_and(|at| at <= now));
        expired.map(|ticket| ticket.visit).collect()
    }

    /// A name whose colour and whose symbol no live ticket has, as long as there are such. `draw` returns a random number
    /// below its argument, which is at least 1.
    pub(super) fn draw_name_with_unused_colour_and_symbol(&self, mut draw: impl FnMut(usize) -> usize) -> TicketName {
        let mut colours: Vec<TicketColour> = TicketColour::ALL.to_vec();
        let mut symbols: Vec<TicketSymbol> = TicketSymbol::ALL.to_vec();
        for ticket in &self.0 {
            if colours.len() > 1 {
                colours.retain(|colour| *colour != ticket.name.colour);
            }
            if symbols.len() > 1 {
                symbols.retain(|symbol| *symbol != ticket.name.symbol);
            }
        }
        TicketName { colour: colours[draw(colours.len())], symbol: symbols[draw(symbols.len())] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).expect("a time")
    }

    fn ticket(list: &LiveTicketList, draw: usize) -> Ticket {
        Ticket {
            visit: VisitId::new(),
            name: list.draw_name_with_unused_colour_and_symbol(|below| draw % below),
            code_hash: Some(PinHash::with_cheap_params("0417")),
            handed_over_at: at(0),
            wrong_codes: 0,
            blocked_until: at(0),
            finished_at: None,
            accepts_code: false,
        }
    }

    #[test]
    fn the_first_three_codes_are_free_and_then_each_waits_longer() {
        let mut ticket = ticket(&LiveTicketList::default(), 0);
        assert!(!ticket.count_pickup_attempt_if_allowed(at(0)), "the avatar is still being made");
        ticket.accepts_code = true;
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..6 {
            assert!(ticket.count_pickup_attempt_if_allowed(at(now)));
            let until = ticket.code_entry_blocked_until(at(now)).unwrap_or(at(now));
            let wait = until.duration_since(at(now)).as_secs();
            assert!(
                wait == 0 || !ticket.count_pickup_attempt_if_allowed(at(now + wait - 1)),
                "not before the wait is over"
            );
            now += wait;
            waits.push((ticket.count_attempts_left_before_wait(), wait));
        }
        assert_eq!(waits, [(2, 0), (1, 0), (1, 5), (1, 10), (1, 20), (1, 40)]);
        ticket.block_code_entry_after_wrong_codes(at(500));
        assert!(!ticket.count_pickup_attempt_if_allowed(at(500)), "also after a restart");
    }

    #[test]
    fn a_ticket_expires_some_time_after_its_avatar_is_finished() {
        let mut list = LiveTicketList::default();
        let one = ticket(&list, 1);
        let visit = one.visit;
        list.append_ticket_replacing_same_visit(one);
        assert_eq!(list.find_visits_of_expired_tickets(30, at(1_000_000)), [], "it is still being made");
        list.note_ticket_state_and_finish_time(&visit, TicketState::Failed, at(100));
        list.note_ticket_state_and_finish_time(&visit, TicketState::Ready, at(900));
        assert_eq!(list.find_visits_of_expired_tickets(30, at(100 + 30 * 60 - 1)), []);
        assert_eq!(list.find_visits_of_expired_tickets(30, at(100 + 30 * 60)), [visit]);
        list.note_ticket_state_and_finish_time(&visit, TicketState::Making, at(1000));
        assert_eq!(list.find_visits_of_expired_tickets(30, at(1_000_000)), [], "its visitor records again");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Add(usize),
        Remove(usize),
        Move(usize, usize),
    }

    fn generate_list_change() -> impl Strategy<Value = Step> {
        prop_oneof![
            any::<usize>().prop_map(Step::Add),
            any::<usize>().prop_map(Step::Remove),
            (any::<usize>(), 0..12_usize).prop_map(|(which, place)| Step::Move(which, place)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        #[test]
        fn live_tickets_differ_in_colour_and_symbol(steps in proptest::collection::vec(generate_list_change(), 0..60)) {
            let mut list = LiveTicketList::default();
            for step in steps {
                let nth = |list: &LiveTicketList, which: usize| {
                    list.iter().nth(which.checked_rem(list.len()).unwrap_or(0)).map(|ticket| ticket.visit)
                };
                match step {
                    Step::Add(draw) if list.len() < 8 => {
                        let new = ticket(&list, draw);
                        list.append_ticket_replacing_same_visit(new);
                    }
                    Step::Add(_) => {}
                    Step::Remove(which) => {
                        if let Some(visit) = nth(&list, which) {
                            prop_assert!(list.remove_by_visit(&visit).is_some() && list.find_by_visit(&visit).is_none());
                        }
                    }
                    Step::Move(which, place) => {
                        let before = list.len();
                        if let Some(visit) = nth(&list, which) {
                            prop_assert!(list.move_ticket_to_place(&visit, place));
                            let now_at = list.iter().position(|ticket| ticket.visit == visit);
                            prop_assert_eq!(now_at, Some(place.min(before - 1)));
                        }
                        prop_assert_eq!(list.len(), before);
                    }
                }
                let colours: HashSet<_> = list.iter().map(|ticket| ticket.name.colour).collect();
                let symbols: HashSet<_> = list.iter().map(|ticket| ticket.name.symbol).collect();
                prop_assert!(colours.len() == list.len() && symbols.len() == list.len());
            }
        }

        /// However codes are tried: after the free ones, each attempt has waited as long as the count requires.
        #[test]
        fn each_attempt_waits_as_long_as_required(pauses in proptest::collection::vec(0..400_i64, 1..60)) {
            let mut ticket = ticket(&LiveTicketList::default(), 0);
            ticket.accepts_code = true;
            let (mut now, mut accepted_at) = (0, Vec::new());
            for pause in pauses {
                now += pause;
                if ticket.count_pickup_attempt_if_allowed(at(now)) {
                    accepted_at.push(now);
                }
            }
            for (number, pair) in accepted_at.windows(2).enumerate() {
                let required = delay_after_failed_attempts(u32::try_from(number).expect("few") + 1).as_secs();
                prop_assert!(pair[1] - pair[0] >= i64::try_from(required).expect("minutes"));
            }
            prop_assert_eq!(usize::try_from(ticket.wrong_codes).expect("few"), accepted_at.len());
        }
    }
}
