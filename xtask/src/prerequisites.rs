//! Checks for what the machine needs beside Rust, and installs it.

use crate::project::{cargo_command, find_program, tools_dir, try_command_stdout};
use crate::steps::{StepFailure, StepPlan, StepSuccess, run_program};
use crate::{Options, apt};

/// What something is needed for. Each purpose includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PrerequisitePurpose {
    /// To build the programs without a window.
    Terminal,
    /// To build the app.
    Window,
    /// To package it.
    Package,
    /// To test it in a real window.
    Tests,
}

/// A prerequisite of a build: a system package that must be installed.
struct Prerequisite {
    purpose: PrerequisitePurpose,
    /// Its name in Debian.
    package: &'static str,
    probe: PresenceProbe,
    reason: &'static str,
}

/// How the presence of a prerequisite is checked.
enum PresenceProbe {
    Programs(&'static [&'static str]),
    Library(&'static str),
    /// A font for a language, by fontconfig's code.
    Font(&'static str),
    PythonModule(&'static str),
    /// A file below any subfolder of a folder: a program that is installed in a folder of its version.
    FileInSubfolder {
        folder: &'static str,
        file: &'static str,
    },
}

const PREREQUISITES: &[Prerequisite] = &[
    prerequisite_with_programs(PrerequisitePurpose::Terminal, "gcc", &["cc"], "compiles SQLite and the cryptography"),
    prerequisite_with_programs(PrerequisitePurpose::Window, "pkg-config", &["pkg-config"], "finds WebKit"),
    Prerequisite {
        purpose: PrerequisitePurpose::Window,
        package: "libwebkit2gtk-4.1-dev",
        probe: PresenceProbe::Library("webkit2gtk-4.1"),
        reason: "shows the window's content",
    },
    prerequisite_with_programs(
        PrerequisitePurpose::Package,
        "dpkg-dev",
        &["dpkg-shlibdeps", "dpkg-deb"],
        "finds the packages that the programs depend on",
    ),
    prerequisite_with_programs(PrerequisitePurpose::Tests, "xvfb", &["Xvfb"], "a screen without a monitor"),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "webkit2gtk-driver",
        &["WebKitWebDriver"],
        "drives the real window",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "dbus",
        &["dbus-run-session", "dbus-daemon", "dbus-send"],
        "a session for the keychain",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "gnome-keyring",
        &["gnome-keyring-daemon"],
        "a real keychain",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "libsecret-tools",
        &["secret-tool"],
        "reads the keychain independently",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "zbar-tools",
        &["zbarimg"],
        "reads the QR code from a screenshot",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "chromium",
        &["chromium"],
        "shows every screen at every size",
    ),
    Prerequisite {
        purpose: PrerequisitePurpose::Tests,
        package: "fonts-noto-cjk",
        probe: PresenceProbe::Font("ja"),
        reason: "draws Japanese and Chinese text",
    },
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "openbox",
        &["openbox"],
        "a window manager, which closes windows",
    ),
    prerequisite_with_programs(PrerequisitePurpose::Tests, "xdotool", &["xdotool"], "presses real keys"),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "x11-utils",
        &["xprop", "xwininfo"],
        "reads the properties of windows",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "x11-xserver-utils",
        &["xrandr"],
        "arranges a second monitor",
    ),
    prerequisite_with_programs(PrerequisitePurpose::Tests, "imagemagick", &["import"], "takes the screenshots"),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "iproute2",
        &["ip"],
        "connects the network of attackers to a kiosk",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "strace",
        &["strace"],
        "records the order of writes to disk",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "curl",
        &["curl"],
        "runs the requests of the sandbox's guide",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "zsh",
        &["zsh"],
        "loads the completions of the command line",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "fish",
        &["fish"],
        "loads the completions of the command line",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "man-db",
        &["man"],
        "shows the man pages of the command line",
    ),
    prerequisite_with_programs(PrerequisitePurpose::Tests, "groff", &["groff"], "formats these man pages"),
    Prerequisite {
        purpose: PrerequisitePurpose::Tests,
        package: "python3-venv",
        probe: PresenceProbe::PythonModule("ensurepip"),
        reason: "for Schemathesis, which tests the sandbox against its OpenAPI document, and for moto and mitmproxy",
    },
    Prerequisite {
        purpose: PrerequisitePurpose::Tests,
        package: "postgresql",
        probe: PresenceProbe::FileInSubfolder { folder: "/usr/lib/postgresql", file: "bin/postgres" },
        reason: "the database of Parse Server in the visits with servers that are not ours",
    },
    Prerequisite {
        purpose: PrerequisitePurpose::Tests,
        package: "assimp-testmodels",
        probe: PresenceProbe::FileInSubfolder {
            folder: "/usr/share/assimp/models",
            file: "RecursiveNodes/RecursiveNodes.gltf",
        },
        reason: "avatar files that are not made here",
    },
    prerequisite_with_programs(PrerequisitePurpose::Tests, "nginx-light", &["nginx"], "a file host in these visits"),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "prometheus",
        &["prometheus", "promtool"],
        "scrapes two booths",
    ),
    prerequisite_with_programs(
        PrerequisitePurpose::Tests,
        "util-linux",
        &["setpriv", "unshare", "nsenter"],
        "ends these servers with their tests, and gives tests a network of their own",
    ),
];

