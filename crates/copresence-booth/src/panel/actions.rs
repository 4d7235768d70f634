//! Actions of the operator in the panel.

use super::{OperatorSettings, Panel, SharedPanelState, panel_data, run_blocking};
use crate::app::incomplete_forget_problem;
use crate::view::Problem;
use crate::view::panel::{AppearanceAndLanguageSettings, PanelAction};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use copresence_engine::credentials::{self, CredentialKind, KeychainError};
use copresence_engine::problem::{problem_for_code, problem_for_keychain_error};
use copresence_store::{SettingsOrLogoFile, StoreError, VisitId, VisitRecord};
use copresence_visit::MillisSinceOrigin;
use image::{ImageFormat, ImageReader, Limits};
use secrecy::SecretString;
use std::io::Cursor;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time that a person at the screen has to unlock the keychain.
const KEYCHAIN_UNLOCK_TIMEOUT: Duration = Duration::from_mins(2);
/// Maximum width and height of a logo, in pixels. Bounds the memory that decoding takes.
const MAX_LOGO_SIDE: u32 = 4096;
/// Allowed speeds of the sandbox's clock, in simulated seconds per real second.
const SPEED_RANGE: std::ops::RangeInclusive<f64> = 0.1..=1000.0;

/// What the host has to do after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostStepAfterAction {
    /// Show the updated panel.
    ShowPanel,
    /// Apply the display settings to the window, then show the updated panel.
    UpdateWindow,
    /// Quit the program cleanly.
    Quit,
}

impl Panel {
    /// Runs an action. Actions run one at a time. The caller must have checked [`Panel::pin_lock`].
    ///
    /// # Errors
    /// The action was refused or failed. The problem says why and what to do; nothing has changed then.
    pub async fn run_action(&self, act: PanelAction, now: MillisSinceOrigin) -> Result<HostStepAfterAction, Problem> {
        match act {
            PanelAction::Lock => {
                self.0.pin_lock.lock_panel();
                return Ok(HostStepAfterAction::ShowPanel);
            }
            PanelAction::Quit => return Ok(HostStepAfterAction::Quit),
            PanelAction::ChangePin { current, new } => {
                self.0.pin_lock.change_pin(current, new, now).await?;
                return Ok(HostStepAfterAction::ShowPanel);
            }
            _ => {}
        }
        let _one_at_a_time = self.0.action_lock.lock().await;
        match act {
            PanelAction::WipeNow => self.forget_all_visits_without_waiting_visitor().await?,
            PanelAction::ForgetVisit { visit } => self.forget_past_visit(&visit).await?,
            PanelAction::OpenTicket { visit } => self.0.kiosk.show_ticket_visit_without_pickup_code(&visit)?,
            PanelAction::ForgetTicket { visit } => self.0.kiosk.close_ticket_and_forget_visit(&visit).await?,
            PanelAction::MoveTicket { visit, place } => {
                self.0.kiosk.move_ticket_in_strip_for_operator(&visit, place).await?;
            }
            act => {
                let panel = self.clone();
                return run_blocking(move || panel.apply_action_blocking(act)).await?;
            }
        }
        Ok(HostStepAfterAction::ShowPanel)
    }

