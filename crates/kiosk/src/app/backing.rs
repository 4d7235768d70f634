//! The backend of new visits, which an operator may change while others run.

use crate::profile::Profile;
use crate::setup::Target;
use crate::view::BackendView;
use client::{Api, NoRecorder, SetupError};
use std::sync::{Arc, OnceLock};

/// A backend and its profile.
#[derive(Debug, Clone)]
pub struct Backing {
    /// Limits and routes.
    pub profile: Profile,
    /// The backend, with its credentials.
    pub target: Target,
    /// The address at which phones on this network reach the sandbox, once allowed.
    pub phones_at: Option<String>,
}

impl Backing {
    /// As the operator sees it.
    pub fn view(&self) -> BackendView {
        BackendView {
            profile: self.profile.name.clone(),
            host: self.target.host(),
            sandbox: self.target.embedded_sandbox,
            phones_at: self.phones_at.clone(),
        }
    }
}

/// A backend in use: its visits share one session token.
pub(super) struct InUse {
    pub(super) backing: Backing,
    api: OnceLock<Api>,
}

impl InUse {
    pub(super) fn new(backing: Backing) -> Arc<Self> {
        Arc::new(Self { backing, api: OnceLock::new() })
    }

    /// Its endpoints; created for the first visit. Blocks while HTTP clients are built.
    ///
    /// # Errors
    /// [`SetupError`] when a credential is missing or unusable.
    pub(super) fn api(&self) -> Result<Api, SetupError> {
        if let Some(api) = self.api.get() {
            return Ok(api.clone());
        }
        let api = self.backing.target.api(&self.backing.profile, Arc::new(NoRecorder))?;
        Ok(self.api.get_or_init(|| api).clone())
    }
}
