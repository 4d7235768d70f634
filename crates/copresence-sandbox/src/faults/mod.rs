//! Faults: errors of a backend, a proxy or a network, described as data.
//!
//! A fault names the endpoint, which of its requests it applies to, and its effect:
//!
//! ```
//! use copresence_sandbox::{Sandbox, SandboxSettings, faults};
//!
//! let sandbox = Sandbox::new(SandboxSettings::default())?;
//! let list = br#"[
//!     {"on": "redeem", "nth": [1, 3], "do": {"status": {"code": 503, "retry_after": 2}}},
//!     {"on": "file", "export_type": "glb", "nth": 1, "do": {"cut_body": {"after": 4096}}},
//!     {"on": "generate", "nth": {"rate": 0.1}, "do": "reset"}
//! ]"#;
//! sandbox.set_faults(faults::parse_and_check_faults(list)?)?;
//! assert_eq!(sandbox.active_faults_with_counts()[0].struck, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - `nth` counts the requests that the fault matches (its endpoint, and `ready`, `file`, `export_type` and `ranged` where
//!   given) since the list was set, from 1. Each fault has its own count. A request with wrong credentials counts, a
//!   `HEAD` does not.
//! - All faults that match a request apply, in the order of the list (for example `delay`, then `status`). The first fault
//!   that produces a response keeps the request from the backend. Faults that change responses change this one, too.
//! - Random values (`rate`, log-normal delays, garbage, …) depend only on the sandbox's seed, the position in the list and
//!   the number of the request. The same sequence of requests meets the same faults again.
//! - Times are real time, not the sandbox's virtual time, because faults test the client's timeouts.
//!
//! [`CATALOGUE`] lists all effects.

mod catalogue;
#[cfg(test)]
mod changed_list_tests;
mod defaults;
mod fault;
mod fault_set;
mod json_shape;

pub use catalogue::{CATALOGUE, FaultEntry, FaultParameter, FaultTiming};
pub use defaults::catalogue_fault_for_endpoint;
pub use fault::{BodyCutMethod, Effect, Endpoint, Fault, FieldReplacement, NthRequests, RetryAfter};
pub use fault_set::{FaultListError, FaultWithCounts, MAX_FAULTS, parse_and_check_faults};

pub(crate) use fault::RequestAttributes;
pub(crate) use fault_set::{FaultSet, SelectedFault, draw_delay_ms};
pub(crate) use json_shape::change_json_field;
