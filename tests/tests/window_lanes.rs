//! Eight visitors one after the other at one screen, each with a ticket, in the real window: by keyboard, pointer,
//! touch and gamepad, with the program killed in the middle. Run by `cargo xtask test`.
#![cfg(target_os = "linux")]

mod paths;

use copresence_sandbox::{BuiltInScenarioName, ForcedState, TokenPhase};
use paths::{kiosk_path, log_folder};
use product_tests::window::{DrivenKiosk, HarnessError, KioskSetup, RENDER_TIMEOUT};
use std::collections::BTreeSet;
use std::time::Duration;
use thirtyfour::prelude::*;

/// Numbers of the gamepad's buttons in the standard layout.
const CONFIRM: u8 = 0;
const UP: u8 = 12;
const DOWN: u8 = 13;
const LEFT: u8 = 14;
const RIGHT: u8 = 15;
/// Presses after which Tab must have reached every control.
const MAX_TAB_PRESSES: usize = 40;
const SETUP: KioskSetup<'_> = KioskSetup {
    args: &["--full-screen"],
    has_credentials: true,
    has_keychain: true,
    profile: Some("patience = \"1m\"\ntimeout = \"30m\""),
    assets: None,
    has_animations: false,
    has_window_manager: false,
    monitors: &[],
};

/// A visitor who waits for an avatar, with what is on the ticket.
#[derive(Debug)]
struct WaitingVisitor {
    /// Test id of the ticket in the strip.
    ticket: String,
    code: String,
    /// Visit id.
    visit: String,
}

/// What a visitor uses.
#[derive(Debug, Clone, Copy)]
enum Device {
    Keyboard,
    Pointer,
    Touch,
    Gamepad,
}

