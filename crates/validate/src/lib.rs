//! Checks of a backend (Copresence's API, a sandbox or a partner's relay), with evidence and reports.
//!
//! - [`requirement`] is the table of everything that a backend can fulfil or violate, one sentence a row.
//! - [`act`] lists what a run does to the backend, each act once and within a budget. The requests and responses are
//!   collected in [`observations`].
//! - [`check`] and [`checks`] judge these observations. Many checks share one avatar, and no check depends on the
//!   verdict of another.
//! - [`report`] turns the results into JSON, HTML, `JUnit` XML and an HTTP Archive.

pub mod act;
pub mod check;
pub mod checks;
pub mod content;
pub mod hand;
mod latency;
pub mod live;
pub mod plan;
mod points;
pub mod report;
pub mod requirement;
pub mod rules;
pub mod run;
pub mod seen;
mod target;
pub mod tester;

pub use act::Act;
pub use check::{Check, Verdict};
pub use hand::{Hand, Invitation, People, Skip};
pub use plan::Plan;
pub use report::Report;
pub use requirement::Level;
pub use run::{Event, Run, RunError};
pub use target::{Options, Target, is_this_machine};
pub use tester::Tester;

pub use client::{Backend, Credentials, Exchange, LoginRoute, RedeemRoute, TimeOuts, TokenSource};
/// Re-exported so that hosts can name a backend's credentials.
pub use protocol::{ApiKey, SessionToken};
