//! Lanes: visits that are handed over, and the tickets that open them.

use super::backend::{Backend, Request, Response, glb, png};
use super::fixture::{Fixture, GENERATE_PATH, REDEEM_PATH, file_names, open_data_store_and_target, overrides_of_root};
use super::window::{exits, is_invite, kiosk, until};
use copresence_booth::app::{EnteredPickupCode, ExpectedScreen, Kiosk, KioskSetup, VisitorCommand};
use copresence_booth::view::{
    LaneSettings, LocalizedTextView, NextVisitorOffer, Screen, Snapshot, TicketState, TicketView,
    VisitorScreenSettingsView,
};
use copresence_engine::logging::{self, LevelFilter, LogConfig};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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
    kiosk.apply_visitor_screen_settings(settings(lanes, keep_hours), LocalizedTextView::default());
}

async fn until_snapshot(kiosk: &Kiosk, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut snapshots = kiosk.subscribe_snapshots();
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
    kiosk.stop_visits().await;
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
    kiosk.stop_visits().await;
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
    kiosk.stop_visits().await;
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
    kiosk.stop_visits().await;
    assert_eq!(fixture.data_store.journal.load_tickets().await.expect("reads").len(), 1);
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
    let is_over = async || journal.count_tokens().await.expect("reads").abandoned == 1;
    let ended = async {
        while !is_over().await {
            tokio::task::yield_now().await;
        }
        // The event follows the journal.
        until_state(&kiosk, &unscanned.view.visit, TicketState::Failed).await;
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("in time");
    kiosk.close_due_tickets();
    let left: Vec<_> = kiosk.current_snapshot().tickets.into_iter().map(|one| one.visit).collect();
    assert_eq!(left, [scanned.view.visit]);
    kiosk.stop_visits().await;
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
        kiosk.close_due_tickets();
        kiosk.spawn_forgetting_of_due_visits();
        assert_eq!(kiosk.current_snapshot().tickets.len(), 1, "its visitor has time");
        let at_once = LaneSettings { ticket_minutes: 0, ..LaneSettings::default() };
        apply(&kiosk, at_once, keep_hours);
        kiosk.close_due_tickets();
        let snapshot = kiosk.current_snapshot();
        assert!(snapshot.tickets.is_empty());
        let Screen::PickUp { ticket: shown, .. } = &snapshot.screen else { panic!("{snapshot:?}") };
        assert_eq!((shown.state, shown.name), (TicketState::Closed, ticket.view.name));
        let after = enter(&kiosk, &ticket.code).await;
        assert!(matches!(after, Screen::PickUp { .. }), "its code opens nothing any more: {after:?}");
        kiosk.stop_visits().await;
        assert_eq!(file_names(&fixture.out_dir()).len(), kept);
        let journal = &fixture.data_store.journal;
        let how: Vec<_> = journal.load_tickets().await.expect("reads");
        assert_eq!(how.len(), kept);
        assert!(how.iter().all(|one| one.closure.as_ref().is_some_and(|closure| closure.how == "expired")));
        assert_eq!(journal.count_tokens().await.expect("reads").spent, 1, "counted, also when it is deleted");
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
    kiosk.stop_visits().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_opens_orders_and_forgets_tickets() {
    let (fixture, states) = booth_with_states().await;
    let kiosk = kiosk(&fixture);
    let mut visits = Vec::new();
    for _ in 0..3 {
        visits.push(new_ticket(&kiosk).await.view.visit);
    }
    kiosk.move_ticket_for_operator(&visits[2], 0).await.expect("moved");
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
    assert_eq!(kiosk.open_ticket_for_operator(&visits[1]).expect_err("somebody is there").code, "screen_in_use");
    hand_over(&kiosk).await;
    kiosk.open_ticket_for_operator(&visits[1]).expect("its visitor forgot the code");
    assert!(matches!(kiosk.current_snapshot().screen, Screen::Reveal { visit, .. } if visit == visits[1]));
    let expires: Vec<_> = kiosk.build_operator_ticket_views().into_iter().map(|one| one.expires_at).collect();
    assert_eq!(expires, [None, None], "those are still being made");
    let tokens = fixture.data_store.journal.count_tokens().await.expect("reads");
    assert_eq!((tokens.active, tokens.spent, tokens.abandoned), (2, 1, 1));
    kiosk.stop_visits().await;
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
    kiosk.stop_visits().await;
    assert_eq!(file_names(&fixture.out_dir()), Vec::<String>::new(), "deleted once its visitor left");
}

/// The program that [`run_and_kill_booth`] kills: hands over three visits, prints tickets and codes, and logs everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a program for other tests"]
async fn run_booth_until_killed() {
    let root = std::env::var("LANES_TEST_ROOT").expect("the folder of the other test");
    let url = std::env::var("LANES_TEST_URL").expect("its backend");
    let _log_file = logging::start_logging(&LogConfig {
        program: "lanes-test",
        data_dir: &Path::new(&root).join("data"),
        stderr_level: LevelFilter::TRACE,
        has_color: false,
        has_time: true,
    });
    let kiosk = kiosk_at(&root, &url);
    kiosk.restore_live_tickets().await;
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let ticket = new_ticket(&kiosk).await;
        println!("ticket {} {} {}", ticket.view.visit, ticket.code, ticket.view.name.to_english_name());
        tickets.push(ticket);
    }
    // Its avatar is saved. The right code is entered on a screen that is not shown, and then a wrong one.
    let RememberedTicket { view, code } = &tickets[0];
    until_state(&kiosk, &view.visit, TicketState::Ready).await;
    let stale = ExpectedScreen { visit: None, revision: Some(0) };
    let command = VisitorCommand::EnterPickupCode { code: EnteredPickupCode(code) };
    kiosk.run_command_if_still_current(command, &stale);
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &view.visit });
    enter(&kiosk, &wrong_code(code)).await;
    println!("ready");
    std::io::stdout().flush().expect("flushed");
    std::future::pending::<()>().await;
}