    /// Runs an action that blocks on the disk or the keychain. Must be called outside the async worker threads.
    fn apply_action_blocking(&self, act: PanelAction) -> Result<HostStepAfterAction, Problem> {
        let SharedPanelState { kiosk, sources, .. } = &*self.0;
        match act {
            PanelAction::UseProfile { name } => self.switch_to_profile(&name)?,
            PanelAction::SetCredential { slot, value } => self.store_credential_and_reopen_backend(&slot, &value)?,
            PanelAction::RemoveCredential { slot } => {
                let slot = self.find_credential_kind_by_name(&slot)?;
                let removed = sources.credential_store.remove_credential(&kiosk.backend_config().profile.name, slot);
                // A value held in memory is removed even if the keychain failed.
                self.reopen_backend_with_credentials()?;
                removed.map_err(|error| problem_for_keychain_error(&error))?;
            }
            PanelAction::RetryCredentials => self.reopen_backend_with_credentials()?,
            PanelAction::UnlockKeychain => {
                sources
                    .credential_store
                    .prompt_to_unlock_keychain(KEYCHAIN_UNLOCK_TIMEOUT)
                    .map_err(|error| problem_for_keychain_error(&error))?;
                self.reopen_backend_with_credentials()?;
            }
            PanelAction::SetScenario { name } => {
                self.run_on_active_sandbox(|sandbox| sandbox.set_scenario(&name))?;
            }
            PanelAction::SetSpeed { speed } if !SPEED_RANGE.contains(&speed) => {
                let bounds = format!("`speed` must be {} to {}", SPEED_RANGE.start(), SPEED_RANGE.end());
                return Err(problem_for_code("setting_unfit", Some(&bounds)));
            }
            PanelAction::SetSpeed { speed } => self.run_on_active_sandbox(|sandbox| sandbox.set_clock_speed(speed))?,
            PanelAction::AddFault { on, fault, every } => {
                self.run_on_active_sandbox(|sandbox| sandbox.add_fault(&on, &fault, every))?;
            }
            PanelAction::EndFaults => self.run_on_active_sandbox(|sandbox| {
                sandbox.clear_faults();
                Ok(())
            })?,
            PanelAction::LetPhonesIn { on } => self.set_sandbox_phone_access(on)?,
            PanelAction::SetKioskMode { on } => {
                self.change_and_save_settings(|settings| settings.kiosk_mode = on)?;
                // From now on the setting wins over `--kiosk`.
                self.0.kiosk_mode_override.in_force.store(false, Ordering::Relaxed);
                self.publish_booth_settings();
                return Ok(HostStepAfterAction::UpdateWindow);
            }
            PanelAction::SetDisplay { display } => {
                self.set_appearance_and_language(display)?;
                return Ok(HostStepAfterAction::UpdateWindow);
            }
            PanelAction::SetLogo { png } => self.set_logo(&png)?,
            PanelAction::SetKeep { hours } => {
                self.change_and_save_settings(|settings| settings.keep_hours = hours)?;
                self.publish_booth_settings();
                kiosk.spawn_forgetting_of_due_visits();
            }
            PanelAction::SetLanes { lanes } => {
                let lanes = panel_data::validate_lane_settings(lanes)?;
                self.change_and_save_settings(|settings| settings.lanes = lanes)?;
                self.publish_booth_settings();
                kiosk.close_due_tickets_and_publish_snapshot();
            }
            // Handled by the async caller.
            PanelAction::Lock
            | PanelAction::Quit
            | PanelAction::ChangePin { .. }
            | PanelAction::WipeNow
            | PanelAction::ForgetVisit { .. }
            | PanelAction::OpenTicket { .. }
            | PanelAction::ForgetTicket { .. }
            | PanelAction::MoveTicket { .. } => {}
        }
        Ok(HostStepAfterAction::ShowPanel)
    }

    /// Opens the backend of this profile, saves the choice and uses it for new visits.
    fn switch_to_profile(&self, name: &str) -> Result<(), Problem> {
        let opened = self.open_backend_of_named_profile(name)?;
        self.change_and_save_settings(|settings| settings.profile = Some(name.to_owned()))?;
        name.clone_into(&mut self.lock_requested_profile_mutex().profile);
        self.replace_backend_and_publish_settings(opened);
        Ok(())
    }

