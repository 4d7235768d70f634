//! What stands around the app: a home, a session bus, an unlocked keychain, screens.

use super::program::Program;
use super::{Part, Trouble, program};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A home of its own with a session bus and an unlocked keychain. Dropped, it ends and removes all of that.
#[derive(Debug)]
pub struct Desk {
    // In the order in which they end: the keychain, its bus, their home.
    _keychain: Program,
    _bus: Program,
    bus_address: String,
    home: TempDir,
    logs: PathBuf,
}

impl Desk {
    /// Sets it up; what its programs print goes to files in `logs`, which is made.
    pub fn set_up(logs: &Path) -> Result<Self, Trouble> {
        fs::create_dir_all(logs)?;
        let home = tempfile::Builder::new().prefix("copresence-desk-").tempdir()?;
        for dir in ["run", "out", "data"] {
            fs::create_dir(home.path().join(dir))?;
        }
        fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o700))?;

        let mut bus = at_home(home.path(), "dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        let (bus, bus_address) = Program::start_saying("bus", &mut bus, logs)?;

        let mut keychain = at_home(home.path(), "gnome-keyring-daemon");
        keychain.args(["--foreground", "--unlock", "--components=secrets"]);
        keychain.env("DBUS_SESSION_BUS_ADDRESS", &bus_address).stdin(Stdio::piped());
        let mut keychain = Program::start("keychain", &mut keychain, logs)?;
        keychain.tell("password")?;
        let offered = || {
            let mut ask = at_home(home.path(), "dbus-send");
            ask.args(["--session", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/"]);
            ask.args(["org.freedesktop.DBus.GetNameOwner", "string:org.freedesktop.secrets"]);
            ask.env("DBUS_SESSION_BUS_ADDRESS", &bus_address);
            ask.stderr(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        keychain.await_ready(offered)?;
        Ok(Self { _keychain: keychain, _bus: bus, bus_address, home, logs: logs.to_owned() })
    }

    /// Where its programs are at home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the app is told to save avatars.
    pub fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    /// Where the app is told to keep journal, history and logs.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Has programs draw without movement from now on, as people can ask their desktop: pictures are alike then.
    pub fn without_motion(&self) -> Result<(), Trouble> {
        let folder = self.home.path().join(".config/gtk-3.0");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("settings.ini"), "[Settings]\ngtk-enable-animations=0\n")?)
    }

    /// Where what the programs print is kept.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// A command in this session: its home, bus and keychain, and nothing of the caller's desktop.
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = at_home(self.home.path(), program);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus_address)
            .env("COPRESENCE_OUT", self.out())
            .env("COPRESENCE_DATA_DIR", self.data());
        command
    }

    /// The processes that still belong to this desk's home, other than its own bus and keychain: what the app and
    /// the drivers left behind. Waits for those that are just ending.
    pub fn leftovers(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let left = self.running();
            if left.is_empty() || Instant::now() > deadline {
                return left;
            }
            std::thread::sleep(program::LOOK);
        }
    }

    /// Everything that was started on this desk.
    pub(super) fn processes(&self) -> Vec<i32> {
        let ours = format!("HOME={}", self.home.path().display());
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let of_this_home = |pid: &i32| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|env| env.split(|byte| *byte == 0).any(|var| var == ours.as_bytes()))
        };
        let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(of_this_home).collect()
    }

    fn running(&self) -> Vec<String> {
        self.processes()
            .into_iter()
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).ok())
            .map(|line| line.replace('\0', " ").trim().to_owned())
            // What the session's bus starts by itself (its settings and accessibility services) ends with the bus.
            .filter(|line| {
                !["dbus-daemon", "gnome-keyring-daemon", "dconf-service", "at-spi"]
                    .iter()
                    .any(|own| line.contains(own))
            })
            .filter(|line| !line.is_empty())
            .collect()
    }
}

/// A screen without a monitor.
#[derive(Debug)]
pub struct Screen {
    _server: Program,
    display: String,
    width: u32,
    height: u32,
}

impl Screen {
    /// Switches one on, of so many pixels; `name` names its log.
    pub fn switch_on(desk: &Desk, name: &str, width: u32, height: u32) -> Result<Self, Trouble> {
        let mut server = desk.command("Xvfb");
        // It chooses a free number itself, and says it when it is ready.
        server.args(["-displayfd", "1", "-nolisten", "tcp", "-noreset", "-screen", "0"]);
        server.arg(format!("{width}x{height}x24"));
        let (server, number) = Program::start_saying(name, &mut server, desk.logs())?;
        Ok(Self { _server: server, display: format!(":{number}"), width, height })
    }

    /// Switches on several monitors, the first at the left: name, width, height. They are one screen to programs that
    /// do not ask. The server has one output, which shows the last of them, and GTK knows of no monitor without one;
    /// so programs can be put on that one alone, and the others are what they must keep off.
    pub fn switch_on_beside(desk: &Desk, name: &str, monitors: &[(&str, u32, u32)]) -> Result<Self, Trouble> {
        let width = monitors.iter().map(|(_, width, _)| width).sum();
        let height = monitors.iter().map(|(_, _, height)| *height).max().ok_or("no monitor")?;
        let screen = Self::switch_on(desk, name, width, height)?;
        let mut left = 0;
        for (index, (name, width, height)) in monitors.iter().enumerate() {
            let output = if index + 1 == monitors.len() { "screen" } else { "none" };
            let place = Part { x: left, y: 0, width: *width, height: *height };
            screen.arrange(desk, &["--setmonitor", name, &geometry(place), output])?;
            left += width;
        }
        Ok(screen)
    }

    /// Gives the seen one of several monitors another place and size, as when it is plugged in with another mode.
    pub fn change_monitor(&self, desk: &Desk, name: &str, place: Part) -> Result<(), Trouble> {
        self.arrange(desk, &["--delmonitor", name])?;
        self.arrange(desk, &["--setmonitor", name, &geometry(place), "screen"])?;
        // GTK asks for its monitors again when the screen as a whole says that it changed.
        self.arrange(desk, &["--dpi", "97"])
    }

    fn arrange(&self, desk: &Desk, words: &[&str]) -> Result<(), Trouble> {
        let done = desk.command("xrandr").args(words).env("DISPLAY", self.display()).output()?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!("xrandr {words:?}: {}", String::from_utf8_lossy(&done.stderr)).into())
    }

    /// How wide it is, in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// How high it is, in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The value of `DISPLAY` for programs that are to appear here.
    pub fn display(&self) -> &str {
        &self.display
    }
}

/// A monitor's geometry in `xrandr`'s words. Millimetres are a fiction.
fn geometry(Part { x, y, width, height }: Part) -> String {
    format!("{width}/300x{height}/200+{x}+{y}")
}

fn at_home(home: &Path, program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let desktop =
            text.starts_with("XDG_") || text.starts_with("DBUS_") || text.starts_with("COPRESENCE_");
        if desktop || ["DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL", "XAUTHORITY"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    command
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .env("GSETTINGS_BACKEND", "memory")
        .env("NO_AT_BRIDGE", "1")
        .env("GTK_A11Y", "none")
        // Twice the frames at less than half the work, where the screen is software.
        .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
        .current_dir(home);
    command
}
