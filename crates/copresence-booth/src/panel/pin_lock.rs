//! The PIN lock in front of panel, inspector and checks.
//!
//! It is enforced here and not in the web view: every operator command calls
//! [`PinLock::require_unlocked_and_reset_idle`] first. An attempt is counted, also on disk, before the PIN is checked,
//! and attempts run one at a time. Neither parallel attempts nor a power cut therefore give additional attempts.

use crate::pin::{PIN_LENGTH, PinHash, delay_after_failed_attempts, is_valid_pin_length};
use crate::settings::{OperatorSettings, SettingsFileHandle};
use crate::view::Problem;
use crate::view::panel::PinLockView;
use copresence_engine::problem::problem_for_code;
use copresence_store::StoreError;
use copresence_visit::MillisSinceOrigin;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Idle time after which the panel locks itself.
const AUTO_LOCK_AFTER: Duration = Duration::from_mins(10);
/// Time after the start of the program in which the first PIN can be set at the screen in kiosk mode. After that,
/// people at the screen are visitors.
const FIRST_PIN_PERIOD: Duration = Duration::from_mins(10);

/// The PIN lock. Clones share it. Times are those of one [`copresence_engine::clock::Clock`].
#[derive(Debug, Clone)]
pub struct PinLock(Arc<SharedPinLock>);

/// What all clones of a PIN lock share: the settings file, the state, and the lock of attempts.
#[derive(Debug)]
struct SharedPinLock {
    settings_file: SettingsFileHandle,
    /// When the program started.
    started_at: MillisSinceOrigin,
    state: Mutex<PinLockState>,
    /// Held during an attempt, so that attempts run one at a time.
    attempt_lock: tokio::sync::Mutex<()>,
}

/// Whether the panel is unlocked, the number of wrong attempts, and until when no attempt is accepted.
#[derive(Debug)]
struct PinLockState {
    /// Time of the last use and the token that is cancelled on locking, while unlocked.
    unlocked: Option<(MillisSinceOrigin, CancellationToken)>,
    /// Wrong attempts in a row.
    failed_attempts: u32,
    /// No attempt is accepted before this time.
    blocked_until: MillisSinceOrigin,
    /// Latest time seen. Earlier times are treated as this one.
    latest_time: MillisSinceOrigin,
    /// Number of times it was locked. An attempt that began before the last one does not unlock.
    lock_count: u64,
}

impl PinLock {
    /// A locked lock of a program that starts `now`. Wrong attempts of an earlier run delay the next attempt as they did then.
    pub fn new(file: SettingsFileHandle, now: MillisSinceOrigin) -> Self {
        let wrong = file.current_settings().failed_pin_attempts;
        let blocked_until = now + delay_after_failed_attempts(wrong);
        let state =
            PinLockState { unlocked: None, failed_attempts: wrong, blocked_until, latest_time: now, lock_count: 0 };
        Self(Arc::new(SharedPinLock {
            settings_file: file,
            started_at: now,
            state: Mutex::new(state),
            attempt_lock: tokio::sync::Mutex::default(),
        }))
    }

    /// The current state. In `kiosk_mode` the first PIN can be set at the screen only soon after the start.
    pub fn pin_lock_view(&self, kiosk_mode: bool, now: MillisSinceOrigin) -> PinLockView {
        let view = self.lock_status_after_attempt(now, false);
        PinLockView { first_pin_late: !view.pin_set && self.is_too_late_for_first_pin(kiosk_mode, now), ..view }
    }

    /// Tries a PIN, and unlocks if it is correct. The PIN is not checked while a delay is in force.
    ///
    /// # Errors
    /// The settings cannot be read, so the PIN is unknown.
    pub async fn try_unlock(&self, pin: SecretString, now: MillisSinceOrigin) -> Result<PinLockView, Problem> {
        let _one_at_a_time = self.0.attempt_lock.lock().await;
        let lock_count_before = self.acquire_pin_lock_mutex().lock_count;
        let tried = self.check_pin_and_count_failures(pin, now).await?;
        if tried == PinCheckResult::Correct {
            self.unlock_unless_locked_meanwhile(lock_count_before, now);
        }
        Ok(self.lock_status_after_attempt(now, tried == PinCheckResult::Wrong))
    }

