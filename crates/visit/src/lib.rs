//! A visit as a pure state machine, and the polling policy: no clock, no HTTP, no disk, no tokio.

pub mod polling;
pub mod time;

pub use time::Moment;
