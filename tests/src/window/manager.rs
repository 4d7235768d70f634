//! A window manager on a screen, and what it and the screen know of the windows there.

use super::program::Program;
use super::{Desk, Part, Screen, Trouble};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// openbox: it decorates windows, grants what they ask for, and asks them to close.
#[derive(Debug)]
pub(super) struct Manager {
    _program: Program,
}

/// A window as the screen and its manager have it, whatever the program believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it is, and how large, without the manager's frame around it.
    pub place: Part,
    /// Whether the manager draws a frame and a title.
    pub decorated: bool,
    /// What the manager grants it, as in `FULLSCREEN`, `ABOVE`.
    pub states: BTreeSet<String>,
}

impl Manager {
    pub(super) fn start(desk: &Desk, screen: &Screen) -> Result<Self, Trouble> {
        let mut manager = desk.command("openbox");
        manager.args(["--sm-disable"]).env("DISPLAY", screen.display());
        let mut manager = Program::start("manager", &mut manager, desk.logs())?;
        let root = || {
            let mut ask = desk.command("xprop");
            ask.args(["-root", "_NET_SUPPORTING_WM_CHECK"]).env("DISPLAY", screen.display());
            ask.output().is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("window id"))
        };
        manager.await_ready(root)?;
        Ok(Self { _program: manager })
    }
}

impl Screen {
    /// Presses keys on the machine's keyboard, as in `Return` or `alt+F4`.
    pub fn press(&self, desk: &Desk, keys: &str) -> Result<(), Trouble> {
        self.hand(desk, &["key", "--clearmodifiers", keys])
    }

    /// Moves the machine's pointer there and presses a button: 1 the first, 3 the other, 4 and 5 the wheel.
    pub fn click(&self, desk: &Desk, (x, y): (u32, u32), button: u8) -> Result<(), Trouble> {
        self.hand(desk, &["mousemove", &x.to_string(), &y.to_string(), "click", &button.to_string()])
    }

    /// Does something with keyboard and pointer, in `xdotool`'s words.
    pub fn hand(&self, desk: &Desk, words: &[&str]) -> Result<(), Trouble> {
        self.ask(desk, "xdotool", words).map(drop)
    }

    /// The ids of all windows that are to be seen, whoever they are of: menus and hints, too.
    pub fn windows(&self, desk: &Desk) -> Result<BTreeSet<String>, Trouble> {
        let ids = self.ask(desk, "xdotool", &["search", "--onlyvisible", "--name", ""])?;
        Ok(ids.split_whitespace().map(str::to_owned).collect())
    }

    /// The one window that its manager shows under this title.
    pub fn window(&self, desk: &Desk, title: &str) -> Result<Seen, Trouble> {
        let ids = self.ask(desk, "xprop", &["-root", "-notype", "_NET_CLIENT_LIST"])?;
        let ids = ids.split('#').next_back().unwrap_or_default().split(',').map(str::trim);
        for id in ids.filter(|id| id.starts_with("0x")) {
            let known = ["-notype", "-id", id, "WM_NAME", "_NET_WM_STATE", "_NET_FRAME_EXTENTS"];
            let known = self.ask(desk, "xprop", &known)?;
            if value(&known, "WM_NAME") == Some(&format!("\"{title}\"")) {
                let place = self.ask(desk, "xwininfo", &["-id", id])?;
                return seen(&known, &place).ok_or_else(|| format!("{known}{place}").into());
            }
        }
        Err(format!("no window is called {title}").into())
    }

    /// Waits until that window is as it should be.
    pub async fn await_window(
        &self,
        desk: &Desk,
        title: &str,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Result<Seen, Trouble> {
        let deadline = Instant::now() + Duration::from_mins(3);
        loop {
            // Not there yet, or gone between two questions: asked again.
            let seen = self.window(desk, title);
            match seen {
                Ok(seen) if wanted(&seen) => return Ok(seen),
                seen if Instant::now() > deadline => {
                    return Err(format!("the window stays so: {seen:?}").into());
                }
                _ => {}
            }
            tokio::time::sleep(super::program::LOOK).await;
        }
    }

    fn ask(&self, desk: &Desk, program: &str, words: &[&str]) -> Result<String, Trouble> {
        let output = desk.command(program).args(words).env("DISPLAY", self.display()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn seen(known: &str, place: &str) -> Option<Seen> {
    let at = |name: &str| place.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().parse().ok());
    let place = Part {
        x: at("Absolute upper-left X:")?,
        y: at("Absolute upper-left Y:")?,
        width: at("Width:")?,
        height: at("Height:")?,
    };
    let states = value(known, "_NET_WM_STATE").unwrap_or_default().split(',').map(str::trim);
    let states = states.filter_map(|state| state.strip_prefix("_NET_WM_STATE_")).map(str::to_owned).collect();
    let frame = value(known, "_NET_FRAME_EXTENTS")?;
    Some(Seen { place, decorated: frame.split(',').any(|side| side.trim() != "0"), states })
}

/// What `xprop -notype` says of a property.
fn value<'a>(known: &'a str, name: &str) -> Option<&'a str> {
    known.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('=')).map(str::trim)
}