    /// Sets the first PIN, and unlocks. In `kiosk_mode` only within ten minutes of the start of the program.
    ///
    /// # Errors
    /// `pin_set` if there is a PIN, `first_pin_late`, `pin_length`, or the settings cannot be read or written. There is
    /// no PIN then.
    pub async fn set_first_pin_and_unlock(
        &self,
        pin: SecretString,
        kiosk_mode: bool,
        now: MillisSinceOrigin,
    ) -> Result<PinLockView, Problem> {
        let _one_at_a_time = self.0.attempt_lock.lock().await;
        let lock_count_before = self.acquire_pin_lock_mutex().lock_count;
        if self.settings_or_unknown_pin_problem()?.pin.is_some() {
            return Err(problem_for_code("pin_set", None));
        }
        if self.is_too_late_for_first_pin(kiosk_mode, now) {
            return Err(problem_for_code("first_pin_late", None));
        }
        self.hash_and_save_pin(pin).await?;
        self.unlock_unless_locked_meanwhile(lock_count_before, now);
        Ok(self.lock_status_after_attempt(now, false))
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
        now: MillisSinceOrigin,
    ) -> Result<(), Problem> {
        let _one_at_a_time = self.0.attempt_lock.lock().await;
        self.require_unlocked_and_reset_idle(now)?;
        if !is_valid_pin_length(&new) {
            return Err(invalid_pin_length_problem());
        }
        match self.check_pin_and_count_failures(current, now).await? {
            PinCheckResult::Correct => self.hash_and_save_pin(new).await,
            PinCheckResult::Wrong => Err(problem_for_code("pin_wrong", None)),
            PinCheckResult::NotChecked => {
                let wait = format!("{} s from now", self.lock_status_after_attempt(now, false).wait_seconds);
                Err(problem_for_code("pin_wait", Some(&wait)))
            }
        }
    }

    /// Locks the panel.
    pub fn lock_panel(&self) {
        self.acquire_pin_lock_mutex().lock_panel();
    }

    /// Succeeds if the panel is unlocked, and restarts the idle time.
    ///
    /// # Errors
    /// `panel_locked`.
    pub fn require_unlocked_and_reset_idle(&self, now: MillisSinceOrigin) -> Result<(), Problem> {
        let mut state = self.acquire_pin_lock_mutex();
        let now = state.advance_time_and_autolock(now);
        match &mut state.unlocked {
            Some((used, _)) => {
                *used = now;
                Ok(())
            }
            None => Err(problem_for_code("panel_locked", None)),
        }
    }

    /// Whether the panel is unlocked. Does not restart the idle time.
    pub fn is_unlocked(&self, now: MillisSinceOrigin) -> bool {
        let mut state = self.acquire_pin_lock_mutex();
        state.advance_time_and_autolock(now);
        state.unlocked.is_some()
    }

    /// A token that is cancelled when the panel locks, for streams that outlive a command. Already cancelled if the
    /// panel is locked. Idleness only locks on the next call of another method.
    pub fn cancellation_token_until_panel_locks(&self) -> CancellationToken {
        self.acquire_pin_lock_mutex().unlocked.as_ref().map_or_else(
            || {
                let closed = CancellationToken::new();
                closed.cancel();
                closed
            },
            |(_, closing)| closing.clone(),
        )
    }

    /// Removes the PIN, for people with a shell on this machine. The next opening of the panel asks for a new one.
    /// Settings that do not tell whether a PIN is set are replaced by what of them can be used. Blocks on the disk.
    ///
    /// # Errors
    /// The settings cannot be read or written; the PIN stays.
    pub fn remove_pin_from_settings(file: &SettingsFileHandle) -> Result<(), StoreError> {
        file.change_pin_despite_unusable_file(None)
    }

