//! Checks of a backend (Copresence's API, a sandbox or a partner's relay), with evidence and reports.
//!
//! - [`requirement`] is the table of everything that a backend can fulfil or violate, one sentence a row.
//! - [`act`] lists what a run does to the backend, each act once and within a budget. The requests and responses are
//!   collected in [`observations`].
//! - [`check`] and [`checks`] judge these observations. Many checks share one avatar, and no check depends on the
//!   verdict of another.
//! - [`report`] turns the results into JSON, HTML, `JUnit` XML, SARIF, Markdown and an HTTP Archive.
//! - [`ExpectedFailures`] lists the checks that are known to fail.
//! - [`evidence`] is what a run observed, without secrets, so that it can be judged again. A [`passport`] is a signed
//!   statement of the verdicts with it.

pub mod act;
mod answer;
pub mod check;
mod check_judge;
pub mod checks;
pub mod evidence;
pub mod exchange_requirements;
mod expected_failures;
pub mod file_content;
mod latency;
pub mod observations;
pub mod passport;
pub mod phone_driver;
pub mod report;
pub mod requirement;
mod response_fields;
pub mod run;
pub mod run_controller;
mod run_error;
pub mod run_plan;
pub mod sandbox_control;
mod target;
mod verdict_effect;

pub use act::Act;
pub use check::{Check, Verdict};
pub use expected_failures::{ExpectedFailures, ExpectedFailuresError, FailurePolicy};
pub use phone_driver::{
    InvitationDisplay, InvitationEndWithoutAvatar, InvitationSkipSignal, PhoneDriver, ScanInvitation,
};
pub use report::Report;
pub use requirement::Level;
pub use run::{CheckRun, RunEvent};
pub use run_error::RunError;
pub use run_plan::RunPlanWithCosts;
pub use sandbox_control::SandboxControl;
pub use target::{CheckTarget, RunLimits, is_loopback_url};
pub use verdict_effect::VerdictEffectOnRun;

pub use copresence_client::{
    BackendWithRoutes, Credentials, Exchange, LoginRoute, RedeemEndpoint, Timeouts, TokenSource,
};
/// Re-exported so that hosts can name a backend's credentials.
pub use copresence_protocol::{ApiKey, SessionToken};
