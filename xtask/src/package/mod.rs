//! `cargo xtask package`: builds the packages of this system in `target/package`.

mod bundles;
mod debian;

use crate::prerequisites::{self, PrerequisitePurpose};
use crate::project::{cargo_command, target_dir};
use crate::steps::{StepFailure, StepPlan};
use crate::{Options, ui};
use std::fs;
use std::path::{Path, PathBuf};

/// Builds the packages of this system: a Debian package and an archive on Linux, installers on Windows, a disk image on
/// macOS.
///
/// # Errors
/// If a step fails.
pub(crate) fn build_packages(options: &Options) -> Result<(), StepFailure> {
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Package);
    ui::add_npm_ci_if_stale(&mut plan);
    ui::add_ui_build_if_stale(&mut plan);
    let mut app = cargo_command(&["build", "--locked", "--release", "--package", "copresence-kiosk"]);
    // As in builds by the Tauri CLI, the page is loaded from the program and not from a server.
    app.args(["--features", "tauri/custom-protocol"]);
    plan.add_program_step("the app, optimised (takes some minutes)", app, "fix what the compiler says above");
    let cli = cargo_command(&["build", "--locked", "--release", "--package", "copresence-cli"]);
    plan.add_program_step("the command line, optimised", cli, "fix what the compiler says above");
    if cfg!(target_os = "linux") {
        debian::add_debian_and_archive_steps(&mut plan);
    } else {
        bundles::add_bundle_steps(&mut plan);
    }
    plan.run_steps()?;
    println!("{}", package_paths_and_install_hint(&package_dir())?);
    Ok(())
}

/// The folder of the finished packages.
fn package_dir() -> PathBuf {
    target_dir().join("package")
}

/// A program in cargo's folder for release builds.
fn release_program_path(name: &str) -> PathBuf {
    target_dir().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Empties the folder, and creates it if it is missing.
fn recreate_folder(folder: &Path) -> Result<(), StepFailure> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| step_failure_for_file(folder, &error))?;
    }
    fs::create_dir_all(folder).map_err(|error| step_failure_for_file(folder, &error))
}

/// The paths of the finished packages, and where their installation is described.
fn package_paths_and_install_hint(folder: &Path) -> Result<String, StepFailure> {
    let entries = fs::read_dir(folder).map_err(|error| step_failure_for_file(folder, &error))?;
    let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    let mut lines: Vec<String> = files.map(|path| path.display().to_string()).collect();
    lines.sort();
    lines.push("How to install them: docs/kiosk.md".to_owned());
    Ok(lines.join("\n"))
}

/// The failure of a step that could not read or write this path.
fn step_failure_for_file(path: &Path, error: &std::io::Error) -> StepFailure {
    StepFailure::new(
        format!("{}: {error}", path.display()),
        "check disk and permissions, and that the clone is complete",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_lists_the_finished_packages() {
        let folder = std::env::temp_dir().join(format!("copresence-made-{}", std::process::id()));
        recreate_folder(&folder.join("generated")).expect("a folder");
        for name in ["kiosk.tar.gz", "kiosk.deb"] {
            fs::write(folder.join(name), "").expect("written");
        }
        let summary = package_paths_and_install_hint(&folder).expect("readable");
        recreate_folder(&folder).expect("emptied");
        assert_eq!(package_paths_and_install_hint(&folder).expect("readable").lines().count(), 1);
        fs::remove_dir_all(&folder).expect("removed");
        let names: Vec<&str> = summary.lines().filter_map(|line| line.rsplit(['/', '\\']).next()).collect();
        assert_eq!(names[..2], ["kiosk.deb", "kiosk.tar.gz"], "{summary}");
        assert_eq!(names.len(), 3, "{summary}");
    }
}
