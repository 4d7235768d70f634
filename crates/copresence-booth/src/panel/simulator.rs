//! What the panel needs from the embedded sandbox. The host that embeds one implements it, so that this crate does not
//! depend on the sandbox.

use crate::view::panel::SandboxControlsView;
use copresence_engine::setup::ProfileOrSandboxBackend;

/// An embedded sandbox, started on first use. Its methods need a tokio runtime. Errors are messages for the operator.
pub trait EmbeddedSandboxControl: Send + Sync {
    /// Starts the sandbox if it is not running, and returns it as a backend.
    ///
    /// # Errors
    /// It cannot start.
    fn start_sandbox_if_needed(&self) -> Result<EmbeddedSandboxBackend, String>;

    /// Allows or forbids phones on this network to reach it. Visits in progress are not affected.
    ///
    /// # Errors
    /// It cannot start or listen, or this machine has no network address.
    fn set_sandbox_phone_access(&self, on: bool) -> Result<EmbeddedSandboxBackend, String>;

    /// Records a new avatar for the token in this link, as the phone page behind the link does.
    ///
    /// # Errors
    /// The link has no token, the token is unknown, expired or has an avatar already, or the sandbox was not started.
    fn record_avatar_for_link_token(&self, link: &str) -> Result<(), String>;

    /// Its controls; `None` before it was started.
    fn sandbox_controls_view(&self) -> Option<SandboxControlsView>;

    /// Sets the scenario for new tokens.
    ///
    /// # Errors
    /// The name is unknown, or the sandbox was not started.
    fn set_scenario(&self, name: &str) -> Result<(), String>;

    /// Sets the speed of its clock, in simulated seconds per real second.
    ///
    /// # Errors
    /// The speed is out of range, or the sandbox was not started.
    fn set_clock_speed(&self, speed: f64) -> Result<(), String>;

    /// Adds a fault for every request or for the next one, beside the active ones.
    ///
    /// # Errors
    /// The endpoint or the fault is unknown, or the sandbox was not started.
    fn add_fault(&self, on: &str, fault: &str, every: bool) -> Result<(), String>;

    /// Removes all faults.
    fn clear_faults(&self);
}

/// The embedded sandbox as a backend.
#[derive(Debug, Clone)]
pub struct EmbeddedSandboxBackend {
    /// Its URL on this machine, its link template and its credentials.
    pub target: ProfileOrSandboxBackend,
    /// URL under which phones on this network reach it, if they are allowed.
    pub phone_url: Option<String>,
}
