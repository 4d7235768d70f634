//! Keeps the screen from blanking in kiosk mode, within the opening hours.
//!
//! The desktop is asked through its own interface (the crate `keepawake`: D-Bus on Linux, the power requests of Windows
//! and macOS). An X server without a desktop has no such interface; its own screen saver is switched off by `xset`.

use copresence_booth::panel::Panel;
use copresence_engine::health::{self, PartHealth, part};
use keepawake::KeepAwake;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Interval at which kiosk mode, the setting and the opening hours are checked.
const AWAKE_CHECK_INTERVAL: Duration = Duration::from_secs(10);
const BLANKING_REMEDY: &str = "Switch off blanking and the screen saver in the settings of the desktop; on X11 without a \
                               desktop, install x11-xserver-utils (`xset`)";

/// Keeps the screen on while that is wanted, and reports whether it does. Clones share the state.
#[derive(Clone, Default)]
pub(crate) struct ScreenAwakeController(Arc<Mutex<ScreenAwakeState>>);

/// Whether the screen is kept on, or why it is not.
#[derive(Default)]
enum ScreenAwakeState {
    /// Not wanted now.
    #[default]
    Released,
    /// The screen stays on until this is dropped.
    Held(Box<ScreenAwakeRequest>),
    /// The screen may blank, for this reason.
    Failed(String),
}

/// A request to the desktop or the X server that keeps the screen on until it is withdrawn.
struct ScreenAwakeRequest {
    /// The desktop's interface; `None` where only the X server was told.
    desktop: Option<KeepAwake>,
    /// Requests beside it that need not succeed: that an idle machine does not suspend.
    _system: Option<KeepAwake>,
}

impl ScreenAwakeController {
    /// Keeps the screen on whenever kiosk mode, the settings and the opening hours want it. Never returns.
    pub(crate) async fn keep_screen_awake_by_settings(&self, panel: Panel) {
        let mut tick = tokio::time::interval(AWAKE_CHECK_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let is_wanted = panel.should_screen_stay_awake();
            let awake = self.clone();
            // The desktop may take its time. A desktop that is gone makes the library panic when a hold is dropped.
            if tokio::task::spawn_blocking(move || awake.set_screen_awake(is_wanted)).await.is_err() {
                tracing::warn!("the desktop did not take back the request to keep the screen on");
            }
        }
    }

    /// Requests that the screen stays on, or withdraws the request. A failed request is repeated at each call, because
    /// the desktop may start later.
    fn set_screen_awake(&self, is_wanted: bool) {
        let is_held = matches!(*self.lock_awake_state(), ScreenAwakeState::Held(_));
        if is_wanted == is_held {
            if !is_wanted {
                *self.lock_awake_state() = ScreenAwakeState::Released;
            }
            return;
        }
        let next = if is_wanted {
            keep_awake_via_desktop_or_x11()
                .map_or_else(ScreenAwakeState::Failed, |hold| ScreenAwakeState::Held(Box::new(hold)))
        } else {
            ScreenAwakeState::Released
        };
        let before = std::mem::replace(&mut *self.lock_awake_state(), next);
        match (&before, &*self.lock_awake_state()) {
            (ScreenAwakeState::Failed(known), ScreenAwakeState::Failed(error)) if known == error => {}
            (_, ScreenAwakeState::Failed(error)) => tracing::warn!(%error, "the screen may blank"),
            (_, ScreenAwakeState::Held(_)) => tracing::info!("the screen is kept on"),
            (_, ScreenAwakeState::Released) => tracing::info!("the screen may blank again"),
        }
        if let ScreenAwakeState::Held(hold) = before {
            hold.let_screen_blank();
        }
    }