/// A backend that contradicts itself ends the visit with exit 9, and the avatar is saved: a restart loses no ticket for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_avatar_saved_in_spite_of_a_violation_is_opened_after_a_restart() {
    let (fixture, states) = booth_with_states().await;
    let first = kiosk(&fixture);
    apply(&first, LaneSettings::default(), Some(0));
    states.set(1, AvatarState::Unassociated);
    first.start_visit_or_show_consent();
    until(&first, is_invite).await;
    let ticket = hand_over(&first).await;
    states.set(1, AvatarState::ReadyWithWrongFlag);
    until_state(&first, &ticket.view.visit, TicketState::Ready).await;
    first.stop_visits().await;
    assert_eq!(exits(&fixture).await, [Some(9)]);

    let restarted = kiosk(&fixture);
    apply(&restarted, LaneSettings::default(), Some(0));
    restarted.restore_live_tickets().await;
    assert_eq!(restarted.current_snapshot().tickets.first().map(|one| one.state), Some(TicketState::Ready));
    run(&restarted, VisitorCommand::ChooseTicket { visit: &ticket.view.visit });
    let opened = enter(&restarted, &ticket.code).await;
    assert!(matches!(opened, Screen::Reveal { .. }), "{opened:?}");
    restarted.stop_visits().await;
}

/// A booth in this folder, with the backend at this URL.
fn kiosk_at(root: &str, url: &str) -> Kiosk {
    let root = Path::new(root);
    let (data_store, profile, target) = open_data_store_and_target(root, &url.parse().expect("a URL"));
    let (overrides, asset_base) = (overrides_of_root(root), "avatar://localhost".into());
    Kiosk::new(KioskSetup { profile, target, data_store, overrides, phone_address: None, asset_base })
}

/// A ticket of the killed program: visit, code and English name.
type PrintedTicket = (String, String, String);

