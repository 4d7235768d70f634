//! Visits in the real window by keyboard, by pointer and by gamepad alone; reloads in every state; every kind of
//! failure that visitors can see. Run by `cargo xtask test`.
#![cfg(target_os = "linux")]

mod paths;

use copresence_sandbox::{BuiltInScenarioName, ForcedState};
use paths::{kiosk_path, log_folder};
use product_tests::window::processes::environment_by_process;
use product_tests::window::{Backend, DrivenKiosk, HarnessError, KioskSetup, RENDER_TIMEOUT};
use std::time::Duration;
use thirtyfour::prelude::*;

/// Time limit for what needs a backend and a download.
const VISIT_TIMEOUT: Duration = Duration::from_mins(5);
/// Numbers of the gamepad's buttons in the standard layout.
const CONFIRM: u8 = 0;
const BACK: u8 = 1;
const LEFT: u8 = 14;
const RIGHT: u8 = 15;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn visits_work_by_keyboard_by_pointer_and_by_gamepad_alone_and_survive_reloads() -> Result<(), HarnessError> {
    let setup = KioskSetup { profile: Some("patience = \"1m\""), ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("input"), setup).await?;
    kiosk.await_screen("attract").await?;
    check_no_process_inherits_credentials(&kiosk)?;
    visit_by_keyboard(&kiosk).await?;
    visit_by_pointer(&kiosk).await?;
    visit_by_gamepad(&kiosk).await?;
    reload_every_screen(&kiosk).await?;
    kiosk.close().await
}

/// The processes of the web view decode the files of strangers. Whoever takes one over must not find the credentials there.
fn check_no_process_inherits_credentials(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    let environments = environment_by_process(kiosk.desktop.app_process(&kiosk_path())?);
    assert!(environments.iter().any(|(name, _)| name.starts_with("WebKit")), "{environments:?}");
    assert!(environments.iter().all(|(_, environment)| environment.contains("HOME=")), "{environments:?}");
    for secret in Backend::credentials() {
        for (name, environment) in &environments {
            assert!(!environment.contains(secret), "the environment of {name} has a credential");
        }
    }
    Ok(())
}

async fn visit_by_keyboard(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.app.type_keys(Key::Enter).await?;
    kiosk.await_screen("invite").await?;
    // Opens and closes the languages, as the key hints say.
    kiosk.app.type_keys("l").await?;
    kiosk.app.await_element("[data-testid=languages]", RENDER_TIMEOUT).await?;
    kiosk.app.type_keys(Key::Escape).await?;
    kiosk.app.await_element("[data-testid=new-code]", RENDER_TIMEOUT).await?;
    kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
    kiosk.await_reveal().await?;
    // *Use this avatar*, back to the avatar, and leave, which needs a confirmation.
    kiosk.app.type_keys(Key::Enter).await?;
    kiosk.app.await_element("[data-testid=back]", RENDER_TIMEOUT).await?;
    kiosk.app.type_keys(Key::Escape).await?;
    kiosk.app.await_element("[data-testid=this-is-me]", RENDER_TIMEOUT).await?;
    kiosk.app.type_keys(Key::Escape).await?;
    kiosk.app.await_element("[data-testid=leave]", RENDER_TIMEOUT).await?;
    kiosk.app.type_keys(Key::Right).await?;
    kiosk.app.type_keys(Key::Enter).await?;
    kiosk.await_screen("attract").await
}

async fn visit_by_pointer(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    let first = kiosk.last_token()?;
    kiosk.app.click_element("[data-testid=new-code]", RENDER_TIMEOUT).await?;
    kiosk.wait_until("another token is issued", || Ok(kiosk.last_token()? != first)).await?;
    kiosk.await_screen("invite").await?;
    kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
    kiosk.await_reveal().await?;
    kiosk.leave_reveal().await?;
    kiosk.await_screen("attract").await
}

async fn visit_by_gamepad(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.app.connect_gamepad().await?;
    kiosk.app.press_gamepad(&[CONFIRM]).await?;
    kiosk.await_screen("invite").await?;
    assert_eq!(kiosk.app.focused_element().await?, "code", "an accidental press does not replace the code");
    let token_count = kiosk.token_count();
    kiosk.app.press_gamepad(&[CONFIRM]).await?;
    kiosk.app.press_gamepad(&[LEFT]).await?;
    assert_ne!(kiosk.app.focused_element().await?, "code", "the directional pad moves the focus");
    kiosk.app.press_gamepad(&[RIGHT]).await?;
    assert_eq!(kiosk.token_count(), token_count);
    kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
    kiosk.await_reveal().await?;
    kiosk.app.press_gamepad(&[CONFIRM]).await?;
    kiosk.app.await_element("[data-testid=back]", RENDER_TIMEOUT).await?;
    kiosk.app.press_gamepad(&[BACK]).await?;
    kiosk.app.await_element("[data-testid=this-is-me]", RENDER_TIMEOUT).await?;
    kiosk.app.press_gamepad(&[BACK]).await?;
    kiosk.app.await_element("[data-testid=leave]", RENDER_TIMEOUT).await?;
    kiosk.app.press_gamepad(&[RIGHT]).await?;
    kiosk.app.press_gamepad(&[CONFIRM]).await?;
    kiosk.await_screen("attract").await
}

