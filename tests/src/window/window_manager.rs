//! A window manager on a screen, and the state of windows according to it.

use super::child_program::ChildProgram;
use super::{DesktopSession, HarnessError, PixelRect, VirtualScreen};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// openbox, which decorates windows, grants their requests, and asks them to close.
#[derive(Debug)]
pub(super) struct WindowManager {
    _program: ChildProgram,
}

/// The state of a window according to the screen and the window manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowState {
    /// Position and size without the window manager's frame.
    pub area: PixelRect,
    /// Whether the window manager draws a frame and a title.
    pub is_decorated: bool,
    /// The states that the window manager granted, such as `FULLSCREEN` and `ABOVE`.
    pub states: BTreeSet<String>,
}

impl WindowManager {
    pub(super) fn start(desktop: &DesktopSession, screen: &VirtualScreen) -> Result<Self, HarnessError> {
        let mut manager = desktop.command("openbox");
        manager.args(["--sm-disable"]).env("DISPLAY", screen.display());
        let mut manager = ChildProgram::start("manager", &mut manager, desktop.log_folder())?;
        let is_ready = || {
            let mut query = desktop.command("xprop");
            query.args(["-root", "_NET_SUPPORTING_WM_CHECK"]).env("DISPLAY", screen.display());
            query.output().is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("window id"))
        };
        manager.await_ready(is_ready)?;
        Ok(Self { _program: manager })
    }
}

impl VirtualScreen {
    /// Presses keys of the X keyboard, such as `Return` or `alt+F4`.
    pub fn press_keys(&self, desktop: &DesktopSession, keys: &str) -> Result<(), HarnessError> {
        self.run_xdotool(desktop, &["key", "--clearmodifiers", keys])
    }

    /// Moves the X pointer and presses a button: 1 is the primary one, 3 the secondary one, 4 and 5 the wheel.
    pub fn click_at(&self, desktop: &DesktopSession, (x, y): (u32, u32), button: u8) -> Result<(), HarnessError> {
        self.run_xdotool(desktop, &["mousemove", &x.to_string(), &y.to_string(), "click", &button.to_string()])
    }

    /// Controls keyboard and pointer with arguments of `xdotool`.
    pub fn run_xdotool(&self, desktop: &DesktopSession, args: &[&str]) -> Result<(), HarnessError> {
        self.query(desktop, "xdotool", args).map(drop)
    }

    /// The ids of all visible windows of all programs, including menus and tooltips.
    pub fn visible_windows(&self, desktop: &DesktopSession) -> Result<BTreeSet<String>, HarnessError> {
        let ids = self.query(desktop, "xdotool", &["search", "--onlyvisible", "--name", ""])?;
        Ok(ids.split_whitespace().map(str::to_owned).collect())
    }

    /// The state of the window with this title.
    pub fn window_state(&self, desktop: &DesktopSession, title: &str) -> Result<WindowState, HarnessError> {
        let ids = self.query(desktop, "xprop", &["-root", "-notype", "_NET_CLIENT_LIST"])?;
        let ids = ids.split('#').next_back().unwrap_or_default().split(',').map(str::trim);
        for id in ids.filter(|id| id.starts_with("0x")) {
            let args = ["-notype", "-id", id, "WM_NAME", "_NET_WM_STATE", "_NET_FRAME_EXTENTS"];
            let properties = self.query(desktop, "xprop", &args)?;
            if property_value(&properties, "WM_NAME") == Some(&format!("\"{title}\"")) {
                let geometry = self.query(desktop, "xwininfo", &["-id", id])?;
                return parse_window_state(&properties, &geometry)
                    .ok_or_else(|| format!("{properties}{geometry}").into());
            }
        }
        Err(format!("no window has the title {title}").into())
    }

    /// Position and size of the window with this title. Needs no window manager.
    pub fn window_area(&self, desktop: &DesktopSession, title: &str) -> Result<PixelRect, HarnessError> {
        let geometry = self.query(desktop, "xwininfo", &["-name", title])?;
        parse_window_area(&geometry).ok_or_else(|| geometry.into())
    }

    /// Waits until the window with this title has the wanted state.
    pub async fn await_window(
        &self,
        desktop: &DesktopSession,
        title: &str,
        is_wanted: impl Fn(&WindowState) -> bool,
    ) -> Result<WindowState, HarnessError> {
        let deadline = Instant::now() + Duration::from_mins(3);
        loop {
            // Errors are retried: the window may not exist yet, or disappear between two queries.
            let state = self.window_state(desktop, title);
            match state {
                Ok(state) if is_wanted(&state) => return Ok(state),
                state if Instant::now() > deadline => {
                    return Err(format!("the window does not reach the wanted state: {state:?}").into());
                }
                _ => {}
            }
            tokio::time::sleep(super::child_program::POLL_INTERVAL).await;
        }
    }

    fn query(&self, desktop: &DesktopSession, program: &str, args: &[&str]) -> Result<String, HarnessError> {
        let output = desktop.command(program).args(args).env("DISPLAY", self.display()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// Position and size in the output of `xwininfo`.
fn parse_window_area(geometry: &str) -> Option<PixelRect> {
    let number = |name: &str| geometry.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().parse().ok());
    Some(PixelRect {
        x: number("Absolute upper-left X:")?,
        y: number("Absolute upper-left Y:")?,
        width: number("Width:")?,
        height: number("Height:")?,
    })
}

fn parse_window_state(properties: &str, geometry: &str) -> Option<WindowState> {
    let area = parse_window_area(geometry)?;
    let states = property_value(properties, "_NET_WM_STATE").unwrap_or_default().split(',').map(str::trim);
    let states = states.filter_map(|state| state.strip_prefix("_NET_WM_STATE_")).map(str::to_owned).collect();
    let frame = property_value(properties, "_NET_FRAME_EXTENTS")?;
    Some(WindowState { area, is_decorated: frame.split(',').any(|side| side.trim() != "0"), states })
}

/// The value of a property in the output of `xprop -notype`.
fn property_value<'a>(properties: &'a str, name: &str) -> Option<&'a str> {
    properties.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('=')).map(str::trim)
}
