//! Lanes with the embedded sandbox: the ticket on the phone, the code, and the operator's panel.

use super::commands::{build_page, call_command};
use super::{Booth, PATIENCE};
use copresence_booth::view::panel::PanelAction;
use copresence_booth::view::{IssuedTokenOutcome, LaneSettings, Screen, TicketClosing, TicketState};
use copresence_sandbox::{AvatarChoice, ClockChange, PhoneTicket, PhoneTicketState};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Hands over a visit whose avatar is being made, through the commands of the page. Returns visit, token and code.
async fn continue_visit_as_ticket(
    booth: &Booth,
    window: &tauri::WebviewWindow<tauri::test::MockRuntime>,
) -> (String, String, String) {
    let (visit, token) = booth.show_code().await;
    booth.sandbox().associate_avatar(&token, &AvatarChoice::New, None).expect("scanned");
    let making = booth.wait_for_snapshot(|snapshot| matches!(snapshot.screen, Screen::Making { .. })).await;
    let target = json!({"visit": visit, "revision": making.revision});
    call_command(window, "continue_visit_as_ticket", target).await.expect("handed over");
    let given = booth.wait_for_snapshot(|snapshot| matches!(snapshot.screen, Screen::Ticket { .. })).await;
    let Screen::Ticket { pickup_code, .. } = given.screen else { unreachable!("waited for") };
    call_command(window, "return_to_attract", json!({"visit": visit})).await.expect("left");
    (visit, token, pickup_code)
}

