//! Actions of the operator in the panel.

use super::{Inner, Panel, Settings, off_thread, views};
use crate::app::forget_problem;
use crate::credentials::{self, Slot, VaultError};
use crate::history;
use crate::problem::{of_vault, problem};
use crate::view::Problem;
use crate::view::panel::{DisplaySettings, PanelAct};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::{ImageFormat, ImageReader, Limits};
use secrecy::SecretString;
use std::io::Cursor;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{HostFile, StoreError, VisitId};
use visit::Moment;

/// Time that a person at the screen has to unlock the keychain.
const UNLOCK: Duration = Duration::from_mins(2);
/// Maximum width and height of a logo, in pixels. Bounds the memory that decoding takes.
const LOGO_SIDE: u32 = 4096;
/// Allowed speeds of the sandbox's clock, in simulated seconds per real second.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=1000.0;

/// What the host has to do after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Show the updated panel.
    Show,
    /// Apply the display settings to the window, then show the updated panel.
    Display,
    /// Quit the program cleanly.
    Quit,
}

impl Panel {
    /// Runs an action. Actions run one at a time. The caller must have checked [`Panel::pin_lock`].
    ///
    /// # Errors
    /// The action was refused or failed. The problem says why and what to do; nothing has changed then.
    pub async fn act(&self, act: PanelAct, now: Moment) -> Result<Next, Problem> {
        match act {
            PanelAct::Lock => {
                self.0.gate.lock();
                return Ok(Next::Show);
            }
            PanelAct::Quit => return Ok(Next::Quit),
            PanelAct::ChangePin { current, new } => {
                self.0.gate.change_pin(current, new, now).await?;
                return Ok(Next::Show);
            }
            _ => {}
        }
        let _one_at_a_time = self.0.acting.lock().await;
        match act {
            PanelAct::WipeNow => self.wipe().await?,
            PanelAct::ForgetVisit { visit } => self.forget(&visit).await?,
            act => {
                let panel = self.clone();
                return off_thread(move || panel.apply(act)).await?;
            }
        }
        Ok(Next::Show)
    }

    fn apply(&self, act: PanelAct) -> Result<Next, Problem> {
        let Inner { kiosk, sources, .. } = &*self.0;
        match act {
            PanelAct::UseProfile { name } => self.use_profile(&name)?,
            PanelAct::SetCredential { slot, value } => self.set_credential(&slot, &value)?,
            PanelAct::RemoveCredential { slot } => {
                let slot = self.slot(&slot)?;
                let removed = sources.vault.remove(&kiosk.backing().profile.name, slot);
                // A value held in memory is removed even if the keychain failed.
                self.read_credentials_anew()?;
                removed.map_err(|error| of_vault(&error))?;
            }
            PanelAct::UnlockKeychain => {
                sources.vault.unlock(UNLOCK).map_err(|error| of_vault(&error))?;
                self.read_credentials_anew()?;
            }
            PanelAct::SetScenario { name } => self.sandbox(|sandbox| sandbox.set_scenario(&name))?,
            PanelAct::SetSpeed { speed } if !SPEEDS.contains(&speed) => {
                let bounds = format!("`speed` must be {} to {}", SPEEDS.start(), SPEEDS.end());
                return Err(problem("setting_unfit", Some(&bounds)));
            }
            PanelAct::SetSpeed { speed } => self.sandbox(|sandbox| sandbox.set_speed(speed))?,
            PanelAct::AddFault { on, fault, every } => {
                self.sandbox(|sandbox| sandbox.add_fault(&on, &fault, every))?;
            }
            PanelAct::EndFaults => self.sandbox(|sandbox| {
                sandbox.end_faults();
                Ok(())
            })?,
            PanelAct::LetPhonesIn { on } => self.let_phones_in(on)?,
            PanelAct::SetKioskMode { on } => {
                self.keep(|settings| settings.kiosk_mode = on)?;
                // From now on the setting wins over `--kiosk`.
                self.0.flag.holds.store(false, Ordering::Relaxed);
                self.show_booth();
                return Ok(Next::Display);
            }
            PanelAct::SetDisplay { display } => {
                self.set_display(display)?;
                return Ok(Next::Display);
            }
            PanelAct::SetLogo { png } => self.set_logo(&png)?,
            PanelAct::SetKeep { hours } => {
                self.keep(|settings| settings.keep_hours = hours)?;
                self.show_booth();
                kiosk.sweep();
            }
            // Handled by the async caller.
            PanelAct::Lock
            | PanelAct::Quit
            | PanelAct::ChangePin { .. }
            | PanelAct::WipeNow
            | PanelAct::ForgetVisit { .. } => {}
        }
        Ok(Next::Show)
    }

    fn use_profile(&self, name: &str) -> Result<(), Problem> {
        let opened = self.open(name)?;
        self.keep(|settings| settings.profile = Some(name.to_owned()))?;
        name.clone_into(&mut self.wish().profile);
        self.take_up(opened);
        Ok(())
    }

    fn set_credential(&self, slot: &str, value: &SecretString) -> Result<(), Problem> {
        let Inner { kiosk, sources, .. } = &*self.0;
        let slot = self.slot(slot)?;
        let profile = kiosk.backing().profile.name;
        if let Err(error) = sources.vault.set(&profile, slot, value) {
            // Without a keychain the credential is kept until the program ends, and the panel says so.
            if !error.memory_can_help() || matches!(error, VaultError::TooLarge { .. }) {
                return Err(of_vault(&error));
            }
            tracing::warn!(%error, "the credential is kept in memory until the program ends");
            sources.vault.remember_for_this_run(&profile, slot, value);
        }
        self.read_credentials_anew()
    }

