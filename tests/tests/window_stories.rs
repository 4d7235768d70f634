//! Visits in the real window by keyboard, pointer and gamepad, each alone; reloaded in every state; every kind of
//! failure as a visitor meets it. Run by `cargo xtask test`.
#![cfg(target_os = "linux")]

mod places;

use copresence_sandbox::{ForcedState, Scenario};
use places::{kiosk, logs};
use product_tests::window::{Booth, Plan, SOON, Trouble};
use std::time::Duration;
use thirtyfour::prelude::*;

/// For what takes a backend and a download.
const MADE: Duration = Duration::from_mins(5);
/// The gamepad's buttons by their numbers in the standard layout.
const CONFIRM: u8 = 0;
const BACK: u8 = 1;
const LEFT: u8 = 14;
const RIGHT: u8 = 15;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn a_visit_is_made_by_keyboard_by_pointer_and_by_gamepad_alone_and_survives_reloads()
-> Result<(), Trouble> {
    let plan = Plan { profile: "patience = \"1m\"", ..Plan::default() };
    let booth = Booth::open(&kiosk(), &logs("hands"), plan).await?;
    booth.see_screen("attract").await?;
    by_keyboard(&booth).await?;
    by_pointer(&booth).await?;
    by_gamepad(&booth).await?;
    reloaded_everywhere(&booth).await?;
    booth.close().await
}

async fn by_keyboard(booth: &Booth) -> Result<(), Trouble> {
    booth.app.type_keys(Key::Enter).await?;
    booth.see_screen("invite").await?;
    // Another language and back, as the hints say.
    booth.app.type_keys("l").await?;
    booth.app.see("[data-testid=languages]", SOON).await?;
    booth.app.type_keys(Key::Escape).await?;
    booth.app.see("[data-testid=new-code]", SOON).await?;
    booth.scan(Scenario::ExistingAvatar)?;
    booth.see_reveal().await?;
    // *This is me*, back to the face, and away from it, which is asked.
    booth.app.type_keys(Key::Enter).await?;
    booth.app.see("[data-testid=back]", SOON).await?;
    booth.app.type_keys(Key::Escape).await?;
    booth.app.see("[data-testid=this-is-me]", SOON).await?;
    booth.app.type_keys(Key::Escape).await?;
    booth.app.see("[data-testid=leave]", SOON).await?;
    booth.app.type_keys(Key::Right).await?;
    booth.app.type_keys(Key::Enter).await?;
    booth.see_screen("attract").await
}

async fn by_pointer(booth: &Booth) -> Result<(), Trouble> {
    booth.app.press("[data-testid=start]", SOON).await?;
    booth.see_screen("invite").await?;
    let first = booth.token()?;
    booth.app.press("[data-testid=new-code]", SOON).await?;
    booth.until("another code is made", || Ok(booth.token()? != first)).await?;
    booth.see_screen("invite").await?;
    booth.scan(Scenario::ExistingAvatar)?;
    booth.see_reveal().await?;
    booth.app.press("[data-testid=again]", SOON).await?;
    booth.see_screen("attract").await
}

async fn by_gamepad(booth: &Booth) -> Result<(), Trouble> {
    booth.app.plug_pad_in().await?;
    booth.app.press_pad(&[CONFIRM]).await?;
    booth.see_screen("invite").await?;
    assert_eq!(booth.app.focused().await?, "code", "a stray press costs nobody their code");
    let asked = booth.tokens();
    booth.app.press_pad(&[CONFIRM]).await?;
    booth.app.press_pad(&[LEFT]).await?;
    assert_ne!(booth.app.focused().await?, "code", "the cross moves the focus");
    booth.app.press_pad(&[RIGHT]).await?;
    assert_eq!(booth.tokens(), asked);
    booth.scan(Scenario::ExistingAvatar)?;
    booth.see_reveal().await?;
    booth.app.press_pad(&[CONFIRM]).await?;
    booth.app.see("[data-testid=back]", SOON).await?;
    booth.app.press_pad(&[BACK]).await?;
    booth.app.see("[data-testid=this-is-me]", SOON).await?;
    booth.app.press_pad(&[BACK]).await?;
    booth.app.see("[data-testid=leave]", SOON).await?;
    booth.app.press_pad(&[RIGHT]).await?;
    booth.app.press_pad(&[CONFIRM]).await?;
    booth.see_screen("attract").await
}

