//! Wire types of the Copresence Integration API: one resource per file, no I/O.
//!
//! Parsing is strict about what the specification requires and tolerant of what it does not mention: additional
//! fields, nulls in parts that a state does not use, unknown statuses and export types. A violation is reported as a
//! [`SpecViolation`]. The parsing types ([`RedeemResponse`], …) and the serializing types ([`response_body`]) are
//! both tested against golden JSON in `tests/golden.rs`, which is written from the text of the specification.

pub mod completion_status;
mod delivery_limits;
pub mod error_body;
pub mod export;
pub mod export_token;
pub mod generate_response;
pub mod headers;
mod last_resort;
pub mod link;
pub mod login_response;
pub mod progress;
pub mod redeem_response;
pub mod response_body;
pub mod secret;
pub mod spec_violation;
mod truncated_body;
mod truncated_json;
mod unusual_delivery;

pub use completion_status::CompletionStatus;
pub use delivery_limits::{MAX_DOWNLOADED_EXPORTS, shorten_text_of_backend};
pub use error_body::ErrorBody;
pub use export::{DownloadUrl, DownloadableExport, ExportType};
pub use export_token::ExportToken;
pub use generate_response::GenerateResponse;
pub use link::{LinkTemplate, LinkTemplateError};
pub use login_response::LoginResponse;
pub use progress::{Percent, Progress, QueuePosition};
pub use redeem_response::{DeliveredExports, MAX_REDEEM_DELAY, RedeemResponse};
pub use secret::{ApiKey, PartnerKey, Password, SessionToken, Username};
pub use spec_violation::SpecViolation;
pub use truncated_json::{empty_long_json_strings, keep_whole_values_of_truncated_json};