/// A package that counts as present when all these programs are found.
const fn prerequisite_with_programs(
    purpose: PrerequisitePurpose,
    package: &'static str,
    programs: &'static [&'static str],
    reason: &'static str,
) -> Prerequisite {
    Prerequisite { purpose, package, probe: PresenceProbe::Programs(programs), reason }
}

/// The oldest Node version of the UI's tools: major and minor.
const MIN_NODE_VERSION: (u32, u32) = (20, 19);

/// Adds the steps for the prerequisites: they check for what is missing, and install it if that is allowed.
pub(crate) fn add_prerequisite_steps(plan: &mut StepPlan<'_>, options: &Options, purpose: PrerequisitePurpose) {
    let install = !options.no_install;
    plan.add_function_step("system packages", move || install_or_report_missing_packages(purpose, install));
    if purpose >= PrerequisitePurpose::Window {
        plan.add_function_step("Node", check_node_and_npm);
    }
    if purpose == PrerequisitePurpose::Package && cfg!(target_os = "linux") {
        plan.add_function_step("cargo-deb, which writes the Debian package", move || {
            install_or_report_cargo_tool("cargo-deb", "^3.8", install)
        });
    }
    if purpose >= PrerequisitePurpose::Tests && cfg!(target_os = "linux") {
        plan.add_function_step("tauri-driver, which lets WebDriver start the app", move || {
            install_or_report_cargo_tool("tauri-driver", "^2", install)
        });
    }
}

/// Installs the system packages that are missing for `purpose`, or fails if that is not allowed.
fn install_or_report_missing_packages(purpose: PrerequisitePurpose, install: bool) -> Result<StepSuccess, StepFailure> {
    if !cfg!(target_os = "linux") {
        return Ok(StepSuccess::Skipped("this system includes a web view, a display and a keychain".to_owned()));
    }
    let missing: Vec<&Prerequisite> = PREREQUISITES
        .iter()
        .filter(|candidate| candidate.purpose <= purpose && !candidate.is_prerequisite_present())
        .collect();
    if missing.is_empty() {
        return Ok(StepSuccess::Skipped("all are installed".to_owned()));
    }
    for absent in &missing {
        eprintln!("        missing: {:<22} {}", absent.package, absent.reason);
    }
    let names: Vec<&str> = missing.iter().map(|absent| absent.package).collect();
    if !apt::is_apt_available() {
        let remedy = format!("install these with this system's package manager (names in Debian): {}", names.join(" "));
        return Err(StepFailure::new("this is not Debian or Ubuntu, so nothing was installed", remedy));
    }
    if !install {
        let remedy = format!("apt-get install --no-install-recommends {}", names.join(" "));
        return Err(StepFailure::new("packages are missing, and --no-install was given", remedy));
    }
    // Without recommended packages, nothing else brings the headers of the C library.
    let with_headers: Vec<&str> =
        names.iter().flat_map(|name| if *name == "gcc" { vec!["gcc", "libc6-dev"] } else { vec![*name] }).collect();
    apt::install_packages(&with_headers)?;
    match missing.iter().find(|candidate| !candidate.is_prerequisite_present()) {
        None => Ok(StepSuccess::Ran),
        Some(absent) => Err(StepFailure::new(
            format!("{} was installed, but its programs or files are not found", absent.package),
            "read the output of apt-get above",
        )),
    }
}