    /// Replaces the PIN, for people with a shell on this machine. Blocks on the disk and on the hash.
    ///
    /// # Errors
    /// A sentence: the length is not allowed, or the settings cannot be read or written. The PIN stays.
    pub fn replace_pin_without_current_one(file: &SettingsFileHandle, pin: &SecretString) -> Result<(), String> {
        if !is_valid_pin_length(pin) {
            let (shortest, longest) = (PIN_LENGTH.start(), PIN_LENGTH.end());
            return Err(format!("a PIN must have {shortest} to {longest} digits; choose another one"));
        }
        if !pin.expose_secret().bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("a PIN has digits only, because the PIN pad has no other keys; choose another one".to_owned());
        }
        file.change_pin_despite_unusable_file(Some(PinHash::from_pin(pin)?)).map_err(|error| error.to_string())
    }

    /// Compares a PIN with the saved hash. Each attempt counts as failed, in the settings file too, until it proves
    /// correct. Does nothing while a delay is in force. The caller must hold `attempt_lock`.
    async fn check_pin_and_count_failures(
        &self,
        pin: SecretString,
        now: MillisSinceOrigin,
    ) -> Result<PinCheckResult, Problem> {
        let Some(hash) = self.settings_or_unknown_pin_problem()?.pin else { return Ok(PinCheckResult::NotChecked) };
        let wrong = {
            let mut state = self.acquire_pin_lock_mutex();
            let now = state.advance_time_and_autolock(now);
            if now < state.blocked_until {
                return Ok(PinCheckResult::NotChecked);
            }
            if !is_valid_pin_length(&pin) {
                // A PIN of this length cannot exist, so the attempt reveals nothing and is not counted.
                return Ok(PinCheckResult::Wrong);
            }
            state.failed_attempts = state.failed_attempts.saturating_add(1);
            state.blocked_until = now + delay_after_failed_attempts(state.failed_attempts);
            state.failed_attempts
        };
        let file = self.0.settings_file.clone();
        let tried = tokio::task::spawn_blocking(move || {
            save_failed_attempts(&file, wrong);
            let right = hash.matches_pin(&pin);
            if right {
                save_failed_attempts(&file, 0);
            }
            right
        });
        if !tried.await.unwrap_or(false) {
            return Ok(PinCheckResult::Wrong);
        }
        let mut state = self.acquire_pin_lock_mutex();
        (state.failed_attempts, state.blocked_until) = (0, state.latest_time);
        Ok(PinCheckResult::Correct)
    }

    /// Checks the length of a PIN, hashes it and saves the hash. The PIN itself is not saved.
    async fn hash_and_save_pin(&self, pin: SecretString) -> Result<(), Problem> {
        if !is_valid_pin_length(&pin) {
            return Err(invalid_pin_length_problem());
        }
        let file = self.0.settings_file.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let hash = PinHash::from_pin(&pin)?;
            file.update_and_save_settings(|settings| settings.pin = Some(hash)).map_err(|error| error.to_string())
        });
        let kept = kept.await.map_err(|error| error.to_string()).flatten();
        kept.map(|_| ()).map_err(|error| problem_for_code("settings_failed", Some(&error)))
    }

    /// The settings. It is an error if the file does not tell whether a PIN is set.
    fn settings_or_unknown_pin_problem(&self) -> Result<OperatorSettings, Problem> {
        if self.0.settings_file.is_pin_unknown() {
            return Err(problem_for_code("settings_failed", self.0.settings_file.settings_file_problem().as_deref()));
        }
        Ok(self.0.settings_file.current_settings())
    }

    /// Unlocks the panel, unless it was locked again while the PIN was being checked.
    fn unlock_unless_locked_meanwhile(&self, lock_count_before: u64, now: MillisSinceOrigin) {
        let mut state = self.acquire_pin_lock_mutex();
        let now = state.advance_time_and_autolock(now);
        // If the panel was locked in the meantime, the page that tried has been reloaded.
        if state.lock_count == lock_count_before && state.unlocked.is_none() {
            state.unlocked = Some((now, CancellationToken::new()));
        }
    }

    /// Whether the time for setting the first PIN at the screen is over.
    fn is_too_late_for_first_pin(&self, kiosk_mode: bool, now: MillisSinceOrigin) -> bool {
        kiosk_mode && now.duration_since(self.0.started_at) > FIRST_PIN_PERIOD
    }

    /// State of the lock after an attempt; `wrong` says whether its PIN was wrong.
    fn lock_status_after_attempt(&self, now: MillisSinceOrigin, wrong: bool) -> PinLockView {
        let mut state = self.acquire_pin_lock_mutex();
        let now = state.advance_time_and_autolock(now);
        let wait = state.blocked_until.duration_since(now);
        PinLockView {
            pin_set: self.0.settings_file.is_pin_unknown() || self.0.settings_file.current_settings().pin.is_some(),
            first_pin_late: false,
            open: state.unlocked.is_some(),
            wrong,
            wait_seconds: u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
        }
    }

    /// Locks the mutex of the PIN lock's state. Does not lock the panel.
    fn acquire_pin_lock_mutex(&self) -> MutexGuard<'_, PinLockState> {
        // A panic leaves no partial change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PinLockState {
    /// Advances the time, and locks after the idle time. Returns the current time.
    fn advance_time_and_autolock(&mut self, now: MillisSinceOrigin) -> MillisSinceOrigin {
        self.latest_time = self.latest_time.max(now);
        if self.unlocked.as_ref().is_some_and(|(used, _)| self.latest_time.duration_since(*used) >= AUTO_LOCK_AFTER) {
            self.lock_panel();
        }
        self.latest_time
    }

    fn lock_panel(&mut self) {
        self.lock_count += 1;
        if let Some((_, closing)) = self.unlocked.take() {
            closing.cancel();
        }
    }
}

/// Result of checking a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PinCheckResult {
    Correct,
    Wrong,
    /// No PIN is set, or a delay is in force.
    NotChecked,
}

/// Saves the number of wrong attempts. A disk error is only logged, so that it does not lock the operator out; the
/// count in memory still applies.
fn save_failed_attempts(file: &SettingsFileHandle, wrong: u32) {
    if file.current_settings().failed_pin_attempts != wrong
        && let Err(error) = file.update_and_save_settings(|settings| settings.failed_pin_attempts = wrong)
    {
        tracing::error!(%error, wrong, "the number of wrong PINs could not be saved");
    }
}

/// The problem of a PIN that is too short or too long.
fn invalid_pin_length_problem() -> Problem {
    let bounds = format!("{} to {} characters", PIN_LENGTH.start(), PIN_LENGTH.end());
    problem_for_code("pin_length", Some(&bounds))
}

#[cfg(test)]
#[path = "pin_lock_tests.rs"]
mod tests;
