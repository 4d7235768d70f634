//! What must be on the machine beside Rust, and how it gets there.

use crate::plan::{Done, Failure, Plan, run as run_program};
use crate::project::{cargo, find_program, output_of, tools};
use crate::{Options, apt};

/// What something is needed for; each level needs those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum For {
    /// To build the part that needs no window.
    Terminal,
    /// To build the app.
    Window,
    /// To test it, in a real window.
    Tests,
}

/// Something that must be there.
struct Need {
    what: For,
    package: &'static str,
    probe: Probe,
    why: &'static str,
}

/// How its presence is seen.
enum Probe {
    Programs(&'static [&'static str]),
    Library(&'static str),
    /// A font for a language, as fontconfig calls it.
    Font(&'static str),
    PythonModule(&'static str),
}

const NEEDS: &[Need] = &[
    need(For::Terminal, "gcc", &["cc"], "compiles SQLite and the cryptography"),
    need(For::Window, "pkg-config", &["pkg-config"], "finds WebKit"),
    Need {
        what: For::Window,
        package: "libwebkit2gtk-4.1-dev",
        probe: Probe::Library("webkit2gtk-4.1"),
        why: "shows the window's content",
    },
    need(For::Tests, "xvfb", &["Xvfb"], "a screen without a monitor"),
    need(For::Tests, "webkit2gtk-driver", &["WebKitWebDriver"], "drives the real window"),
    need(For::Tests, "dbus", &["dbus-run-session", "dbus-daemon", "dbus-send"], "a session for the keychain"),
    need(For::Tests, "gnome-keyring", &["gnome-keyring-daemon"], "a real keychain"),
    need(For::Tests, "libsecret-tools", &["secret-tool"], "looks into the keychain from outside"),
    need(For::Tests, "zbar-tools", &["zbarimg"], "reads the QR from a screenshot"),
    need(For::Tests, "chromium", &["chromium"], "shows every screen at every size"),
    Need {
        what: For::Tests,
        package: "fonts-noto-cjk",
        probe: Probe::Font("ja"),
        why: "draws Japanese and Chinese words",
    },
    need(For::Tests, "openbox", &["openbox"], "a window manager, which asks a window to close"),
    need(For::Tests, "xdotool", &["xdotool"], "presses real keys"),
    need(For::Tests, "x11-utils", &["xprop", "xwininfo"], "sees what is known of a window"),
    need(For::Tests, "x11-xserver-utils", &["xrandr"], "puts a second monitor beside the first"),
    need(For::Tests, "imagemagick", &["import"], "takes the screenshots"),
    need(For::Tests, "strace", &["strace"], "tells in which order files reach the disk"),
    need(For::Tests, "curl", &["curl"], "asks the sandbox as its guide does"),
    Need {
        what: For::Tests,
        package: "python3-venv",
        probe: Probe::PythonModule("ensurepip"),
        why: "holds the sandbox to its OpenAPI document, by Schemathesis",
    },
];

const fn need(
    what: For,
    package: &'static str,
    programs: &'static [&'static str],
    why: &'static str,
) -> Need {
    Need { what, package, probe: Probe::Programs(programs), why }
}

/// The oldest Node that the UI's tools run on.
const NODE: (u32, u32) = (20, 19);

/// `cargo xtask setup`.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut plan = Plan::default();
    steps(&mut plan, options, For::Tests);
    crate::ui::install(&mut plan);
    plan.run()
}

/// Adds the steps that see to what is missing.
pub(crate) fn steps(plan: &mut Plan<'_>, options: &Options, what: For) {
    let install = options.install;
    plan.step("system packages", move || packages(what, install));
    if what >= For::Window {
        plan.step("Node", node);
    }
    if what >= For::Tests && cfg!(target_os = "linux") {
        plan.step("tauri-driver, which lets WebDriver start the app", move || tauri_driver(install));
    }
}