/// The page is loaded anew in each state: the same screen is back, and what it said of the visit.
async fn reloaded_everywhere(booth: &Booth) -> Result<(), Trouble> {
    booth.reload("attract", "[data-testid=start]").await?;
    booth.break_with(r#"[{"on":"generate","do":{"status":{"code":503}}}]"#)?;
    booth.app.press("[data-testid=start]", SOON).await?;
    booth.reload("preparing", "[data-testid=trouble]").await?;
    booth.mend();
    booth.reload("invite", "[data-testid=link]").await?;
    booth.pause(true)?;
    booth.scan(Scenario::LongQueue)?;
    booth.reload("making", "[data-testid=queue-position]").await?;
    booth.force(ForcedState::Fail)?;
    booth.app.see("[data-screen=making] [data-testid=qr]", SOON).await?;
    booth.reload("making", "[data-testid=status-title]").await?;
    booth
        .break_with(r#"[{"on":"file","file":"avatar.glb","do":{"slow_body":{"bytes_per_second":80000}}}]"#)?;
    booth.pause(false)?;
    booth.scan(Scenario::ExistingAvatar)?;
    booth.reload("saving", "[data-testid=file-row]").await?;
    booth.mend();
    // Nobody gave a sign since the page was loaded: whoever stands here has to ask for the face, each time anew.
    booth.app.see("[data-screen=reveal] [data-testid=show-me]", MADE).await?;
    booth.see_reveal().await?;
    booth.app.page().refresh().await?;
    booth.app.see("[data-screen=reveal] [data-testid=show-me]", SOON).await?;
    booth.see_reveal().await?;
    booth.app.press("[data-testid=again]", SOON).await?;
    booth.see_screen("attract").await?;
    booth.app.press("[data-testid=start]", SOON).await?;
    booth.see_screen("invite").await?;
    booth.force(ForcedState::Expire)?;
    booth.reload("ended", "[data-testid=problem]").await?;
    booth.app.press("[data-testid=again]", SOON).await?;
    booth.see_screen("attract").await
}

/// What goes wrong before the code, after the scan, and at the download; and the code by which the screen says it.
const FAILURES: &[(&str, &str)] = &[
    (r#"{"on":"generate","do":{"status":{"code":401}}}"#, "credentials_refused"),
    (r#"{"on":"generate","do":"garbage"}"#, "protocol_broken"),
    (r#"{"on":"generate","do":"reset"}"#, "backend_unreachable"),
    (r#"{"on":"generate","do":{"status":{"code":500}}}"#, "backend_failing"),
    (r#"{"on":"generate","do":{"status":{"code":429}}}"#, "backend_failing"),
    (r#"{"on":"redeem","ready":true,"do":"reset_after_spending"}"#, "possibly_consumed"),
    (r#"{"on":"redeem","ready":true,"do":"garbage"}"#, "protocol_broken"),
    (r#"{"on":"file","do":{"status":{"code":410}}}"#, "saved_in_part"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn each_failure_has_a_screen_with_one_thing_to_do() -> Result<(), Trouble> {
    let plan = Plan { profile: "patience = \"2s\"", ..Plan::default() };
    let booth = Booth::open(&kiosk(), &logs("failures"), plan).await?;
    booth.see_screen("attract").await?;
    for (fault, code) in FAILURES {
        booth.break_with(&format!("[{fault}]"))?;
        booth.app.type_keys(Key::Enter).await?;
        if !fault.contains("generate") {
            booth.see_screen("invite").await?;
            booth.scan(Scenario::ExistingAvatar)?;
        }
        let problem = booth.app.see("[data-screen=ended] [data-testid=problem]", MADE).await?;
        assert_eq!(problem.attr("data-code").await?.as_deref(), Some(*code), "{fault}");
        let words = problem.text().await?;
        assert!(words.len() > 40 && !words.contains(code), "{fault}: for people: {words}");
        let by_another_code = ["possibly_consumed", "saved_in_part"].contains(code);
        let thing = if by_another_code { "once-more" } else { "again" };
        assert_eq!(booth.app.focused().await?, thing, "{fault}: one thing to do");
        booth.mend();
        booth.app.type_keys(Key::Enter).await?;
        if by_another_code {
            booth.see_screen("invite").await?;
            booth.app.type_keys(Key::Escape).await?;
        }
        booth.see_screen("attract").await?;
    }
    booth.close().await
}
