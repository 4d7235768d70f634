//! The losses, and what each of them must not cost.

use super::rehearsal::{ActionAfterEvent, FinishedChildProcess, Rehearsal, RehearsalSetup};
use copresence_engine::logging::LOG_FILTER_VARIABLE;
use copresence_sandbox::BuiltInScenarioName;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Maximum size of a file on the simulated full disk, in KiB. It is below the size of the sandbox's large file, and
/// above that of a journal.
const FULL_DISK_FILE_LIMIT_KIBIBYTES: u32 = 4096;
/// Every file but the large one of the sandbox has fewer bytes.
const LARGE_FILE_BYTES: u64 = 30_000_000;
/// Simulated seconds per real second: an avatar takes some seconds.
const SANDBOX_SPEED: f64 = 100.0;
/// As [`SANDBOX_SPEED`], slow enough for a poll before the avatar is ready.
const SLOW_SANDBOX_SPEED: f64 = 1.0;
/// Longest time in which a keychain that does not respond may delay the message about it.
#[cfg(target_os = "linux")]
const MAX_KEYCHAIN_DELAY: Duration = Duration::from_mins(1);

/// What a rehearsal found.
#[derive(Debug)]
pub(super) enum RehearsalFinding {
    Held(String),
    Broken(String),
    /// It cannot be tested on this machine, for this reason.
    Untested(String),
}

/// A loss that is rehearsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RehearsedLoss {
    Nothing,
    PowerCut,
    Space,
    KillAtCode,
    KillDuringRedeem,
    KillAtDelivery,
    KillDuringDownload,
    NetworkWhileMaking,
    NetworkDuringDownload,
    FullDisk,
    LockedKeychain,
    WrongClock,
}

impl RehearsedLoss {
    /// All losses, in the order in which they are rehearsed. [`Nothing`](Self::Nothing) is first: if it fails, so does
    /// everything.
    pub(super) const ALL: [Self; 12] = [
        Self::Nothing,
        Self::PowerCut,
        Self::Space,
        Self::KillAtCode,
        Self::KillDuringRedeem,
        Self::KillAtDelivery,
        Self::KillDuringDownload,
        Self::NetworkWhileMaking,
        Self::NetworkDuringDownload,
        Self::FullDisk,
        Self::LockedKeychain,
        Self::WrongClock,
    ];

    /// The loss of this name.
    ///
    /// # Errors
    /// The message lists the names.
    pub(crate) fn parse_loss_name(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::stable_loss_name).join(", ");
        Self::ALL
            .into_iter()
            .find(|loss| loss.stable_loss_name() == text)
            .ok_or_else(|| format!("the losses are {}", names()))
    }

    /// The stable name of the loss, as in `power_cut`: the command line and the JSON use it.
    pub(super) fn stable_loss_name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::PowerCut => "power_cut",
            Self::Space => "space",
            Self::KillAtCode => "kill_code",
            Self::KillDuringRedeem => "kill_redeem",
            Self::KillAtDelivery => "kill_delivery",
            Self::KillDuringDownload => "kill_download",
            Self::NetworkWhileMaking => "network_make",
            Self::NetworkDuringDownload => "network_file",
            Self::FullDisk => "disk_full",
            Self::LockedKeychain => "keychain",
            Self::WrongClock => "clock",
        }
    }

    /// The promise that this loss tests, in one sentence.
    pub(super) fn promise_tested_by_loss(self) -> &'static str {
        match self {
            Self::Nothing => "A visit without a loss saves its avatar",
            Self::PowerCut => "What a redeem needs is on the disk before it is sent",
            Self::Space => "No token is bought while the disk has too little space",
            Self::KillAtCode => "Killed while the code is shown: the visit continues, with the same token",
            Self::KillDuringRedeem => "Killed while a redeem is in flight: the visit continues, with the same token",
            Self::KillAtDelivery => "Killed when the avatar was delivered: it is saved",
            Self::KillDuringDownload => "Killed during a download: the avatar is saved",
            Self::NetworkWhileMaking => "The network is gone while the avatar is made: the visit goes on by itself",
            Self::NetworkDuringDownload => "The network is gone during a download: the visit goes on by itself",
            Self::FullDisk => "A disk that takes no more is reported, and loses nothing",
            Self::LockedKeychain => "A keychain that does not respond delays nothing for long, and is named",
            Self::WrongClock => "A clock that is a day wrong loses nothing",
        }
    }

    /// What to do if the promise of this loss does not hold.
    pub(super) fn remedy_for_broken_promise(self) -> &'static str {
        match self {
            Self::Nothing => "`copresence doctor` names what this machine lacks",
            Self::PowerCut => "Put the data folder on a real disk that is not in memory (--data-dir)",
            Self::Space => "Raise `downloads.min_free_space` of the profile above zero",
            Self::KillAtCode | Self::KillDuringRedeem | Self::KillAtDelivery | Self::KillDuringDownload => {
                "Check that the data folder keeps its files (--data-dir), and report this with its logs"
            }
            Self::NetworkWhileMaking | Self::NetworkDuringDownload => {
                "Set `patience` of the profile longer than the outages that you expect; `copresence recover` continues later"
            }
            Self::FullDisk => "Free some space, and keep files for a shorter time",
            Self::LockedKeychain => "Use the environment for credentials, or a keychain that opens at login",
            Self::WrongClock => "Set the clock, and let the system keep it (NTP)",
        }
    }
}

