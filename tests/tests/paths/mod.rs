//! Paths of the app under test and of the tests' output.

use std::path::{Path, PathBuf};

/// The app that `COPRESENCE_KIOSK` names, or the debug build.
pub(crate) fn kiosk_path() -> PathBuf {
    std::env::var_os("COPRESENCE_KIOSK")
        .map_or_else(|| target_folder().join("debug/copresence-kiosk"), |file| repository_folder().join(file))
}

/// The folder for screenshots and the output of programs, by the test's name.
pub(crate) fn log_folder(test: &str) -> PathBuf {
    target_folder().join("window-test").join(test)
}

fn target_folder() -> PathBuf {
    // Cargo's folder for tests is a direct child of the target folder.
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("..")
}

fn repository_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