    /// Finds a credential that the profile in use can need.
    fn slot(&self, word: &str) -> Result<Slot, Problem> {
        let backing = self.0.kiosk.backing();
        let wanted = credentials::wanted(&backing.profile);
        let known = wanted.into_iter().filter(|_| !backing.profile.is_embedded_sandbox());
        let slot = known.into_iter().find(|slot| slot.word() == word);
        let unfit = || format!("the profile `{}` does not use `{word}`", backing.profile.name);
        slot.ok_or_else(|| problem("setting_unfit", Some(&unfit())))
    }

    fn read_credentials_anew(&self) -> Result<(), Problem> {
        let name = self.wish().profile.clone();
        let opened = self.open(&name)?;
        self.take_up(opened);
        Ok(())
    }

    fn sandbox(&self, act: impl FnOnce(&dyn super::Simulator) -> Result<(), String>) -> Result<(), Problem> {
        if !self.0.kiosk.backing().target.embedded_sandbox {
            return Err(problem("not_the_sandbox", None));
        }
        act(&*self.0.sources.simulator).map_err(|words| problem("setting_unfit", Some(&words)))
    }

    fn let_phones_in(&self, on: bool) -> Result<(), Problem> {
        let mut backing = self.0.kiosk.backing();
        if !backing.target.embedded_sandbox {
            return Err(problem("not_the_sandbox", None));
        }
        // Saved before it is done: what the act reports as refused must not be open.
        let before = self.0.file.get().phones;
        self.keep(|settings| settings.phones = on)?;
        let open = match self.0.sources.simulator.let_phones_in(on) {
            Ok(open) => open,
            Err(words) => {
                if let Err(problem) = self.keep(|settings| settings.phones = before) {
                    tracing::error!(code = problem.code, "{}", problem.operator);
                }
                return Err(problem("sandbox_failed", Some(&words)));
            }
        };
        (backing.target, backing.phones_at) = (open.target, open.phones_at);
        self.0.kiosk.use_backend(backing);
        Ok(())
    }

    fn set_display(&self, display: DisplaySettings) -> Result<(), Problem> {
        let display = views::fit(display)?;
        let without_logo = !display.logo;
        self.keep(|settings| settings.display = DisplaySettings { logo: false, ..display })?;
        if without_logo {
            self.0.kiosk.disk().data.remove_host(HostFile::Logo).map_err(|error| unkept(&error))?;
        }
        self.show_booth();
        Ok(())
    }

    fn set_logo(&self, png: &str) -> Result<(), Problem> {
        let unfit = |words: &str| problem("logo_unfit", Some(words));
        let most = HostFile::Logo.most();
        // Base64 has four characters for three bytes.
        if u64::try_from(png.len()).map_or(true, |length| length / 4 * 3 > most + 3) {
            return Err(unfit("it has more than 2 MiB"));
        }
        let bytes = BASE64_STANDARD.decode(png).map_err(|_| unfit("it did not arrive intact"))?;
        drawable(&bytes).map_err(|words| unfit(&words))?;
        let written = self.0.kiosk.disk().data.write_host(HostFile::Logo, &bytes);
        written.map_err(|error| match error {
            StoreError::TooLarge { .. } => unfit("it has more than 2 MiB"),
            error => unkept(&error),
        })?;
        self.show_booth();
        Ok(())
    }

    async fn wipe(&self) -> Result<(), Problem> {
        let kiosk = &self.0.kiosk;
        let wiped = history::forget_before(kiosk.disk(), None).await.map(|mut forgotten| {
            // Those that go on here are left on purpose.
            let live = kiosk.live();
            forgotten.held.retain(|id| !live.contains(id));
            forgotten
        });
        forget_problem(wiped.map_err(|error| error.to_string())).map_or(Ok(()), Err)
    }

    async fn forget(&self, visit: &str) -> Result<(), Problem> {
        let kiosk = &self.0.kiosk;
        let unknown = || problem("visit_unknown", Some(visit));
        let id: VisitId = visit.parse().map_err(|_| unknown())?;
        if kiosk.live().contains(&id) {
            return Err(problem("visit_goes_on", None));
        }
        let forgotten = history::forget(kiosk.disk(), &id).await.map_err(|error| error.to_string());
        match forgotten.transpose() {
            None => Err(unknown()),
            Some(forgotten) => forget_problem(forgotten).map_or(Ok(()), Err),
        }
    }

    fn keep(&self, change: impl FnOnce(&mut Settings)) -> Result<(), Problem> {
        self.0.file.change(change).map(|_| ()).map_err(|error| unkept(&error))
    }
}

fn unkept(error: &StoreError) -> Problem {
    problem("settings_failed", Some(&error.to_string()))
}

/// Checks that the bytes are a complete PNG within the size limits, by decoding it.
fn drawable(bytes: &[u8]) -> Result<(), String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LOGO_SIDE);
    limits.max_image_height = Some(LOGO_SIDE);
    reader.limits(limits);
    match reader.decode() {
        Ok(_) => Ok(()),
        Err(image::ImageError::Limits(_)) => Err(format!("a side has more than {LOGO_SIDE} pixels")),
        Err(error) => Err(format!("it is not a complete PNG: {error}")),
    }
}
