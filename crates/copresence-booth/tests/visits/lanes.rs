//! Lanes: visits that are handed over, and the tickets that open them.

mod restart;

use super::backend::{Request, Response, glb, png};
use super::fixture::{Fixture, GENERATE_PATH, REDEEM_PATH, file_names};
use super::window::{is_invite, kiosk, until};
use copresence_booth::app::{EnteredPickupCode, ExpectedScreen, Kiosk, VisitorCommand};
use copresence_booth::view::{
    LaneSettings, LocalizedTextView, NextVisitorOffer, Screen, Snapshot, TicketState, TicketView,
    VisitorScreenSettingsView,
};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the backend reports of each token, by its number from 1. A token that is not here is being processed.
#[derive(Clone, Default)]
pub(crate) struct AvatarStates(Arc<Mutex<HashMap<usize, AvatarState>>>);

#[derive(Clone, Copy)]
enum AvatarState {
    Unassociated,
    Ready,
    /// Ready, with `avatar_ready` false.
    ReadyWithWrongFlag,
    Failed,
    Refused,
}

impl AvatarStates {
    fn set(&self, token: usize, state: AvatarState) {
        self.0.lock().expect("no panic").insert(token, state);
    }

    fn remove(&self, token: usize) {
        self.0.lock().expect("no panic").remove(&token);
    }

    fn response(&self, request: &Request) -> Response {
        if let Some(number) = request.path.strip_prefix("/files/glb-") {
            return Response::file(&glb(face_size(number.parse().expect("a number"))));
        }
        if request.path.starts_with("/files/png-") {
            return Response::file(&png(700));
        }
        if request.path != REDEEM_PATH {
            return Response::default();
        }
        let token = request.header("x-copresence-export-token").and_then(|token| token.strip_prefix("export-token-"));
        let number: usize = token.and_then(|number| number.parse().ok()).expect("an issued token");
        let (glb, png) = (format!("glb-{number}"), format!("png-{number}"));
        let exports = [("glb", glb.as_str()), ("png", png.as_str())];
        match self.0.lock().expect("no panic").get(&number) {
            Some(AvatarState::Ready) => request.ready_response(&exports),
            Some(AvatarState::ReadyWithWrongFlag) => request.ready_response_with_flag(false, &exports),
            Some(AvatarState::Unassociated) => Response::not_ready("no_associated_avatar"),
            Some(AvatarState::Failed) => Response::not_ready("failed"),
            Some(AvatarState::Refused) => Response::status(400),
            None => Response::not_ready("processing"),
        }
    }
}

/// Size of the avatar of a token: each has its own.
fn face_size(token: usize) -> usize {
    500 + token
}

async fn booth_with_states() -> (Fixture, AvatarStates) {
    let states = AvatarStates::default();
    let script = states.clone();
    (Fixture::new(move |_, request| script.response(request)).await, states)
}

fn settings(lanes: LaneSettings, keep_hours: Option<u32>) -> VisitorScreenSettingsView {
    VisitorScreenSettingsView { lanes, keep_hours, ..VisitorScreenSettingsView::default() }
}

/// Applies settings of the booth, without a consent text.
fn apply(kiosk: &Kiosk, lanes: LaneSettings, keep_hours: Option<u32>) {
    kiosk.apply_screen_settings_and_consent(settings(lanes, keep_hours), LocalizedTextView::default());
}

async fn until_snapshot(kiosk: &Kiosk, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut snapshots = kiosk.watch_latest_snapshot();
    let found = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| wanted(snapshot))).await;
    found.unwrap_or_else(|_| panic!("still {:?}", kiosk.current_snapshot())).expect("it lives").clone()
}

fn run(kiosk: &Kiosk, command: VisitorCommand<'_>) {
    kiosk.run_command_if_still_current(command, &ExpectedScreen::default());
}

async fn start_making(kiosk: &Kiosk) -> Snapshot {
    kiosk.start_visit_or_show_consent();
    until(kiosk, |screen| matches!(screen, Screen::Making { .. })).await
}

/// A ticket as its visitor remembers it.
#[derive(Debug, Clone)]
struct RememberedTicket {
    view: TicketView,
    code: String,
}

/// Hands over the visit on the screen, and leaves the screen of its ticket.
async fn hand_over(kiosk: &Kiosk) -> RememberedTicket {
    run(kiosk, VisitorCommand::HandOver);
    let snapshot = until(kiosk, |screen| matches!(screen, Screen::Ticket { .. })).await;
    let Screen::Ticket { ticket, pickup_code, .. } = snapshot.screen else { unreachable!("waited for") };
    assert!(pickup_code.len() == 4 && pickup_code.bytes().all(|digit| digit.is_ascii_digit()));
    kiosk.return_to_start();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    RememberedTicket { view: ticket, code: pickup_code }
}

