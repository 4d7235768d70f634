//! A visit in the real window while strangers on the network attack the phones' server. Run by `cargo xtask test`.
#![cfg(target_os = "linux")]

mod paths;

use paths::{kiosk_path, log_folder};
use product_tests::window::{DrivenKiosk, HarnessError, KioskSetup, PhoneServerAttack, RENDER_TIMEOUT, processes};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thirtyfour::Key;

/// Memory that the app's own process may use at most, in bytes, without the web view's processes.
const MAX_PEAK_BYTES: u64 = 300_000_000;
const PICTURE_BOMBS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn visitor_is_served_while_strangers_attack_the_phones_server() -> Result<(), HarnessError> {
    let setup = KioskSetup { args: &["--kiosk"], profile: None, has_window_manager: true, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("hostile-network"), setup).await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    kiosk.app.type_keys(Key::F9).await?;
    let link = kiosk.app.await_element("[data-row=Link]", RENDER_TIMEOUT).await?.text().await?;
    kiosk.app.type_keys(Key::F9).await?;

    let attack = PhoneServerAttack::from_link(link.trim())?;
    let attacker = attack.clone();
    let is_over = Arc::new(AtomicBool::new(false));
    let connections = {
        let is_over = Arc::clone(&is_over);
        tokio::task::spawn_blocking(move || attack.attack_until(|| is_over.load(Ordering::Relaxed)))
    };
    // The token takes one upload at a time: the visitor comes after the bombs.
    let responses = tokio::task::spawn_blocking(move || attacker.upload_picture_bombs(PICTURE_BOMBS)).await??;
    kiosk.app.click_element("[data-testid=play-phone]", RENDER_TIMEOUT).await?;
    kiosk.screen.await_window(&kiosk.desktop, "Phone (sandbox)", |phone| !phone.is_decorated).await?;
    // The first button of the phone: an avatar that exists.
    kiosk.screen.press_keys(&kiosk.desktop, "Tab")?;
    kiosk.screen.press_keys(&kiosk.desktop, "Return")?;
    kiosk.await_reveal().await?;

    is_over.store(true, Ordering::Relaxed);
    let connections = connections.await?;
    let peak = processes::peak_memory(kiosk.desktop.app_process(&kiosk_path())?)?;
    println!("{connections} hostile connections, {PICTURE_BOMBS} picture bombs: at most {peak} bytes");
    assert!(connections >= 1_000, "only {connections} connections were made");
    assert!(responses.iter().all(|line| !line.contains(" 200 ")), "a bomb was accepted: {responses:?}");
    assert!(responses.iter().any(|line| line.contains(" 4")), "no bomb was examined: {responses:?}");
    assert!(peak <= MAX_PEAK_BYTES, "{peak} bytes of at most {MAX_PEAK_BYTES}");
    kiosk.close().await
}
