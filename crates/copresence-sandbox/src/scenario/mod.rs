//! Scenarios: what happens to a token. Each is a TOML file, which `docs/sandbox.md` describes; the built-in ones too.
//!
//! ```
//! use copresence_sandbox::{Sandbox, SandboxSettings, Scenario};
//!
//! let scenario = Scenario::parse_scenario_file(
//!     r#"
//!     name = "short"
//!     about = "Ready after two seconds."
//!
//!     [[steps]]
//!     status = "processing"
//!     progress = [0, 99]
//!     lasts = "2s"
//!     "#,
//! )?;
//! let sandbox = Sandbox::new(SandboxSettings { scenario, ..SandboxSettings::default() })?;
//! # drop(sandbox);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod built_in;
mod definition;
mod file;
mod step;

pub use built_in::{BuiltInScenarioName, UnknownScenarioError, built_in_scenarios};
pub use definition::Scenario;
pub(crate) use definition::URL_LIFETIME;
pub use file::ScenarioFileError;

pub(crate) use built_in::{copy_scenarios_adding_or_replacing, find_scenario_by_name};
pub(crate) use definition::DeliveredFiles;
pub(crate) use step::{NumberRange, ScenarioStep, TimeRange};
