//! A visit in the real window while strangers on the hall's network attack the phones' server. Run by
//! `cargo xtask test`.
#![cfg(target_os = "linux")]

mod paths;

use paths::{kiosk_path, log_folder};
use product_tests::window::processes::PeakMemoryMeter;
use product_tests::window::{
    ATTACKER_COUNT, DrivenKiosk, HallNetwork, HarnessError, KioskSetup, NetworkAttack, RENDER_TIMEOUT, attack_if_asked,
    is_in_private_network, run_test_in_private_network,
};
use std::time::{Duration, Instant};

const PIN: &str = "2468";
/// Memory that the app's own process may use at most, in bytes, without the web view's processes.
const MAX_PEAK_BYTES: u64 = 300_000_000;
/// Time limit of the visitor's phone, which shares the server with the attackers.
const PHONE_TIMEOUT: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn visitor_is_served_while_strangers_attack_the_phones_server() -> Result<(), HarnessError> {
    if !is_in_private_network() {
        return run_test_in_private_network("visitor_is_served_while_strangers_attack_the_phones_server");
    }
    let logs = log_folder("hostile-network");
    std::fs::create_dir_all(&logs)?;
    // The attackers' machines, one for their pictures, and the visitor's phone.
    let hall = HallNetwork::connect(ATTACKER_COUNT + 2, &logs)?;
    let setup = KioskSetup { args: &["--kiosk"], profile: None, has_window_manager: true, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &logs, setup).await?;
    kiosk.await_screen("attract").await?;
    let_phones_in(&kiosk).await?;
    let link = show_code(&kiosk).await?;

    let memory = PeakMemoryMeter::start(kiosk.desktop.app_process(&kiosk_path())?)?;
    let mut attack = NetworkAttack::start(&hall, "strangers_of_the_hall", &link, &logs)?;
    let (attack, statuses) = tokio::task::spawn_blocking(move || {
        let statuses = attack.await_picture_bombs();
        statuses.map(|statuses| (attack, statuses))
    })
    .await??;
    associate_by_phone(&hall, &link).await?;
    kiosk.await_reveal().await?;

    let peak = memory.peak_upper_bound()?;
    let connections = tokio::task::spawn_blocking(move || attack.stop()).await??;
    println!("{connections} hostile connections, {} picture bombs: at most {peak} bytes", statuses.len());
    assert!(connections >= 1_000, "only {connections} connections were made");
    assert_eq!(statuses, [415; 50], "each bomb is refused for what it is");
    assert!(peak <= MAX_PEAK_BYTES, "{peak} bytes of at most {MAX_PEAK_BYTES}");
    kiosk.close().await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above on the machines of its hall"]
async fn strangers_of_the_hall() -> Result<(), HarnessError> {
    attack_if_asked().await
}

async fn let_phones_in(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    kiosk.set_first_pin_and_unlock(PIN).await?;
    kiosk.app.click_element("[data-testid=section-backend]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=phones-in]", RENDER_TIMEOUT).await?;
    kiosk.app.await_element("[data-testid=phones-at]", RENDER_TIMEOUT).await?;
    kiosk.leave_desk().await
}

/// Starts a visit, and returns the content of its QR code.
async fn show_code(kiosk: &DrivenKiosk) -> Result<String, HarnessError> {
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    let link = kiosk.app.read_text("[data-screen=invite] [data-testid=link]", RENDER_TIMEOUT).await?;
    Ok(link.trim().to_owned())
}

/// The visitor's phone opens the page, and sends the request for a new avatar until the server has a place for it.
async fn associate_by_phone(hall: &HallNetwork, link: &str) -> Result<(), HarnessError> {
    let address = HallNetwork::machine_address(ATTACKER_COUNT + 1).to_string();
    let request = link.replace("/phone?", "/phone/associate?avatar=new&");
    let phone = ["--silent", "--show-error", "--fail", "--max-time", "60", "--interface", &address];
    let deadline = Instant::now() + PHONE_TIMEOUT;
    loop {
        let opened = hall.guest_command("curl", &phone).arg(link).output()?;
        let sent = hall.guest_command("curl", &phone).args(["--request", "POST", &request]).output()?;
        if opened.status.success() && sent.status.success() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let errors = [opened, sent].map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
            return Err(format!("the visitor's phone is not served: {errors:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