/// Runs [`run_booth_until_killed`] in a process of its own and kills it. Returns its tickets and its log.
async fn run_and_kill_booth(root: &str, backend: &Backend, states: &AvatarStates) -> (Vec<PrintedTicket>, String) {
    let mut program = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "lanes::run_booth_until_killed", "--ignored", "--nocapture"])
        .env("LANES_TEST_ROOT", root)
        .env("LANES_TEST_URL", backend.url.as_str())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let output = BufReader::new(program.stdout.take().expect("piped"));
    let mut errors = program.stderr.take().expect("piped");
    let log = tokio::task::spawn_blocking(move || {
        let mut log = String::new();
        errors.read_to_string(&mut log).map(|_| log)
    });
    let states = states.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut tickets = Vec::new();
        for line in output.lines() {
            let line = line.expect("text");
            if line == "ready" {
                break;
            }
            // The harness writes the name of the test before the first line.
            if let Some((_, ticket)) = line.split_once("ticket ") {
                let words: Vec<String> = ticket.splitn(3, ' ').map(str::to_owned).collect();
                tickets.push((words[0].clone(), words[1].clone(), words[2].clone()));
                // The avatar of the first is made once all are handed over: before, the screen would show it.
                if tickets.len() == 3 {
                    states.set(1, AvatarState::Ready);
                }
            }
        }
        tickets
    });
    let tickets = tokio::time::timeout(PATIENCE, read).await;
    program.kill().expect("killed");
    program.wait().expect("gone");
    let log = log.await.expect("no panic").expect("text");
    let tickets = tickets.unwrap_or_else(|_| panic!("it did not get so far: {log}")).expect("no panic");
    assert_eq!(tickets.len(), 3, "{log}");
    (tickets, log)
}

async fn backend_with_states() -> (Backend, AvatarStates, tempfile::TempDir) {
    let states = AvatarStates::default();
    let script = states.clone();
    let backend = Backend::start(move |_, request| script.response(request)).await;
    (backend, states, tempfile::tempdir().expect("a folder"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_survive_a_kill() {
    let (backend, states, root) = backend_with_states().await;
    let root = root.path().to_str().expect("UTF-8");
    let (tickets, _) = run_and_kill_booth(root, &backend, &states).await;
    let kiosk = kiosk_at(root, backend.url.as_str());
    kiosk.restore_live_tickets().await;
    kiosk.spawn_recovery_of_earlier_visits();
    let restored = kiosk.current_snapshot();
    assert_eq!(restored.screen, Screen::Attract);
    assert_shows_no_face(&restored);
    let names = restored.tickets.iter().map(|one| (one.visit.clone(), one.name.to_english_name()));
    assert_eq!(
        names.collect::<Vec<_>>(),
        tickets.iter().map(|(visit, _, name)| (visit.clone(), name.clone())).collect::<Vec<_>>()
    );
    assert_eq!(restored.tickets[0].state, TicketState::Ready);
    assert_eq!(kiosk.build_operator_ticket_views()[0].wrong_codes, 1);
    states.set(3, AvatarState::Ready);
    states.set(2, AvatarState::Failed);
    until_state(&kiosk, &tickets[2].0, TicketState::Ready).await;
    until_state(&kiosk, &tickets[1].0, TicketState::Failed).await;
    for token in [3, 1] {
        let (visit, code, _) = &tickets[token - 1];
        run(&kiosk, VisitorCommand::ChooseTicket { visit });
        let opened = enter(&kiosk, code).await;
        assert!(matches!(opened, Screen::Reveal { .. }), "{opened:?}");
        let file = kiosk.shown_visit_file_path(visit, "avatar.glb").expect("shown");
        assert_eq!(std::fs::read(file).expect("read"), glb(face_size(token)));
        kiosk.return_to_start();
    }
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &tickets[1].0 });
    let failed = enter(&kiosk, &tickets[1].1).await;
    assert!(matches!(&failed, Screen::Making { status, .. } if status == "failed"), "{failed:?}");
    assert_eq!(backend.count_requests(GENERATE_PATH), 3);
    kiosk.stop_visits().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_and_faces_are_in_no_log_and_no_journal() {
    let (backend, states, root) = backend_with_states().await;
    let (tickets, log) = run_and_kill_booth(root.path().to_str().expect("UTF-8"), &backend, &states).await;
    let data = root.path().join("data");
    let mut texts = vec![log];
    let logs = std::fs::read_dir(data.join("logs")).expect("a log");
    texts.extend(logs.map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("text")));
    assert!(texts.iter().any(|text| text.contains("a command for another screen is ignored")), "it logs commands");
    texts.extend(text_values_of_journal(&data.join("journal.sqlite")));
    assert!(texts.iter().any(|text| text.starts_with("$argon2id$")), "the journal has hashes");
    // The first avatar is saved. A part of its bytes is searched, also as it is printed.
    let face = &glb(face_size(1))[100..164];
    let has_face = |bytes: &[u8]| bytes.windows(face.len()).any(|window| window == face);
    let printed = format!("{face:?}");
    let saved = list_files_below(&root.path().join("out"));
    assert!(saved.iter().any(|path| has_face(&std::fs::read(path).expect("read"))), "it was planted: {saved:?}");
    for path in list_files_below(&data) {
        let bytes = std::fs::read(&path).expect("read");
        let is_printed = String::from_utf8_lossy(&bytes).contains(printed.trim_matches(['[', ']']));
        assert!(!has_face(&bytes) && !is_printed, "a face in {}", path.display());
    }
    for (visit, code, _) in &tickets {
        // Codes that are there for another reason: a year, and a part of an id.
        let year = jiff::Timestamp::now().strftime("%Y").to_string();
        if *code == year || tickets.iter().any(|(visit, ..)| visit.contains(code.as_str())) {
            continue;
        }
        for entered in [code.clone(), wrong_code(code)] {
            let is_code = |word: &str| word == entered;
            let words = |text: &str| text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_code);
            let found: Vec<_> = texts.iter().flat_map(|text| text.lines()).filter(|line| words(line)).collect();
            assert!(found.is_empty(), "{entered} of {visit} in {found:?}");
        }
    }
}

