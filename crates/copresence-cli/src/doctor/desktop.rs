//! Checks whether the kiosk window could open, as far as a program without a GUI toolkit can tell. `copresence` itself
//! needs no window, so the worst result is a warning.

use copresence_engine::health::{PartHealth, doubtful_part_health, good_part_health, part, unknown_part_health};
use std::path::{Path, PathBuf};

/// Library that renders the kiosk's pages.
const WEBKIT: &str = "libwebkit2gtk-4.1.so.0";

type EnvLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Checks for a display server.
pub(super) fn check_display(env: EnvLookup<'_>) -> PartHealth {
    if !cfg!(target_os = "linux") {
        return unknown_part_health(part::DISPLAY, "available whenever a user is logged in");
    }
    let set = ["WAYLAND_DISPLAY", "DISPLAY"].into_iter().find_map(|name| {
        let value = env(name).filter(|value| !value.is_empty())?;
        Some(format!("{name} is {value}"))
    });
    match set {
        Some(seen) => good_part_health(part::DISPLAY, seen),
        None => doubtful_part_health(
            part::DISPLAY,
            "neither WAYLAND_DISPLAY nor DISPLAY is set",
            "For `copresence-kiosk` start it in a desktop session; this program needs none",
        ),
    }
}

/// Checks for the web view library.
pub(super) fn check_web_view_library(env: EnvLookup<'_>) -> PartHealth {
    if cfg!(target_os = "macos") {
        return good_part_health(part::WEB_VIEW, "part of the system");
    }
    if !cfg!(target_os = "linux") {
        return unknown_part_health(part::WEB_VIEW, "`copresence-kiosk` says at its start when WebView2 is missing");
    }
    match find_webkit_library(&library_search_folders(env)) {
        Some(path) => good_part_health(part::WEB_VIEW, path.display()),
        None => doubtful_part_health(
            part::WEB_VIEW,
            format_args!("{WEBKIT} is not where libraries usually are"),
            "For `copresence-kiosk` install WebKitGTK 4.1 (Debian, Ubuntu: libwebkit2gtk-4.1-0; Fedora: \
             webkit2gtk4.1); this program needs none",
        ),
    }
}

/// Folders in which shared libraries are searched: `LD_LIBRARY_PATH`, then the usual ones of Linux.
fn library_search_folders(env: EnvLookup<'_>) -> Vec<PathBuf> {
    let named = env("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = ["/usr/lib64", "/usr/lib", "/usr/local/lib", "/lib64", "/lib"].map(PathBuf::from);
    let triple = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let mut folders: Vec<PathBuf> = std::env::split_paths(&named).collect();
    folders.push(PathBuf::from(triple));
    folders.extend(usual);
    folders
}

/// Finds the WebKit library in the first of these folders that has it.
fn find_webkit_library(folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().map(|folder| Path::join(folder, WEBKIT)).find(|path| path.exists())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use copresence_engine::health::PartHealthState;

    #[test]
    fn a_display_needs_a_non_empty_variable() {
        let with = |name: &'static str, value: &'static str| {
            check_display(&move |asked| (asked == name).then(|| value.to_owned())).stand
        };
        assert_eq!(with("DISPLAY", ":0"), PartHealthState::Good);
        assert_eq!(with("WAYLAND_DISPLAY", "wayland-0"), PartHealthState::Good);
        assert_eq!(with("DISPLAY", ""), PartHealthState::Doubtful);
        assert_eq!(with("HOME", "/"), PartHealthState::Doubtful);
    }

    #[test]
    fn the_library_is_searched_where_the_loader_searches() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().display().to_string();
        let env = move |name: &str| (name == "LD_LIBRARY_PATH").then(|| folder.clone());
        assert_eq!(find_webkit_library(&[root.path().to_owned()]), None);
        std::fs::write(root.path().join(WEBKIT), "").expect("written");
        assert_eq!(check_web_view_library(&env).stand, PartHealthState::Good);
        assert!(
            check_web_view_library(&env).seen.starts_with(&*root.path().to_string_lossy()),
            "folders of LD_LIBRARY_PATH come first"
        );
    }
}
