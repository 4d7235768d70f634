//! Where the tests in the real window find the app, and leave what they saw.

use std::path::{Path, PathBuf};

/// The app that was built last, or the one that is named.
pub(crate) fn kiosk() -> PathBuf {
    std::env::var_os("COPRESENCE_KIOSK")
        .map_or_else(|| target().join("debug/copresence-kiosk"), |file| root().join(file))
}

/// Where what the programs print and what was photographed is kept, by the story's name.
pub(crate) fn logs(story: &str) -> PathBuf {
    target().join("window-test").join(story)
}

fn target() -> PathBuf {
    // Cargo's own folder for tests lies right in it.
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("..")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
