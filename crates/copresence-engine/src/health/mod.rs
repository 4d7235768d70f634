//! Health checks of everything that a booth depends on. The panel shows them, and `copresence doctor` prints them.

mod backend;
pub mod graphics;
pub mod qr_distance;

pub use backend::check_backend_and_clock;

use crate::credentials::{self, CredentialStore, KeychainError};
use crate::home_path::abbreviate_home_in_text;
use crate::problem::Problem;
use crate::profile::{Profile, ProfileError, Profiles};
use crate::setup::{DataStore, ProfileOrSandboxBackend};
use copresence_client::NoRecorder;
use jiff::Timestamp;
use serde::Serialize;
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
    /// Whether the screen stays on.
    pub const SCREEN_AWAKE: &str = "awake";
    /// The graphics driver, and the workaround that it may need.
    pub const GRAPHICS: &str = "graphics";
    /// From how far away a phone can read the QR code.
    pub const QR_CODE_DISTANCE: &str = "qr_code";
    /// The endpoint for Prometheus, if the settings have one.
    pub const METRICS: &str = "metrics";
    /// The last problem.
    pub const LAST_PROBLEM: &str = "last_problem";
}

/// Health of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartHealth {
    /// Stable name, as in `keychain`.
    pub part: String,
    /// Its state.
    pub stand: PartHealthState,
    /// What was found, in one line.
    pub seen: String,
    /// What to do, if something is to be done.
    pub remedy: Option<String>,
}

/// State of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartHealthState {
    /// Works.
    Good,
    /// Works, but not for long or not for everything.
    Doubtful,
    /// Does not work.
    Bad,
    /// Could not be determined, or is not needed here.
    Unknown,
}

/// Free space below this multiple of the required minimum is doubtful.
const LOW_SPACE_FACTOR: u64 = 8;

/// A part that works.
pub fn good_part_health(part: &str, seen: impl fmt::Display) -> PartHealth {
    build_part_health(part, PartHealthState::Good, seen, None)
}

/// The health of a doubtful part: it works, but not for long or not for everything.
pub fn doubtful_part_health(part: &str, seen: impl fmt::Display, remedy: impl Into<String>) -> PartHealth {
    build_part_health(part, PartHealthState::Doubtful, seen, Some(remedy.into()))
}

/// A part that does not work.
pub fn bad_part_health(part: &str, seen: impl fmt::Display, remedy: impl Into<String>) -> PartHealth {
    build_part_health(part, PartHealthState::Bad, seen, Some(remedy.into()))
}

/// A part whose state could not be determined, or that is not needed here.
pub fn unknown_part_health(part: &str, seen: impl fmt::Display) -> PartHealth {
    build_part_health(part, PartHealthState::Unknown, seen, None)
}

/// The health of a part. The home folder in `seen` is abbreviated.
fn build_part_health(
    part: &str,
    stand: PartHealthState,
    seen: impl fmt::Display,
    remedy: Option<String>,
) -> PartHealth {
    let seen = abbreviate_home_in_text(&seen.to_string(), dirs::home_dir().as_deref());
    PartHealth { part: part.to_owned(), stand, seen, remedy }
}

/// Reads the profiles file, and checks the profile `name` and then all others.
pub fn check_profiles_are_usable(config: Option<&Path>, name: &str) -> PartHealth {
    match Profiles::load_profiles(config).and_then(|profiles| profiles.build_profile_by_name(name).map(|_| profiles)) {
        Ok(profiles) => {
            let unusable: Vec<String> = profiles
                .profile_names()
                .into_iter()
                .filter_map(|other| profiles.build_profile_by_name(&other).err().map(|error| error.to_string()))
                .collect();
            let path = profiles.loaded_profiles_path().display();
            if unusable.is_empty() {
                good_part_health(part::PROFILES, format_args!("`{name}` is in use; {path}"))
            } else {
                let remedy = "Fix them; `copresence profile show NAME` lists what is filled in";
                doubtful_part_health(part::PROFILES, unusable.join("; "), remedy)
            }
        }
        Err(error) => {
            let remedy = match error {
                ProfileError::Unreadable { .. } => "Check the file's owner and access rights",
                _ => "Fix what is named; docs/profiles.md has every key",
            };
            bad_part_health(part::PROFILES, error, remedy)
        }
    }
}

/// The health of the settings file, from what reading it found.
pub fn health_of_settings_file(load_error: Option<&str>, is_pin_unknown: bool) -> PartHealth {
    match load_error {
        None => good_part_health(part::SETTINGS, "as they were saved"),
        Some(load_error) if is_pin_unknown => bad_part_health(
            part::SETTINGS,
            load_error,
            "Repair the file, or move it away, and restart: without the file there is no PIN",
        ),
        Some(load_error) => doubtful_part_health(part::SETTINGS, load_error, "Set what is named again in the panel"),
    }
}

