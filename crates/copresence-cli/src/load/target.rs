//! The backend of a load test, and who plays its phones.

use super::options::{LoadOptions, LoadPhoneChoice};
use super::phone::{SandboxPhones, UserCommandAsPhones};
use crate::common_options::CommonOptions;
use crate::context;
use crate::embedded_sandbox::{build_embedded_sandbox_backend, start_embedded_sandbox};
use crate::failure::CommandFailure;
use crate::remote_target::load_target_prompting_if_keychain_fails;
use copresence_engine::profile::Profile;
use copresence_engine::setup::{ProfileOrSandboxBackend, SANDBOX_PROCESSING};
use copresence_engine::{NoRecorder, SetupError};
use copresence_load::{ConsoleVisitPlan, LoadTestPhone};
use copresence_sandbox::Server;
use copresence_validate::{ApiKey, SandboxControl};
use std::sync::Arc;
use std::time::Duration;

/// Environment variable with the operator key, which gives access to the tester API of a sandbox on another machine.
const OPERATOR_KEY: &str = "COPRESENCE_OPERATOR_KEY";

/// The backend to load, with its phones.
pub(super) struct LoadTarget {
    pub(super) profile: Profile,
    pub(super) backend: ProfileOrSandboxBackend,
    /// Whether tokens cost nothing.
    pub(super) is_sandbox: bool,
    pub(super) phone: Option<Arc<dyn LoadTestPhone>>,
    /// `sandbox`, `command` or `none`.
    pub(super) phone_word: &'static str,
    embedded_sandbox: Option<Server>,
}

impl LoadTarget {
    /// Starts the embedded sandbox if the profile uses it, finds out whether the backend is a sandbox, and chooses the
    /// phone.
    pub(super) async fn open_load_target(
        common: &CommonOptions,
        options: &LoadOptions,
    ) -> Result<Self, CommandFailure> {
        let profile = context::load_selected_profile(common)?;
        let embedded_sandbox =
            if profile.uses_embedded_sandbox() { Some(start_embedded_sandbox(&options.world).await?) } else { None };
        let backend = match &embedded_sandbox {
            Some(server) => build_embedded_sandbox_backend(server)?,
            None => load_target_prompting_if_keychain_fails(&profile)
                .await
                .map_err(|failure| failure.with_remedy_if_credentials_missing(&profile))?,
        };
        let operator = context::read_unicode_environment_variable(OPERATOR_KEY).filter(|key| !key.trim().is_empty());
        let control = SandboxControl::detect_controllable_sandbox(&backend.api_url, operator.map(ApiKey::new)).await;
        let control = control.map_err(|error| CommandFailure::usage_error(error.to_string()))?;
        let is_sandbox = control.is_some();
        let (phone, phone_word): (Option<Arc<dyn LoadTestPhone>>, _) = match (&options.phone, control) {
            (Some(LoadPhoneChoice::Command(command)), _) => {
                (Some(Arc::new(UserCommandAsPhones::new(command.clone()))), "command")
            }
            (Some(LoadPhoneChoice::Sandbox) | None, Some(control)) => {
                (Some(Arc::new(SandboxPhones::new(control))), "sandbox")
            }
            (Some(LoadPhoneChoice::None) | None, _) => (None, "none"),
            (Some(LoadPhoneChoice::Sandbox), None) => {
                return Err(CommandFailure::usage_error(format!(
                    "--phone sandbox: no sandbox answers at {} (one on another machine asks for {OPERATOR_KEY} in the \
                     environment); use --phone none, or a command that scans the codes",
                    backend.api_url
                )));
            }
        };
        Ok(Self { profile, backend, is_sandbox, phone, phone_word, embedded_sandbox })
    }

    /// Builds the API client of the backend without a recorder: the load test records the exchanges itself.
    pub(super) fn build_unrecorded_client(&self) -> Result<copresence_load::ApiClient, CommandFailure> {
        let client = self.backend.build_api_client(&self.profile, Arc::new(NoRecorder));
        client
            .map_err(|error: SetupError| CommandFailure::from(error).with_remedy_if_credentials_missing(&self.profile))
    }

    /// Builds the plan of one visit of a virtual console, from the profile and the options.
    pub(super) fn to_simulated_console_visit_plan(&self, options: &LoadOptions) -> ConsoleVisitPlan {
        let mut polling = self.profile.polling.clone();
        if let Some(poll) = options.poll {
            polling.fixed = Some(poll);
            polling.fastest = polling.fastest.min(poll);
        }
        if let Some(usual) = self.profile.usual_processing {
            polling.usual_processing = usual;
        } else if self.embedded_sandbox.is_some() {
            polling.usual_processing = SANDBOX_PROCESSING.div_f64(options.world.speed).max(Duration::from_secs(1));
        }
        ConsoleVisitPlan {
            link: self.backend.link.clone(),
            token_lifetime: self.profile.token_lifetime,
            polling,
            learns_durations: self.profile.usual_processing.is_none(),
            visit_timeout: options.timeout.unwrap_or(self.profile.timeout),
            patience: self.profile.limits.patience,
            scan_after: options.scan_after,
            download: options.download.into(),
            redeem_spent_tokens: options.redeem_spent,
            max_connections: options.connections as usize,
            max_tokens: options.max_tokens,
            seed: options.world.seed.unwrap_or_else(draw_random_seed),
        }
    }

    /// Stops the embedded sandbox, if there is one.
    pub(super) async fn stop_embedded_sandbox(self) {
        if let Some(server) = self.embedded_sandbox {
            server.shut_down_server().await;
        }
    }
}

/// A seed that differs from run to run. The report names it, so that the run can be repeated.
fn draw_random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // Below 2^53, so that every JSON reader keeps it.
    RandomState::new().hash_one(0) >> 11
}
