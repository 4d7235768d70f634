//! A kiosk in the real window from its first start until the operator quits it: setup behind the PIN, consent, *forget
//! me*, wiping after a visitor left, and quitting. Run by `cargo xtask test`.
#![cfg(target_os = "linux")]

mod paths;

use copresence_sandbox::BuiltInScenarioName;
use paths::{kiosk_path, log_folder};
use product_tests::window::processes::is_process_running;
use product_tests::window::{Backend, DrivenKiosk, HarnessError, KioskSetup, RENDER_TIMEOUT};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const PIN: &str = "2468";
const CONSENT: &str = "We keep your avatar until you leave this stand.";
const CONSENT_IN_GERMAN: &str = "Wir behalten deinen Avatar, bis du gehst.";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn an_operator_sets_up_a_kiosk_and_visitors_leave_no_data() -> Result<(), HarnessError> {
    let setup = KioskSetup { has_credentials: false, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("operator-setup"), setup).await?;
    kiosk.app.await_element("[data-testid=closed][data-code=credentials_missing]", RENDER_TIMEOUT).await?;
    run_step("the first PIN", kiosk.set_first_pin_and_unlock(PIN)).await?;
    run_step("credentials", set_credentials_in_keychain(&kiosk)).await?;
    run_step("consent and retention", set_consent_and_retention(&kiosk)).await?;
    run_step("leaving the desk", kiosk.leave_desk()).await?;
    kiosk.app.await_element("[data-testid=start]", RENDER_TIMEOUT).await?;

    run_step("the visitor's language", check_consent_in_visitor_language(&kiosk)).await?;
    run_step("a visitor agrees", finish_visit_with_consent(&kiosk)).await?;
    run_step("a wrong PIN, a reload", check_desk_lock(&kiosk)).await?;
    run_step("a visitor is forgotten", forget_visitor(&kiosk)).await?;
    run_step("a visitor is forgotten during a redeem", forget_visitor_during_redeem(&kiosk)).await?;
    run_step("the visitor left", check_idle_wipe(&kiosk)).await?;
    run_step("quitting", quit_app(kiosk)).await
}

/// Adds the name of the step to errors, because a driver's errors are short.
async fn run_step(name: &str, step: impl Future<Output = Result<(), HarnessError>>) -> Result<(), HarnessError> {
    step.await.map_err(|error| format!("{name}: {error}").into())
}

async fn set_credentials_in_keychain(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    set_credentials(kiosk, "keychain").await
}

/// Sets each credential in the panel, and checks the state that the panel shows. Neither the page nor any file may have
/// a credential.
async fn set_credentials(kiosk: &DrivenKiosk, expected_state: &str) -> Result<(), HarnessError> {
    kiosk.app.click_element("[data-testid=section-credentials]", RENDER_TIMEOUT).await?;
    for (slot, secret) in ["api-key", "username", "password"].iter().zip(Backend::credentials()) {
        kiosk.app.click_element(&format!("[data-testid=set-{slot}]"), RENDER_TIMEOUT).await?;
        kiosk
            .app
            .await_element(&format!("[data-testid=value-{slot}]"), RENDER_TIMEOUT)
            .await?
            .send_keys(secret)
            .await?;
        kiosk.app.click_element(&format!("[data-testid=send-{slot}]"), RENDER_TIMEOUT).await?;
        kiosk
            .app
            .await_element(&format!("[data-testid=told-credential-{slot}] .done:not(:empty)"), RENDER_TIMEOUT)
            .await?;
        await_credential_state(kiosk, slot, expected_state).await?;
    }
    let page: String =
        kiosk.app.page().execute("return document.documentElement.outerHTML", vec![]).await?.convert()?;
    let [key, _, password] = Backend::credentials();
    assert!(!page.contains(key) && !page.contains(password), "the page has a credential");
    check_no_file_has_credentials(kiosk)
}

