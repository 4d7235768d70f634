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

use kiosk::app::{Kiosk, Setup};
use kiosk::credentials::Vault;
use kiosk::history::{self, VisitRecord};
use kiosk::profile::Profiles;
use kiosk::setup::{Disk, Overrides, Target};
use kiosk::view::Screen;
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Every nth visitor leaves before scanning the code.
const LEAVES_AT_THE_CODE: usize = 13;
/// Every nth visitor leaves while the avatar is made. That visit continues in the background.
const LEAVES_WHILE_MAKING: usize = 7;
/// After every nth visit, finished visits are deleted and unfinished ones are recovered.
const TIDIES: usize = 20;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    kiosk::install_crypto();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [profiles, name, data, out, visits] = arguments.as_slice() else {
        return Err("day PROFILES.toml PROFILE DATA_DIR OUT_DIR VISITS".into());
    };
    let profile = Profiles::load(Some(Path::new(profiles)))?.get(name)?;
    let (target, _) = Target::remote(&profile, &Vault::os(), &|name| std::env::var(name).ok())?;
    let disk = Disk::open(Path::new(data))?;
    let overrides = Overrides { out: Some(PathBuf::from(out)), ..Overrides::default() };
    let asset_base = String::new();
    let kiosk =
        Kiosk::new(Setup { profile, target, disk: disk.clone(), overrides, phones_at: None, asset_base });
    for visit in 1..=visits.parse()? {
        let ended = one(&kiosk, visit).await?;
        if visit % TIDIES == 0 {
            kiosk.finish_left_over();
            forget_finished(&disk).await?;
        }
        println!("{}", json!({ "visit": visit, "ended": ended, "holds": holds() }));
    }
    kiosk.stop().await;
    forget_finished(&disk).await?;
    disk.journal.history().await?.iter().for_each(tell_past);
    println!("{}", json!({ "over": true, "holds": holds() }));
    Ok(())
}

/// Runs one visit until the screen is free again. Returns how it ended.
async fn one(kiosk: &Kiosk, visit: usize) -> Result<String, Failure> {
    let mut snapshots = kiosk.subscribe();
    kiosk.start();
    loop {
        let screen = snapshots.borrow_and_update().screen.clone();
        let ended = match screen {
            Screen::Reveal { .. } => Some("saved".to_owned()),
            Screen::Ended { problem, .. } => Some(problem.code),
            Screen::Invite { .. } if visit.is_multiple_of(LEAVES_AT_THE_CODE) => Some("left".to_owned()),
            Screen::Making { .. } if visit.is_multiple_of(LEAVES_WHILE_MAKING) => {
                Some("walked_away".to_owned())
            }
            _ => None,
        };
        if let Some(ended) = ended {
            kiosk.again();
            return Ok(ended);
        }
        snapshots.changed().await?;
    }
}

/// Prints and deletes the visits that have ended. Visits that can be recovered stay.
async fn forget_finished(disk: &Disk) -> Result<(), Failure> {
    for visit in disk.journal.history().await?.into_iter().filter(|visit| !visit.unfinished) {
        tell_past(&visit);
        history::forget(disk, &visit.start.id).await?;
    }
    Ok(())
}

fn tell_past(visit: &VisitRecord) {
    let code = visit.ending.as_ref().map(|ending| ending.code.as_str());
    println!("{}", json!({ "past": visit.start.id, "code": code, "unfinished": visit.unfinished }));
}

/// Resources of this process: memory in KiB, open files, tasks of the runtime.
fn holds() -> serde_json::Value {
    let resident = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
    });
    let files = std::fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let resident: Option<u64> = resident;
    json!({ "resident_kib": resident, "open_files": files, "tasks": tasks })
}
