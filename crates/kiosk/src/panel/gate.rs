//! The door to panel, inspector and checks.
//!
//! It stands here and not in the web view: every command of the desk asks [`Gate::check`] first. A try is counted, on
//! disk too, before it is looked at, and one at a time: neither many at once nor a pulled plug gives more of them.

use crate::pin::{PIN_LENGTH, PinHash, has_length, wait_after};
use crate::problem::problem;
use crate::settings::{Settings, SettingsFile};
use crate::view::Problem;
use crate::view::panel::GateView;
use secrecy::SecretString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::StoreError;
use tokio_util::sync::CancellationToken;
use visit::Moment;

/// How long the door stays open when nobody does anything behind it.
const IDLE: Duration = Duration::from_mins(10);

/// The door. Clones are handles of the same one. Moments are those of one [`crate::clock::Clock`].
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: SettingsFile,
    door: Mutex<Door>,
    /// Held while a PIN is tried: one at a time.
    trying: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Door {
    /// When it was last used, while it is open; and what is cancelled when it closes.
    open: Option<(Moment, CancellationToken)>,
    /// Wrong tries in a row, as far as this run knows.
    wrong: u32,
    /// Before it nothing is tried.
    blocked_until: Moment,
    /// The latest moment heard of: nobody goes back before it.
    latest: Moment,
    /// How often it was closed. A try that began before does not open it.
    closings: u64,
}

impl Gate {
    /// A closed door. Wrong tries of an earlier run make the next one wait as they did then.
    pub fn new(file: SettingsFile, now: Moment) -> Self {
        let wrong = file.get().wrong_pins;
        let blocked_until = now + wait_after(wrong);
        let door = Door { open: None, wrong, blocked_until, latest: now, closings: 0 };
        Self(Arc::new(Inner { file, door: Mutex::new(door), trying: tokio::sync::Mutex::default() }))
    }

    /// How it stands.
    pub fn state(&self, now: Moment) -> GateView {
        self.view(now, false)
    }

    /// Tries a PIN; the right one opens. While earlier wrong ones must be waited for, nothing is tried.
    ///
    /// # Errors
    /// When the settings cannot be read: then nobody knows the PIN.
    pub async fn enter(&self, pin: SecretString, now: Moment) -> Result<GateView, Problem> {
        let _one_at_a_time = self.0.trying.lock().await;
        let closings = self.door().closings;
        let tried = self.try_pin(pin, now).await?;
        if tried == Tried::Right {
            self.open(closings, now);
        }
        Ok(self.view(now, tried == Tried::Wrong))
    }

    /// Sets the first PIN, which opens the door too.
    ///
    /// # Errors
    /// `pin_set` when there is one, `pin_length`, and those of the disk; then there is none, as before.
    pub async fn set_first_pin(&self, pin: SecretString, now: Moment) -> Result<GateView, Problem> {
        let _one_at_a_time = self.0.trying.lock().await;
        let closings = self.door().closings;
        if self.settings()?.pin.is_some() {
            return Err(problem("pin_set", None));
        }
        self.keep_pin(pin).await?;
        self.open(closings, now);
        Ok(self.view(now, false))
    }

    /// Sets another PIN, for whoever knows the present one; tries count as at the door.
    ///
    /// # Errors
    /// `panel_locked`, `pin_wrong`, `pin_wait`, `pin_length`, and those of the disk; then the present one stays.
    pub async fn change_pin(
        &self,
        current: SecretString,
        new: SecretString,
        now: Moment,
    ) -> Result<(), Problem> {
        let _one_at_a_time = self.0.trying.lock().await;
        self.check(now)?;
        if !has_length(&new) {
            return Err(wrong_length());
        }
        match self.try_pin(current, now).await? {
            Tried::Right => self.keep_pin(new).await,
            Tried::Wrong => Err(problem("pin_wrong", None)),
            Tried::NotNow => {
                let wait = format!("{} s from now", self.view(now, false).wait_seconds);
                Err(problem("pin_wait", Some(&wait)))
            }
        }
    }

    /// Closes it.
    pub fn lock(&self) {
        self.door().close();
    }

    /// Whether somebody who knows the PIN is here; each asking counts as being here.
    ///
    /// # Errors
    /// `panel_locked`.
    pub fn check(&self, now: Moment) -> Result<(), Problem> {
        let mut door = self.door();
        let now = door.at(now);
        match &mut door.open {
            Some((used, _)) => {
                *used = now;
                Ok(())
            }
            None => Err(problem("panel_locked", None)),
        }
    }