/// Waits until the panel shows where a credential is. On a busy machine the keychain may not respond in time; then the panel
/// reads it again at the next input.
async fn await_credential_state(kiosk: &DrivenKiosk, slot: &str, expected: &str) -> Result<(), HarnessError> {
    let deadline = Instant::now() + RENDER_TIMEOUT;
    loop {
        let element = kiosk.app.await_element(&format!("[data-testid=state-{slot}]"), RENDER_TIMEOUT).await?;
        let state = element.text().await?;
        if state.contains(expected) {
            return Ok(());
        }
        assert!(!state.contains("Not set"), "{slot}: {state}");
        if Instant::now() > deadline {
            return Err(format!("{slot}: {state}").into());
        }
        element.click().await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn check_no_file_has_credentials(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    let [key, _, password] = Backend::credentials();
    for secret in [key, password] {
        for folder in [kiosk.desktop.home(), kiosk.desktop.log_folder()] {
            assert_eq!(files_with_text(folder, secret)?, Vec::<String>::new(), "a file has a credential");
        }
    }
    Ok(())
}

/// Without a keychain, credentials that an operator enters last until the program ends.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn credentials_without_a_keychain_last_for_one_run_and_are_not_saved() -> Result<(), HarnessError> {
    let setup = KioskSetup { has_credentials: false, has_keychain: false, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("this-run"), setup).await?;
    kiosk.app.await_element("[data-testid=closed]", RENDER_TIMEOUT).await?;
    kiosk.set_first_pin_and_unlock(PIN).await?;
    set_credentials(&kiosk, "this run").await?;
    kiosk.leave_desk().await?;
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
    kiosk.await_reveal().await?;
    assert_eq!(avatar_count(&kiosk)?, 1);
    kiosk.leave_reveal().await?;
    kiosk.await_screen("attract").await?;
    check_no_file_has_credentials(&kiosk)?;

    let kiosk = kiosk.restart_app(&kiosk_path(), setup).await?;
    kiosk.app.await_element("[data-testid=closed]", RENDER_TIMEOUT).await?;
    kiosk.open_desk(PIN).await?;
    kiosk.app.click_element("[data-testid=section-credentials]", RENDER_TIMEOUT).await?;
    let state = kiosk.app.await_element("[data-testid=state-api-key]", RENDER_TIMEOUT).await?.text().await?;
    assert!(!state.contains("this run"), "{state}");
    check_no_file_has_credentials(&kiosk)?;
    kiosk.close().await
}

/// The files below a folder that contain a text.
fn files_with_text(folder: &Path, text: &str) -> Result<Vec<String>, HarnessError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type()?.is_dir() {
            found.extend(files_with_text(&entry.path(), text)?);
        } else if entry.file_type()?.is_file()
            && fs::read(entry.path()).unwrap_or_default().windows(text.len()).any(|window| window == text.as_bytes())
        {
            found.push(entry.path().display().to_string());
        }
    }
    Ok(found)
}

async fn set_consent_and_retention(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.app.click_element("[data-testid=section-display]", RENDER_TIMEOUT).await?;
    for (tag, text) in [("en", CONSENT), ("de", CONSENT_IN_GERMAN)] {
        kiosk.app.click_element(&format!("[data-testid=texts-in-{tag}]"), RENDER_TIMEOUT).await?;
        let field = format!("[data-testid=text-consent][lang={tag}]");
        kiosk.app.await_element(&field, RENDER_TIMEOUT).await?.send_keys(text).await?;
    }
    kiosk.app.click_element("[data-testid=save-consent]", RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=told-consent-de] .done:not(:empty)", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=section-retention]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=keep-0]", RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=keep-0][aria-checked=true]", RENDER_TIMEOUT).await.map(drop)
}

