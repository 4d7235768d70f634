//! Runs npm, and installs the packages of a lock file.

use crate::project::find_program;
use crate::steps::{StepFailure, StepSuccess, run_program};
use std::fs;
use std::path::Path;
use std::process::Command;

/// An `npm …` command in a folder.
pub(crate) fn npm_command(dir: &Path, args: &[&str]) -> Command {
    // On Windows npm is a script, which only starts by its full name.
    let mut command = Command::new(find_program("npm").unwrap_or_else(|| "npm".into()));
    command.args(args).current_dir(dir);
    command
}

/// Runs `npm ci`, unless the packages of this `package-lock.json` are installed; only reports them as missing where
/// `allowed` is false.
///
/// # Errors
/// If the lock file cannot be read, or the packages are missing and may not or cannot be installed.
pub(crate) fn ensure_locked_packages_installed(dir: &Path, allowed: bool) -> Result<StepSuccess, StepFailure> {
    let lock_file = dir.join("package-lock.json");
    let lock = fs::read(&lock_file).map_err(|error| {
        StepFailure::new(format!("{} cannot be read: {error}", lock_file.display()), "is the clone complete?")
    })?;
    if are_locked_packages_installed(dir, &lock) {
        return Ok(StepSuccess::Skipped("package-lock.json has not changed".to_owned()));
    }
    if !allowed {
        let what = format!("the packages of {} are missing, and --no-install was given", lock_file.display());
        return Err(StepFailure::new(what, format!("cd {} && npm ci", dir.display())));
    }
    let remedy = format!(
        "read npm's first lines above: check the network; if package-lock.json is older than package.json, run \
         `cd {} && npm install`",
        dir.display()
    );
    run_program(&mut npm_command(dir, &["ci", "--no-audit", "--no-fund", "--fetch-retries=5"]), &remedy)?;
    let stamp = dir.join(STAMP);
    fs::write(&stamp, lock).map_err(|error| {
        StepFailure::new(format!("{} cannot be written: {error}", stamp.display()), "check disk and permissions")
    })?;
    Ok(StepSuccess::Ran)
}

/// The lock file that was installed. Inside of `node_modules`, so that it is removed with the packages.
const STAMP: &str = "node_modules/.installed-from.json";

/// Whether the packages of this lock file are installed.
fn are_locked_packages_installed(dir: &Path, lock: &[u8]) -> bool {
    fs::read(dir.join(STAMP)).is_ok_and(|installed| installed == lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_installed_from_the_lock_file_that_the_stamp_holds() {
        let dir = std::env::temp_dir().join(format!("copresence-xtask-npm-{}", std::process::id()));
        fs::create_dir_all(dir.join("node_modules")).expect("a folder");
        assert!(!are_locked_packages_installed(&dir, b"{}"));
        fs::write(dir.join(STAMP), "{}").expect("written");
        assert!(are_locked_packages_installed(&dir, b"{}") && !are_locked_packages_installed(&dir, b"{ }"));
        fs::remove_dir_all(dir).expect("removed");
    }
}
