//! The backend of new visits, which an operator may change while others run.

use crate::view::{BackendView, Problem};
use copresence_client::{ApiClient, NoRecorder, SetupError};
use copresence_engine::profile::Profile;
use copresence_engine::setup::ProfileOrSandboxBackend;
use std::sync::{Arc, OnceLock};

/// Configuration of the backend of the visits: its profile, its target and its address for phones.
#[derive(Debug, Clone)]
pub struct BackendConfig {
    /// Limits and routes.
    pub profile: Profile,
    /// The backend, with its credentials.
    pub target: ProfileOrSandboxBackend,
    /// The address at which phones on this network reach the sandbox, once allowed.
    pub phone_address: Option<String>,
}

impl BackendConfig {
    /// Whether phones can reach the backend. Only an embedded sandbox that does not listen for phones of this network
    /// cannot be reached.
    pub fn can_phones_reach_backend(&self) -> bool {
        !self.target.is_embedded_sandbox || self.phone_address.is_some()
    }

    /// The backend as the operator panel shows it.
    pub fn to_backend_view(&self) -> BackendView {
        BackendView {
            profile: self.profile.name.clone(),
            host: self.target.host_and_port(),
            sandbox: self.target.is_embedded_sandbox,
            phones_at: self.phone_address.clone(),
        }
    }
}

/// A backend in use: its visits share one session token.
pub(super) struct ActiveBackendWithSharedSession {
    pub(super) config: BackendConfig,
    api: OnceLock<ApiClient>,
    /// The refusal of the credentials. No visit starts with them again.
    remembered_credentials_refusal: OnceLock<Problem>,
}

impl ActiveBackendWithSharedSession {
    pub(super) fn new(backend_config: BackendConfig) -> Arc<Self> {
        Arc::new(Self { config: backend_config, api: OnceLock::new(), remembered_credentials_refusal: OnceLock::new() })
    }

    /// Remembers that the backend refused the credentials. Each further login could lock the account.
    pub(super) fn remember_credentials_refusal(&self, problem: Problem) {
        // The first one stays.
        _ = self.remembered_credentials_refusal.set(problem);
    }

    /// The remembered refusal of the credentials, if the backend refused them. No visit starts here then.
    pub(super) fn remembered_credentials_refusal(&self) -> Option<&Problem> {
        self.remembered_credentials_refusal.get()
    }

    /// Logs out the session of its visits, if there is one.
    pub(super) async fn log_out_shared_session(&self) {
        if let Some(api) = self.api.get() {
            api.log_out_own_session().await;
        }
    }

    /// Returns the API client of this backend, and builds it for the first visit. Blocks while HTTP clients are built.
    ///
    /// # Errors
    /// [`SetupError`] when a credential is missing or unusable.
    pub(super) fn get_or_build_api_client(&self) -> Result<ApiClient, SetupError> {
        if let Some(api) = self.api.get() {
            return Ok(api.clone());
        }
        let api = self.config.target.build_api_client(&self.config.profile, Arc::new(NoRecorder))?;
        Ok(self.api.get_or_init(|| api).clone())
    }
}
