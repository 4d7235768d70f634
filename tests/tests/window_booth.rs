//! A booth from its first start to its end, as operator and visitors live it in the real window: set up behind the PIN
//! with nothing but the window, consent, *forget me*, the wipe, and quitting. Run by `cargo xtask test`.
#![cfg(target_os = "linux")]

mod places;

use copresence_sandbox::Scenario;
use places::{kiosk, logs};
use product_tests::window::processes::runs;
use product_tests::window::{Backend, Booth, Plan, SOON, Trouble};
use serde_json::Value;
use std::fs;
use std::path::Path;

const PIN: &str = "2468";
const CONSENT: &str = "We keep your avatar until you leave this stand.";
const CONSENT_IN_GERMAN: &str = "Wir behalten deinen Avatar, bis du gehst.";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn an_operator_sets_a_booth_up_and_visitors_leave_nothing_behind() -> Result<(), Trouble> {
    let plan = Plan { credentials: false, ..Plan::default() };
    let booth = Booth::open(&kiosk(), &logs("booth"), plan).await?;
    booth.app.see("[data-testid=closed][data-code=credentials_missing]", SOON).await?;
    chapter("the first PIN", booth.set_first_pin(PIN)).await?;
    chapter("credentials", credentials_into_the_keychain(&booth)).await?;
    chapter("consent and retention", consent_and_retention(&booth)).await?;
    chapter("leaving the desk", booth.leave_desk()).await?;
    booth.app.see("[data-testid=start]", SOON).await?;

    chapter("the visitor's language", a_visitor_reads_in_their_language(&booth)).await?;
    chapter("a visitor agrees", a_visitor_agrees_and_leaves_nothing(&booth)).await?;
    chapter("a wrong PIN, a reload", a_wrong_pin_and_a_reload_open_nothing(&booth)).await?;
    chapter("a visitor is forgotten", a_visitor_is_forgotten(&booth)).await?;
    chapter("a visitor is forgotten early", a_visitor_is_forgotten_while_the_backend_is_asked(&booth))
        .await?;
    chapter("nobody is there", nobody_is_there_any_more(&booth)).await?;
    chapter("quitting", quit(booth)).await
}

/// Says in which part of the story something went wrong: a driver's own errors are short.
async fn chapter(name: &str, story: impl Future<Output = Result<(), Trouble>>) -> Result<(), Trouble> {
    story.await.map_err(|error| format!("{name}: {error}").into())
}

async fn credentials_into_the_keychain(booth: &Booth) -> Result<(), Trouble> {
    set_credentials(booth, "keychain").await
}

/// Sets each in the panel, which says where it is kept: in no page, and in no file.
async fn set_credentials(booth: &Booth, kept: &str) -> Result<(), Trouble> {
    booth.app.press("[data-testid=section-credentials]", SOON).await?;
    for (slot, secret) in ["api-key", "username", "password"].iter().zip(Backend::credentials()) {
        booth.app.press(&format!("[data-testid=set-{slot}]"), SOON).await?;
        booth.app.see(&format!("[data-testid=value-{slot}]"), SOON).await?.send_keys(secret).await?;
        booth.app.press(&format!("[data-testid=send-{slot}]"), SOON).await?;
        booth.app.see(&format!("[data-testid=told-credential-{slot}] .done:not(:empty)"), SOON).await?;
        let state = booth.app.see(&format!("[data-testid=state-{slot}]"), SOON).await?.text().await?;
        assert!(state.contains(kept), "{slot}: {state}");
    }
    let page: String =
        booth.app.page().execute("return document.documentElement.outerHTML", vec![]).await?.convert()?;
    let [key, _, password] = Backend::credentials();
    assert!(!page.contains(key) && !page.contains(password), "a credential stands in the page");
    kept_in_no_file(booth)
}

fn kept_in_no_file(booth: &Booth) -> Result<(), Trouble> {
    let [key, _, password] = Backend::credentials();
    for secret in [key, password] {
        for folder in [booth.desk.home(), booth.desk.logs()] {
            assert_eq!(holding(folder, secret)?, Vec::<String>::new(), "a credential stands in a file");
        }
    }
    Ok(())
}

/// Where no keychain answers, what is entered serves until the program ends.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn what_is_entered_without_a_keychain_serves_one_run_and_is_kept_nowhere() -> Result<(), Trouble> {
    let plan = Plan { credentials: false, keychain: false, ..Plan::default() };
    let booth = Booth::open(&kiosk(), &logs("this-run"), plan).await?;
    booth.app.see("[data-testid=closed]", SOON).await?;
    booth.set_first_pin(PIN).await?;
    set_credentials(&booth, "this run").await?;
    booth.leave_desk().await?;
    booth.app.press("[data-testid=start]", SOON).await?;
    booth.see_screen("invite").await?;
    booth.scan(Scenario::ExistingAvatar)?;
    booth.see_reveal().await?;
    assert_eq!(avatars(&booth)?, 1);
    booth.app.press("[data-testid=again]", SOON).await?;
    booth.see_screen("attract").await?;
    kept_in_no_file(&booth)?;

    let booth = booth.start_again(&kiosk(), plan).await?;
    booth.app.see("[data-testid=closed]", SOON).await?;
    booth.open_desk(PIN).await?;
    booth.app.press("[data-testid=section-credentials]", SOON).await?;
    let state = booth.app.see("[data-testid=state-api-key]", SOON).await?.text().await?;
    assert!(!state.contains("this run"), "{state}");
    kept_in_no_file(&booth)?;
    booth.close().await
}

