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

mod address_order;
mod api_client;
mod backend;
mod capture;
mod content_decoding;
mod content_encoding;
mod content_range;
pub mod curl;
mod deadline;
mod download;
mod download_error;
mod download_target;
mod endpoint_url;
mod error;
pub mod exchange;
mod file_host;
mod file_server_error;
mod gate;
pub mod har;
mod invisible_character;
mod json_object_end;
mod limits;
mod opened_download;
mod possible_file;
pub mod probe;
mod proxy;
mod raw_exchange;
pub mod redact;
mod redirect_cookies;
mod request_plan;
mod response;
mod response_head;
mod secret_aliases;
mod setup_error;
#[cfg(feature = "simulation")]
pub mod simulation;
mod stated_digest;
mod tls_roots;
mod transport;
mod transport_error;

pub use api_client::ApiClient;
pub use backend::{
    BackendWithRoutes, Credentials, DownloadUrlRuleExceptions, LoginRoute, PARTNER_KEY_PLACEHOLDER, PartnerTokenSource,
    RedeemEndpoint, Timeouts, TokenSource,
};
pub use content_decoding::{DecodingReader, open_decoding_reader, split_content_encodings};
pub use download_error::{DownloadError, DownloadErrorKind};
pub use download_target::explain_refused_download_url;
pub use error::{CallError, InvalidResponse};
pub use exchange::{CallKind, Exchange, ExchangeOutcome, ExchangeRecorder, NoRecorder};
pub use file_host::{explain_misconfigured_public_url, has_html_escaped_query};
pub use file_server_error::{FileServerError, UrlFateAfterServerError};
pub use gate::{NetworkGate, NetworkGateKind};
pub use invisible_character::is_invisible_character;
pub use limits::{MAX_BODY, MAX_REDEEM_BODY};
pub use opened_download::{
    MAX_BYTES_BEFORE_RANGE, OpenedDownload, PATIENCE_FACTOR_WITHOUT_RANGES, ResumePoint, is_weak_tag,
};
pub use proxy::{ProxyInUse, find_proxy_for_url};
pub use redact::Redactor;
pub use redirect_cookies::RedirectCookies;
pub use response::{ApiResponse, ErrorClass, ErrorResponse};
pub use secret_aliases::SecretAliases;
pub use setup_error::SetupError;
pub use stated_digest::StatedDigest;
pub use tls_roots::install_crypto_provider;
pub use transport_error::{ConnectErrorKind, LostResponse, RequestNotSentError, ResponseLossKind};