    /// Whether the screen stays on, for *Health*.
    pub(crate) fn report_awake_health(&self, panel: &Panel) -> PartHealth {
        match &*self.lock_awake_state() {
            ScreenAwakeState::Held(_) => health::good_part_health(part::SCREEN_AWAKE, "the screen is kept on"),
            ScreenAwakeState::Failed(error) => health::doubtful_part_health(
                part::SCREEN_AWAKE,
                format_args!("the screen may blank: {error}"),
                BLANKING_REMEDY,
            ),
            ScreenAwakeState::Released if panel.active_kiosk_mode_view().on && panel.is_within_opening_hours() => {
                health::doubtful_part_health(
                    part::SCREEN_AWAKE,
                    "the screen may blank: `keep_awake` is off",
                    "Set `keep_awake = true` below [machine] in settings.toml, unless that is wanted",
                )
            }
            ScreenAwakeState::Released => health::unknown_part_health(
                part::SCREEN_AWAKE,
                "not kept on outside of kiosk mode and of the opening hours",
            ),
        }
    }

    /// Locks the mutex of the state.
    fn lock_awake_state(&self) -> MutexGuard<'_, ScreenAwakeState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScreenAwakeRequest {
    /// Lets the screen blank again.
    fn let_screen_blank(self) {
        if self.desktop.is_none() {
            // An error means that the X server is gone.
            _ = run_xset(&["s", "default", "+dpms"]);
        }
    }
}

/// Asks the desktop, then the X server, to keep the screen on. Blocks.
fn keep_awake_via_desktop_or_x11() -> Result<ScreenAwakeRequest, String> {
    let request = |build: &dyn Fn(&mut keepawake::Builder)| {
        let mut builder = keepawake::Builder::default();
        builder
            .reason("Visitors use this screen")
            .app_name("Copresence Kiosk")
            .app_reverse_domain("org.copresence-kiosk.app");
        build(&mut builder);
        builder.create()
    };
    let system = request(&|builder| _ = builder.idle(true).sleep(true)).ok();
    match request(&|builder| _ = builder.display(true)) {
        Ok(desktop) => Ok(ScreenAwakeRequest { desktop: Some(desktop), _system: system }),
        Err(error) if is_x11_session() => {
            run_xset(&["s", "off", "-dpms"]).map_err(|xset| format!("{error}; {xset}"))?;
            let text = run_xset(&["q"])?;
            match find_blanking_in_xset_report(&text) {
                None => Ok(ScreenAwakeRequest { desktop: None, _system: system }),
                Some(found) => Err(format!("{error}; the X server still has {found}")),
            }
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Whether this session is one of X11.
fn is_x11_session() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "linux") && is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY")
}

/// Runs `xset`, and returns its output.
fn run_xset(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("xset").args(arguments).output().map_err(|error| format!("xset: {error}"))?;
    // `-dpms` fails on a server without DPMS, which cannot blank by it either. The report decides.
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What still blanks the screen by the report of `xset q`.
fn find_blanking_in_xset_report(report: &str) -> Option<&'static str> {
    let has_timeout = report.lines().any(|line| {
        let timeout = line.trim().strip_prefix("timeout:").and_then(|rest| rest.split_whitespace().next());
        timeout.is_some_and(|seconds| seconds != "0")
    });
    if has_timeout {
        Some("a screen saver timeout")
    } else if report.contains("DPMS is Enabled") {
        Some("DPMS enabled")
    } else if report.contains("timeout:") {
        None
    } else {
        Some("an unknown state: `xset q` has no report")
    }
}

#[cfg(test)]
mod tests {
    use super::find_blanking_in_xset_report;

    fn report(timeout: &str, dpms: &str) -> String {
        format!(
            "Screen Saver:\n  prefer blanking:  yes\n  timeout:  {timeout}    cycle:  600\nDPMS\n  DPMS is {dpms}\n"
        )
    }

    #[test]
    fn what_blanks_the_screen_is_read_from_the_report() {
        assert_eq!(find_blanking_in_xset_report(&report("0", "Disabled")), None);
        assert!(
            find_blanking_in_xset_report(&report("600", "Disabled")).is_some_and(|found| found.contains("timeout"))
        );
        assert!(find_blanking_in_xset_report(&report("0", "Enabled")).is_some_and(|found| found.contains("DPMS")));
        assert!(find_blanking_in_xset_report("").is_some());
    }
}
