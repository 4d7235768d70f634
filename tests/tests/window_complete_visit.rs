//! A complete visit in the real window with a phone's browser. Run by `cargo xtask test`.
//!
//! The screenshots are written to the folder that `COPRESENCE_SCREENS` names (for the documentation: `docs/screens`),
//! or to `target/window-test` beside the output of the app and the drivers.
#![cfg(target_os = "linux")]

use product_tests::window::{
    App, DesktopSession, HarnessError, Phone, VirtualScreen, count_colours, decode_qr_codes, take_screenshot,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thirtyfour::Key;

/// Time limit for what needs no backend.
const RENDER_TIMEOUT: Duration = Duration::from_mins(3);
/// Time limit for creating and downloading an avatar.
const VISIT_TIMEOUT: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn a_visitor_scans_the_qr_code_chooses_an_avatar_and_sees_it() -> Result<(), HarnessError> {
    let desktop = DesktopSession::set_up(&log_folder())?;
    let screen = VirtualScreen::switch_on(&desktop, "screen", 1920, 1080)?;
    let app = App::start(&desktop, &screen, &kiosk_path(), &["--full-screen"], &[]).await?;

    app.await_element("[data-screen=attract]", RENDER_TIMEOUT).await?;
    app.record_changes("[data-testid=screen]", "data-screen").await?;
    app.await_animations().await?;
    take_named_screenshot(&desktop, &screen, "attract")?;
    app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;

    // Phones of visitors cannot reach the demo backend: the screen draws one over the code, and only operators see the
    // whole code.
    app.await_element("[data-screen=invite] [data-testid=play-phone]", RENDER_TIMEOUT).await?;
    app.await_animations().await?;
    let invite = take_named_screenshot(&desktop, &screen, "invite")?;
    assert_eq!(decode_qr_codes(&desktop, &invite)?, Vec::<String>::new(), "a QR code that phones cannot use");
    app.type_keys(Key::F9).await?;
    app.await_element("[data-testid=detail-qr]", RENDER_TIMEOUT).await?;
    let address = decode_qr_code_on_screen(&desktop, &screen)?;
    let link = app.await_element("[data-row=Link]", RENDER_TIMEOUT).await?.text().await?;
    assert_eq!(address, link.trim(), "the QR code has another address than the text beside it");
    app.type_keys(Key::F9).await?;

    let phone = Phone::switch_on(&desktop).await?;
    phone.fill_screen().await?;
    phone.open_address(&address).await?;
    phone.click_element("[data-testid=choose-existing]", RENDER_TIMEOUT).await?;
    phone.await_element("[data-testid^=avatar-]", RENDER_TIMEOUT).await?;
    phone.await_animations().await?;
    take_named_screenshot(&desktop, phone.screen(), "phone")?;
    phone.click_element("[data-testid^=avatar-]", RENDER_TIMEOUT).await?;

    // This screen lasts only some seconds, so slow machines take no screenshot of it.
    let now =
        app.await_element("[data-screen=making], [data-screen=saving], [data-screen=reveal]", RENDER_TIMEOUT).await?;
    if now.attr("data-screen").await?.as_deref() == Some("making") {
        app.await_animations().await?;
        take_named_screenshot(&desktop, &screen, "making")?;
    }
    app.await_element("[data-screen=reveal]", VISIT_TIMEOUT).await?;
    let screens = app.recorded_values().await?;
    assert_eq!(screens.first().map(String::as_str), Some("attract"), "{screens:?}");
    assert_eq!(screens.last().map(String::as_str), Some("reveal"), "{screens:?}");
    let order = ["attract", "preparing", "invite", "making", "saving", "reveal"];
    let positions: Vec<_> = screens.iter().map(|now| order.iter().position(|known| known == now)).collect();
    assert!(positions.iter().all(Option::is_some), "an unexpected screen: {screens:?}");
    assert!(positions.is_sorted(), "the screens went back: {screens:?}");
    assert!(screens.iter().any(|now| now == "making"), "no screen between QR code and avatar: {screens:?}");

    let canvas = app.await_element("[data-testid=turntable][data-ready=true]", RENDER_TIMEOUT).await?;
    let area = app.element_rect(&canvas, &screen).await?;
    app.await_element("[data-testid=this-is-me]", RENDER_TIMEOUT).await?;
    // Machines that render in software draw the moving avatar coarsely, and a sharp still picture when nothing moves.
    app.await_element("[data-testid=turntable][data-sharp]", RENDER_TIMEOUT).await?;
    app.await_animations().await?;
    let reveal = take_named_screenshot(&desktop, &screen, "reveal")?;
    let colours = count_colours(&reveal, area)?;
    assert!(colours > 1000, "no lit avatar: only {colours} colours");

    app.type_keys(Key::F9).await?;
    let shown_path = app.await_element("[data-row='Saved in']", RENDER_TIMEOUT).await?.text().await?;
    app.type_keys(Key::F9).await?;
    let folder = only_saved_folder(&desktop)?;
    assert!(folder.ends_with(Path::new(shown_path.trim()).file_name().ok_or("no folder is named")?), "{shown_path}");
    check_saved_files(&folder)?;

    app.click_element("[data-testid=this-is-me]", RENDER_TIMEOUT).await?;
    app.click_element("[data-testid=again]", RENDER_TIMEOUT).await?;
    app.await_element("[data-screen=attract], [data-screen=invite]", RENDER_TIMEOUT).await?;

    phone.switch_off().await?;
    app.close().await?;
    drop(screen);
    assert_eq!(desktop.leftovers(), Vec::<String>::new(), "left running");
    Ok(())
}

/// Takes screenshots until a QR code can be decoded.
fn decode_qr_code_on_screen(desktop: &DesktopSession, screen: &VirtualScreen) -> Result<String, HarnessError> {
    let deadline = Instant::now() + RENDER_TIMEOUT;
    loop {
        let picture = desktop.log_folder().join("code.png");
        take_screenshot(desktop, screen, &picture)?;
        if let [only] = decode_qr_codes(desktop, &picture)?.as_slice() {
            return Ok(only.clone());
        }
        if Instant::now() > deadline {
            return Err(format!("no QR code could be decoded in {}", picture.display()).into());
        }
    }
}

/// The only folder in OUT.
fn only_saved_folder(desktop: &DesktopSession) -> Result<PathBuf, HarnessError> {
    let folders: Vec<PathBuf> = fs::read_dir(desktop.out())?.flatten().map(|entry| entry.path()).collect();
    match folders.as_slice() {
        [only] => Ok(only.clone()),
        other => Err(format!("not exactly one saved avatar: {other:?}").into()),
    }
}

/// Checks that the folder has exactly the files of the manifest, with their sizes and digests.
fn check_saved_files(folder: &Path) -> Result<(), HarnessError> {
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json"))?)?;
    let files = manifest["files"].as_array().ok_or("the manifest lists no files")?;
    let mut listed = vec!["manifest.json".to_owned()];
    for file in files {
        let path = file["path"].as_str().ok_or("a file without a path")?;
        let bytes = fs::read(folder.join(path))?;
        let digest = Sha256::digest(&bytes).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(file["sha256"], digest, "{path}");
        assert_eq!(file["bytes"], bytes.len(), "{path}");
        listed.push(path.to_owned());
    }
    assert!(fs::read(folder.join("avatar.glb"))?.starts_with(b"glTF"), "avatar.glb is not a GLB");
    let mut found: Vec<String> =
        fs::read_dir(folder)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    listed.sort();
    found.sort();
    assert_eq!(found, listed, "the folder has other files than its manifest lists");
    Ok(())
}

fn take_named_screenshot(
    desktop: &DesktopSession,
    screen: &VirtualScreen,
    name: &str,
) -> Result<PathBuf, HarnessError> {
    let folder = std::env::var_os("COPRESENCE_SCREENS").map_or_else(log_folder, |dir| repository_folder().join(dir));
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.png"));
    take_screenshot(desktop, screen, &file)?;
    Ok(file)
}

/// The app that `COPRESENCE_KIOSK` names, or the debug build.
fn kiosk_path() -> PathBuf {
    std::env::var_os("COPRESENCE_KIOSK")
        .map_or_else(|| target_folder().join("debug/copresence-kiosk"), |file| repository_folder().join(file))
}

fn log_folder() -> PathBuf {
    target_folder().join("window-test")
}

fn target_folder() -> PathBuf {
    // Cargo's folder for tests is a direct child of the target folder.
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("..")
}

fn repository_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
