//! What the panel asks of the embedded sandbox. The application does not know the sandbox: a host that embeds one
//! says how.

use crate::setup::Target;
use crate::view::panel::SandboxView;

/// An embedded sandbox, started when it is first wanted. Its calls need a tokio runtime around them. What a call
/// refuses it says in words for an operator.
pub trait Simulator: Send + Sync {
    /// The backend that it is, and where phones on this network reach it; started when it is not yet.
    fn start(&self) -> Result<Simulated, String>;

    /// Whether phones on this network reach it from now on. Visits that go on are left in peace.
    fn let_phones_in(&self, on: bool) -> Result<Simulated, String>;

    /// What can be set of it, once it was started.
    fn view(&self) -> Option<SandboxView>;

    /// What happens to the tokens that are made from now on.
    fn set_scenario(&self, name: &str) -> Result<(), String>;

    /// How fast its time passes: simulated seconds a real second.
    fn set_speed(&self, speed: f64) -> Result<(), String>;

    /// Puts a fault on, beside those that are on, for every request or for the next alone.
    fn add_fault(&self, on: &str, fault: &str, every: bool) -> Result<(), String>;

    /// Takes all faults off.
    fn end_faults(&self);
}

/// The embedded sandbox as a backend.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// How it is reached from this machine, and what its codes say.
    pub target: Target,
    /// The address that phones on this network reach it at, once they are let in.
    pub phones_at: Option<String>,
}
