//! Soak test of a booth without a window: one [`Kiosk`] in one process serves visitor after visitor, some of whom leave
//! early. Prints the resources that the process uses after each visit. `cargo xtask soak` runs it against a sandbox
//! with faults.
//!
//! ```text
//! day PROFILES.toml PROFILE DATA_DIR OUT_DIR VISITS
//! ```
//!
//! Credentials come from the environment. Prints JSON lines: one per visit, one per finished visit of the journal
//! (`past`), and a last one with `"over":true`.

use copresence_booth::app::{Kiosk, KioskSetup};
use copresence_booth::view::Screen;
use copresence_engine::credentials::CredentialStore;
use copresence_engine::history::{self, VisitRecord};
use copresence_engine::profile::Profiles;
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend, VisitOverrides};
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Every nth visitor leaves before scanning the code.
const LEAVE_AT_CODE_EVERY: usize = 13;
/// Every nth visitor leaves while the avatar is made. That visit continues in the background.
const LEAVE_WHILE_MAKING_EVERY: usize = 7;
/// After every nth visit, finished visits are deleted and unfinished ones are recovered.
const CLEAN_UP_EVERY: usize = 20;

type BoxError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    copresence_engine::install_crypto_provider();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [profiles, name, data, out, visits] = arguments.as_slice() else {
        return Err("day PROFILES.toml PROFILE DATA_DIR OUT_DIR VISITS".into());
    };
    let profile = Profiles::load_profiles(Some(Path::new(profiles)))?.build_profile_by_name(name)?;
    let (target, _) = ProfileOrSandboxBackend::find_credentials_and_build_backend(
        &profile,
        &CredentialStore::keychain_backed_store(),
        &|name| std::env::var(name).ok(),
    )?;
    let data_store = DataStore::open_or_create_data_store(Path::new(data))?;
    let overrides = VisitOverrides { out_dir: Some(PathBuf::from(out)), ..VisitOverrides::default() };
    let asset_base = String::new();
    let kiosk = Kiosk::new(KioskSetup {
        profile,
        target,
        data_store: data_store.clone(),
        overrides,
        phone_address: None,
        asset_base,
    });
    for visit in 1..=visits.parse()? {
        let ended = run_visit(&kiosk, visit).await?;
        if visit % CLEAN_UP_EVERY == 0 {
            kiosk.spawn_recovery_of_earlier_visits();
            forget_finished_visits(&data_store).await?;
        }
        println!("{}", json!({ "visit": visit, "ended": ended, "holds": process_usage() }));
    }
    kiosk.stop_visits_for_shutdown().await;
    forget_finished_visits(&data_store).await?;
    data_store.journal.load_all_visits().await?.iter().for_each(print_past_visit);
    println!("{}", json!({ "over": true, "holds": process_usage() }));
    Ok(())
}

/// Runs one visit until the screen is free again. Returns how it ended.
async fn run_visit(kiosk: &Kiosk, visit: usize) -> Result<String, BoxError> {
    let mut snapshots = kiosk.watch_latest_snapshot();
    kiosk.start_visit_or_show_consent();
    loop {
        let screen = snapshots.borrow_and_update().screen.clone();
        let ended = match screen {
            Screen::Reveal { .. } => Some("saved".to_owned()),
            Screen::Ended { problem, .. } => Some(problem.code),
            Screen::Invite { .. } if visit.is_multiple_of(LEAVE_AT_CODE_EVERY) => Some("left".to_owned()),
            Screen::Making { .. } if visit.is_multiple_of(LEAVE_WHILE_MAKING_EVERY) => Some("walked_away".to_owned()),
            _ => None,
        };
        if let Some(ended) = ended {
            kiosk.return_to_start();
            return Ok(ended);
        }
        snapshots.changed().await?;
    }
}

/// Prints and deletes the visits that have ended. Visits that can be recovered stay.
async fn forget_finished_visits(data_store: &DataStore) -> Result<(), BoxError> {
    for visit in data_store.journal.load_all_visits().await?.into_iter().filter(|visit| !visit.is_unfinished) {
        print_past_visit(&visit);
        history::forget_visit(data_store, &visit.start.id).await?;
    }
    Ok(())
}

fn print_past_visit(visit: &VisitRecord) {
    let code = visit.ending.as_ref().map(|ending| ending.code.as_str());
    println!("{}", json!({ "past": visit.start.id, "code": code, "unfinished": visit.is_unfinished }));
}

/// Resources of this process: memory in KiB, open files, tasks of the runtime.
fn process_usage() -> serde_json::Value {
    let resident = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
    });
    let files = std::fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let resident: Option<u64> = resident;
    json!({ "resident_kib": resident, "open_files": files, "tasks": tasks })
}
