//! Opens the backend of a profile, or says why no visit can start there.

use super::simulator::{EmbeddedSandboxBackend, EmbeddedSandboxControl};
use crate::app::BackendConfig;
use crate::view::Problem;
use copresence_client::NoRecorder;
use copresence_engine::credentials::{self, CredentialStore, KeychainError};
use copresence_engine::problem::{problem_for_code, problem_for_keychain_error, problem_for_setup_error};
use copresence_engine::profile::{Profile, Profiles, SANDBOX_PROFILE};
use copresence_engine::setup::ProfileOrSandboxBackend;
use std::path::PathBuf;
use std::sync::Arc;

/// Looks up an environment variable.
pub type EnvLookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where a backend's profile and credentials come from.
#[derive(Clone)]
pub struct ProfileAndCredentialSources {
    /// Profiles file; `None` for the default path.
    pub config: Option<PathBuf>,
    /// The keychain.
    pub credential_store: CredentialStore,
    /// The environment, which takes precedence over the keychain.
    pub env: Arc<EnvLookup>,
    /// The embedded sandbox.
    pub simulator: Arc<dyn EmbeddedSandboxControl>,
}

/// A backend opened from its profile, and the reason why no visit can start there yet, if there is one.
#[derive(Debug, Clone)]
pub struct OpenedBackendAndClosedReason {
    /// The backend with the credentials that were found.
    pub backend: BackendConfig,
    /// Why no visit can start there yet.
    pub closed_reason: Option<Problem>,
}

impl ProfileAndCredentialSources {
    /// Opens the backend of a profile, even if credentials are missing. Blocks on the keychain; needs a tokio runtime.
    ///
    /// # Errors
    /// The profile does not exist or is invalid, or the embedded sandbox cannot start.
    pub fn open_backend_despite_missing_credentials(
        &self,
        name: &str,
        phones: bool,
    ) -> Result<OpenedBackendAndClosedReason, Problem> {
        let profile = self.load_profile_by_name(name)?;
        if profile.uses_embedded_sandbox() {
            return self.open_sandbox_backend(profile, phones);
        }
        let unusable = |error: &dyn std::fmt::Display| problem_for_code("configuration", Some(&error.to_string()));
        let target =
            ProfileOrSandboxBackend::backend_target_without_credentials(&profile).map_err(|error| unusable(&error))?;
        let (target, closed) = match credentials::find_credentials(&profile, &self.credential_store, &*self.env) {
            Ok(found) => {
                let target = ProfileOrSandboxBackend {
                    credentials: credentials::to_client_credentials(&profile, &found),
                    ..target
                };
                let missing = target.build_api_client(&profile, Arc::new(NoRecorder)).err();
                let closed = missing.map(|error| match &found.keychain_error {
                    Some(keychain) => unreadable_credentials_problem(keychain),
                    None => problem_for_setup_error(&error),
                });
                (target, closed)
            }
            Err(error) => (target, Some(unreadable_credentials_problem(&error))),
        };
        Ok(OpenedBackendAndClosedReason {
            backend: BackendConfig { profile, target, phone_address: None },
            closed_reason: closed,
        })
    }

    /// As [`open_backend_despite_missing_credentials`](Self::open_backend_despite_missing_credentials). If the profile
    /// cannot be used, falls back to the embedded sandbox with a closed booth, so that the operator can choose another
    /// profile in the panel.
    ///
    /// # Errors
    /// The embedded sandbox cannot start either.
    pub fn open_backend_or_closed_sandbox(
        &self,
        name: &str,
        phones: bool,
    ) -> Result<OpenedBackendAndClosedReason, Problem> {
        self.open_backend_despite_missing_credentials(name, phones).or_else(|problem| {
            tracing::error!(profile = name, "{}", problem.operator);
            let sandbox = Profiles::default().build_profile_by_name(SANDBOX_PROFILE).map_err(|_| problem.clone())?;
            Ok(OpenedBackendAndClosedReason {
                closed_reason: Some(problem),
                ..self.open_sandbox_backend(sandbox, false)?
            })
        })
    }

    /// Loads the profile with this name from the profiles file, as the file is now.
    pub(super) fn load_profile_by_name(&self, name: &str) -> Result<Profile, Problem> {
        let profile =
            Profiles::load_profiles(self.config.as_deref()).and_then(|profiles| profiles.build_profile_by_name(name));
        profile.map_err(|error| problem_for_code("configuration", Some(&error.to_string())))
    }

    /// Starts the embedded sandbox, lets phones in if asked, and returns it as the backend.
    fn open_sandbox_backend(&self, profile: Profile, phones: bool) -> Result<OpenedBackendAndClosedReason, Problem> {
        let started = self.simulator.start_sandbox_if_needed();
        let EmbeddedSandboxBackend { mut target, phone_url: mut phones_at } =
            started.map_err(|words| problem_for_code("sandbox_failed", Some(&words)))?;
        if phones {
            match self.simulator.set_sandbox_phone_access(true) {
                Ok(open) => EmbeddedSandboxBackend { target, phone_url: phones_at } = open,
                // Without a network, the phone page still works on this machine.
                Err(words) => tracing::warn!(%words, "phones on this network cannot reach the sandbox"),
            }
        }
        Ok(OpenedBackendAndClosedReason {
            backend: BackendConfig { profile, target, phone_address: phones_at },
            closed_reason: None,
        })
    }
}

/// Problem of missing credentials when the keychain cannot be used: the visitor's sentence is the one of missing
/// credentials, the hint is the keychain's.
fn unreadable_credentials_problem(error: &KeychainError) -> Problem {
    let missing = problem_for_code("credentials_missing", Some(&error.to_string()));
    Problem { hint: problem_for_keychain_error(error).hint, ..missing }
}
