//! A week of a booth in the real window: 300 visits, with half an hour of the backend's time between them. Every
//! twentieth is ended by SIGKILL of all processes of the app. Run by `cargo xtask soak`.
#![cfg(target_os = "linux")]

mod paths;

use copresence_sandbox::{BuiltInScenarioName, TokenPhase};
use paths::{kiosk_path, log_folder};
use product_tests::window::processes::memory_by_process;
use product_tests::window::{DrivenKiosk, HarnessError, KioskSetup, RENDER_TIMEOUT};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Number of visits, unless `WEEK_VISITS` has another one.
const VISIT_COUNT: usize = 300;
/// Each visit with this interval ends by a kill.
const KILL_INTERVAL: usize = 20;
/// Time of the backend between two visits: 300 of them are a week.
const TIME_BETWEEN_VISITS: Duration = Duration::from_mins(33);
/// Upper bound of the memory of all processes of the app between two visits, in bytes (PSS). Visits without a pause may
/// exceed it until the page's garbage collector runs; in a real week it has half an hour.
const MEMORY_LIMIT: u64 = 900_000_000;
const SETUP: KioskSetup<'_> = KioskSetup {
    args: &["--kiosk"],
    has_credentials: true,
    has_keychain: true,
    profile: Some("patience = \"1m\"\ntimeout = \"30m\""),
    assets: None,
    has_animations: true,
    has_window_manager: false,
    monitors: &[],
};

/// Where in a visit everything is killed.
#[derive(Debug, Clone, Copy)]
enum KillMoment {
    CodeScanned,
    AvatarMade,
    FilesSaved,
    AvatarShown,
}

