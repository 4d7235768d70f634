//! Typed endpoints of the Copresence Integration API over HTTP: login, generate, redeem, download.
//!
//! Every call has these guarantees:
//!
//! - **One call sends one request.** API calls follow no redirects, requests are not retried, and connections are not
//!   reused. Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is
//!   invalidated". A hidden second redeem request would lose the avatar.
//! - **An error says what may have happened.** [`CallError::NeverSent`]: the backend did nothing.
//!   [`CallError::ResponseLost`]: the backend may have processed the request. [`CallError::ErrorResponse`]: the backend
//!   responded with an error.
//! - **Secrets do not leave this crate.** Errors, `Debug` output and recorded [`Exchange`]s contain none. Exchanges are
//!   redacted when they are captured.
//!
//! Proxies are read from the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) or the system, and are
//! not used for loopback addresses. Root certificates are read from the system, or from `SSL_CERT_FILE` and
//! `SSL_CERT_DIR`.

mod answer;
mod api;
mod backend;
mod capture;
mod coding;
pub mod curl;
mod download;
mod endpoint_url;
mod error;
pub mod exchange;
pub mod har;
mod limits;
mod lost;
mod plan;
pub mod probe;
mod raw_exchange;
pub mod redact;
mod setup_error;
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
pub use limits::MAX_BODY;
pub use lost::{Cause, CauseKind, Evidence, Loss};
pub use redact::Redactor;
pub use setup_error::SetupError;
pub use trust::install_crypto;
