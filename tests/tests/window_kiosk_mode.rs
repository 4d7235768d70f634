//! Kiosk mode with a window manager: turned on and off in the panel or by the command line, on the chosen monitor, and
//! not closed without the PIN. Run by `cargo xtask test`.
#![cfg(target_os = "linux")]

mod paths;

use paths::{kiosk_path, log_folder};
use product_tests::window::processes::is_process_running;
use product_tests::window::{DrivenKiosk, HarnessError, KioskSetup, PixelRect, RENDER_TIMEOUT, WindowState};
use std::cell::Cell;
use std::time::{Duration, Instant};

const PIN: &str = "2468";
const TITLE: &str = "Copresence Kiosk";
/// No monitor has the initial size of the window.
const MONITORS: &[(&str, u32, u32)] = &[("left", 1366, 768), ("right", 1440, 810)];
const RIGHT: PixelRect = PixelRect { x: 1366, y: 0, width: 1440, height: 810 };

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn kiosk_mode_is_turned_on_and_off_while_it_runs() -> Result<(), HarnessError> {
    let setup = KioskSetup { args: &[], has_window_manager: true, monitors: MONITORS, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("kiosk-set"), setup).await?;
    kiosk.await_screen("attract").await?;
    let before = await_window(&kiosk, is_normal_window).await?;
    kiosk.set_first_pin_and_unlock(PIN).await?;
    kiosk.app.click_element("[data-testid=section-display]", RENDER_TIMEOUT).await?;

    set_kiosk_mode(&kiosk, "on").await?;
    await_window(&kiosk, |window| is_kiosk_window(window, RIGHT)).await?;
    check_close_is_refused(&kiosk).await?;

    set_kiosk_mode(&kiosk, "off").await?;
    await_window(&kiosk, |window| is_normal_window(window) && window.area == before.area).await?;
    set_kiosk_mode(&kiosk, "on").await?;
    await_window(&kiosk, |window| is_kiosk_window(window, RIGHT)).await?;
    check_close_is_refused(&kiosk).await?;
    set_kiosk_mode(&kiosk, "off").await?;
    await_window(&kiosk, is_normal_window).await?;
    check_close_ends_app(kiosk).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn kiosk_mode_of_the_command_line_is_shown_and_can_be_turned_off() -> Result<(), HarnessError> {
    let setup =
        KioskSetup { args: &["--kiosk"], has_window_manager: true, monitors: MONITORS, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("kiosk-flag"), setup).await?;
    kiosk.await_screen("attract").await?;
    await_window(&kiosk, |window| is_kiosk_window(window, RIGHT)).await?;
    check_close_is_refused(&kiosk).await?;
    kiosk.set_first_pin_and_unlock(PIN).await?;
    kiosk.app.click_element("[data-testid=section-display]", RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=kiosk-on][aria-checked=true]", RENDER_TIMEOUT).await?;
    let shown = kiosk.app.await_element("[data-testid=kiosk-flag]", RENDER_TIMEOUT).await?.text().await?;
    assert!(shown.contains("--kiosk"), "{shown}");
    set_kiosk_mode(&kiosk, "off").await?;
    await_window(&kiosk, is_normal_window).await?;
    check_close_ends_app(kiosk).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn the_window_follows_its_monitor() -> Result<(), HarnessError> {
    const OTHER: PixelRect = PixelRect { x: 100, y: 0, width: 1280, height: 800 };
    let setup =
        KioskSetup { args: &["--kiosk"], has_window_manager: true, monitors: MONITORS, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("kiosk-monitor"), setup).await?;
    kiosk.await_screen("attract").await?;
    await_window(&kiosk, |window| is_kiosk_window(window, RIGHT)).await?;
    kiosk.screen.change_monitor(&kiosk.desktop, "right", OTHER)?;
    await_window(&kiosk, |window| is_kiosk_window(window, OTHER)).await?;
    check_close_is_refused(&kiosk).await?;
    kiosk.close().await
}

/// A window without a frame is resized by its outer pixels. Without a window manager, that would uncover what is behind it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn dragging_the_edges_does_not_move_the_window_without_a_window_manager() -> Result<(), HarnessError> {
    let setup = KioskSetup { args: &["--kiosk"], has_window_manager: false, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("kiosk-edges"), setup).await?;
    kiosk.await_screen("attract").await?;
    let before = kiosk.screen.window_area(&kiosk.desktop, TITLE)?;
    assert_eq!((before.x, before.y), (0, 0), "{before:?}");
    let (right, bottom) = (before.width - 1, before.height - 1);
    let (middle_x, middle_y) = (before.width / 2, before.height / 2);
    let corners = [(0, 0), (right, 0), (0, bottom), (right, bottom)];
    let sides = [(0, middle_y), (right, middle_y), (middle_x, 0), (middle_x, bottom)];
    for (x, y) in corners.into_iter().chain(sides) {
        let [x, y, to_x, to_y] = [x, y, middle_x + 40, middle_y + 40].map(|pixels| pixels.to_string());
        let drag = ["mousemove", &x, &y, "mousedown", "1", "mousemove", "--sync", &to_x, &to_y, "mouseup", "1"];
        kiosk.screen.run_xdotool(&kiosk.desktop, &drag)?;
        // The events of the pointer come before those of the driver.
        for _ in 0..2 {
            kiosk.app.page().execute("return 1", vec![]).await?;
        }
        assert_eq!(kiosk.screen.window_area(&kiosk.desktop, TITLE)?, before, "dragged from {x},{y}");
    }
    kiosk.close().await
}

async fn set_kiosk_mode(kiosk: &DrivenKiosk, to: &str) -> Result<(), HarnessError> {
    kiosk.app.click_element(&format!("[data-testid=kiosk-{to}]"), RENDER_TIMEOUT).await?;
    kiosk.app.await_element(&format!("[data-testid=kiosk-{to}][aria-checked=true]"), RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=told-kiosk] .done:not(:empty)", RENDER_TIMEOUT).await.map(drop)
}

async fn await_window(
    kiosk: &DrivenKiosk,
    is_wanted: impl Fn(&WindowState) -> bool,
) -> Result<WindowState, HarnessError> {
    kiosk.screen.await_window(&kiosk.desktop, TITLE, is_wanted).await
}

fn is_kiosk_window(window: &WindowState, monitor: PixelRect) -> bool {
    let states = ["FULLSCREEN", "ABOVE"].iter().all(|state| window.states.contains(*state));
    window.area == monitor && states && !window.is_decorated
}

fn is_normal_window(window: &WindowState) -> bool {
    window.is_decorated && window.states.iter().all(|state| state == "FOCUSED") && window.area.width == 1280
}

/// Checks that the program refuses when the window manager asks the window to close.
async fn check_close_is_refused(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    const REFUSED: &str = "something asked to close the window";
    let before = kiosk.log_count(REFUSED)?;
    ask_to_close(kiosk, "the program refuses", || Ok(kiosk.log_count(REFUSED)? > before)).await?;
    // The page still responds, and the window is unchanged.
    kiosk.app.await_element("[data-testid=screen], [data-testid=section]", RENDER_TIMEOUT).await?;
    await_window(kiosk, |window| window.states.contains("ABOVE")).await.map(drop)
}

/// Checks that the program ends when the window manager asks a normal window to close.
async fn check_close_ends_app(kiosk: DrivenKiosk) -> Result<(), HarnessError> {
    let app = kiosk.desktop.app_process(&kiosk_path())?;
    ask_to_close(&kiosk, "the program ends", || Ok(!is_process_running(app))).await?;
    kiosk.close_after_quit().await
}

/// Presses Alt+F4 until it has the effect that `description` names. The window manager drops keys while no window has
/// the focus, for some seconds after a change of the window on a busy machine.
async fn ask_to_close(
    kiosk: &DrivenKiosk,
    description: &str,
    has_effect: impl Fn() -> Result<bool, HarnessError>,
) -> Result<(), HarnessError> {
    const PRESS_INTERVAL: Duration = Duration::from_secs(20);
    let pressed = Cell::new(None::<Instant>);
    let press_until_done = || {
        if has_effect()? {
            return Ok(true);
        }
        if pressed.get().is_none_or(|pressed| pressed.elapsed() > PRESS_INTERVAL) {
            kiosk.screen.press_keys(&kiosk.desktop, "alt+F4")?;
            pressed.set(Some(Instant::now()));
        }
        Ok(false)
    };
    kiosk.wait_until(description, press_until_done).await
}