/// Every file in a folder and its folders.
fn list_files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| list_files_below(folder)));
    files
}

/// Every text in the journal, read as a program would that knows nothing of its tables.
fn text_values_of_journal(path: &Path) -> Vec<String> {
    let journal = rusqlite::Connection::open(path).expect("opens");
    let mut tables = journal.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("reads");
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("names");
    let mut texts = Vec::new();
    for table in tables {
        let mut rows = journal.prepare(&format!("SELECT * FROM {table}")).expect("reads");
        let columns = rows.column_count();
        let mut rows = rows.query([]).expect("reads");
        while let Some(row) = rows.next().expect("reads") {
            for column in 0..columns {
                match row.get::<_, rusqlite::types::Value>(column).expect("a value") {
                    rusqlite::types::Value::Text(text) => texts.push(text),
                    // Numbers of the other tables are sizes and times.
                    rusqlite::types::Value::Integer(number) if table == "tickets" => texts.push(number.to_string()),
                    rusqlite::types::Value::Blob(bytes) => texts.push(String::from_utf8_lossy(&bytes).into_owned()),
                    _ => {}
                }
            }
        }
    }
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_are_counted_over_a_restart() {
    let (fixture, states) = booth_with_states().await;
    let first = kiosk(&fixture);
    let ticket = new_ticket(&first).await;
    states.set(1, AvatarState::Ready);
    until_state(&first, &ticket.view.visit, TicketState::Ready).await;
    run(&first, VisitorCommand::ChooseTicket { visit: &ticket.view.visit });
    for _ in 0..3 {
        enter(&first, &wrong_code(&ticket.code)).await;
    }
    first.stop_visits().await;
    let again = kiosk(&fixture);
    again.restore_live_tickets().await;
    run(&again, VisitorCommand::ChooseTicket { visit: &ticket.view.visit });
    let Screen::PickUp { entry, .. } = enter(&again, &ticket.code).await else { panic!("it must wait again") };
    assert!(entry.blocked_until.is_some());
    assert_eq!(again.build_operator_ticket_views()[0].wrong_codes, 3);
    again.stop_visits().await;
}
