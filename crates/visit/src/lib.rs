//! A visit as a pure state machine, and the polling policy: no clock, no HTTP, no disk, no tokio.
//!
//! A *visit* is one person's pass at the kiosk, from the first button to the saved avatar. [`step`] takes a
//! visit, what happened, and the time, and gives the visit back with what is to be done. The machine never
//! holds a token or a URL; whoever performs its effects does.

pub mod event;
pub mod machine;
pub mod outcome;
pub mod polling;
pub mod time;

pub use event::{Effect, Event, Fault, FaultKind, Notice, RedeemResult};
pub use machine::{Plan, State, Visit, step};
pub use outcome::Outcome;
pub use polling::Pace;
pub use time::Moment;
