//! Wire types of the Copresence Integration API: one resource per file, no I/O.
//!
//! Parsing is strict about what the specification requires and tolerant of what it does not mention: additional
//! fields, nulls in parts that a state does not use, unknown statuses and export types. A violation is reported as a
//! [`SpecViolation`]. The parsing types ([`RedeemResponse`], …) and the serializing types ([`response_body`]) are
//! both tested against golden JSON in `tests/golden.rs`, which is written from the text of the specification.

pub mod error_body;
pub mod export;
pub mod export_token;
mod fragment;
pub mod generate;
pub mod headers;
pub mod link;
pub mod login;
pub mod mismatch;
pub mod progress;
pub mod redeem;
pub mod secret;
pub mod status;
pub mod wire;

pub use error_body::ErrorBody;
pub use export::{DownloadUrl, Export, ExportType};
pub use export_token::ExportToken;
pub use generate::GenerateAnswer;
pub use link::{LinkError, LinkTemplate};
pub use login::LoginAnswer;
pub use mismatch::Mismatch;
pub use progress::{Percent, Progress, QueuePosition};
pub use redeem::{Delivery, RedeemAnswer};
pub use secret::{ApiKey, PartnerKey, Password, SessionToken, Username};
pub use status::CompletionStatus;
