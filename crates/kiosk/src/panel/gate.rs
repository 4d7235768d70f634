//! The PIN lock in front of panel, inspector and checks.
//!
//! It is enforced here and not in the web view: every operator command calls [`PinLock::require_unlocked`] first. An
//! attempt is counted, also on disk, before the PIN is checked, and attempts run one at a time. Neither parallel
//! attempts nor a power cut therefore give additional attempts.

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

/// Idle time after which the panel locks itself.
const IDLE: Duration = Duration::from_mins(10);

/// The PIN lock. Clones share it. Times are those of one [`crate::clock::Clock`].
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: SettingsFile,
    door: Mutex<Door>,
    /// Held during an attempt, so that attempts run one at a time.
    trying: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Door {
    /// Time of the last use and the token that is cancelled on locking, while unlocked.
    open: Option<(Moment, CancellationToken)>,
    /// Wrong attempts in a row.
    wrong: u32,
    /// No attempt is accepted before this time.
    blocked_until: Moment,
    /// Latest time seen. Earlier times are treated as this one.
    latest: Moment,
    /// Number of times it was locked. An attempt that began before the last one does not unlock.
    closings: u64,
}

impl Gate {
    /// A locked lock. Wrong attempts of an earlier run delay the next attempt as they did then.
    pub fn new(file: SettingsFile, now: Moment) -> Self {
        let wrong = file.get().wrong_pins;
        let blocked_until = now + wait_after(wrong);
        let door = Door { open: None, wrong, blocked_until, latest: now, closings: 0 };
        Self(Arc::new(Inner { file, door: Mutex::new(door), trying: tokio::sync::Mutex::default() }))
    }

    /// The current state.
    pub fn state(&self, now: Moment) -> GateView {
        self.view(now, false)
    }

    /// Tries a PIN, and unlocks if it is correct. The PIN is not checked while a delay is in force.
    ///
    /// # Errors
    /// The settings cannot be read, so the PIN is unknown.
    pub async fn enter(&self, pin: SecretString, now: Moment) -> Result<GateView, Problem> {
        let _one_at_a_time = self.0.trying.lock().await;
        let closings = self.door().closings;
        let tried = self.try_pin(pin, now).await?;
        if tried == Tried::Right {
            self.open(closings, now);
        }
        Ok(self.view(now, tried == Tried::Wrong))
    }

    /// Sets the first PIN, and unlocks.
    ///
    /// # Errors
    /// `pin_set` if there is a PIN, `pin_length`, or the settings cannot be read or written. There is no PIN then.
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

    /// Changes the PIN. Requires the current one; wrong attempts count as in [`try_unlock`](Self::try_unlock).
    ///
    /// # Errors
    /// `panel_locked`, `pin_wrong`, `pin_wait`, `pin_length`, or the settings cannot be read or written. The current
    /// PIN stays.
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

    /// Locks the panel.
    pub fn lock(&self) {
        self.door().close();
    }

    /// Succeeds if the panel is unlocked, and restarts the idle time.
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

    /// Whether the panel is unlocked. Does not restart the idle time.
    pub fn is_open(&self, now: Moment) -> bool {
        let mut door = self.door();
        door.at(now);
        door.open.is_some()
    }

    /// A token that is cancelled when the panel locks, for streams that outlive a command. Already cancelled if the
    /// panel is locked. Idleness only locks on the next call of another method.
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

    /// Removes the PIN, for people with a shell on this machine. The next opening of the panel asks for a new one.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// The settings cannot be read or written; the PIN stays.
    pub fn forget_pin(file: &SettingsFile) -> Result<(), StoreError> {
        file.change(|settings| {
            settings.pin = None;
            settings.wrong_pins = 0;
        })?;
        Ok(())
    }

    /// Checks a PIN. The caller must hold `attempt_lock`.
    async fn try_pin(&self, pin: SecretString, now: Moment) -> Result<Tried, Problem> {
        let Some(hash) = self.settings()?.pin else { return Ok(Tried::NotNow) };
        let wrong = {
            let mut door = self.door();
            let now = door.at(now);
            if now < door.blocked_until {
                return Ok(Tried::NotNow);
            }
            if !has_length(&pin) {
                // A PIN of this length cannot exist, so the attempt reveals nothing and is not counted.
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
        // If the panel was locked in the meantime, the page that tried has been reloaded.
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
        // A panic leaves no partial change.
        self.0.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door {
    /// Advances the time, and locks after the idle time. Returns the current time.
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
    /// No PIN is set, or a delay is in force.
    NotNow,
}

/// Saves the number of wrong attempts. A disk error is only logged, so that it does not lock the operator out; the
/// count in memory still applies.
fn count(file: &SettingsFile, wrong: u32) {
    if file.get().wrong_pins != wrong
        && let Err(error) = file.change(|settings| settings.wrong_pins = wrong)
    {
        tracing::error!(%error, wrong, "the number of wrong PINs could not be saved");
    }
}

fn wrong_length() -> Problem {
    let bounds = format!("{} to {} characters", PIN_LENGTH.start(), PIN_LENGTH.end());
    problem("pin_length", Some(&bounds))
}

#[cfg(test)]
#[path = "pin_lock_tests.rs"]
mod tests;
