//! Checks of a backend, Copresence's own, a sandbox, or a partner's relay, with evidence and reports.
//!
//! [`requirement`] holds what can be kept or broken, sentence by sentence. [`act`]s are done to the backend once
//! each, within a budget; what they bring is [`seen`]. [`check`]s are small judgements over that, so that one
//! expensive avatar serves many of them and none depends on another's verdict. A [`report::Report`] says what
//! came of it.

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
/// What hosts need of the layers below to name a backend.
pub use protocol::{ApiKey, SessionToken};
