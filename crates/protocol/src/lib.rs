//! The wire of the Copresence Integration API, as types: one resource a file, no I/O.
//!
//! Reading is strict on what the specification promises and tolerant of what it does not mention (extra
//! fields, nulls in parts that a state does not use, unknown statuses and export types). What breaks a
//! promise is a [`Mismatch`]: the rule, and where in the body. The reading side ([`RedeemAnswer`], …) and
//! the writing side ([`wire`]) are pinned by golden JSON in `tests/golden.rs`, written from the
//! specification's words.

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
