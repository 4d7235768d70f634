//! From a profile's name to a backend that visits can begin at, or to the reason why they cannot.

use super::simulator::{Simulated, Simulator};
use crate::app::Backing;
use crate::credentials::{self, Vault, VaultError};
use crate::problem::{of_setup, of_vault, problem};
use crate::profile::{Profile, Profiles, SANDBOX};
use crate::setup::Target;
use crate::view::Problem;
use client::NoRecorder;
use std::path::PathBuf;
use std::sync::Arc;

/// The environment.
pub type Env = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What a backend is made from.
#[derive(Clone)]
pub struct Sources {
    /// The file of profiles; none for the usual one.
    pub config: Option<PathBuf>,
    /// The keychain.
    pub vault: Vault,
    /// The environment, which comes first.
    pub env: Arc<Env>,
    /// The embedded sandbox.
    pub simulator: Arc<dyn Simulator>,
}

/// A backend in hand.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The backend, with what was found of its credentials.
    pub backing: Backing,
    /// Why no visit can begin there yet.
    pub closed: Option<Problem>,
}

impl Sources {
    /// The backend of a profile, open or closed. Blocks on the keychain; needs a tokio runtime around it.
    ///
    /// # Errors
    /// When there is no such profile, when it is unusable, or when the embedded sandbox cannot start.
    pub fn open(&self, name: &str, phones: bool) -> Result<Opened, Problem> {
        let profile = self.profile(name)?;
        if profile.is_embedded_sandbox() {
            return self.embedded(profile, phones);
        }
        let unusable = |error: &dyn std::fmt::Display| problem("configuration", Some(&error.to_string()));
        let target = Target::without_credentials(&profile).map_err(|error| unusable(&error))?;
        let (target, closed) = match credentials::find(&profile, &self.vault, &*self.env) {
            Ok(found) => {
                let target = Target { credentials: credentials::for_client(&found), ..target };
                let missing = target.api(&profile, Arc::new(NoRecorder)).err();
                let closed = missing.map(|error| match &found.note {
                    Some(keychain) => unasked(keychain),
                    None => of_setup(&error),
                });
                (target, closed)
            }
            Err(error) => (target, Some(unasked(&error))),
        };
        Ok(Opened { backing: Backing { profile, target, phones_at: None }, closed })
    }

    /// As [`open`](Self::open); in place of a profile that cannot be used the embedded sandbox, closed, so that there
    /// is a panel in which another can be chosen.
    ///
    /// # Errors
    /// When not even the embedded sandbox can start.
    pub fn open_or_closed(&self, name: &str, phones: bool) -> Result<Opened, Problem> {
        self.open(name, phones).or_else(|problem| {
            tracing::error!(profile = name, "{}", problem.operator);
            let sandbox = Profiles::default().get(SANDBOX).map_err(|_| problem.clone())?;
            Ok(Opened { closed: Some(problem), ..self.embedded(sandbox, false)? })
        })
    }

    /// A profile by its name, from the file as it is now.
    pub(super) fn profile(&self, name: &str) -> Result<Profile, Problem> {
        let profile = Profiles::load(self.config.as_deref()).and_then(|profiles| profiles.get(name));
        profile.map_err(|error| problem("configuration", Some(&error.to_string())))
    }

    fn embedded(&self, profile: Profile, phones: bool) -> Result<Opened, Problem> {
        let started = self.simulator.start();
        let Simulated { mut target, mut phones_at } =
            started.map_err(|words| problem("sandbox_failed", Some(&words)))?;
        if phones {
            match self.simulator.let_phones_in(true) {
                Ok(open) => Simulated { target, phones_at } = open,
                // Without a network the phone is played on this machine.
                Err(words) => tracing::warn!(%words, "phones on this network cannot be let in"),
            }
        }
        Ok(Opened { backing: Backing { profile, target, phones_at }, closed: None })
    }
}

/// Credentials are missing because the keychain cannot be asked. Visitors are told as of any that is missing, the
/// operator of the keychain.
fn unasked(error: &VaultError) -> Problem {
    let missing = problem("credentials_missing", Some(&error.to_string()));
    Problem { hint: of_vault(error).hint, ..missing }
}
