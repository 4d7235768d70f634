//! Health checks of everything that a booth depends on. The panel shows them, and `copresence doctor` prints them.

mod backend;

pub use backend::backend;

use crate::credentials::{self, Vault, VaultError};
use crate::home_path::abbreviate_home_in;
use crate::profile::{Profile, ProfileError, Profiles};
use crate::settings::SettingsFile;
use crate::setup::{Disk, Target};
use crate::view::Problem;
use crate::view::panel::{HealthStand, HealthView};
use client::NoRecorder;
use jiff::Timestamp;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Stable names of the parts, in the order in which they are reported.
pub mod part {
    /// The profiles file.
    pub const PROFILES: &str = "profiles";
    /// The operator's settings.
    pub const SETTINGS: &str = "settings";
    /// The data folder and the folder of avatars.
    pub const DISK: &str = "disk";
    /// The system's keychain.
    pub const KEYCHAIN: &str = "keychain";
    /// The credentials of the profile in use.
    pub const CREDENTIALS: &str = "credentials";
    /// The backend's host.
    pub const BACKEND: &str = "backend";
    /// The partner's host, if there is one.
    pub const PARTNER: &str = "partner";
    /// This machine's clock.
    pub const CLOCK: &str = "clock";
    /// A display to open a window on.
    pub const DISPLAY: &str = "display";
    /// The web view that draws the pages.
    pub const WEB_VIEW: &str = "web_view";
    /// The last problem.
    pub const LAST_PROBLEM: &str = "last_problem";
}

/// Free space below this multiple of the required minimum is doubtful.
const ROOM_TO_SPARE: u64 = 8;

/// A part that works.
pub fn good(part: &str, seen: impl fmt::Display) -> HealthView {
    told(part, HealthStand::Good, seen, None)
}

/// A part that works, but not for long or not for everything.
pub fn doubtful(part: &str, seen: impl fmt::Display, remedy: impl Into<String>) -> HealthView {
    told(part, HealthStand::Doubtful, seen, Some(remedy.into()))
}

/// A part that does not work.
pub fn bad(part: &str, seen: impl fmt::Display, remedy: impl Into<String>) -> HealthView {
    told(part, HealthStand::Bad, seen, Some(remedy.into()))
}

/// A part whose state could not be determined, or that is not needed here.
pub fn unknown(part: &str, seen: impl fmt::Display) -> HealthView {
    told(part, HealthStand::Unknown, seen, None)
}

fn told(part: &str, stand: HealthStand, seen: impl fmt::Display, remedy: Option<String>) -> HealthView {
    let seen = abbreviate_home_in(&seen.to_string(), dirs::home_dir().as_deref());
    HealthView { part: part.to_owned(), stand, seen, remedy }
}

/// Checks the profiles file and the profile `name`.
pub fn profiles(config: Option<&Path>, name: &str) -> HealthView {
    match Profiles::load(config).and_then(|profiles| profiles.get(name).map(|_| profiles)) {
        Ok(profiles) => {
            let unusable: Vec<String> = profiles
                .names()
                .into_iter()
                .filter_map(|other| profiles.get(&other).err().map(|error| error.to_string()))
                .collect();
            let path = profiles.path().display();
            if unusable.is_empty() {
                good(part::PROFILES, format_args!("`{name}` is in use; {path}"))
            } else {
                let remedy = "Fix them; `copresence profile show NAME` lists what is filled in";
                doubtful(part::PROFILES, unusable.join("; "), remedy)
            }
        }
        Err(error) => {
            let remedy = match error {
                ProfileError::Unreadable { .. } => "Check the file's owner and access rights",
                _ => "Fix what is named; docs/profiles.md has every key",
            };
            bad(part::PROFILES, error, remedy)
        }
    }
}

/// Checks the settings file.
pub fn settings(file: &SettingsFile) -> HealthView {
    match file.flaw() {
        None => good(part::SETTINGS, "as they were saved"),
        Some(flaw) if file.is_unread() => {
            bad(part::SETTINGS, flaw, "Check the file's owner and access rights, or move it away and restart")
        }
        Some(flaw) => doubtful(part::SETTINGS, flaw, "Set what is named again in the panel"),
    }
}

