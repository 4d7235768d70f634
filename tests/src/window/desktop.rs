//! The environment of the app: a home, a session bus, an unlocked keychain, and screens.

use super::child_program::ChildProgram;
use super::{HarnessError, PixelRect, child_program};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A temporary home with a session bus and an unlocked keychain. All of them are removed on drop.
#[derive(Debug)]
pub struct DesktopSession {
    // Dropped in this order: the keychain, its bus, their home.
    _keychain: ChildProgram,
    _bus: ChildProgram,
    bus_address: String,
    home: TempDir,
    logs: PathBuf,
}

impl DesktopSession {
    /// Starts a session. The output of its programs goes to files in `logs`, which is created.
    pub fn set_up(logs: &Path) -> Result<Self, HarnessError> {
        fs::create_dir_all(logs)?;
        let home = tempfile::Builder::new().prefix("copresence-desk-").tempdir()?;
        for dir in ["run", "out", "data"] {
            fs::create_dir(home.path().join(dir))?;
        }
        fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o700))?;

        let mut bus = command_in_home(home.path(), "dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        let (bus, bus_address) = ChildProgram::start_with_first_line("bus", &mut bus, logs)?;

        let mut keychain = command_in_home(home.path(), "gnome-keyring-daemon");
        keychain.args(["--foreground", "--unlock", "--components=secrets"]);
        keychain.env("DBUS_SESSION_BUS_ADDRESS", &bus_address).stdin(Stdio::piped());
        let mut keychain = ChildProgram::start("keychain", &mut keychain, logs)?;
        keychain.write_input("password")?;
        let is_ready = || {
            let mut ask = command_in_home(home.path(), "dbus-send");
            ask.args(["--session", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/"]);
            ask.args(["org.freedesktop.DBus.GetNameOwner", "string:org.freedesktop.secrets"]);
            ask.env("DBUS_SESSION_BUS_ADDRESS", &bus_address);
            ask.stderr(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        keychain.await_ready(is_ready)?;
        Ok(Self { _keychain: keychain, _bus: bus, bus_address, home, logs: logs.to_owned() })
    }

    /// The home of its programs.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The output folder of the app.
    pub fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    /// The data folder of the app.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Disables animations in the settings of the desktop, so that screenshots are comparable.
    pub fn disable_motion(&self) -> Result<(), HarnessError> {
        let folder = self.home.path().join(".config/gtk-3.0");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("settings.ini"), "[Settings]\ngtk-enable-animations=0\n")?)
    }

    /// The folder with the output of the programs.
    pub fn log_folder(&self) -> &Path {
        &self.logs
    }

    /// A command with the home, bus and keychain of this session, without the caller's desktop.
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = command_in_home(self.home.path(), program);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus_address)
            .env("COPRESENCE_OUT", self.out())
            .env("COPRESENCE_DATA_DIR", self.data());
        command
    }

    /// The command lines of processes that the app and the drivers left running in this home. Waits for processes that
    /// are ending.
    pub fn leftovers(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let left = self.running_commands();
            if left.is_empty() || Instant::now() > deadline {
                return left;
            }
            std::thread::sleep(child_program::POLL_INTERVAL);
        }
    }

    /// The ids of all processes of this session.
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

    /// The command lines of the session's processes, without its own services.
    fn running_commands(&self) -> Vec<String> {
        self.processes()
            .into_iter()
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).ok())
            .map(|line| line.replace('\0', " ").trim().to_owned())
            // Services that the bus starts by itself (settings, accessibility) end with the bus.
            .filter(|line| {
                !["dbus-daemon", "gnome-keyring-daemon", "dconf-service", "at-spi"].iter().any(|own| line.contains(own))
            })
            .filter(|line| !line.is_empty())
            .collect()
    }
}

/// An X server without a monitor.
#[derive(Debug)]
pub struct VirtualScreen {
    _server: ChildProgram,
    display: String,
    width: u32,
    height: u32,
}

impl VirtualScreen {
    /// Starts a screen of this size in pixels. `name` is the name of its log.
    pub fn switch_on(desktop: &DesktopSession, name: &str, width: u32, height: u32) -> Result<Self, HarnessError> {
        let mut server = desktop.command("Xvfb");
        // It chooses a free display number and prints it when it is ready.
        server.args(["-displayfd", "1", "-nolisten", "tcp", "-noreset", "-screen", "0"]);
        server.arg(format!("{width}x{height}x24"));
        let (server, number) = ChildProgram::start_with_first_line(name, &mut server, desktop.log_folder())?;
        Ok(Self { _server: server, display: format!(":{number}"), width, height })
    }

    /// Starts a screen with several monitors from left to right: name, width and height in pixels. The server has one
    /// output, which belongs to the last monitor, and GTK ignores monitors without an output. So the app can use only
    /// the last one, and a window on another one is an error.
    pub fn switch_on_monitors(
        desktop: &DesktopSession,
        name: &str,
        monitors: &[(&str, u32, u32)],
    ) -> Result<Self, HarnessError> {
        let width = monitors.iter().map(|(_, width, _)| width).sum();
        let height = monitors.iter().map(|(_, _, height)| *height).max().ok_or("no monitor")?;
        let screen = Self::switch_on(desktop, name, width, height)?;
        let mut left = 0;
        for (index, (name, width, height)) in monitors.iter().enumerate() {
            let output = if index + 1 == monitors.len() { "screen" } else { "none" };
            let area = PixelRect { x: left, y: 0, width: *width, height: *height };
            screen.run_xrandr(desktop, &["--setmonitor", name, &xrandr_geometry(area), output])?;
            left += width;
        }
        Ok(screen)
    }

    /// Changes the position and size of a monitor, as if it was reconnected with another mode.
    pub fn change_monitor(&self, desktop: &DesktopSession, name: &str, area: PixelRect) -> Result<(), HarnessError> {
        self.run_xrandr(desktop, &["--delmonitor", name])?;
        self.run_xrandr(desktop, &["--setmonitor", name, &xrandr_geometry(area), "screen"])?;
        // GTK reads its monitors again when the screen changes.
        self.run_xrandr(desktop, &["--dpi", "97"])
    }

    fn run_xrandr(&self, desktop: &DesktopSession, args: &[&str]) -> Result<(), HarnessError> {
        let output = desktop.command("xrandr").args(args).env("DISPLAY", self.display()).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("xrandr {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The value of `DISPLAY` for this screen.
    pub fn display(&self) -> &str {
        &self.display
    }
}

/// The geometry of a monitor for `xrandr`. The size in millimetres is arbitrary.
fn xrandr_geometry(PixelRect { x, y, width, height }: PixelRect) -> String {
    format!("{width}/300x{height}/200+{x}+{y}")
}

fn command_in_home(home: &Path, program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_of_desktop = text.starts_with("XDG_") || text.starts_with("DBUS_") || text.starts_with("COPRESENCE_");
        if is_of_desktop || ["DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL", "XAUTHORITY"].contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .env("GSETTINGS_BACKEND", "memory")
        .env("NO_AT_BRIDGE", "1")
        .env("GTK_A11Y", "none")
        // Faster on a screen that is rendered in software.
        .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
        .current_dir(home);
    command
}