/// Reloads the page in each state, and checks that the same screen with the same text returns.
async fn reload_every_screen(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.reload_and_compare("attract", "[data-testid=start]").await?;
    kiosk.set_faults(r#"[{"on":"generate","do":{"status":{"code":503}}}]"#)?;
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.reload_and_compare("preparing", "[data-testid=trouble]").await?;
    kiosk.clear_faults();
    kiosk.reload_and_compare("invite", "[data-testid=link]").await?;
    kiosk.set_paused(true)?;
    kiosk.scan_code(BuiltInScenarioName::LongQueue)?;
    kiosk.reload_and_compare("making", "[data-testid=queue-position]").await?;
    kiosk.force_state(ForcedState::Fail)?;
    kiosk.app.await_element("[data-screen=making] [data-testid=qr]", RENDER_TIMEOUT).await?;
    kiosk.reload_and_compare("making", "[data-testid=status-title]").await?;
    kiosk.set_faults(r#"[{"on":"file","file":"avatar.glb","do":{"slow_body":{"bytes_per_second":80000}}}]"#)?;
    kiosk.set_paused(false)?;
    kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
    kiosk.reload_and_compare("saving", "[data-testid=progress]").await?;
    kiosk.clear_faults();
    // After a reload without input, the visitor has to request the avatar each time.
    kiosk.app.await_element("[data-screen=reveal] [data-testid=show-me]", VISIT_TIMEOUT).await?;
    kiosk.await_reveal().await?;
    kiosk.app.page().refresh().await?;
    kiosk.app.await_element("[data-screen=reveal] [data-testid=show-me]", RENDER_TIMEOUT).await?;
    kiosk.await_reveal().await?;
    kiosk.leave_reveal().await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    kiosk.force_state(ForcedState::Expire)?;
    kiosk.reload_and_compare("ended", "[data-testid=problem]").await?;
    kiosk.app.click_element("[data-testid=again]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("attract").await
}

/// Faults before the QR code, after the scan, and during the download, with the error code that the screen shows.
const FAILURES: &[(&str, &str)] = &[
    (r#"{"on":"generate","do":"garbage"}"#, "protocol_broken"),
    (r#"{"on":"generate","do":"reset"}"#, "backend_unreachable"),
    (r#"{"on":"generate","do":{"status":{"code":500}}}"#, "backend_failing"),
    (r#"{"on":"generate","do":{"status":{"code":429}}}"#, "backend_failing"),
    (r#"{"on":"redeem","ready":true,"do":"reset_after_spending"}"#, "possibly_consumed"),
    (r#"{"on":"redeem","ready":true,"do":"garbage"}"#, "possibly_consumed"),
    (r#"{"on":"file","do":{"status":{"code":410}}}"#, "saved_in_part"),
    // The last one, because refused credentials close the booth.
    (r#"{"on":"generate","do":{"status":{"code":401}}}"#, "credentials_refused"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn each_failure_has_a_screen_with_one_action() -> Result<(), HarnessError> {
    let setup = KioskSetup { profile: Some("patience = \"2s\""), ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("failures"), setup).await?;
    kiosk.await_screen("attract").await?;
    for (fault, code) in FAILURES {
        kiosk.set_faults(&format!("[{fault}]"))?;
        kiosk.app.type_keys(Key::Enter).await?;
        if !fault.contains("generate") {
            kiosk.await_screen("invite").await?;
            kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
        }
        let problem = kiosk.app.await_element("[data-screen=ended] [data-testid=problem]", VISIT_TIMEOUT).await?;
        assert_eq!(problem.attr("data-code").await?.as_deref(), Some(*code), "{fault}");
        let text = problem.text().await?;
        assert!(text.len() > 40 && !text.contains(code), "{fault}: not a sentence for people: {text}");
        let offers_new_code = ["possibly_consumed", "saved_in_part"].contains(code);
        let action = if offers_new_code { "once-more" } else { "again" };
        assert_eq!(kiosk.app.focused_element().await?, action, "{fault}: the focused action");
        if *code == "credentials_refused" {
            break;
        }
        kiosk.clear_faults();
        kiosk.app.type_keys(Key::Enter).await?;
        if offers_new_code {
            kiosk.await_screen("invite").await?;
            kiosk.app.type_keys(Key::Escape).await?;
        }
        kiosk.await_screen("attract").await?;
    }
    kiosk.close().await
}