fn packages(what: For, install: bool) -> Result<Done, Failure> {
    if !cfg!(target_os = "linux") {
        return Ok(Done::Needless("this system brings its web view, screen and keychain".to_owned()));
    }
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| need.what <= what && !need.is_there()).collect();
    if missing.is_empty() {
        return Ok(Done::Needless("all are there".to_owned()));
    }
    for need in &missing {
        eprintln!("        missing: {:<22} {}", need.package, need.why);
    }
    let names: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if !apt::here() {
        let remedy =
            format!("install with this system's package manager what Debian calls: {}", names.join(" "));
        return Err(Failure::new("this is not Debian or Ubuntu, so nothing was installed", remedy));
    }
    if !install {
        let remedy = format!("apt-get install --no-install-recommends {}", names.join(" "));
        return Err(Failure::new("packages are missing, and --no-install was given", remedy));
    }
    // The C library's headers come with no other package when recommendations are left out.
    let with_headers: Vec<&str> = names
        .iter()
        .flat_map(|name| if *name == "gcc" { vec!["gcc", "libc6-dev"] } else { vec![*name] })
        .collect();
    apt::install(&with_headers)?;
    match missing.iter().find(|need| !need.is_there()) {
        None => Ok(Done::Ran),
        Some(need) => Err(Failure::new(
            format!("{} was installed, but what it should bring is not found", need.package),
            "look at what apt-get said above",
        )),
    }
}

impl Need {
    fn is_there(&self) -> bool {
        match self.probe {
            Probe::Programs(names) => names.iter().all(|name| find_program(name).is_some()),
            Probe::Font(language) => output_of("fc-list", &[&format!(":lang={language}"), "family"])
                .is_some_and(|names| !names.is_empty()),
            Probe::PythonModule(name) => output_of("python3", &["-c", &format!("import {name}")]).is_some(),
            Probe::Library(name) => output_of("pkg-config", &["--exists", name]).is_some(),
        }
    }
}

fn node() -> Result<Done, Failure> {
    let (major, minor) = NODE;
    let remedy =
        format!("install Node {major}.{minor} or newer with npm, for example from https://nodejs.org");
    let Some(version) = output_of("node", &["--version"]) else {
        return Err(Failure::new("Node is missing; the UI is built with it", remedy));
    };
    if find_program("npm").is_none() {
        return Err(Failure::new("npm is missing; Node without npm cannot build the UI", remedy));
    }
    match version_of(&version) {
        Some(found) if found >= NODE => Ok(Done::Needless(format!("{version} is there"))),
        _ => Err(Failure::new(format!("Node {version} is too old for the UI's tools"), remedy)),
    }
}

/// Major and minor of `v20.19.2`.
fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn tauri_driver(install: bool) -> Result<Done, Failure> {
    if let Some(there) = find_program("tauri-driver") {
        return Ok(Done::Needless(format!("{} is there", there.display())));
    }
    let remedy = "cargo install tauri-driver --locked";
    if !install {
        return Err(Failure::new("tauri-driver is missing, and --no-install was given", remedy));
    }
    let mut command = cargo(&["install", "tauri-driver", "--locked", "--version", "^2", "--root"]);
    command.arg(tools());
    run_program(&mut command, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_compare_as_numbers() {
        assert!(version_of("v20.9.0").expect("a version") < NODE);
        assert!(version_of("v20.19.2").expect("a version") >= NODE);
        assert!(version_of("v26.0.0").expect("a version") >= NODE);
        assert_eq!(version_of("nightly"), None);
    }

    #[test]
    fn the_terminal_needs_less_than_the_window_and_that_less_than_the_tests() {
        let count = |what| NEEDS.iter().filter(|need| need.what <= what).count();
        assert!(count(For::Terminal) < count(For::Window) && count(For::Window) < count(For::Tests));
    }

    #[test]
    fn a_need_is_there_only_when_all_its_programs_are() {
        assert!(need(For::Tests, "x", &["cargo"], "").is_there());
        assert!(!need(For::Tests, "x", &["cargo", "no-such-program-here"], "").is_there());
    }
}