async fn new_ticket(kiosk: &Kiosk) -> RememberedTicket {
    start_making(kiosk).await;
    hand_over(kiosk).await
}

async fn until_state(kiosk: &Kiosk, visit: &str, state: TicketState) -> Snapshot {
    until_snapshot(kiosk, |snapshot| snapshot.tickets.iter().any(|one| one.visit == visit && one.state == state)).await
}

/// Enters a code and waits until it was checked.
async fn enter(kiosk: &Kiosk, code: &str) -> Screen {
    run(kiosk, VisitorCommand::EnterPickupCode { code: EnteredPickupCode(code) });
    let checked = |screen: &Screen| !matches!(screen, Screen::PickUp { entry, .. } if entry.checking);
    until(kiosk, checked).await.screen
}

fn wrong_code(code: &str) -> String {
    format!("{:04}", (code.parse::<u32>().expect("digits") + 1) % 10_000)
}

/// What everybody may see: nothing of it names a file, a folder or a code.
fn assert_shows_no_face(snapshot: &Snapshot) {
    let json = serde_json::to_string(snapshot).expect("plain data");
    for secret in ["avatar.glb", ".png", "avatar://", "sha256", "directory", "pickup_code", "export-token"] {
        assert!(!json.contains(secret), "{secret} in {json}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_visitors_get_their_own_avatars_in_any_order() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    let mut tickets = Vec::new();
    for number in 1..=8 {
        let Screen::Making { next_visitor, .. } = start_making(&kiosk).await.screen else { unreachable!("waited for") };
        assert_eq!(next_visitor, Some(NextVisitorOffer { has_free_lane: true, automatic_seconds: None }));
        tickets.push(hand_over(&kiosk).await);
        let snapshot = kiosk.current_snapshot();
        assert_eq!(snapshot.tickets.len(), number);
        assert_shows_no_face(&snapshot);
    }
    let names: HashSet<_> = tickets.iter().map(|ticket| ticket.view.name).collect();
    let colours: HashSet<_> = names.iter().map(|name| name.colour).collect();
    assert_eq!((names.len(), colours.len()), (8, 8), "each is recognised by its colour alone");

    // No lane is free: the ninth stays on the screen.
    let Screen::Making { next_visitor, .. } = start_making(&kiosk).await.screen else { unreachable!("waited for") };
    assert_eq!(next_visitor, Some(NextVisitorOffer { has_free_lane: false, automatic_seconds: None }));
    run(&kiosk, VisitorCommand::HandOver);
    states.set(9, AvatarState::Ready);
    until(&kiosk, |screen| matches!(screen, Screen::Reveal { .. })).await;
    kiosk.return_to_start();

    for token in [5, 2, 8, 1, 7, 3, 6, 4] {
        states.set(token, AvatarState::Ready);
        assert_shows_no_face(&until_state(&kiosk, &tickets[token - 1].view.visit, TicketState::Ready).await);
    }
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 9);
    for token in [3, 8, 1, 2, 7, 5, 4, 6] {
        let RememberedTicket { view, code } = &tickets[token - 1];
        run(&kiosk, VisitorCommand::ChooseTicket { visit: &view.visit });
        assert_shows_no_face(&kiosk.current_snapshot());
        assert_eq!(kiosk.shown_visit_file_path(&view.visit, "avatar.glb"), None, "before the code");
        let Screen::Reveal { visit, .. } = enter(&kiosk, code).await else { panic!("its code opens it") };
        assert_eq!(visit, view.visit);
        let file = kiosk.shown_visit_file_path(&visit, "avatar.glb").expect("shown");
        assert_eq!(std::fs::read(file).expect("read"), glb(face_size(token)), "its own face");
        assert!(kiosk.current_snapshot().tickets.iter().all(|one| one.visit != visit));
        kiosk.return_to_start();
        assert_eq!(kiosk.shown_visit_file_path(&visit, "avatar.glb"), None);
    }
    assert_eq!(kiosk.current_snapshot().tickets, []);
    kiosk.stop_visits_for_shutdown().await;
    let closed = fixture.data_store.journal.load_tickets().await.expect("reads");
    assert!(closed.iter().all(|ticket| ticket.code_hash.is_none()
        && ticket.closure.as_ref().is_some_and(|closure| closure.how == "picked_up")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_code_opens_nothing_and_after_three_there_is_a_wait() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    let mine = new_ticket(&kiosk).await;
    let other = new_ticket(&kiosk).await;
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &mine.view.visit });
    let Screen::PickUp { entry, .. } = enter(&kiosk, &mine.code).await else { panic!("it is still being made") };
    assert_eq!((entry.wrong, entry.tries_left), (false, 3), "no code is accepted yet");
    for token in [1, 2] {
        states.set(token, AvatarState::Ready);
    }
    until_state(&kiosk, &mine.view.visit, TicketState::Ready).await;
    until_state(&kiosk, &other.view.visit, TicketState::Ready).await;
    for form in ["", "417", "04171", "abcd", "０４１７"] {
        let Screen::PickUp { entry, .. } = enter(&kiosk, form).await else { panic!("no code has this form") };
        assert_eq!((entry.wrong, entry.tries_left), (true, 3), "{form}");
    }
    let wrong = wrong_code(&mine.code);
    for (tries_left, is_blocked) in [(2, false), (1, false), (1, true)] {
        let Screen::PickUp { entry, .. } = enter(&kiosk, &wrong).await else { panic!("a wrong code opened it") };
        assert_eq!((entry.wrong, entry.tries_left, entry.blocked_until.is_some()), (true, tries_left, is_blocked));
        assert_shows_no_face(&kiosk.current_snapshot());
    }
    let Screen::PickUp { entry, .. } = enter(&kiosk, &mine.code).await else { panic!("it must wait") };
    assert!(entry.blocked_until.is_some());
    // The wait is the ticket's: that of another is open, also with a wrong code first.
    kiosk.return_to_start();
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &other.view.visit });
    assert!(matches!(enter(&kiosk, &other.code).await, Screen::Reveal { .. }));
    kiosk.return_to_start();
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &mine.view.visit });
    until(&kiosk, |screen| matches!(screen, Screen::PickUp { entry, .. } if entry.blocked_until.is_none())).await;
    let Screen::Reveal { visit, .. } = enter(&kiosk, &mine.code).await else { panic!("after the wait it opens") };
    assert_eq!(visit, mine.view.visit);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn without_lanes_nothing_is_offered_and_nothing_handed_over() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    apply(&kiosk, LaneSettings { count: 0, ..LaneSettings::default() }, None);
    let making = start_making(&kiosk).await;
    assert!(matches!(making.screen, Screen::Making { next_visitor: None, .. }) && making.tickets.is_empty());
    run(&kiosk, VisitorCommand::HandOver);
    states.set(1, AvatarState::Ready);
    until(&kiosk, |screen| matches!(screen, Screen::Reveal { .. })).await;
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(fixture.data_store.journal.load_tickets().await.expect("reads"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_visit_is_handed_over_by_itself_if_the_operator_wants_it() {
    let (fixture, _states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    apply(&kiosk, LaneSettings { count: 1, automatic_seconds: Some(15), ticket_minutes: 30 }, None);
    let offer = |snapshot: &Snapshot| match &snapshot.screen {
        Screen::Making { next_visitor, .. } => next_visitor.clone(),
        other => panic!("{other:?}"),
    };
    let free = NextVisitorOffer { has_free_lane: true, automatic_seconds: Some(15) };
    assert_eq!(offer(&start_making(&kiosk).await), Some(free));
    // Both come from the page; the second finds the visit being handed over.
    run(&kiosk, VisitorCommand::HandOver);
    hand_over(&kiosk).await;
    let taken = NextVisitorOffer { has_free_lane: false, automatic_seconds: None };
    assert_eq!(offer(&start_making(&kiosk).await), Some(taken));
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(fixture.data_store.journal.load_tickets().await.expect("reads").len(), 1);
}

/// The code of a ticket counts for the wait before the next code, until a phone scans it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_counts_as_an_unused_code_until_a_phone_scans_it() {
    let (fixture, states) = booth_with_states().await;
    (1..=5).for_each(|token| states.set(token, AvatarState::Unassociated));
    let kiosk = kiosk(&fixture);
    let mut tickets = Vec::new();
    for _ in 0..4 {
        kiosk.start_visit_or_show_consent();
        until(&kiosk, is_invite).await;
        tickets.push(hand_over(&kiosk).await);
    }
    kiosk.start_visit_or_show_consent();
    until(&kiosk, is_invite).await;
    assert!(kiosk.required_wait_before_next_code().is_zero());
    kiosk.leave_shown_visit();
    assert!(!kiosk.required_wait_before_next_code().is_zero(), "five codes were not scanned");
    states.remove(1);
    until_state(&kiosk, &tickets[0].view.visit, TicketState::Making).await;
    assert!(kiosk.required_wait_before_next_code().is_zero(), "a phone scanned one of them");
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_without_a_phone_have_at_most_half_of_the_lanes() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    apply(&kiosk, LaneSettings { count: 2, ..LaneSettings::default() }, None);
    (1..=2).for_each(|token| states.set(token, AvatarState::Unassociated));
    kiosk.start_visit_or_show_consent();
    until(&kiosk, is_invite).await;
    hand_over(&kiosk).await;
    kiosk.start_visit_or_show_consent();
    let Screen::Invite { next_visitor, .. } = until(&kiosk, is_invite).await.screen else { unreachable!("waited for") };
    assert_eq!(next_visitor, Some(NextVisitorOffer { has_free_lane: false, automatic_seconds: None }));
    run(&kiosk, VisitorCommand::HandOver);
    states.remove(2);
    let has_free_lane = |offer: &Option<NextVisitorOffer>| offer.as_ref().is_some_and(|offer| offer.has_free_lane);
    let making = |screen: &Screen| matches!(screen, Screen::Making { next_visitor, .. } if has_free_lane(next_visitor));
    until(&kiosk, making).await;
    hand_over(&kiosk).await;
    assert_eq!(kiosk.current_snapshot().tickets.len(), 2);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_who_scanned_the_code_makes_room_before_recording() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    states.set(1, AvatarState::Unassociated);
    states.set(2, AvatarState::Unassociated);
    kiosk.start_visit_or_show_consent();
    let Screen::Invite { next_visitor, link, .. } = until(&kiosk, is_invite).await.screen else {
        unreachable!("waited for")
    };
    assert_eq!(next_visitor, Some(NextVisitorOffer { has_free_lane: true, automatic_seconds: None }));
    let scanned = hand_over(&kiosk).await;
    assert_eq!(scanned.view.state, TicketState::Recording);
    kiosk.start_visit_or_show_consent();
    until(&kiosk, is_invite).await;
    let unscanned = hand_over(&kiosk).await;

    // Pressed too early: the code brings the QR code back.
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &scanned.view.visit });
    assert!(matches!(enter(&kiosk, &wrong_code(&scanned.code)).await, Screen::PickUp { .. }));
    let again = enter(&kiosk, &scanned.code).await;
    assert!(matches!(&again, Screen::Invite { link: shown, .. } if *shown == link), "{again:?}");
    let scanned = hand_over(&kiosk).await;
    states.remove(1);
    until_state(&kiosk, &scanned.view.visit, TicketState::Making).await;
    states.set(1, AvatarState::Ready);
    until_state(&kiosk, &scanned.view.visit, TicketState::Ready).await;

    // Nobody scanned the other one: there is nothing to pick up.
    states.set(2, AvatarState::Refused);
    let journal = &fixture.data_store.journal;
    let is_over = async || journal.count_issued_tokens_by_outcome().await.expect("reads").abandoned == 1;
    let ended = async {
        while !is_over().await {
            tokio::task::yield_now().await;
        }
        // The event follows the journal.
        until_state(&kiosk, &unscanned.view.visit, TicketState::Failed).await;
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("in time");
    kiosk.close_due_tickets_and_publish_snapshot();
    let left: Vec<_> = kiosk.current_snapshot().tickets.into_iter().map(|one| one.visit).collect();
    assert_eq!(left, [scanned.view.visit]);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_ticket_is_closed_and_its_visit_kept_or_deleted() {
    for (keep_hours, kept) in [(None, 1), (Some(0), 0)] {
        let (fixture, states) = booth_with_states().await;
        let kiosk = kiosk(&fixture);
        apply(&kiosk, LaneSettings::default(), keep_hours);
        let ticket = new_ticket(&kiosk).await;
        let visit = &ticket.view.visit;
        run(&kiosk, VisitorCommand::ChooseTicket { visit });
        states.set(1, AvatarState::Ready);
        until_state(&kiosk, visit, TicketState::Ready).await;
        kiosk.close_due_tickets_and_publish_snapshot();
        kiosk.spawn_forgetting_of_due_visits();
        assert_eq!(kiosk.current_snapshot().tickets.len(), 1, "its visitor has time");
        let at_once = LaneSettings { ticket_minutes: 0, ..LaneSettings::default() };
        apply(&kiosk, at_once, keep_hours);
        kiosk.close_due_tickets_and_publish_snapshot();
        let snapshot = kiosk.current_snapshot();
        assert!(snapshot.tickets.is_empty());
        let Screen::PickUp { ticket: shown, .. } = &snapshot.screen else { panic!("{snapshot:?}") };
        assert_eq!((shown.state, shown.name), (TicketState::Closed, ticket.view.name));
        let after = enter(&kiosk, &ticket.code).await;
        assert!(matches!(after, Screen::PickUp { .. }), "its code opens nothing any more: {after:?}");
        kiosk.stop_visits_for_shutdown().await;
        assert_eq!(file_names(&fixture.out_dir()).len(), kept);
        let journal = &fixture.data_store.journal;
        let how: Vec<_> = journal.load_tickets().await.expect("reads");
        assert_eq!(how.len(), kept);
        assert!(how.iter().all(|one| one.closure.as_ref().is_some_and(|closure| closure.how == "expired")));
        assert_eq!(
            journal.count_issued_tokens_by_outcome().await.expect("reads").spent,
            1,
            "counted, also when it is deleted"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_avatar_is_recorded_again_and_gets_another_ticket() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    let first = new_ticket(&kiosk).await;
    states.set(1, AvatarState::Failed);
    until_state(&kiosk, &first.view.visit, TicketState::Failed).await;
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &first.view.visit });
    let Screen::Making { status, next_visitor, qr_svg, .. } = enter(&kiosk, &first.code).await else {
        panic!("it shows what happened")
    };
    assert_eq!((status.as_str(), next_visitor), ("failed", None));
    assert!(qr_svg.contains("<svg"), "to record again");
    states.remove(1);
    until(&kiosk, |screen| matches!(screen, Screen::Making { status, .. } if status == "processing")).await;
    let second = hand_over(&kiosk).await;
    assert_eq!(second.view.visit, first.view.visit);
    states.set(1, AvatarState::Ready);
    until_state(&kiosk, &second.view.visit, TicketState::Ready).await;
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &second.view.visit });
    assert!(matches!(enter(&kiosk, &second.code).await, Screen::Reveal { .. }));
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_opens_orders_and_forgets_tickets() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    let mut visits = Vec::new();
    for _ in 0..3 {
        visits.push(new_ticket(&kiosk).await.view.visit);
    }
    kiosk.move_ticket_in_strip_for_operator(&visits[2], 0).await.expect("moved");
    let order = |kiosk: &Kiosk| -> Vec<String> {
        kiosk.build_operator_ticket_views().into_iter().map(|one| one.ticket.visit).collect()
    };
    assert_eq!(order(&kiosk), [&visits[2], &visits[0], &visits[1]].map(String::clone));
    let journalled = fixture.data_store.journal.load_tickets().await.expect("reads");
    assert_eq!(journalled.iter().map(|one| one.visit.to_string()).collect::<Vec<_>>(), order(&kiosk));

    kiosk.close_ticket_and_forget_visit(&visits[0]).await.expect("also while its avatar is being made");
    assert_eq!(order(&kiosk).len(), 2);
    assert_eq!(kiosk.close_ticket_and_forget_visit(&visits[0]).await.expect_err("closed").code, "ticket_unknown");
    assert_eq!(fixture.data_store.journal.count_visits().await.expect("reads"), 2);

    states.set(2, AvatarState::Ready);
    until_state(&kiosk, &visits[1], TicketState::Ready).await;
    start_making(&kiosk).await;
    assert_eq!(
        kiosk.show_ticket_visit_without_pickup_code(&visits[1]).expect_err("somebody is there").code,
        "screen_in_use"
    );
    hand_over(&kiosk).await;
    kiosk.show_ticket_visit_without_pickup_code(&visits[1]).expect("its visitor forgot the code");
    assert!(matches!(kiosk.current_snapshot().screen, Screen::Reveal { visit, .. } if visit == visits[1]));
    let expires: Vec<_> = kiosk.build_operator_ticket_views().into_iter().map(|one| one.expires_at).collect();
    assert_eq!(expires, [None, None], "those are still being made");
    let tokens = fixture.data_store.journal.count_issued_tokens_by_outcome().await.expect("reads");
    assert_eq!((tokens.active, tokens.spent, tokens.abandoned), (2, 1, 1));
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_outlives_the_retention_of_its_visit_and_wiping() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    apply(&kiosk, LaneSettings::default(), Some(0));
    let ticket = new_ticket(&kiosk).await;
    states.set(1, AvatarState::Ready);
    until_state(&kiosk, &ticket.view.visit, TicketState::Ready).await;
    kiosk.spawn_forgetting_of_due_visits();
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &ticket.view.visit });
    assert!(matches!(enter(&kiosk, &ticket.code).await, Screen::Reveal { .. }));
    kiosk.return_to_start();
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(file_names(&fixture.out_dir()), Vec::<String>::new(), "deleted once its visitor left");
}