/// Waits until the phone page of a token shows a ticket in this state; `None` for no ticket.
async fn wait_for_phone_ticket(booth: &Booth, token: &str, state: Option<PhoneTicketState>) -> Option<PhoneTicket> {
    let shown = async {
        loop {
            let ticket = booth.sandbox().find_phone_ticket(token);
            if ticket.as_ref().map(|ticket| ticket.state) == state {
                return ticket;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.expect("in time")
}

/// Simulated seconds per real second, so slow that no avatar becomes ready.
fn hold_avatars(booth: &Booth) {
    let slowest = ClockChange { speed: Some(0.1), ..ClockChange::default() };
    booth.sandbox().change_clock(&slowest).expect("allowed");
}

/// Lets avatars become ready within seconds, and tokens live longer than polls are apart.
fn finish_avatars(booth: &Booth) {
    let faster = ClockChange { speed: Some(40.0), ..ClockChange::default() };
    booth.sandbox().change_clock(&faster).expect("allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_on_the_phone_until_its_code_is_entered() {
    let (booth, _app, window) = build_page();
    let tickets = booth.kiosk.subscribe_sandbox_tickets();
    let simulator = booth.simulator.clone();
    let showing = tokio::spawn(async move { simulator.show_tickets_on_phones(tickets).await });
    hold_avatars(&booth);
    let (visit, token, code) = continue_visit_as_ticket(&booth, &window).await;
    let on_strip = booth.kiosk.current_snapshot().tickets.remove(0);
    let on_phone = wait_for_phone_ticket(&booth, &token, Some(PhoneTicketState::Making)).await.expect("waited for");
    let words = (on_strip.name.colour.as_stable_word(), on_strip.name.symbol.as_stable_word());
    assert_eq!((on_phone.colour.as_str(), on_phone.symbol.as_str()), words);
    finish_avatars(&booth);
    wait_for_phone_ticket(&booth, &token, Some(PhoneTicketState::Ready)).await;
    call_command(&window, "show_ticket_code_entry", json!({"ticket": visit})).await.expect("chosen");
    call_command(&window, "enter_pickup_code", json!({"code": code, "visit": visit})).await.expect("entered");
    booth.wait_for_snapshot(|snapshot| matches!(snapshot.screen, Screen::Reveal { .. })).await;
    assert_eq!(wait_for_phone_ticket(&booth, &token, None).await, None, "it was picked up");
    let history = booth.panel.load_visit_history().await.expect("reads");
    let past = history[0].ticket.expect("it had a ticket");
    assert_eq!((past.closed, history[0].token), (Some(TicketClosing::PickedUp), Some(IssuedTokenOutcome::Spent)));
    booth.kiosk.stop_visits_for_shutdown().await;
    showing.abort();
}

/// Requests a path of the phones' server, and returns the whole response.
async fn request_from_phone(booth: &Booth, path_and_query: &str) -> Vec<u8> {
    let base = booth.kiosk.backend_config().target.link.template_text().to_owned();
    let host = base.trim_start_matches("http://").split('/').next().expect("a host").to_owned();
    let mut connection = tokio::net::TcpStream::connect(&host).await.expect("connected");
    let request = format!("GET {path_and_query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("sent");
    let mut response = Vec::new();
    connection.read_to_end(&mut response).await.expect("received");
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strip_and_the_phone_pages_have_no_code_and_no_face() {
    let (booth, _app, window) = build_page();
    let tickets = booth.kiosk.subscribe_sandbox_tickets();
    let simulator = booth.simulator.clone();
    let showing = tokio::spawn(async move { simulator.show_tickets_on_phones(tickets).await });
    hold_avatars(&booth);
    let page = |token: &str| format!("/phone?exportToken={token}");
    let (first, first_token, first_code) = continue_visit_as_ticket(&booth, &window).await;
    let (second, second_token, second_code) = continue_visit_as_ticket(&booth, &window).await;
    finish_avatars(&booth);
    let (visits, tokens) = ([&first, &second], [&first_token, &second_token]);
    for token in tokens {
        wait_for_phone_ticket(&booth, token, Some(PhoneTicketState::Ready)).await;
    }
    // A part of each saved portrait.
    let mut faces = Vec::new();
    for folder in std::fs::read_dir(booth.data().join("avatars")).expect("saved") {
        let bytes = std::fs::read(folder.expect("an entry").path().join("avatar.png")).expect("a portrait");
        faces.push(bytes[bytes.len() / 2..][..64].to_vec());
    }
    assert_eq!(faces.len(), 2);
    let snapshot = booth.kiosk.current_snapshot();
    assert_eq!((&snapshot.screen, snapshot.tickets.len()), (&Screen::Attract, 2));
    let strip = serde_json::to_vec(&snapshot.tickets).expect("plain data");
    let mut seen = vec![strip];
    for (token, other) in [(&first_token, &second_token), (&second_token, &first_token)] {
        let own = request_from_phone(&booth, &page(token)).await;
        let status = request_from_phone(&booth, &format!("/phone/status?exportToken={token}")).await;
        let text = String::from_utf8_lossy(&status).into_owned();
        assert!(text.contains("\"ticket\":{") && !text.contains(other.as_str()), "{text}");
        let mine = booth.sandbox().find_phone_ticket(token).expect("ready");
        assert!(text.contains(&mine.colour) && text.contains(&mine.symbol), "{text}");
        seen.extend([own, status]);
    }
    for wrong in visits.into_iter().chain(tokens) {
        let portrait = request_from_phone(&booth, &format!("/phone/avatars/{wrong}/portrait")).await;
        assert!(portrait.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&portrait));
    }
    for bytes in seen {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for code in [&first_code, &second_code] {
            // Ids and colours of the page have other letters beside the digits.
            let is_there = text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == code);
            assert!(!is_there, "{code} in {text}");
        }
        assert!(faces.iter().all(|face| !bytes.windows(face.len()).any(|window| window == face)), "a face: {text}");
    }
    booth.kiosk.stop_visits_for_shutdown().await;
    showing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_lists_opens_and_forgets_tickets_and_counts_tokens() {
    let (booth, _app, window) = build_page();
    hold_avatars(&booth);
    let (first, ..) = continue_visit_as_ticket(&booth, &window).await;
    let (second, ..) = continue_visit_as_ticket(&booth, &window).await;
    let lanes = booth.panel_view().await.lanes;
    assert_eq!(lanes.tickets.iter().map(|one| &one.ticket.visit).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!((lanes.tokens.issued, lanes.tokens.active), (2, 2));
    let moved = booth.act_and_view(PanelAction::MoveTicket { visit: second.clone(), place: 0 }).await.lanes;
    assert_eq!(moved.tickets[0].ticket.visit, second);

    // Tickets are in progress: neither wiping nor forgetting a past visit takes them.
    booth.act(PanelAction::WipeNow).await.expect("wiped");
    assert_eq!(booth.act_error_code(PanelAction::ForgetVisit { visit: first.clone() }).await, "visit_goes_on");
    let forgotten = booth.act_and_view(PanelAction::ForgetTicket { visit: first.clone() }).await;
    assert_eq!((forgotten.lanes.tickets.len(), forgotten.visits_kept), (1, 1));
    assert_eq!(booth.act_error_code(PanelAction::OpenTicket { visit: first }).await, "ticket_unknown");

    finish_avatars(&booth);
    booth.wait_for_snapshot(|snapshot| snapshot.tickets.iter().any(|one| one.state == TicketState::Ready)).await;
    let opened = booth.act_and_view(PanelAction::OpenTicket { visit: second.clone() }).await.lanes;
    assert_eq!((opened.tickets.len(), opened.tokens.spent, opened.tokens.abandoned), (0, 1, 1));
    let shown = booth.kiosk.current_snapshot().screen;
    assert!(matches!(&shown, Screen::Reveal { visit, .. } if *visit == second), "{shown:?}");
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_are_set_for_the_next_start_too() {
    let booth = Booth::new();
    assert_eq!(booth.kiosk.current_snapshot().booth.lanes, LaneSettings::default());
    let lanes = LaneSettings { count: 0, automatic_seconds: Some(20), ticket_minutes: 10 };
    let view = booth.act_and_view(PanelAction::SetLanes { lanes }).await;
    assert_eq!((view.lanes.settings, booth.kiosk.current_snapshot().booth.lanes), (lanes, lanes));
    for unfit in [
        LaneSettings { count: 9, ..lanes },
        LaneSettings { automatic_seconds: Some(4), ..lanes },
        LaneSettings { ticket_minutes: 0, ..lanes },
        LaneSettings { ticket_minutes: 1441, ..lanes },
    ] {
        assert_eq!(booth.act_error_code(PanelAction::SetLanes { lanes: unfit }).await, "setting_unfit");
    }
    let booth = booth.restart().await;
    assert_eq!(booth.kiosk.current_snapshot().booth.lanes, lanes);
    booth.kiosk.stop_visits_for_shutdown().await;
}
