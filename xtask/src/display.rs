//! Whether a window can be opened.

use std::path::{Path, PathBuf};

/// Why no window can be opened here; `None` when one can.
pub(crate) fn why_no_window() -> Option<String> {
    if cfg!(any(windows, target_os = "macos")) {
        return None;
    }
    why_not(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()), &|file| file.exists())
}

fn why_not(env: &dyn Fn(&str) -> Option<String>, exists: &dyn Fn(&Path) -> bool) -> Option<String> {
    let wayland = env("WAYLAND_DISPLAY")
        .is_some_and(|name| exists(&PathBuf::from(env("XDG_RUNTIME_DIR").unwrap_or_default()).join(name)));
    if wayland {
        return None;
    }
    let Some(display) = env("DISPLAY") else {
        return Some("neither WAYLAND_DISPLAY nor DISPLAY leads to a screen".to_owned());
    };
    // `:1` or `:1.0` is a socket of this machine; another host can only be tried.
    let local = display.strip_prefix(':').or_else(|| display.strip_prefix("unix:"));
    let number = local.map(|rest| rest.split('.').next().unwrap_or(rest))?;
    let socket = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
    (!exists(&socket)).then(|| format!("DISPLAY says {display}, but no X server is there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(set: &[(&str, &str)], files: &[&str]) -> Option<String> {
        why_not(&|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()), &|file| {
            files.iter().any(|there| Path::new(there) == file)
        })
    }

    #[test]
    fn a_display_counts_when_its_server_is_there() {
        assert_eq!(asked(&[("DISPLAY", ":1.0")], &["/tmp/.X11-unix/X1"]), None);
        assert!(asked(&[("DISPLAY", ":1")], &[]).expect("dead").contains(":1"));
        assert_eq!(asked(&[("DISPLAY", "localhost:10.0")], &[]), None);
        assert!(asked(&[], &[]).is_some());
    }

    #[test]
    fn wayland_counts_when_its_socket_is_there() {
        let set = [("WAYLAND_DISPLAY", "wayland-0"), ("XDG_RUNTIME_DIR", "/run/user/7")];
        assert_eq!(asked(&set, &["/run/user/7/wayland-0"]), None);
        assert!(asked(&set, &[]).is_some());
    }
}