/// Checks that the operator's texts are shown in the visitor's language, or else in the kiosk's first language.
async fn check_consent_in_visitor_language(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    for (language, written_in, text) in [("fr", "en", CONSENT), ("de", "de", CONSENT_IN_GERMAN)] {
        kiosk.app.click_element("[data-testid=language]", RENDER_TIMEOUT).await?;
        kiosk.app.click_element(&format!("[data-testid=tongue-{language}]"), RENDER_TIMEOUT).await?;
        kiosk.app.await_element(&format!("html[lang={language}]"), RENDER_TIMEOUT).await?;
        let selector = format!("[data-testid=consent-text] p[lang={written_in}]");
        assert_eq!(kiosk.app.read_text(&selector, RENDER_TIMEOUT).await?.trim(), text, "{language}");
    }
    kiosk.app.click_element("[data-testid=agree]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    kiosk.app.click_element("[data-screen=invite] [data-back]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.click_element("[data-testid=tongue-en]", RENDER_TIMEOUT).await
}

/// Makes a visit up to the reveal, with consent.
async fn visit_until_reveal(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.await_screen("attract").await?;
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    let shown = kiosk.app.read_text("[data-screen=consent] [data-testid=consent-text]", RENDER_TIMEOUT).await?;
    assert_eq!(shown.trim(), CONSENT);
    let tokens = kiosk.token_count();
    kiosk.reload_and_compare("consent", "[data-testid=consent-text]").await?;
    assert_eq!(kiosk.token_count(), tokens, "no token is requested before consent");
    kiosk.app.click_element("[data-testid=agree]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
    kiosk.await_reveal().await?;
    assert_eq!(avatar_count(kiosk)?, 1);
    Ok(())
}

fn avatar_count(kiosk: &DrivenKiosk) -> Result<usize, HarnessError> {
    Ok(fs::read_dir(kiosk.desktop.out())?.count())
}

async fn finish_visit_with_consent(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    visit_until_reveal(kiosk).await?;
    kiosk.leave_reveal().await?;
    kiosk.await_screen("attract").await?;
    kiosk.wait_until("the avatar is deleted after the visit", || Ok(avatar_count(kiosk)? == 0)).await
}

async fn check_desk_lock(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.request_desk().await?;
    kiosk.enter_pin("1357").await?;
    kiosk.app.await_element("[data-testid=pad] .field.wrong", RENDER_TIMEOUT).await?;
    let script = "const done = arguments[arguments.length - 1];
        window.__TAURI_INTERNALS__.invoke('read_panel').then(() => done('open'), problem => done(problem.code));";
    let refused: Value = kiosk.app.page().execute_async(script, vec![]).await?.convert()?;
    assert_eq!(refused, "panel_locked", "the lock is in the program, not in the page");
    kiosk.enter_pin(PIN).await?;
    kiosk.app.await_element("[data-testid=section]", RENDER_TIMEOUT).await?;
    kiosk.app.page().refresh().await?;
    kiosk.await_screen("attract").await?;
    kiosk.request_desk().await?;
    let refused: Value = kiosk.app.page().execute_async(script, vec![]).await?.convert()?;
    assert_eq!(refused, "panel_locked", "a reload of the page locks the desk");
    kiosk.enter_pin(PIN).await?;
    // From here on files are retained, so that only forgetting removes them.
    kiosk.app.click_element("[data-testid=section-retention]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=keep-none]", RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=keep-none][aria-checked=true]", RENDER_TIMEOUT).await?;
    kiosk.leave_desk().await
}

async fn forget_visitor(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    visit_until_reveal(kiosk).await?;
    kiosk.app.click_element("[data-testid=forget]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=forget-yes]", RENDER_TIMEOUT).await?;
    // Without delay: this screen closes by itself after a few seconds.
    kiosk.reload_and_compare("forgetting", "[data-testid=forgetting][data-stand=done]").await?;
    assert_eq!(avatar_count(kiosk)?, 0);
    return_to_first_screen(kiosk).await?;
    check_empty_history(kiosk)
}

/// Forgetting waits for the response of a redeem, which may spend the token. The page is reloaded meanwhile.
async fn forget_visitor_during_redeem(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=agree]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    kiosk.set_faults(r#"[{"on":"redeem","do":{"delay":{"ms":60000}}}]"#)?;
    kiosk.wait_until("the backend receives a redeem", || Ok(kiosk.applied_fault_count() > 0)).await?;
    kiosk.app.page().execute("window.__TAURI_INTERNALS__.invoke('forget_visit')", vec![]).await?;
    // During forgetting or after it: the response is awaited for some seconds only.
    kiosk.reload_and_compare("forgetting", "[data-testid=forgetting]").await?;
    kiosk.clear_faults();
    return_to_first_screen(kiosk).await?;
    check_empty_history(kiosk)
}

/// Leaves the *forgotten* screen by its button, unless it has closed by itself.
async fn return_to_first_screen(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    let element = kiosk.app.await_element("[data-testid=again], [data-screen=attract]", RENDER_TIMEOUT).await?;
    if element.attr("data-testid").await?.as_deref() == Some("again") {
        // The button may disappear before the click.
        drop(element.click().await);
    }
    kiosk.await_screen("attract").await
}

fn check_empty_history(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    let mut history = kiosk.desktop.command(kiosk_path().with_file_name("copresence"));
    let output = history.args(["history", "list", "--json"]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "", "the history is empty");
    Ok(())
}

/// Nobody reacts to the reveal: the app shows a warning, then the first screen, and deletes the files.
async fn check_idle_wipe(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.open_desk(PIN).await?;
    kiosk.app.click_element("[data-testid=section-retention]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=keep-0]", RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=keep-0][aria-checked=true]", RENDER_TIMEOUT).await?;
    kiosk.leave_desk().await?;
    visit_until_reveal(kiosk).await?;
    // Advances the page's monotonic clock, so that the test need not wait.
    let script = "const real = Performance.prototype.now; let ahead = 0; window.__ahead = s => { ahead += s * 1000; };
        performance.now = () => real.call(performance) + ahead;";
    kiosk.app.page().execute(script, vec![]).await?;
    kiosk.app.page().execute("window.__ahead(95)", vec![]).await?;
    kiosk.app.await_element("[data-testid=idle-stay]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=idle-stay]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("reveal").await?;
    kiosk.app.page().execute("window.__ahead(95)", vec![]).await?;
    kiosk.app.await_element("[data-testid=idle-stay]", RENDER_TIMEOUT).await?;
    kiosk.app.page().execute("window.__ahead(60)", vec![]).await?;
    kiosk.await_screen("attract").await?;
    kiosk.wait_until("the avatar is deleted from the disk", || Ok(avatar_count(kiosk)? == 0)).await
}

async fn quit_app(kiosk: DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.open_desk(PIN).await?;
    kiosk.app.click_element("[data-testid=section-history]", RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=history-count]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=section-access]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=quit]", RENDER_TIMEOUT).await?;
    let app = kiosk.desktop.app_process(&kiosk_path())?;
    // The program may end before the driver receives the result of the click.
    drop(kiosk.app.click_element("[data-testid=question-yes]", RENDER_TIMEOUT).await);
    kiosk.wait_until("the program ends", || Ok(!is_process_running(app))).await?;
    kiosk.close_after_quit().await
}