/// Checks that the disk is writable and has enough free space. Blocks on the disk.
pub fn disk(disk: &Disk, out: &Path, min_free_space: u64) -> HealthView {
    if let Err(error) = disk.data.probe() {
        return bad(part::DISK, error, "Free some space, or check the data folder's disk and access rights");
    }
    let folders = [disk.data.path(), out];
    let free = folders.iter().filter_map(|folder| Some((store::free_space(folder)?, *folder))).min();
    let Some((free, folder)) = free else {
        return unknown(part::DISK, "the system does not report the free space");
    };
    let seen = format!("{} free in {}", size(free), folder.display());
    if free < min_free_space {
        let remedy = format!(
            "Free some space: with less than {} no visit begins. Keeping files for a shorter time helps",
            size(min_free_space)
        );
        bad(part::DISK, seen, remedy)
    } else if free < min_free_space.saturating_mul(ROOM_TO_SPARE) {
        doubtful(part::DISK, seen, "Free some space soon, or keep files for a shorter time")
    } else {
        good(part::DISK, seen)
    }
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().si().to_string()
}

/// Checks that the system's keychain can be used. Blocks on it for up to some seconds; never shows a prompt.
pub fn keychain(vault: &Vault, profile: &Profile) -> HealthView {
    match vault.check() {
        Ok(()) => good(part::KEYCHAIN, "unlocked"),
        Err(error) if needs_none(profile) => {
            unknown(part::KEYCHAIN, format_args!("{error}; `{}` does not need it", profile.name))
        }
        // The credentials check tells whether it is needed.
        Err(error) => doubtful(part::KEYCHAIN, &error, error.remedy()),
    }
}

/// Checks that every credential of a profile's backend is set. Never shows a value. Blocks on the keychain.
pub fn credentials(profile: &Profile, vault: &Vault, env: &dyn Fn(&str) -> Option<String>) -> HealthView {
    if needs_none(profile) {
        return good(part::CREDENTIALS, format_args!("`{}` needs none", profile.name));
    }
    let found = match credentials::find(profile, vault, env) {
        Ok(found) => found,
        Err(error) => return bad(part::CREDENTIALS, unfound(&error), error.remedy()),
    };
    let target = match Target::without_credentials(profile) {
        Ok(target) => Target { credentials: credentials::for_client(&found), ..target },
        Err(error) => return bad(part::CREDENTIALS, error, "Fix the profile"),
    };
    let set: Vec<&str> = credentials::wanted(profile)
        .into_iter()
        .filter(|slot| found.origin(*slot).is_some())
        .map(credentials::Slot::word)
        .collect();
    match target.api(profile, Arc::new(NoRecorder)) {
        Ok(_) => good(part::CREDENTIALS, format_args!("set: {}", set.join(", "))),
        Err(error) => {
            let remedy = format!(
                "Set them in the panel, or with `copresence credentials set --profile {}`",
                profile.name
            );
            bad(part::CREDENTIALS, error, remedy)
        }
    }
}

fn unfound(error: &VaultError) -> String {
    // The keychain check has the details.
    format!("not in the environment, and the keychain cannot be used ({})", error.code())
}

fn needs_none(profile: &Profile) -> bool {
    profile.is_embedded_sandbox() || credentials::wanted(profile).is_empty()
}