/// Rehearses one loss. `outage` is how long the network is gone.
pub(super) async fn rehearse_loss(loss: RehearsedLoss, place: &RehearsalSetup, outage: Duration) -> RehearsalFinding {
    let scenario = match loss {
        RehearsedLoss::FullDisk | RehearsedLoss::KillDuringDownload | RehearsedLoss::NetworkDuringDownload => {
            BuiltInScenarioName::LargeFile
        }
        _ => BuiltInScenarioName::Happy,
    };
    let speed = if loss == RehearsedLoss::NetworkWhileMaking { SLOW_SANDBOX_SPEED } else { SANDBOX_SPEED };
    let mut rehearsal = match Rehearsal::start(place, scenario, speed).await {
        Ok(rehearsal) => rehearsal,
        Err(error) => return RehearsalFinding::Broken(error),
    };
    match loss {
        RehearsedLoss::Nothing => check_undisturbed_visit(&mut rehearsal).await,
        RehearsedLoss::PowerCut => check_journal_flushed_before_redeem(&mut rehearsal, place).await,
        RehearsedLoss::Space => check_refusal_without_free_space(&mut rehearsal, place).await,
        RehearsedLoss::KillAtCode => {
            check_recovery_after_kill_at_event(&mut rehearsal, |event| event["event"] == "invited").await
        }
        RehearsedLoss::KillDuringRedeem => match rehearsal.run_visit_and_kill_during_redeem().await {
            Ok(_) => recover_and_check_avatar(&mut rehearsal).await,
            Err(error) => RehearsalFinding::Broken(error),
        },
        RehearsedLoss::KillAtDelivery => {
            check_recovery_after_kill_at_event(&mut rehearsal, |event| event["event"] == "redeemed").await
        }
        RehearsedLoss::KillDuringDownload => {
            check_recovery_after_kill_at_event(&mut rehearsal, is_download_half_done).await
        }
        RehearsedLoss::NetworkWhileMaking => {
            check_network_outage_at_event(&mut rehearsal, outage, |event| event["event"] == "status").await
        }
        RehearsedLoss::NetworkDuringDownload => {
            check_network_outage_at_event(&mut rehearsal, outage, is_download_half_done).await
        }
        RehearsedLoss::FullDisk => check_full_disk(&mut rehearsal).await,
        RehearsedLoss::LockedKeychain => check_silent_keychain(&mut rehearsal).await,
        RehearsedLoss::WrongClock => check_wrong_clock(&mut rehearsal).await,
    }
}

/// Whether the event says that half of the large file has arrived. The small files are complete then: one whose response
/// is cut at its end would be lost, because the backend serves each URL once.
fn is_download_half_done(event: &Value) -> bool {
    let (bytes, total) = (event["bytes"].as_u64(), event["total"].as_u64());
    let is_large = total > Some(LARGE_FILE_BYTES);
    event["event"] == "progress" && is_large && bytes < total && bytes.map(|bytes| bytes * 2) >= total
}

/// Runs a visit without a loss, and checks that its avatar is saved.
async fn check_undisturbed_visit(rehearsal: &mut Rehearsal<'_>) -> RehearsalFinding {
    let began = Instant::now();
    let run = rehearsal.run_visit(|_| ActionAfterEvent::Continue).await;
    if run.has_reported_saved_avatar() && rehearsal.count_complete_avatars() == 1 {
        RehearsalFinding::Held(format!("saved after {:.1} s", began.elapsed().as_secs_f64()))
    } else {
        RehearsalFinding::Broken(describe_failed_run("the visit", &run))
    }
}