    /// Whether it is open, without counting as being here.
    pub fn is_open(&self, now: Moment) -> bool {
        let mut door = self.door();
        door.at(now);
        door.open.is_some()
    }

    /// Cancelled when the door that is open now closes: for what goes on telling after a command. It notices idleness
    /// when somebody asks next. Cancelled already when the door is closed.
    pub fn closing(&self) -> CancellationToken {
        self.door().open.as_ref().map_or_else(
            || {
                let closed = CancellationToken::new();
                closed.cancel();
                closed
            },
            |(_, closing)| closing.clone(),
        )
    }

    /// Drops the PIN, for whoever has a shell on this machine and forgot it; the next opening asks for a new one.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// Those of the disk; then it stays.
    pub fn forget_pin(file: &SettingsFile) -> Result<(), StoreError> {
        file.change(|settings| {
            settings.pin = None;
            settings.wrong_pins = 0;
        })?;
        Ok(())
    }

    /// To be called by one at a time.
    async fn try_pin(&self, pin: SecretString, now: Moment) -> Result<Tried, Problem> {
        let Some(hash) = self.settings()?.pin else { return Ok(Tried::NotNow) };
        let wrong = {
            let mut door = self.door();
            let now = door.at(now);
            if now < door.blocked_until {
                return Ok(Tried::NotNow);
            }
            if !has_length(&pin) {
                // No PIN is like that, so nothing is learnt by it.
                return Ok(Tried::Wrong);
            }
            door.wrong = door.wrong.saturating_add(1);
            door.blocked_until = now + wait_after(door.wrong);
            door.wrong
        };
        let file = self.0.file.clone();
        let tried = tokio::task::spawn_blocking(move || {
            count(&file, wrong);
            let right = hash.is(&pin);
            if right {
                count(&file, 0);
            }
            right
        });
        if !tried.await.unwrap_or(false) {
            return Ok(Tried::Wrong);
        }
        let mut door = self.door();
        (door.wrong, door.blocked_until) = (0, door.latest);
        Ok(Tried::Right)
    }

    async fn keep_pin(&self, pin: SecretString) -> Result<(), Problem> {
        if !has_length(&pin) {
            return Err(wrong_length());
        }
        let file = self.0.file.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let hash = PinHash::of(&pin)?;
            file.change(|settings| settings.pin = Some(hash)).map_err(|error| error.to_string())
        });
        let kept = kept.await.map_err(|error| error.to_string()).flatten();
        kept.map(|_| ()).map_err(|error| problem("settings_failed", Some(&error)))
    }

    fn settings(&self) -> Result<Settings, Problem> {
        if self.0.file.is_unread() {
            return Err(problem("settings_failed", self.0.file.flaw().as_deref()));
        }
        Ok(self.0.file.get())
    }

    fn open(&self, closings: u64, now: Moment) {
        let mut door = self.door();
        let now = door.at(now);
        // The page that tried is not the page that is there now, if it was reloaded meanwhile.
        if door.closings == closings && door.open.is_none() {
            door.open = Some((now, CancellationToken::new()));
        }
    }

    fn view(&self, now: Moment, wrong: bool) -> GateView {
        let mut door = self.door();
        let now = door.at(now);
        let wait = door.blocked_until.since(now);
        GateView {
            pin_set: self.0.file.is_unread() || self.0.file.get().pin.is_some(),
            open: door.open.is_some(),
            wrong,
            wait_seconds: u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
        }
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        // Each change of it is whole.
        self.0.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door {
    /// The present, which closes a door that nobody used for long.
    fn at(&mut self, now: Moment) -> Moment {
        self.latest = self.latest.max(now);
        if self.open.as_ref().is_some_and(|(used, _)| self.latest.since(*used) >= IDLE) {
            self.close();
        }
        self.latest
    }

    fn close(&mut self) {
        self.closings += 1;
        if let Some((_, closing)) = self.open.take() {
            closing.cancel();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    Right,
    Wrong,
    /// Nothing was tried.
    NotNow,
}

/// A disk that fails must not lock the operator out, and this run counts all the same.
fn count(file: &SettingsFile, wrong: u32) {
    if file.get().wrong_pins != wrong
        && let Err(error) = file.change(|settings| settings.wrong_pins = wrong)
    {
        tracing::error!(%error, wrong, "how many PINs were wrong could not be kept");
    }
}

fn wrong_length() -> Problem {
    let bounds = format!("{} to {} characters", PIN_LENGTH.start(), PIN_LENGTH.end());
    problem("pin_length", Some(&bounds))
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