/// The files below a folder in which some text stands.
fn holding(folder: &Path, text: &str) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type()?.is_dir() {
            found.extend(holding(&entry.path(), text)?);
        } else if entry.file_type()?.is_file()
            && fs::read(entry.path())
                .unwrap_or_default()
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        {
            found.push(entry.path().display().to_string());
        }
    }
    Ok(found)
}

async fn consent_and_retention(booth: &Booth) -> Result<(), Trouble> {
    booth.app.press("[data-testid=section-display]", SOON).await?;
    for (tag, text) in [("en", CONSENT), ("de", CONSENT_IN_GERMAN)] {
        booth.app.press(&format!("[data-testid=texts-in-{tag}]"), SOON).await?;
        let field = format!("[data-testid=text-consent][lang={tag}]");
        booth.app.see(&field, SOON).await?.send_keys(text).await?;
    }
    booth.app.press("[data-testid=save-consent]", SOON).await?;
    booth.app.see("[data-testid=told-consent-de] .done:not(:empty)", SOON).await?;
    booth.app.press("[data-testid=section-retention]", SOON).await?;
    booth.app.press("[data-testid=keep-0]", SOON).await?;
    booth.app.see("[data-testid=keep-0][aria-checked=true]", SOON).await.map(drop)
}

/// Whoever chose a language reads the operator's words in it, else in the booth's first; and agrees to what is read.
async fn a_visitor_reads_in_their_language(booth: &Booth) -> Result<(), Trouble> {
    booth.app.press("[data-testid=start]", SOON).await?;
    for (tongue, written_in, text) in [("fr", "en", CONSENT), ("de", "de", CONSENT_IN_GERMAN)] {
        booth.app.press("[data-testid=language]", SOON).await?;
        booth.app.press(&format!("[data-testid=tongue-{tongue}]"), SOON).await?;
        booth.app.see(&format!("html[lang={tongue}]"), SOON).await?;
        let place = format!("[data-testid=consent-text] p[lang={written_in}]");
        assert_eq!(booth.app.read(&place, SOON).await?.trim(), text, "{tongue}");
    }
    booth.app.press("[data-testid=agree]", SOON).await?;
    booth.see_screen("invite").await?;
    booth.app.press("[data-screen=invite] [data-back]", SOON).await?;
    booth.see_screen("attract").await?;
    booth.app.press("[data-testid=tongue-en]", SOON).await
}

/// Through consent and code to the reveal.
async fn revealed(booth: &Booth) -> Result<(), Trouble> {
    booth.see_screen("attract").await?;
    booth.app.press("[data-testid=start]", SOON).await?;
    let told = booth.app.read("[data-screen=consent] [data-testid=consent-text]", SOON).await?;
    assert_eq!(told.trim(), CONSENT);
    let tokens = booth.tokens();
    booth.reload("consent", "[data-testid=consent-text]").await?;
    assert_eq!(booth.tokens(), tokens, "nothing is asked for before somebody agrees");
    booth.app.press("[data-testid=agree]", SOON).await?;
    booth.see_screen("invite").await?;
    booth.scan(Scenario::ExistingAvatar)?;
    booth.see_reveal().await?;
    assert_eq!(avatars(booth)?, 1);
    Ok(())
}

fn avatars(booth: &Booth) -> Result<usize, Trouble> {
    Ok(fs::read_dir(booth.desk.out())?.count())
}

async fn a_visitor_agrees_and_leaves_nothing(booth: &Booth) -> Result<(), Trouble> {
    revealed(booth).await?;
    booth.app.press("[data-testid=again]", SOON).await?;
    booth.see_screen("attract").await?;
    booth.until("the avatar goes with its visitor", || Ok(avatars(booth)? == 0)).await
}

async fn a_wrong_pin_and_a_reload_open_nothing(booth: &Booth) -> Result<(), Trouble> {
    booth.ask_for_desk().await?;
    booth.enter("1357").await?;
    booth.app.see("[data-testid=pad] .field.wrong", SOON).await?;
    let asked = "const done = arguments[arguments.length - 1];
        window.__TAURI_INTERNALS__.invoke('panel').then(() => done('open'), problem => done(problem.code));";
    let refused: Value = booth.app.page().execute_async(asked, vec![]).await?.convert()?;
    assert_eq!(refused, "panel_locked", "the door stands in the program, not in the page");
    booth.enter(PIN).await?;
    booth.app.see("[data-testid=section]", SOON).await?;
    booth.app.page().refresh().await?;
    booth.see_screen("attract").await?;
    booth.ask_for_desk().await?;
    let refused: Value = booth.app.page().execute_async(asked, vec![]).await?.convert()?;
    assert_eq!(refused, "panel_locked", "whoever loads the page anew is not let in");
    booth.enter(PIN).await?;
    // From here on files are kept, so that only being forgotten removes them.
    booth.app.press("[data-testid=section-retention]", SOON).await?;
    booth.app.press("[data-testid=keep-none]", SOON).await?;
    booth.app.see("[data-testid=keep-none][aria-checked=true]", SOON).await?;
    booth.leave_desk().await
}