/// Reports the last problem since the program started.
pub fn last_problem(last: Option<&(Timestamp, Problem)>) -> HealthView {
    match last {
        None => good(part::LAST_PROBLEM, "nothing has gone wrong since the start"),
        Some((at, problem)) => {
            let seen = format!("{}: {} ({})", at.strftime("%F %T UTC"), problem.operator, problem.code);
            doubtful(part::LAST_PROBLEM, seen, problem.hint.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Slot;

    const LIVE: &str = "[profiles.live]\napi_url = \"https://a.test\"\nlink = \"https://b.test/{token}\"\n";

    fn empty_env(_: &str) -> Option<String> {
        None
    }

    fn write_profiles(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("profiles.toml");
        std::fs::write(&path, text).expect("written");
        (root, path)
    }

    fn profile(name: &str) -> Profile {
        let (_root, path) = write_profiles(LIVE);
        Profiles::load(Some(&path)).and_then(|all| all.get(name)).expect("usable")
    }

    #[test]
    fn profiles_are_reported_good_doubtful_or_bad() {
        let (_root, path) = write_profiles(LIVE);
        assert_eq!(profiles(Some(&path), "live").stand, HealthStand::Good);
        assert_eq!(profiles(Some(&path), "other").stand, HealthStand::Bad);
        let (_root, path) = write_profiles(&format!("{LIVE}[profiles.half]\ntimeout = \"5m\"\n"));
        let seen = profiles(Some(&path), "live");
        assert_eq!(seen.stand, HealthStand::Doubtful);
        assert!(seen.seen.contains("half") && seen.remedy.is_some(), "{seen:?}");
        let (_root, path) = write_profiles("[profiles.live\n");
        assert!(profiles(Some(&path), "sandbox").seen.contains("line 1"));
    }

    #[test]
    fn credentials_are_reported_without_values() {
        let (vault, live) = (Vault::in_memory(), profile("live"));
        let missing = credentials(&live, &vault, &empty_env);
        assert_eq!(missing.stand, HealthStand::Bad);
        assert!(missing.remedy.is_some_and(|remedy| remedy.contains("credentials set")));
        vault.set("live", Slot::ApiKey, &"planted-api-key".into()).expect("memory");
        assert_eq!(credentials(&live, &vault, &empty_env).stand, HealthStand::Bad, "a session is missing");
        vault.set("live", Slot::SessionToken, &"planted-session".into()).expect("memory");
        let whole = credentials(&live, &vault, &empty_env);
        assert_eq!((whole.stand, whole.seen.as_str()), (HealthStand::Good, "set: api-key, session-token"));
        assert_eq!(credentials(&profile("sandbox"), &vault, &empty_env).stand, HealthStand::Good);
        assert_eq!(keychain(&vault, &live).stand, HealthStand::Good);
    }

    #[test]
    fn a_disk_without_space_for_a_visit_is_bad() {
        let root = tempfile::tempdir().expect("a folder");
        let opened = Disk::open(root.path()).expect("a data folder");
        let stand = |least| disk(&opened, root.path(), least).stand;
        let free = store::free_space(root.path()).expect("told");
        assert_eq!(stand(1), HealthStand::Good);
        assert_eq!(stand(free / 4), HealthStand::Doubtful);
        assert_eq!(stand(u64::MAX), HealthStand::Bad);
        std::fs::remove_dir_all(root.path()).expect("removed");
        let gone = disk(&opened, root.path(), 1);
        assert_eq!(gone.stand, HealthStand::Bad);
        assert!(gone.seen.contains(&*root.path().to_string_lossy()), "{gone:?}");
    }

    #[test]
    fn settings_and_the_last_problem_are_reported() {
        let root = tempfile::tempdir().expect("a folder");
        let opened = Disk::open(root.path()).expect("a data folder");
        assert_eq!(settings(&SettingsFile::open(opened.data.clone())).stand, HealthStand::Good);
        std::fs::write(root.path().join("settings.toml"), "phones = 1\n").expect("written");
        let doubtful = settings(&SettingsFile::open(opened.data.clone()));
        assert!(
            doubtful.stand == HealthStand::Doubtful && doubtful.seen.contains("`phones`"),
            "{doubtful:?}"
        );
        assert_eq!(last_problem(None).stand, HealthStand::Good);
        let last = (Timestamp::UNIX_EPOCH, crate::problem::problem("timed_out", None));
        assert!(last_problem(Some(&last)).seen.starts_with("1970-01-01 00:00:00 UTC: No avatar arrived"));
    }
}