    /// Sets a credential and reopens the backend with it. It is stored in the keychain, or only for this run if
    /// there is no keychain.
    fn store_credential_and_reopen_backend(&self, slot: &str, value: &SecretString) -> Result<(), Problem> {
        let SharedPanelState { kiosk, sources, .. } = &*self.0;
        let slot = self.find_credential_kind_by_name(slot)?;
        let profile = kiosk.backend_config().profile.name;
        if let Err(error) = sources.credential_store.set_credential(&profile, slot, value) {
            // Without a keychain the credential is kept until the program ends, and the panel says so.
            if !error.can_use_memory_instead() || matches!(error, KeychainError::ValueTooLarge { .. }) {
                return Err(problem_for_keychain_error(&error));
            }
            tracing::warn!(%error, "the credential is kept in memory until the program ends");
            sources.credential_store.remember_credential_for_run(&profile, slot, value);
        }
        self.reopen_backend_with_credentials()
    }

    /// Finds the credential kind of this name among those that the profile in use can need.
    fn find_credential_kind_by_name(&self, word: &str) -> Result<CredentialKind, Problem> {
        let backend_config = self.0.kiosk.backend_config();
        let wanted = credentials::credential_kinds_usable_by_profile(&backend_config.profile);
        let known = wanted.into_iter().filter(|_| !backend_config.profile.uses_embedded_sandbox());
        let slot = known.into_iter().find(|slot| slot.as_str() == word);
        let unfit = || format!("the profile `{}` does not use `{word}`", backend_config.profile.name);
        slot.ok_or_else(|| problem_for_code("setting_unfit", Some(&unfit())))
    }

    /// Opens the backend of the requested profile again, with the credentials as they are now, and uses it for new
    /// visits.
    fn reopen_backend_with_credentials(&self) -> Result<(), Problem> {
        let name = self.lock_requested_profile_mutex().profile.clone();
        let opened = self.open_backend_of_named_profile(&name)?;
        self.replace_backend_and_publish_settings(opened);
        Ok(())
    }

    /// Runs a change on the embedded sandbox. Refused if visits do not use it now.
    fn run_on_active_sandbox(
        &self,
        act: impl FnOnce(&dyn super::EmbeddedSandboxControl) -> Result<(), String>,
    ) -> Result<(), Problem> {
        if !self.0.kiosk.backend_config().target.is_embedded_sandbox {
            return Err(problem_for_code("not_the_sandbox", None));
        }
        act(&*self.0.sources.simulator).map_err(|words| problem_for_code("setting_unfit", Some(&words)))
    }

    /// Saves whether phones on this network may reach the sandbox, and opens or closes it. If that fails, the old
    /// setting is saved again.
    fn set_sandbox_phone_access(&self, on: bool) -> Result<(), Problem> {
        let mut backend_config = self.0.kiosk.backend_config();
        if !backend_config.target.is_embedded_sandbox {
            return Err(problem_for_code("not_the_sandbox", None));
        }
        // Saved before it is done: what the act reports as refused must not be open.
        let before = self.0.settings_file.current_settings().phone_access;
        self.change_and_save_settings(|settings| settings.phone_access = on)?;
        let open = match self.0.sources.simulator.set_sandbox_phone_access(on) {
            Ok(open) => open,
            Err(words) => {
                if let Err(problem) = self.change_and_save_settings(|settings| settings.phone_access = before) {
                    tracing::error!(code = problem.code, "{}", problem.operator);
                }
                return Err(problem_for_code("sandbox_failed", Some(&words)));
            }
        };
        (backend_config.target, backend_config.phone_address) = (open.target, open.phone_url);
        self.0.kiosk.replace_active_backend(backend_config);
        Ok(())
    }

    /// Validates and saves the display settings, and removes the logo if it was taken out.
    fn set_appearance_and_language(&self, display: AppearanceAndLanguageSettings) -> Result<(), Problem> {
        let display = panel_data::validate_and_trim_display_settings(display)?;
        let without_logo = !display.logo;
        self.change_and_save_settings(|settings| {
            settings.display = AppearanceAndLanguageSettings { logo: false, ..display }
        })?;
        if without_logo {
            self.0
                .kiosk
                .data_store()
                .data
                .remove_operator_file(SettingsOrLogoFile::Logo)
                .map_err(|error| unwritable_settings_problem(&error))?;
        }
        self.publish_booth_settings();
        Ok(())
    }