async fn a_visitor_is_forgotten(booth: &Booth) -> Result<(), Trouble> {
    revealed(booth).await?;
    booth.app.press("[data-testid=forget]", SOON).await?;
    booth.app.press("[data-testid=forget-yes]", SOON).await?;
    // At once: this screen leaves by itself a few seconds later.
    booth.reload("forgetting", "[data-testid=forgetting][data-stand=done]").await?;
    assert_eq!(avatars(booth)?, 0);
    back_at_the_start(booth).await?;
    nobody_is_remembered(booth)
}

/// Forgetting waits for the answer that may spend the token; the page is loaded anew meanwhile.
async fn a_visitor_is_forgotten_while_the_backend_is_asked(booth: &Booth) -> Result<(), Trouble> {
    booth.app.press("[data-testid=start]", SOON).await?;
    booth.app.press("[data-testid=agree]", SOON).await?;
    booth.see_screen("invite").await?;
    booth.break_with(r#"[{"on":"redeem","do":{"delay":{"ms":60000}}}]"#)?;
    booth.until("the backend is asked", || Ok(booth.struck() > 0)).await?;
    booth.app.page().execute("window.__TAURI_INTERNALS__.invoke('forget')", vec![]).await?;
    // While it works, or just when it is done: the answer is awaited for some seconds only.
    booth.reload("forgetting", "[data-testid=forgetting]").await?;
    booth.mend();
    back_at_the_start(booth).await?;
    nobody_is_remembered(booth)
}

/// From *forgotten* by its button, unless it has left by itself.
async fn back_at_the_start(booth: &Booth) -> Result<(), Trouble> {
    let there = booth.app.see("[data-testid=again], [data-screen=attract]", SOON).await?;
    if there.attr("data-testid").await?.as_deref() == Some("again") {
        // It may go in the very moment in which it is pressed.
        drop(there.click().await);
    }
    booth.see_screen("attract").await
}

fn nobody_is_remembered(booth: &Booth) -> Result<(), Trouble> {
    let mut history = booth.desk.command(kiosk().with_file_name("copresence"));
    let told = history.args(["history", "list", "--json"]).output()?;
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "", "no visit is remembered");
    Ok(())
}

/// A face stands on the screen and nobody before it: a warning, then the next visitor's screen, and no file.
async fn nobody_is_there_any_more(booth: &Booth) -> Result<(), Trouble> {
    booth.open_desk(PIN).await?;
    booth.app.press("[data-testid=section-retention]", SOON).await?;
    booth.app.press("[data-testid=keep-0]", SOON).await?;
    booth.app.see("[data-testid=keep-0][aria-checked=true]", SOON).await?;
    booth.leave_desk().await?;
    revealed(booth).await?;
    // The page's steady clock runs ahead: nobody waits here for what a visitor waits for.
    let ahead =
        "const real = Performance.prototype.now; let ahead = 0; window.__ahead = s => { ahead += s * 1000; };
        performance.now = () => real.call(performance) + ahead;";
    booth.app.page().execute(ahead, vec![]).await?;
    booth.app.page().execute("window.__ahead(95)", vec![]).await?;
    booth.app.see("[data-testid=idle-stay]", SOON).await?;
    booth.app.press("[data-testid=idle-stay]", SOON).await?;
    booth.see_screen("reveal").await?;
    booth.app.page().execute("window.__ahead(95)", vec![]).await?;
    booth.app.see("[data-testid=idle-stay]", SOON).await?;
    booth.app.page().execute("window.__ahead(60)", vec![]).await?;
    booth.see_screen("attract").await?;
    booth.until("the face is wiped from the disk too", || Ok(avatars(booth)? == 0)).await
}

async fn quit(booth: Booth) -> Result<(), Trouble> {
    booth.open_desk(PIN).await?;
    booth.app.press("[data-testid=section-history]", SOON).await?;
    booth.app.see("[data-testid=history-count]", SOON).await?;
    booth.app.press("[data-testid=section-access]", SOON).await?;
    booth.app.press("[data-testid=quit]", SOON).await?;
    let app = booth.desk.app_process(&kiosk())?;
    // The program may end before the driver has heard what came of the press.
    drop(booth.app.press("[data-testid=question-yes]", SOON).await);
    booth.until("the program ends", || Ok(!runs(app))).await?;
    booth.has_quit().await
}