impl Prerequisite {
    /// Whether the prerequisite is installed on this system.
    fn is_prerequisite_present(&self) -> bool {
        match self.probe {
            PresenceProbe::Programs(names) => names.iter().all(|name| find_program(name).is_some()),
            PresenceProbe::Font(language) => try_command_stdout("fc-list", &[&format!(":lang={language}"), "family"])
                .is_some_and(|names| !names.is_empty()),
            PresenceProbe::FileInSubfolder { folder, file } => std::fs::read_dir(folder)
                .is_ok_and(|entries| entries.flatten().any(|entry| entry.path().join(file).is_file())),
            PresenceProbe::PythonModule(name) => {
                try_command_stdout("python3", &["-c", &format!("import {name}")]).is_some()
            }
            PresenceProbe::Library(name) => try_command_stdout("pkg-config", &["--exists", name]).is_some(),
        }
    }
}

/// Checks Node and npm: fails if Node is missing or too old, or npm is missing.
fn check_node_and_npm() -> Result<StepSuccess, StepFailure> {
    let (major, minor) = MIN_NODE_VERSION;
    let remedy = format!("install Node {major}.{minor} or newer with npm, for example from https://nodejs.org");
    let Some(version) = try_command_stdout("node", &["--version"]) else {
        return Err(StepFailure::new("Node is missing; it builds the UI", remedy));
    };
    if find_program("npm").is_none() {
        return Err(StepFailure::new("npm is missing; Node without npm cannot build the UI", remedy));
    }
    match parse_node_version(&version) {
        Some(found) if found >= MIN_NODE_VERSION => Ok(StepSuccess::Skipped(format!("{version} is installed"))),
        _ => Err(StepFailure::new(format!("Node {version} is too old for the UI's tools"), remedy)),
    }
}

/// Major and minor of `v20.19.2`.
fn parse_node_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Installs a program from its crate if it is missing, or fails if that is not allowed.
fn install_or_report_cargo_tool(name: &str, version: &str, install: bool) -> Result<StepSuccess, StepFailure> {
    if let Some(program) = find_program(name) {
        return Ok(StepSuccess::Skipped(format!("{} is installed", program.display())));
    }
    let remedy = format!("cargo install {name} --locked --version {version}");
    if !install {
        return Err(StepFailure::new(format!("{name} is missing, and --no-install was given"), remedy));
    }
    // These tools mostly pass requests or files on, and a debug build takes half the time.
    let mut command = cargo_command(&["install", name, "--locked", "--debug", "--version", version, "--root"]);
    command.arg(tools_dir());
    run_program(&mut command, &remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_compare_as_numbers() {
        assert!(parse_node_version("v20.9.0").expect("a version") < MIN_NODE_VERSION);
        assert!(parse_node_version("v20.19.2").expect("a version") >= MIN_NODE_VERSION);
        assert!(parse_node_version("v26.0.0").expect("a version") >= MIN_NODE_VERSION);
        assert_eq!(parse_node_version("nightly"), None);
    }

    #[test]
    fn each_purpose_includes_those_before_it() {
        let count = |purpose| PREREQUISITES.iter().filter(|one| one.purpose <= purpose).count();
        assert!(
            count(PrerequisitePurpose::Terminal) < count(PrerequisitePurpose::Window)
                && count(PrerequisitePurpose::Window) < count(PrerequisitePurpose::Tests)
        );
    }

    #[test]
    fn file_in_a_subfolder_is_found_in_any_of_them() {
        let root = env!("CARGO_MANIFEST_DIR");
        let is_present = |file| {
            let probe = PresenceProbe::FileInSubfolder { folder: root, file };
            Prerequisite { purpose: PrerequisitePurpose::Tests, package: "x", probe, reason: "" }
                .is_prerequisite_present()
        };
        assert!(is_present("main.rs") && !is_present("no-such-file"));
    }

    #[test]
    fn prerequisite_is_present_only_with_all_its_programs() {
        const EXISTING: &str = if cfg!(windows) { "cmd" } else { "sh" };
        let is_present = |programs| {
            prerequisite_with_programs(PrerequisitePurpose::Tests, "x", programs, "").is_prerequisite_present()
        };
        assert!(is_present(&[EXISTING]));
        assert!(!is_present(&[EXISTING, "no-such-program-here"]));
    }
}
