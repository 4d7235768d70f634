//! A visit as a pure state machine, and the polling policy: no clock, no HTTP, no disk, no tokio.
//!
//! A *visit* is one person's use of the kiosk, from the first button to the saved avatar. [`advance_visit_machine`]
//! takes a visit, an event and the time, and returns the visit with the effects to perform. The states own the Export
//! Token and the delivery, and each effect carries what it acts on, so the runner keeps no copy of them.
//!
//! A visit begins with [`Visit::new`], or continues from the journal with [`Visit::restore_visit`]. Both are
//! driven by the same [`advance_visit_machine`]: what a status means is decided here and nowhere else.

pub mod event;
pub mod machine;
pub mod outcome;
pub mod polling;
pub mod time;

pub use event::{
    MachineEffect, MachineEvent, RedeemResult, TokenIssueParameters, TruncatedResponseFiles, VisitNotice,
    VisitStepFailure, VisitStepFailureKind,
};
pub use machine::{
    EarlierRedeemResult, JournaledRedeem, JournaledVisit, RedeemOnceOrUntilReady, StoredResponseWithFiles, Visit,
    VisitPollingPlan, VisitState, advance_visit_machine,
};
pub use outcome::Outcome;
pub use polling::PollingConfig;
pub use time::MillisSinceOrigin;
