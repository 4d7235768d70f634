//! Kiosk mode as a window manager and the screen have it: turned on and off in the panel while the program runs, or by
//! the command line; on the monitor that was chosen; and not closed by whoever has no PIN. Run by `cargo xtask test`.
#![cfg(target_os = "linux")]

mod places;

use places::{kiosk, logs};
use product_tests::window::processes::runs;
use product_tests::window::{Booth, Part, Plan, SOON, Seen, Trouble};
use std::cell::Cell;
use std::time::{Duration, Instant};

const PIN: &str = "2468";
const TITLE: &str = "Copresence Kiosk";
/// None is as large as the window is at first.
const MONITORS: &[(&str, u32, u32)] = &[("left", 1366, 768), ("right", 1440, 810)];
const RIGHT: Part = Part { x: 1366, y: 0, width: 1440, height: 810 };

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn kiosk_mode_is_turned_on_and_off_while_it_runs() -> Result<(), Trouble> {
    let plan = Plan { args: &[], managed: true, monitors: MONITORS, ..Plan::default() };
    let booth = Booth::open(&kiosk(), &logs("kiosk-set"), plan).await?;
    booth.see_screen("attract").await?;
    let before = await_window(&booth, is_ordinary).await?;
    booth.set_first_pin(PIN).await?;
    booth.app.press("[data-testid=section-display]", SOON).await?;

    switch(&booth, "on").await?;
    await_window(&booth, |seen| fills(seen, RIGHT)).await?;
    is_not_closed(&booth).await?;

    switch(&booth, "off").await?;
    await_window(&booth, |seen| is_ordinary(seen) && seen.place == before.place).await?;
    switch(&booth, "on").await?;
    await_window(&booth, |seen| fills(seen, RIGHT)).await?;
    is_not_closed(&booth).await?;
    switch(&booth, "off").await?;
    await_window(&booth, is_ordinary).await?;
    is_closed(booth).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn kiosk_mode_by_the_command_line_is_told_and_ends_behind_the_pin() -> Result<(), Trouble> {
    let plan = Plan { args: &["--kiosk"], managed: true, monitors: MONITORS, ..Plan::default() };
    let booth = Booth::open(&kiosk(), &logs("kiosk-flag"), plan).await?;
    booth.see_screen("attract").await?;
    await_window(&booth, |seen| fills(seen, RIGHT)).await?;
    is_not_closed(&booth).await?;
    booth.set_first_pin(PIN).await?;
    booth.app.press("[data-testid=section-display]", SOON).await?;
    booth.app.see("[data-testid=kiosk-on][aria-checked=true]", SOON).await?;
    let told = booth.app.see("[data-testid=kiosk-flag]", SOON).await?.text().await?;
    assert!(told.contains("--kiosk"), "{told}");
    switch(&booth, "off").await?;
    await_window(&booth, is_ordinary).await?;
    is_closed(booth).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn the_window_follows_its_monitor() -> Result<(), Trouble> {
    const OTHER: Part = Part { x: 100, y: 0, width: 1280, height: 800 };
    let plan = Plan { args: &["--kiosk"], managed: true, monitors: MONITORS, ..Plan::default() };
    let booth = Booth::open(&kiosk(), &logs("kiosk-monitor"), plan).await?;
    booth.see_screen("attract").await?;
    await_window(&booth, |seen| fills(seen, RIGHT)).await?;
    booth.screen.change_monitor(&booth.desk, "right", OTHER)?;
    await_window(&booth, |seen| fills(seen, OTHER)).await?;
    is_not_closed(&booth).await?;
    booth.close().await
}

async fn switch(booth: &Booth, to: &str) -> Result<(), Trouble> {
    booth.app.press(&format!("[data-testid=kiosk-{to}]"), SOON).await?;
    booth.app.see(&format!("[data-testid=kiosk-{to}][aria-checked=true]"), SOON).await?;
    booth.app.see("[data-testid=told-kiosk] .done:not(:empty)", SOON).await.map(drop)
}

async fn await_window(booth: &Booth, wanted: impl Fn(&Seen) -> bool) -> Result<Seen, Trouble> {
    booth.screen.await_window(&booth.desk, TITLE, wanted).await
}

fn fills(seen: &Seen, monitor: Part) -> bool {
    let states = ["FULLSCREEN", "ABOVE"].iter().all(|state| seen.states.contains(*state));
    seen.place == monitor && states && !seen.decorated
}

fn is_ordinary(seen: &Seen) -> bool {
    seen.decorated && seen.states.iter().all(|state| state == "FOCUSED") && seen.place.width == 1280
}

/// The window manager asks the window to close, and the program says no.
async fn is_not_closed(booth: &Booth) -> Result<(), Trouble> {
    const REFUSED: &str = "something asked to close the window";
    let before = booth.said(REFUSED)?;
    ask_to_close(booth, "the program hears of it", || Ok(booth.said(REFUSED)? > before)).await?;
    // The page answers, and the window stands as before.
    booth.app.see("[data-testid=screen], [data-testid=section]", SOON).await?;
    await_window(booth, |seen| seen.states.contains("ABOVE")).await.map(drop)
}

/// The same with another answer: an ordinary window closes, and the program with it.
async fn is_closed(booth: Booth) -> Result<(), Trouble> {
    let app = booth.desk.app_process(&kiosk())?;
    ask_to_close(&booth, "the program ends", || Ok(!runs(app))).await?;
    booth.has_quit().await
}

/// Presses Alt+F4 until it has the effect that `what` names. The window manager drops the keys while no window has the
/// focus, which takes some seconds on a busy machine after a window has changed.
async fn ask_to_close(
    booth: &Booth,
    what: &str,
    has_effect: impl Fn() -> Result<bool, Trouble>,
) -> Result<(), Trouble> {
    const PRESS_INTERVAL: Duration = Duration::from_secs(20);
    let pressed = Cell::new(None::<Instant>);
    let pressed_or_done = || {
        if has_effect()? {
            return Ok(true);
        }
        if pressed.get().is_none_or(|pressed| pressed.elapsed() > PRESS_INTERVAL) {
            booth.screen.press(&booth.desk, "alt+F4")?;
            pressed.set(Some(Instant::now()));
        }
        Ok(false)
    };
    booth.until(what, pressed_or_done).await
}