/// Compares the flushes of the journal, which the program logs, with the redeems that the sandbox received.
async fn check_journal_flushed_before_redeem(
    rehearsal: &mut Rehearsal<'_>,
    place: &RehearsalSetup,
) -> RehearsalFinding {
    if let Some(name) = memory_file_system_name(place.user_data_folder()) {
        return RehearsalFinding::Broken(format!(
            "the data folder is on {name}, which is in memory: a power cut empties it"
        ));
    }
    rehearsal.set_child_environment_variable(LOG_FILTER_VARIABLE, "copresence_store=trace");
    let run = rehearsal.run_visit(|_| ActionAfterEvent::Continue).await;
    let flushes = rehearsal
        .read_log_files()
        .lines()
        .filter(|line| line.contains(copresence_engine::JOURNAL_FLUSHED_MESSAGE))
        .count();
    let redeems = rehearsal.count_redeem_requests();
    let seen = format!("redeems sent: {redeems}; flushes of the journal: {flushes}");
    if !run.has_reported_saved_avatar() {
        RehearsalFinding::Broken(describe_failed_run("the visit", &run))
    } else if flushes >= redeems && redeems > 0 {
        RehearsalFinding::Held(seen)
    } else {
        RehearsalFinding::Broken(seen)
    }
}

/// Checks that a visit with less free space than it requires is refused before a token is issued.
async fn check_refusal_without_free_space(rehearsal: &mut Rehearsal<'_>, place: &RehearsalSetup) -> RehearsalFinding {
    if place.required_free_bytes() == 0 {
        return RehearsalFinding::Broken("the profile requires no free space".to_owned());
    }
    let run = match rehearsal.run_visit_requiring_impossible_space().await {
        Ok(run) => run,
        Err(error) => return RehearsalFinding::Untested(error),
    };
    match (run.code.as_deref(), rehearsal.count_issued_tokens()) {
        (Some("disk_full"), 0) => RehearsalFinding::Held(run.message),
        (_, tokens) => {
            RehearsalFinding::Broken(format!("{}; {tokens} tokens were issued", describe_failed_run("the visit", &run)))
        }
    }
}

/// Kills a visit at the first event for which `is_moment` is true, and checks that recovery saves its avatar.
async fn check_recovery_after_kill_at_event(
    rehearsal: &mut Rehearsal<'_>,
    is_moment: impl Fn(&Value) -> bool,
) -> RehearsalFinding {
    let mut is_killed = false;
    let run = rehearsal
        .run_visit(|event| {
            if is_killed || !is_moment(event) {
                return ActionAfterEvent::Continue;
            }
            is_killed = true;
            ActionAfterEvent::Kill
        })
        .await;
    if !is_killed {
        return RehearsalFinding::Broken(describe_failed_run("the visit did not come so far", &run));
    }
    recover_and_check_avatar(rehearsal).await
}

/// Recovers, and checks that the avatar is saved with the token that was issued.
async fn recover_and_check_avatar(rehearsal: &mut Rehearsal<'_>) -> RehearsalFinding {
    let run = rehearsal.run_recovery_until_done().await;
    match (run.has_reported_saved_avatar() && rehearsal.count_complete_avatars() == 1, rehearsal.count_issued_tokens())
    {
        (true, 1) => RehearsalFinding::Held("saved by recovery, with the same token".to_owned()),
        (true, tokens) => RehearsalFinding::Broken(format!("{tokens} tokens were issued")),
        (false, _) => RehearsalFinding::Broken(describe_failed_run("recovery", &run)),
    }
}

/// Cuts the network for `outage` at the first event for which `is_moment` is true, and checks that the avatar is saved.
async fn check_network_outage_at_event(
    rehearsal: &mut Rehearsal<'_>,
    outage: Duration,
    is_moment: impl Fn(&Value) -> bool,
) -> RehearsalFinding {
    let mut is_cut = false;
    let run = rehearsal
        .run_visit(|event| {
            if is_cut || !is_moment(event) {
                return ActionAfterEvent::Continue;
            }
            is_cut = true;
            ActionAfterEvent::CutNetwork(outage)
        })
        .await;
    let seconds = outage.as_secs_f64();
    if !is_cut {
        RehearsalFinding::Broken(describe_failed_run("the visit did not come so far", &run))
    } else if run.has_reported_saved_avatar() && rehearsal.count_complete_avatars() == 1 {
        RehearsalFinding::Held(format!("saved after {seconds} s without a network"))
    } else {
        RehearsalFinding::Broken(format!(
            "{}, with {seconds} s without a network",
            describe_failed_run("the visit", &run)
        ))
    }
}

