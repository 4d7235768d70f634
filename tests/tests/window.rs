//! A whole visit in the real window, as a visitor with a phone makes it. Run by `cargo xtask test`.
//!
//! The screenshots stay in the folder that `COPRESENCE_SCREENS` names (for the documentation: `docs/screens`), or in
//! `target/window-test` beside what the app and the drivers printed.
#![cfg(target_os = "linux")]

use product_tests::window::{App, Desk, Phone, Screen, Trouble, colours, decode_qr, photograph};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thirtyfour::Key;

/// For what only has to be drawn.
const SOON: Duration = Duration::from_mins(3);
/// For what takes a backend, a queue and a download.
const MADE: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn a_visitor_scans_the_code_chooses_an_avatar_and_sees_it() -> Result<(), Trouble> {
    let desk = Desk::set_up(&logs())?;
    let screen = Screen::switch_on(&desk, "screen", 1920, 1080)?;
    let app = App::start(&desk, &screen, &kiosk(), &["--full-screen"], &[]).await?;

    app.see("[data-screen=attract]", SOON).await?;
    app.record_changes("[data-testid=screen]", "data-screen").await?;
    app.come_to_rest().await?;
    shoot(&desk, &screen, "attract")?;
    app.press("[data-testid=start]", SOON).await?;

    // No phone of a visitor reaches the demo: they are offered to simulate one, and the code is the staff's.
    app.see("[data-screen=invite] [data-testid=play-phone]", SOON).await?;
    app.come_to_rest().await?;
    let invite = shoot(&desk, &screen, "invite")?;
    assert_eq!(decode_qr(&desk, &invite)?, Vec::<String>::new(), "a code that nobody can scan");
    app.type_keys(Key::F9).await?;
    app.see("[data-testid=detail-qr]", SOON).await?;
    let address = read_code(&desk, &screen)?;
    let link = app.see("[data-row=Link]", SOON).await?.text().await?;
    assert_eq!(address, link.trim(), "the QR says another address than the text beside it");
    app.type_keys(Key::F9).await?;

    let phone = Phone::switch_on(&desk).await?;
    phone.fill_screen().await?;
    phone.open_address(&address).await?;
    phone.press("[data-testid=choose-existing]", SOON).await?;
    phone.see("[data-testid^=avatar-]", SOON).await?;
    phone.come_to_rest().await?;
    shoot(&desk, phone.screen(), "phone")?;
    phone.press("[data-testid^=avatar-]", SOON).await?;

    // It lasts some seconds only: where the machine is slower than that, there is no picture of it.
    let now = app.see("[data-screen=making], [data-screen=saving], [data-screen=reveal]", SOON).await?;
    if now.attr("data-screen").await?.as_deref() == Some("making") {
        app.come_to_rest().await?;
        shoot(&desk, &screen, "making")?;
    }
    app.see("[data-screen=reveal]", MADE).await?;
    let seen = app.recorded().await?;
    assert_eq!(seen.first().map(String::as_str), Some("attract"), "{seen:?}");
    assert_eq!(seen.last().map(String::as_str), Some("reveal"), "{seen:?}");
    let order = ["attract", "preparing", "invite", "making", "saving", "reveal"];
    let places: Vec<_> = seen.iter().map(|now| order.iter().position(|known| known == now)).collect();
    assert!(places.iter().all(Option::is_some), "a screen that has no place here: {seen:?}");
    assert!(places.is_sorted(), "the screens went back: {seen:?}");
    assert!(seen.iter().any(|now| now == "making"), "nothing was shown between code and avatar: {seen:?}");

    let canvas = app.see("[data-testid=turntable][data-ready=true]", SOON).await?;
    let place = app.place_of(&canvas, &screen).await?;
    let reveal = shoot(&desk, &screen, "reveal")?;
    let drawn = colours(&reveal, place)?;
    assert!(drawn > 1000, "the stage shows {drawn} colours: no lit avatar");

    app.type_keys(Key::F9).await?;
    let said = app.see("[data-row='Saved in']", SOON).await?.text().await?;
    app.type_keys(Key::F9).await?;
    let folder = only_avatar(&desk)?;
    assert!(folder.ends_with(Path::new(said.trim()).file_name().ok_or("no folder is named")?), "{said}");
    check_files(&folder)?;

    app.press("[data-testid=again]", SOON).await?;
    app.see("[data-screen=attract], [data-screen=invite]", SOON).await?;

    phone.switch_off().await?;
    app.close().await?;
    drop(screen);
    assert_eq!(desk.leftovers(), Vec::<String>::new(), "left running");
    Ok(())
}

/// Reads the code off the screen: photographs until the panel has come to rest and a camera can read it.
fn read_code(desk: &Desk, screen: &Screen) -> Result<String, Trouble> {
    let deadline = Instant::now() + SOON;
    loop {
        let picture = desk.logs().join("code.png");
        photograph(desk, screen, &picture)?;
        if let [only] = decode_qr(desk, &picture)?.as_slice() {
            return Ok(only.clone());
        }
        if Instant::now() > deadline {
            return Err(format!("no phone could read the code in {}", picture.display()).into());
        }
    }
}

/// The one folder that was saved.
fn only_avatar(desk: &Desk) -> Result<PathBuf, Trouble> {
    let folders: Vec<PathBuf> = fs::read_dir(desk.out())?.flatten().map(|entry| entry.path()).collect();
    match folders.as_slice() {
        [only] => Ok(only.clone()),
        other => Err(format!("not one saved avatar, but {other:?}").into()),
    }
}

/// Every file that the manifest names is there, whole, with its digest; and no other is.
fn check_files(folder: &Path) -> Result<(), Trouble> {
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json"))?)?;
    let files = manifest["files"].as_array().ok_or("the manifest lists no files")?;
    let mut named = vec!["manifest.json".to_owned()];
    for file in files {
        let path = file["path"].as_str().ok_or("a file without a path")?;
        let bytes = fs::read(folder.join(path))?;
        let digest =
            Sha256::digest(&bytes).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(file["sha256"], digest, "{path}");
        assert_eq!(file["bytes"], bytes.len(), "{path}");
        named.push(path.to_owned());
    }
    assert!(fs::read(folder.join("avatar.glb"))?.starts_with(b"glTF"), "avatar.glb is no GLB");
    let mut there: Vec<String> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    named.sort();
    there.sort();
    assert_eq!(there, named, "the folder holds what its manifest names");
    Ok(())
}

fn shoot(desk: &Desk, screen: &Screen, name: &str) -> Result<PathBuf, Trouble> {
    let folder = std::env::var_os("COPRESENCE_SCREENS").map_or_else(logs, |dir| root().join(dir));
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.png"));
    photograph(desk, screen, &file)?;
    Ok(file)
}

/// The app that was built last, or the one that is named.
fn kiosk() -> PathBuf {
    std::env::var_os("COPRESENCE_KIOSK")
        .map_or_else(|| target().join("debug/copresence-kiosk"), |file| root().join(file))
}

fn logs() -> PathBuf {
    target().join("window-test")
}

fn target() -> PathBuf {
    // Cargo's own folder for tests lies right in it.
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("..")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
