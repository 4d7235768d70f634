//! Faults: what a backend, a proxy or a network does wrong, as data.
//!
//! A fault says on which endpoint it strikes, at which of its requests, and what it does:
//!
//! ```
//! use sandbox::{Sandbox, Settings, faults};
//!
//! let sandbox = Sandbox::new(Settings::default())?;
//! let list = br#"[
//!     {"on": "redeem", "nth": [1, 3], "do": {"status": {"code": 503, "retry_after": 2}}},
//!     {"on": "file", "export_type": "glb", "nth": 1, "do": {"cut_body": {"after": 4096}}},
//!     {"on": "generate", "nth": {"rate": 0.1}, "do": "reset"}
//! ]"#;
//! sandbox.set_faults(faults::read(list)?)?;
//! assert_eq!(sandbox.faults()[0].struck, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - `nth` counts the requests that the fault is for (its endpoint, and its `ready`, `file`, `export_type`
//!   and `ranged` where they are given) since the list was set, from 1. Each fault counts for itself; a request with wrong credentials
//!   counts too, a `HEAD` does not.
//! - Every fault that a request meets strikes it, in the order of the list: `delay` and then `status`, say. The first
//!   that answers in the backend's place ends the way to the backend; what changes answers changes that one too.
//! - What is drawn (`rate`, log-normal delays, garbage, …) comes from the sandbox's seed, the fault's place in the list
//!   and the request's number, and from nothing else: the same requests meet the same faults again.
//! - Times are real, not the sandbox's own: faults try the asker's patience.
//!
//! [`CATALOGUE`] lists what a fault can do.

mod catalogue;
mod fault;
mod set;
mod shape;
mod usual;

pub use catalogue::{CATALOGUE, Entry, Happens, Parameter};
pub use fault::{Becomes, CutBy, Effect, Endpoint, Fault, Nth, RetryAfter};
pub use set::{FaultState, FaultsError, MAX_FAULTS, read};
pub use usual::usual;

pub(crate) use fault::Asked;
pub(crate) use set::{FaultSet, Strike, delay_ms};
pub(crate) use shape::{deform, number_in};