impl Device {
    fn for_visitor(number: usize) -> Self {
        [Self::Keyboard, Self::Pointer, Self::Touch, Self::Gamepad][number % 4]
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn eight_visitors_each_get_their_own_avatar_by_ticket_and_code() -> Result<(), HarnessError> {
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("lanes"), SETUP).await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.connect_gamepad().await?;
    // No avatar is ready before the clock goes on.
    kiosk.set_paused(true)?;
    let mut visitors = Vec::new();
    for number in 0..4 {
        visitors.push(take_ticket(&kiosk, number).await?);
    }
    let kiosk = kiosk.kill_and_restart_app(&kiosk_path(), SETUP).await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.connect_gamepad().await?;
    for visitor in &visitors {
        kiosk.app.await_element(&ticket_css(visitor), RENDER_TIMEOUT).await?;
    }
    for number in 4..8 {
        visitors.push(take_ticket(&kiosk, number).await?);
    }
    let names: BTreeSet<_> = visitors.iter().map(|visitor| visitor.ticket.clone()).collect();
    assert_eq!(names.len(), 8, "two visitors have the same ticket: {visitors:?}");

    // All lanes are taken: the ninth visitor is not offered one.
    begin_visit(&kiosk, Device::Pointer).await?;
    kiosk.app.await_element("[data-testid=next-visitor-note]", RENDER_TIMEOUT).await?;
    assert!(kiosk.app.page().find_all(By::Css("[data-testid=next-visitor]")).await?.is_empty(), "a ninth lane");
    kiosk.force_state(ForcedState::Fail)?;
    kiosk.app.await_element("[data-screen=making] [data-testid=qr]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=back]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=leave]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("attract").await?;

    // No code opens a ticket before its avatar is ready.
    kiosk.app.click_element(&ticket_css(&visitors[0]), RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=pick-up][data-state=making]", RENDER_TIMEOUT).await?;
    kiosk.app.type_keys(visitors[0].code.as_str()).await?;
    kiosk.app.click_element("[data-testid=back]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("attract").await?;

    // Each avatar takes four to six minutes, after a short queue.
    kiosk.advance_clock(Duration::from_mins(4))?;
    let states = kiosk.token_states();
    let is_in_the_making = |phase: &TokenPhase| matches!(phase, TokenPhase::InQueue | TokenPhase::Processing);
    assert_eq!(states.iter().filter(|phase| is_in_the_making(phase)).count(), 8, "{states:?}");
    kiosk.set_paused(false)?;
    kiosk.advance_clock(Duration::from_mins(3))?;
    for visitor in &visitors {
        let ready = format!("{}[data-state=ready]", ticket_css(visitor));
        kiosk.app.await_element(&ready, RENDER_TIMEOUT).await?;
    }
    try_wrong_code(&kiosk, &visitors).await?;
    let mut turn = 0;
    while visitors.len() > 1 {
        pick_up_any(&kiosk, &mut visitors, Device::for_visitor(turn)).await?;
        turn += 1;
    }

    // The last visitor has forgotten the code: the operator opens the ticket.
    kiosk.set_first_pin_and_unlock("4711").await?;
    kiosk.app.click_element("[data-testid=section-lanes]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=open-ticket-0]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("reveal").await?;
    kiosk.await_reveal().await?;
    assert_eq!(shown_visit(&kiosk).await?, visitors[0].visit);
    leave(&kiosk).await?;
    assert!(kiosk.app.page().find_all(By::Css("[data-testid=tickets]")).await?.is_empty(), "a ticket is left");
    kiosk.close().await
}

/// Starts a visit, and scans its code for an avatar that takes minutes.
async fn begin_visit(kiosk: &DrivenKiosk, device: Device) -> Result<(), HarnessError> {
    match device {
        Device::Keyboard => kiosk.app.type_keys(Key::Enter).await?,
        Device::Pointer => kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?,
        Device::Touch => kiosk.app.touch_element("[data-testid=start]", RENDER_TIMEOUT).await?,
        Device::Gamepad => kiosk.app.press_gamepad(&[CONFIRM]).await?,
    }
    kiosk.await_screen("invite").await?;
    kiosk.scan_code(BuiltInScenarioName::SlowProcessing)?;
    kiosk.await_screen("making").await
}

/// A whole turn of a visitor who does not wait: start, code, *Next visitor*, ticket.
async fn take_ticket(kiosk: &DrivenKiosk, number: usize) -> Result<WaitingVisitor, HarnessError> {
    let device = Device::for_visitor(number);
    begin_visit(kiosk, device).await?;
    // It has the focus after the greeting.
    kiosk.app.await_element("[data-testid=next-visitor]:focus", RENDER_TIMEOUT).await?;
    press_focused(kiosk, device, "next-visitor").await?;
    kiosk.await_screen("ticket").await?;
    let code = kiosk.app.read_text("[data-testid=ticket-code] strong", RENDER_TIMEOUT).await?;
    let mark = kiosk.app.await_element("[data-testid=ticket] .mark svg", RENDER_TIMEOUT).await?;
    let [colour, symbol] = [mark.attr("data-colour").await?, mark.attr("data-symbol").await?];
    let visitor = WaitingVisitor {
        ticket: format!("ticket-{}-{}", colour.unwrap_or_default(), symbol.unwrap_or_default()),
        code: code.chars().filter(char::is_ascii_digit).collect(),
        visit: shown_visit(kiosk).await?,
    };
    assert_eq!(visitor.code.len(), 4, "{visitor:?}");
    kiosk.app.await_element("[data-testid=ticket-done]:focus", RENDER_TIMEOUT).await?;
    press_focused(kiosk, device, "ticket-done").await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.await_element("[data-testid=start]:focus", RENDER_TIMEOUT).await?;
    Ok(visitor)
}

/// Presses the button that has the focus.
async fn press_focused(kiosk: &DrivenKiosk, device: Device, test_id: &str) -> Result<(), HarnessError> {
    match device {
        Device::Keyboard => kiosk.app.type_keys(Key::Enter).await,
        Device::Pointer => kiosk.app.click_element(&format!("[data-testid={test_id}]"), RENDER_TIMEOUT).await,
        Device::Touch => kiosk.app.touch_element(&format!("[data-testid={test_id}]"), RENDER_TIMEOUT).await,
        Device::Gamepad => kiosk.app.press_gamepad(&[CONFIRM]).await,
    }
}

/// A wrong code shows nothing of the visit, and says so.
async fn try_wrong_code(kiosk: &DrivenKiosk, visitors: &[WaitingVisitor]) -> Result<(), HarnessError> {
    let [first, other] = [&visitors[0], &visitors[1]];
    let wrong = if first.code == other.code { "0000" } else { &other.code };
    choose_ticket(kiosk, visitors, Device::Pointer).await?;
    kiosk.app.type_keys(wrong).await?;
    kiosk.app.await_element("[data-testid=pickup-answer].wrong", RENDER_TIMEOUT).await?;
    assert!(kiosk.app.page().find_all(By::Css("canvas, [data-testid=this-is-me]")).await?.is_empty(), "a face");
    kiosk.app.click_element("[data-testid=back]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("attract").await
}

/// Chooses one of the tickets in the strip: the first one by pointer, the middle one by touch, the last one by Tab, and by
/// gamepad the one that is next to the button for the next visit. Returns its number.
async fn choose_ticket(
    kiosk: &DrivenKiosk,
    visitors: &[WaitingVisitor],
    device: Device,
) -> Result<usize, HarnessError> {
    let number = match device {
        Device::Pointer => {
            kiosk.app.click_element(&ticket_css(&visitors[0]), RENDER_TIMEOUT).await?;
            0
        }
        Device::Touch => {
            let middle = visitors.len() / 2;
            kiosk.app.touch_element(&ticket_css(&visitors[middle]), RENDER_TIMEOUT).await?;
            middle
        }
        Device::Keyboard => {
            let last = visitors.len() - 1;
            press_tab_until(kiosk, &visitors[last].ticket).await?;
            kiosk.app.type_keys(Key::Enter).await?;
            last
        }
        Device::Gamepad => {
            kiosk.app.press_gamepad(&[RIGHT]).await?;
            let focused = kiosk.app.focused_element().await?;
            kiosk.app.press_gamepad(&[CONFIRM]).await?;
            let found = visitors.iter().position(|visitor| visitor.ticket == focused);
            found.ok_or_else(|| format!("no ticket has the focus, but {focused}"))?
        }
    };
    kiosk.app.await_element("[data-testid=pick-up][data-state=ready]", RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=digit-5]:focus", RENDER_TIMEOUT).await?;
    Ok(number)
}

/// Presses Tab until a control has the focus.
async fn press_tab_until(kiosk: &DrivenKiosk, test_id: &str) -> Result<(), HarnessError> {
    let mut passed = Vec::new();
    for _ in 0..MAX_TAB_PRESSES {
        let focused = kiosk.app.focused_element().await?;
        if focused == test_id {
            return Ok(());
        }
        passed.push(focused);
        kiosk.app.type_keys(Key::Tab).await?;
    }
    Err(format!("the focus did not reach {test_id}: {passed:?}").into())
}

/// Picks an avatar up with its ticket and code, checks that it is the visitor's own, and leaves.
async fn pick_up_any(
    kiosk: &DrivenKiosk,
    visitors: &mut Vec<WaitingVisitor>,
    device: Device,
) -> Result<(), HarnessError> {
    let number = choose_ticket(kiosk, visitors, device).await?;
    let visitor = visitors.remove(number);
    match device {
        Device::Keyboard => kiosk.app.type_keys(visitor.code.as_str()).await?,
        Device::Pointer => {
            for digit in visitor.code.chars() {
                kiosk.app.click_element(&format!("[data-testid=digit-{digit}]"), RENDER_TIMEOUT).await?;
            }
        }
        Device::Touch => {
            for digit in visitor.code.chars() {
                kiosk.app.touch_element(&format!("[data-testid=digit-{digit}]"), RENDER_TIMEOUT).await?;
            }
        }
        Device::Gamepad => enter_code_by_gamepad(kiosk, &visitor.code).await?,
    }
    kiosk.await_screen("reveal").await?;
    assert_eq!(shown_visit(kiosk).await?, visitor.visit, "somebody else's avatar");
    leave(kiosk).await
}

/// Enters digits on the pad with the directional pad, from the digit 5 on.
async fn enter_code_by_gamepad(kiosk: &DrivenKiosk, code: &str) -> Result<(), HarnessError> {
    let place = |digit: u8| if digit == 0 { (3, 1) } else { ((digit - 1) / 3, (digit - 1) % 3) };
    let (mut row, mut column) = place(5);
    for digit in code.bytes().map(|byte| byte - b'0') {
        let (to_row, to_column) = place(digit);
        // The row of the digit 0 has no first column.
        let mut moves = Vec::new();
        let sideways = |from: u8, to: u8| vec![if to > from { RIGHT } else { LEFT }; usize::from(from.abs_diff(to))];
        let upright = |from: u8, to: u8| vec![if to > from { DOWN } else { UP }; usize::from(from.abs_diff(to))];
        if to_row == 3 {
            moves.extend(sideways(column, to_column));
            moves.extend(upright(row, to_row));
        } else {
            moves.extend(upright(row, to_row));
            moves.extend(sideways(column, to_column));
        }
        for button in moves {
            kiosk.app.press_gamepad(&[button]).await?;
        }
        assert_eq!(kiosk.app.focused_element().await?, format!("digit-{digit}"));
        kiosk.app.press_gamepad(&[CONFIRM]).await?;
        (row, column) = (to_row, to_column);
    }
    Ok(())
}

/// The visit on the screen, from the operator's detail.
async fn shown_visit(kiosk: &DrivenKiosk) -> Result<String, HarnessError> {
    kiosk.app.type_keys(Key::F9).await?;
    let visit = kiosk.app.read_text("[data-row=Visit]", RENDER_TIMEOUT).await?;
    kiosk.app.type_keys(Key::F9).await?;
    Ok(visit.trim().to_owned())
}

/// Leaves the avatar. It may not have been drawn yet.
async fn leave(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.app.type_keys(Key::Escape).await?;
    kiosk.app.click_element("[data-testid=leave]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.await_element("[data-testid=start]:focus", RENDER_TIMEOUT).await.map(drop)
}

/// The ticket of a visitor in the strip.
fn ticket_css(visitor: &WaitingVisitor) -> String {
    format!("[data-testid={}]", visitor.ticket)
}