impl KillMoment {
    /// The kinds take turns.
    fn of_visit(number: usize) -> Option<Self> {
        let moments = [Self::FilesSaved, Self::CodeScanned, Self::AvatarMade, Self::AvatarShown];
        number.is_multiple_of(KILL_INTERVAL).then(|| moments[number / KILL_INTERVAL % moments.len()])
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes an hour and the built app: `cargo xtask soak` builds it and runs this"]
async fn a_week_of_visits_and_kills_loses_nothing_and_leaks_no_memory() -> Result<(), HarnessError> {
    let visit_count = match std::env::var("WEEK_VISITS") {
        Ok(number) => number.parse()?,
        Err(_) => VISIT_COUNT,
    };
    let mut kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("week"), SETUP).await?;
    kiosk.await_screen("attract").await?;
    let mut largest = 0;
    for visit in 1..=visit_count {
        let kill_moment = KillMoment::of_visit(visit);
        run_visit(&kiosk, visit, kill_moment).await?;
        if let Some(moment) = kill_moment {
            kiosk = kiosk.kill_all_and_restart_app(&kiosk_path(), SETUP).await?;
            kiosk.clear_faults();
            kiosk.await_screen("attract").await?;
            // An avatar that is being made gets ready, and recovery saves it.
            kiosk.advance_clock(Duration::from_mins(10))?;
            kiosk
                .wait_until(&format!("the avatar of visit {visit} is saved after {moment:?}"), || {
                    Ok(count_complete_avatars(&kiosk.desktop.out())? == visit)
                })
                .await?;
        }
        assert_eq!(count_complete_avatars(&kiosk.desktop.out())?, visit, "avatars after visit {visit}");
        check_screen_awake(&kiosk)?;
        let memory = total_memory(&kiosk)?;
        largest = largest.max(memory);
        println!("visit {visit}{}: {} MB", kill_moment.map_or("", |_| ", killed"), memory / 1_000_000);
        if memory >= MEMORY_LIMIT {
            kiosk
                .wait_until(&format!("memory shrinks after visit {visit}"), || Ok(total_memory(&kiosk)? < MEMORY_LIMIT))
                .await?;
        }
        kiosk.advance_clock(TIME_BETWEEN_VISITS)?;
    }
    let states = kiosk.token_states();
    assert_eq!(states.len(), visit_count, "one Export Token for each visit");
    assert!(states.iter().all(|state| *state == TokenPhase::Spent), "{states:?}");
    check_saved_files(&kiosk.desktop.out())?;
    println!("{visit_count} visits: all avatars saved, at most {} MB", largest / 1_000_000);
    kiosk.close().await
}

/// Runs a visit to its end, or to the moment at which everything is to be killed. Every second visitor records a new
/// avatar.
async fn run_visit(kiosk: &DrivenKiosk, number: usize, kill_moment: Option<KillMoment>) -> Result<(), HarnessError> {
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    match kill_moment {
        Some(KillMoment::CodeScanned) => return kiosk.scan_code(BuiltInScenarioName::Happy),
        Some(KillMoment::AvatarMade) => {
            kiosk.scan_code(BuiltInScenarioName::Happy)?;
            return kiosk.await_screen("making").await;
        }
        Some(KillMoment::FilesSaved) => {
            kiosk.set_faults(r#"[{"on":"file","file":"avatar.glb","do":{"slow_body":{"bytes_per_second":80000}}}]"#)?;
            kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
            return kiosk.await_screen("saving").await;
        }
        Some(KillMoment::AvatarShown) | None => {}
    }
    if number.is_multiple_of(2) {
        kiosk.scan_code(BuiltInScenarioName::Happy)?;
        kiosk.await_screen("making").await?;
        kiosk.advance_clock(Duration::from_mins(10))?;
    } else {
        kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
    }
    kiosk.await_reveal().await?;
    if kill_moment.is_some() {
        return Ok(());
    }
    kiosk.leave_reveal().await?;
    kiosk.await_screen("attract").await
}

/// Number of avatars in the output folder that are saved whole.
fn count_complete_avatars(out: &Path) -> Result<usize, HarnessError> {
    let mut count = 0;
    for entry in fs::read_dir(out)? {
        // A visit in progress has no manifest yet.
        if let Ok(manifest) = fs::read(entry?.path().join("manifest.json")) {
            count += usize::from(serde_json::from_slice::<Value>(&manifest)?["complete"] == true);
        }
    }
    Ok(count)
}

/// Checks that each saved file has the size and the digest of its manifest.
fn check_saved_files(out: &Path) -> Result<(), HarnessError> {
    for entry in fs::read_dir(out)? {
        let folder = entry?.path();
        let Ok(manifest) = fs::read(folder.join("manifest.json")) else { continue };
        let manifest: Value = serde_json::from_slice(&manifest)?;
        let files = manifest["files"].as_array().ok_or("no files")?;
        assert_eq!(files.len(), 3, "{}", folder.display());
        for file in files {
            let content = fs::read(folder.join(file["path"].as_str().ok_or("no path")?))?;
            let digest = Sha256::digest(&content).iter().fold(String::new(), |mut text, byte| {
                _ = write!(text, "{byte:02x}");
                text
            });
            assert_eq!((file["bytes"].as_u64(), file["sha256"].as_str()), (Some(content.len() as u64), Some(&*digest)));
        }
    }
    Ok(())
}

/// Checks that the X server does not blank the screen by itself.
fn check_screen_awake(kiosk: &DrivenKiosk) -> Result<(), HarnessError> {
    let output = kiosk.desktop.command("xset").arg("q").env("DISPLAY", kiosk.screen.display()).output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    let timeout = report.lines().find_map(|line| line.trim().strip_prefix("timeout:"));
    let timeout = timeout.and_then(|rest| rest.split_whitespace().next()).ok_or("no report of `xset q`")?;
    assert_eq!(timeout, "0", "the screen blanks: {report}");
    Ok(())
}

/// Memory of all processes of the app, in bytes (PSS).
fn total_memory(kiosk: &DrivenKiosk) -> Result<u64, HarnessError> {
    let app = kiosk.desktop.app_process(&kiosk_path())?;
    Ok(memory_by_process(app).iter().map(|(_, bytes)| bytes).sum())
}