    /// Sets the logo (a PNG in Base64): checks it and saves it in the data folder.
    fn set_logo(&self, png: &str) -> Result<(), Problem> {
        let unfit = |words: &str| problem_for_code("logo_unfit", Some(words));
        let most = SettingsOrLogoFile::Logo.max_bytes();
        // Base64 has four characters for three bytes.
        if u64::try_from(png.len()).map_or(true, |length| length / 4 * 3 > most + 3) {
            return Err(unfit("it has more than 2 MiB"));
        }
        let bytes = BASE64_STANDARD.decode(png).map_err(|_| unfit("it did not arrive intact"))?;
        check_logo_png(&bytes).map_err(|words| unfit(&words))?;
        let written = self.0.kiosk.data_store().data.write_operator_file(SettingsOrLogoFile::Logo, &bytes);
        written.map_err(|error| match error {
            StoreError::TooLarge { .. } => unfit("it has more than 2 MiB"),
            error => unwritable_settings_problem(&error),
        })?;
        self.publish_booth_settings();
        Ok(())
    }

    /// Deletes all past visits. Running visits and those with a live ticket are kept.
    async fn forget_all_visits_without_waiting_visitor(&self) -> Result<(), Problem> {
        let kiosk = &self.0.kiosk;
        let is_past = |record: &VisitRecord| !kiosk.has_live_ticket(&record.start.id);
        let mut wiped = kiosk.forget_matching_visits_and_recordings(is_past).await;
        if let Ok(forgotten) = &mut wiped {
            // Those that go on here are left on purpose.
            let live = kiosk.running_visits();
            forgotten.locked.retain(|id| !live.contains(id));
            // This program may be recovering them just now.
            let mut still_locked = Vec::new();
            for id in std::mem::take(&mut forgotten.locked) {
                if !kiosk.is_recovery_running() || kiosk.forget_past_visit_now(id).await.is_some() {
                    still_locked.push(id);
                }
            }
            forgotten.locked = still_locked;
        }
        incomplete_forget_problem(wiped.map_err(|error| error.to_string())).map_or(Ok(()), Err)
    }

    /// Deletes a past visit. A visit that still runs is refused.
    async fn forget_past_visit(&self, visit: &str) -> Result<(), Problem> {
        let kiosk = &self.0.kiosk;
        let unknown = || problem_for_code("visit_unknown", Some(visit));
        let id: VisitId = visit.parse().map_err(|_| unknown())?;
        if kiosk.running_visits().contains(&id) || kiosk.has_live_ticket(&id) {
            return Err(problem_for_code("visit_goes_on", None));
        }
        let journal = &kiosk.data_store().journal;
        match journal.load_detailed_visit_record(&id).await {
            Ok(None) => Err(unknown()),
            _ => kiosk.forget_past_visit_now(id).await.map_or(Ok(()), Err),
        }
    }

    /// Changes the settings by `change` and saves them. A failure is reported as `settings_failed`.
    fn change_and_save_settings(&self, change: impl FnOnce(&mut OperatorSettings)) -> Result<(), Problem> {
        self.0
            .settings_file
            .update_and_save_settings(change)
            .map(|_| ())
            .map_err(|error| unwritable_settings_problem(&error))
    }
}

/// The problem of settings that cannot be written.
fn unwritable_settings_problem(error: &StoreError) -> Problem {
    problem_for_code("settings_failed", Some(&error.to_string()))
}

/// Checks that the bytes are a complete PNG within the size limits, by decoding it.
fn check_logo_png(bytes: &[u8]) -> Result<(), String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_LOGO_SIDE);
    limits.max_image_height = Some(MAX_LOGO_SIDE);
    reader.limits(limits);
    match reader.decode() {
        Ok(_) => Ok(()),
        Err(image::ImageError::Limits(_)) => Err(format!("a side has more than {MAX_LOGO_SIDE} pixels")),
        Err(error) => Err(format!("it is not a complete PNG: {error}")),
    }
}
