//! Finds out whether a window can be opened.

use std::path::{Path, PathBuf};

/// Why no window can be opened here; `None` when one can.
pub(crate) fn missing_display_reason() -> Option<String> {
    if cfg!(any(windows, target_os = "macos")) {
        return None;
    }
    explain_missing_display(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()), &|file| file.exists())
}

/// Why no window can be opened; `None` when a display is found. Environment and files are passed in for tests.
fn explain_missing_display(env: &dyn Fn(&str) -> Option<String>, exists: &dyn Fn(&Path) -> bool) -> Option<String> {
    let wayland = env("WAYLAND_DISPLAY")
        .is_some_and(|name| exists(&PathBuf::from(env("XDG_RUNTIME_DIR").unwrap_or_default()).join(name)));
    if wayland {
        return None;
    }
    let Some(display) = env("DISPLAY") else {
        return Some("neither WAYLAND_DISPLAY nor DISPLAY names a display".to_owned());
    };
    // `:1` or `:1.0` is a socket of this machine. A display of another host is not checked.
    let local = display.strip_prefix(':').or_else(|| display.strip_prefix("unix:"));
    let number = local.map(|rest| rest.split('.').next().unwrap_or(rest))?;
    let socket = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
    (!exists(&socket)).then(|| format!("DISPLAY is {display}, but no X server listens there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_with(set: &[(&str, &str)], files: &[&str]) -> Option<String> {
        explain_missing_display(
            &|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()),
            &|file| files.iter().any(|existing| Path::new(existing) == file),
        )
    }

    #[test]
    fn x11_display_counts_when_its_server_listens() {
        assert_eq!(find_with(&[("DISPLAY", ":1.0")], &["/tmp/.X11-unix/X1"]), None);
        assert!(find_with(&[("DISPLAY", ":1")], &[]).expect("dead").contains(":1"));
        assert_eq!(find_with(&[("DISPLAY", "localhost:10.0")], &[]), None);
        assert!(find_with(&[], &[]).is_some());
    }

    #[test]
    fn wayland_display_counts_when_its_socket_exists() {
        let set = [("WAYLAND_DISPLAY", "wayland-0"), ("XDG_RUNTIME_DIR", "/run/user/7")];
        assert_eq!(find_with(&set, &["/run/user/7/wayland-0"]), None);
        assert!(find_with(&set, &[]).is_some());
    }
}