/// Checks the disk: whether it is writable and has enough free space. Blocks on it.
pub fn check_disk(data_store: &DataStore, out_dir: &Path, min_free_space: u64) -> PartHealth {
    if let Err(error) = data_store.data.check_writable_by_writing_test_file() {
        return bad_part_health(
            part::DISK,
            error,
            "Free some space, or check the data folder's disk and access rights",
        );
    }
    let folders = [data_store.data.path(), out_dir];
    let free = folders.iter().filter_map(|folder| Some((copresence_store::free_disk_bytes(folder)?, *folder))).min();
    let Some((free, folder)) = free else {
        return unknown_part_health(part::DISK, "the system does not report the free space");
    };
    let seen = format!("{} free in {}", format_decimal_size(free), folder.display());
    if free < min_free_space {
        let remedy = format!(
            "Free some space: with less than {} no visit begins. Keeping files for a shorter time helps",
            format_decimal_size(min_free_space)
        );
        bad_part_health(part::DISK, seen, remedy)
    } else if free < min_free_space.saturating_mul(LOW_SPACE_FACTOR) {
        doubtful_part_health(part::DISK, seen, "Free some space soon, or keep files for a shorter time")
    } else {
        good_part_health(part::DISK, seen)
    }
}

/// Formats a size in bytes for people, with decimal units.
fn format_decimal_size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().si().to_string()
}

/// Checks that the system's keychain can be used. Blocks on it for up to some seconds; never shows a prompt.
pub fn check_keychain(credential_store: &CredentialStore, profile: &Profile) -> PartHealth {
    match credential_store.check_keychain() {
        Ok(()) => good_part_health(part::KEYCHAIN, "unlocked"),
        Err(error) if needs_no_credentials(profile) => {
            unknown_part_health(part::KEYCHAIN, format_args!("{error}; `{}` does not need it", profile.name))
        }
        // The credentials check tells whether it is needed.
        Err(error) => doubtful_part_health(part::KEYCHAIN, &error, error.remedy()),
    }
}

/// Checks that every credential of a profile's backend is set. Never shows a value. Blocks on the keychain.
pub fn check_credentials_are_set(
    profile: &Profile,
    credential_store: &CredentialStore,
    env: &dyn Fn(&str) -> Option<String>,
) -> PartHealth {
    if needs_no_credentials(profile) {
        return good_part_health(part::CREDENTIALS, format_args!("`{}` needs none", profile.name));
    }
    let found = match credentials::find_credentials(profile, credential_store, env) {
        Ok(found) => found,
        Err(error) => {
            return bad_part_health(part::CREDENTIALS, unusable_keychain_message(&error), error.remedy());
        }
    };
    let target = match ProfileOrSandboxBackend::backend_target_without_credentials(profile) {
        Ok(target) => {
            ProfileOrSandboxBackend { credentials: credentials::to_client_credentials(profile, &found), ..target }
        }
        Err(error) => return bad_part_health(part::CREDENTIALS, error, "Fix the profile"),
    };
    let set: Vec<&str> = credentials::credential_kinds_usable_by_profile(profile)
        .into_iter()
        .filter(|slot| found.origin_of_credential(*slot).is_some())
        .map(credentials::CredentialKind::as_str)
        .collect();
    match target.build_api_client(profile, Arc::new(NoRecorder)) {
        Ok(_) => good_part_health(part::CREDENTIALS, format_args!("set: {}", set.join(", "))),
        Err(error) => {
            let remedy =
                format!("Set them in the panel, or with `copresence credentials set --profile {}`", profile.name);
            bad_part_health(part::CREDENTIALS, error, remedy)
        }
    }
}

/// Message that the keychain cannot be used, and that the environment has no credentials either.
fn unusable_keychain_message(error: &KeychainError) -> String {
    // The keychain check has the details.
    format!("not in the environment, and the keychain cannot be used ({})", error.error_code())
}

/// Whether the profile needs no credentials: it uses the embedded sandbox, or routes that take none.
fn needs_no_credentials(profile: &Profile) -> bool {
    profile.uses_embedded_sandbox() || credentials::credential_kinds_usable_by_profile(profile).is_empty()
}

