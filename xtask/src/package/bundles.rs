//! Installers for Windows and the disk image for macOS, by Tauri's bundler.
//!
//! What they contain is in `src-tauri/tauri.conf.json`, below `bundle`. The command line is added here, because Tauri
//! would demand it in every build of the app.

use super::{package_dir, recreate_folder, release_program_path, step_failure_for_file};
use crate::npm;
use crate::project::{repository_root, target_dir, try_command_stdout};
use crate::steps::{StepFailure, StepPlan, StepSuccess, run_program};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// File name extensions of what is published.
const PUBLISHED_EXTENSIONS: [&str; 3] = ["exe", "msi", "dmg"];

/// Adds the steps that bundle the release builds of the programs.
pub(super) fn add_bundle_steps(plan: &mut StepPlan<'_>) {
    plan.add_function_step("Tauri's bundler (npm ci)", || {
        npm::ensure_locked_packages_installed(&bundler_lock_file_dir(), true)
    });
    plan.add_function_step("the packages", || {
        recreate_folder(&package_dir())?;
        recreate_folder(&bundle_output_dir())?;
        bundle_programs()?;
        copy_finished_bundles(&bundle_output_dir(), &package_dir())
    });
}

/// The folder with the lock file of the bundler.
fn bundler_lock_file_dir() -> PathBuf {
    repository_root().join("packaging/bundler")
}

/// Where the bundler writes: one folder for each format.
fn bundle_output_dir() -> PathBuf {
    target_dir().join("release/bundle")
}

/// Runs the bundler with the command line as a second program beside the app.
fn bundle_programs() -> Result<StepSuccess, StepFailure> {
    let target = try_command_stdout("rustc", &["--print", "host-tuple"])
        .ok_or_else(|| StepFailure::new("rustc does not name its target", "install Rust 1.95 or newer"))?;
    let beside = target_dir().join("release/bundled-programs");
    recreate_folder(&beside)?;
    let copied = beside.join(format!("copresence-{target}{}", std::env::consts::EXE_SUFFIX));
    let from = release_program_path("copresence");
    fs::copy(&from, &copied).map_err(|error| step_failure_for_file(&from, &error))?;
    let config = beside.join("tauri.bundle.json");
    fs::write(&config, bundler_config_adding_program(&beside.join("copresence")))
        .map_err(|error| step_failure_for_file(&config, &error))?;
    // Node runs the script itself: the name of npm's starter differs between systems.
    let mut bundle = Command::new("node");
    bundle
        .arg(bundler_lock_file_dir().join("node_modules/@tauri-apps/cli/tauri.js"))
        .arg("bundle")
        .arg("--config")
        .arg(config);
    // On macOS the disk image is then made without the Finder, which a machine without a desktop session lacks.
    bundle.current_dir(repository_root()).env("CI", "true");
    run_program(&mut bundle, "read the output of the bundler above")
}

/// A configuration that adds this program. The bundler appends the target to its name.
fn bundler_config_adding_program(program: &Path) -> String {
    // Both systems accept slashes, which JSON need not escape.
    let program = program.display().to_string().replace('\\', "/").replace('"', "\\\"");
    format!("{{\"bundle\":{{\"externalBin\":[\"{program}\"]}}}}\n")
}

/// Copies the finished bundles from their folders, one for each format, into one.
fn copy_finished_bundles(from: &Path, to: &Path) -> Result<StepSuccess, StepFailure> {
    let mut found = false;
    for format in fs::read_dir(from).map_err(|error| step_failure_for_file(from, &error))?.flatten() {
        for file in format.path().read_dir().into_iter().flatten().flatten().map(|entry| entry.path()) {
            let extension = file.extension().unwrap_or_default();
            if PUBLISHED_EXTENSIONS.iter().any(|published| extension == *published) && file.is_file() {
                // Spaces in names are a nuisance in scripts and become dots at download sites.
                let name = file.file_name().unwrap_or_default().to_string_lossy().replace(' ', "-");
                fs::copy(&file, to.join(name)).map_err(|error| step_failure_for_file(&file, &error))?;
                found = true;
            }
        }
    }
    if found {
        Ok(StepSuccess::Ran)
    } else {
        Err(StepFailure::new("the bundler wrote no package", "read its output above"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_path_of_the_program_is_valid_json() {
        let config = bundler_config_adding_program(Path::new(r"C:\kiosk\target\copresence"));
        assert_eq!(config, "{\"bundle\":{\"externalBin\":[\"C:/kiosk/target/copresence\"]}}\n");
    }

    #[test]
    fn only_installers_and_disk_images_are_collected() {
        let folder = std::env::temp_dir().join(format!("copresence-bundles-{}", std::process::id()));
        let (from, to) = (folder.join("bundle"), folder.join("package"));
        for format in ["nsis", "msi", "macos/Copresence Kiosk.app", "dmg"] {
            recreate_folder(&from.join(format)).expect("a folder");
        }
        recreate_folder(&to).expect("a folder");
        let nothing = copy_finished_bundles(&from, &to);
        for file in ["nsis/Copresence Kiosk_0.1.0_x64-setup.exe", "msi/a.msi", "dmg/a.dmg", "dmg/bundle_dmg.sh"] {
            fs::write(from.join(file), "").expect("written");
        }
        let collected = copy_finished_bundles(&from, &to);
        let entries = fs::read_dir(&to).expect("a folder").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        fs::remove_dir_all(&folder).expect("removed");
        assert!(nothing.is_err() && collected.is_ok());
        assert_eq!(names, ["Copresence-Kiosk_0.1.0_x64-setup.exe", "a.dmg", "a.msi"]);
    }

    #[test]
    fn files_that_the_configuration_names_are_in_the_repository() {
        let folder = repository_root().join("src-tauri");
        let mut named = 0;
        for config in ["tauri.conf.json", "tauri.windows.conf.json"] {
            let text = fs::read_to_string(folder.join(config)).expect("text");
            // The UI is built before it is packaged.
            for file in text.split('"').filter(|word| word.starts_with("../") && *word != "../ui/dist") {
                assert!(folder.join(file).is_file(), "{config} names {file}");
                named += 1;
            }
        }
        assert!(named >= 10, "only {named} files were found");
    }
}