/// Runs a visit whose files cannot grow beyond a limit, and checks that the full disk is reported and that recovery
/// then saves the avatar.
async fn check_full_disk(rehearsal: &mut Rehearsal<'_>) -> RehearsalFinding {
    let Some(run) = rehearsal.run_visit_with_file_size_limit(FULL_DISK_FILE_LIMIT_KIBIBYTES).await else {
        return RehearsalFinding::Untested("this system cannot limit the size of a program's files".to_owned());
    };
    let is_reported = matches!(run.code.as_deref(), Some("disk_full" | "storage_failed"));
    if !is_reported || rehearsal.count_complete_avatars() != 0 {
        return RehearsalFinding::Broken(describe_failed_run("the visit", &run));
    }
    let reported = format!("reported as {}", run.code.unwrap_or_default());
    match recover_and_check_avatar(rehearsal).await {
        RehearsalFinding::Held(seen) => RehearsalFinding::Held(format!("{reported}; {seen}")),
        other => other,
    }
}

/// Checks that a keychain that never answers ends a visit soon and without a token, and that a visit with credentials
/// in its environment still works.
#[cfg(target_os = "linux")]
async fn check_silent_keychain(rehearsal: &mut Rehearsal<'_>) -> RehearsalFinding {
    let Ok(folder) = tempfile::tempdir() else {
        return RehearsalFinding::Untested("no folder for a socket can be made".to_owned());
    };
    // A session bus that accepts connections and never says a word.
    let socket = folder.path().join("bus");
    let Ok(_bus) = tokio::net::UnixListener::bind(&socket) else {
        return RehearsalFinding::Untested("no socket can be made".to_owned());
    };
    rehearsal.set_child_environment_variable("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()));
    rehearsal.set_credentials_in_child_environment(false);
    let began = Instant::now();
    let run = rehearsal.run_visit(|_| ActionAfterEvent::Continue).await;
    let time = began.elapsed();
    if run.exit != Some(3) || time > MAX_KEYCHAIN_DELAY || rehearsal.count_issued_tokens() > 0 {
        return RehearsalFinding::Broken(format!(
            "{} after {} s",
            describe_failed_run("the visit", &run),
            time.as_secs()
        ));
    }
    rehearsal.set_credentials_in_child_environment(true);
    let with_environment = rehearsal.run_visit(|_| ActionAfterEvent::Continue).await;
    if with_environment.has_reported_saved_avatar() {
        RehearsalFinding::Held(format!(
            "named after {:.1} s; credentials of the environment still work",
            time.as_secs_f64()
        ))
    } else {
        RehearsalFinding::Broken(describe_failed_run("a visit with credentials in its environment", &with_environment))
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unused_async, reason = "as on Linux")]
async fn check_silent_keychain(_: &mut Rehearsal<'_>) -> RehearsalFinding {
    RehearsalFinding::Untested("only the keychain of Linux can be replaced for one program".to_owned())
}

/// Checks that a visit saves its avatar while its program's clock is a day ahead.
async fn check_wrong_clock(rehearsal: &mut Rehearsal<'_>) -> RehearsalFinding {
    let Some(library) = find_faketime_library() else {
        return RehearsalFinding::Untested("install libfaketime to give one program a wrong clock".to_owned());
    };
    rehearsal.set_child_environment_variable("LD_PRELOAD", library);
    rehearsal.set_child_environment_variable("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    rehearsal.set_child_environment_variable("FAKETIME", "+1d");
    check_undisturbed_visit(rehearsal).await
}

/// The library that gives a program another clock.
fn find_faketime_library() -> Option<String> {
    let triple = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    let usual = [triple.as_str(), "/usr/lib64/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1"];
    usual.into_iter().find(|path| std::path::Path::new(path).exists()).map(str::to_owned)
}

/// The name of a file system that loses its files without power, if the path is on one.
#[cfg(target_os = "linux")]
fn memory_file_system_name(path: &std::path::Path) -> Option<&'static str> {
    // `linux/magic.h`
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    const RAMFS_MAGIC: u64 = 0x8584_58f6;
    let kind = u64::try_from(rustix::fs::statfs(path).ok()?.f_type).ok()? & 0xffff_ffff;
    match kind {
        TMPFS_MAGIC => Some("a tmpfs"),
        RAMFS_MAGIC => Some("a ramfs"),
        _ => None,
    }
}

/// Always `None`: memory file systems are recognised on Linux only.
#[cfg(not(target_os = "linux"))]
fn memory_file_system_name(_: &std::path::Path) -> Option<&'static str> {
    None
}

/// One line about a run that did not end as promised.
fn describe_failed_run(what: &str, run: &FinishedChildProcess) -> String {
    let code = run.code.as_deref().unwrap_or("no end");
    let exit = run.exit.map_or_else(String::new, |exit| format!(", exit {exit}"));
    format!("{what}: {code}{exit}: {}", run.message)
}
