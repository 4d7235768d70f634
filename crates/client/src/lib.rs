//! Typed endpoints of the Copresence Integration API over HTTP: log in, generate, redeem, open a download.
//!
//! Three promises hold for every call:
//!
//! - **One request is one request.** No redirect is followed on an API call, nothing is sent again behind the
//!   caller's back, no connection is used twice. "Once the Copresence backend provides a response with download
//!   URLs, the provided Export Token is invalidated": a silent second redeem would lose an avatar.
//! - **A failure says what may have happened.** [`CallError::NeverSent`], [`CallError::Unanswered`] (it may have
//!   been carried out) and [`CallError::Answered`] are three cases, and only the first is harmless for certain.
//! - **Secrets stay here.** Errors, `Debug` output and recorded [`Exchange`]s carry none; redaction happens at
//!   capture.
//!
//! Proxies come from the environment or the system (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`);
//! addresses of this machine are never asked of a proxy. Root certificates come from the system, or from
//! `SSL_CERT_FILE` and `SSL_CERT_DIR`.

mod answer;
mod api;
mod backend;
mod capture;
mod coding;
pub mod curl;
mod download;
mod error;
pub mod exchange;
pub mod har;
mod lost;
mod plan;
pub mod probe;
pub mod redact;
mod transport;
mod trust;

pub use answer::{Answered, Class, Refusal};
pub use api::Api;
pub use backend::{
    Backend, Credentials, LoginRoute, PARTNER_KEY_PLACEHOLDER, PartnerSource, RedeemRoute, TimeOuts,
    TokenSource,
};
pub use download::{Download, DownloadError, Resume};
pub use error::{BrokenAnswer, CallError};
pub use exchange::{Call, Ending, Exchange, NoRecorder, Recorder};
pub use lost::{Cause, CauseKind, Evidence, Loss};
pub use plan::SetupError;
pub use redact::Redactor;
pub use transport::MAX_BODY;
pub use trust::install_crypto;