/// The health that the last problem since the program's start shows.
pub fn health_of_last_problem(last: Option<&(Timestamp, Problem)>) -> PartHealth {
    match last {
        None => good_part_health(part::LAST_PROBLEM, "nothing has gone wrong since the start"),
        Some((at, problem)) => {
            let seen = format!("{}: {} ({})", at.strftime("%F %T UTC"), problem.operator, problem.code);
            doubtful_part_health(part::LAST_PROBLEM, seen, problem.hint.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::CredentialKind;
    use crate::settings_toml::read_settings_backing_up_unusable;

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
        Profiles::load_profiles(Some(&path)).and_then(|all| all.build_profile_by_name(name)).expect("usable")
    }

    #[test]
    fn profiles_are_reported_good_doubtful_or_bad() {
        let (_root, path) = write_profiles(LIVE);
        assert_eq!(check_profiles_are_usable(Some(&path), "live").stand, PartHealthState::Good);
        assert_eq!(check_profiles_are_usable(Some(&path), "other").stand, PartHealthState::Bad);
        let (_root, path) = write_profiles(&format!("{LIVE}[profiles.half]\ntimeout = \"5m\"\n"));
        let seen = check_profiles_are_usable(Some(&path), "live");
        assert_eq!(seen.stand, PartHealthState::Doubtful);
        assert!(seen.seen.contains("half") && seen.remedy.is_some(), "{seen:?}");
        let (_root, path) = write_profiles("[profiles.live\n");
        assert!(check_profiles_are_usable(Some(&path), "sandbox").seen.contains("line 1"));
    }

    #[test]
    fn credentials_are_reported_without_values() {
        let (credential_store, live) = (CredentialStore::memory_only_store(), profile("live"));
        let missing = check_credentials_are_set(&live, &credential_store, &empty_env);
        assert_eq!(missing.stand, PartHealthState::Bad);
        assert!(missing.remedy.is_some_and(|remedy| remedy.contains("credentials set")));
        credential_store.set_credential("live", CredentialKind::ApiKey, &"planted-api-key".into()).expect("memory");
        assert_eq!(
            check_credentials_are_set(&live, &credential_store, &empty_env).stand,
            PartHealthState::Bad,
            "a session is missing"
        );
        credential_store
            .set_credential("live", CredentialKind::SessionToken, &"planted-session".into())
            .expect("memory");
        let whole = check_credentials_are_set(&live, &credential_store, &empty_env);
        assert_eq!((whole.stand, whole.seen.as_str()), (PartHealthState::Good, "set: api-key, session-token"));
        assert_eq!(
            check_credentials_are_set(&profile("sandbox"), &credential_store, &empty_env).stand,
            PartHealthState::Good
        );
        assert_eq!(check_keychain(&credential_store, &live).stand, PartHealthState::Good);
    }

    #[test]
    fn a_disk_without_space_for_a_visit_is_bad() {
        let root = tempfile::tempdir().expect("a folder");
        let opened = DataStore::open_or_create_data_store(root.path()).expect("a data folder");
        let stand = |least| check_disk(&opened, root.path(), least).stand;
        let free = copresence_store::free_disk_bytes(root.path()).expect("told");
        assert_eq!(stand(1), PartHealthState::Good);
        assert_eq!(stand(free / 4), PartHealthState::Doubtful);
        assert_eq!(stand(u64::MAX), PartHealthState::Bad);
    }

    /// Windows does not remove a folder with open files.
    #[cfg(unix)]
    #[test]
    fn a_data_folder_that_is_gone_is_bad() {
        let root = tempfile::tempdir().expect("a folder");
        let opened = DataStore::open_or_create_data_store(root.path()).expect("a data folder");
        std::fs::remove_dir_all(root.path()).expect("removed");
        let gone = check_disk(&opened, root.path(), 1);
        assert_eq!(gone.stand, PartHealthState::Bad);
        assert!(gone.seen.contains(&*root.path().to_string_lossy()), "{gone:?}");
    }

    #[test]
    fn settings_and_the_last_problem_are_reported() {
        let root = tempfile::tempdir().expect("a folder");
        let opened = DataStore::open_or_create_data_store(root.path()).expect("a data folder");
        let check_file = || {
            let read = read_settings_backing_up_unusable(&opened.data);
            health_of_settings_file(read.load_error.as_deref(), read.is_pin_unknown)
        };
        assert_eq!(check_file().stand, PartHealthState::Good);
        std::fs::write(root.path().join("settings.toml"), "phones = 1\n").expect("written");
        let doubtful = check_file();
        assert!(doubtful.stand == PartHealthState::Doubtful && doubtful.seen.contains("`phones`"), "{doubtful:?}");
        std::fs::write(root.path().join("settings.toml"), "phones = 1 typo\n").expect("written");
        let bad = check_file();
        assert!(bad.stand == PartHealthState::Bad && bad.seen.contains("--forget-pin"), "{bad:?}");
        assert_eq!(health_of_last_problem(None).stand, PartHealthState::Good);
        let last = (Timestamp::UNIX_EPOCH, crate::problem::problem_for_code("timed_out", None));
        assert!(health_of_last_problem(Some(&last)).seen.starts_with("1970-01-01 00:00:00 UTC: No avatar arrived"));
    }
}
