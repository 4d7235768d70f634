//! The writing side: bodies as a Copresence backend sends them, for the sandbox.
//!
//! Kept apart from the reading types, so that a wrong name here cannot agree with itself there: both are held
//! to the same golden JSON.

use crate::progress::Progress;
use serde::Serialize;

/// The body of `POST /generateExportToken`.
#[derive(Debug, Clone, Serialize)]
pub struct GenerateBody {
    /// The Export Token.
    pub token: String,
}

/// The body of the (assumed) login.
#[derive(Debug, Clone, Serialize)]
pub struct LoginBody {
    /// The session token.
    #[serde(rename = "sessionToken")]
    pub session_token: String,
}

/// The body of `GET /redeemExportToken`, status 200: one of `payload_complete` and `payload_incomplete`.
#[derive(Debug, Clone, Serialize)]
pub struct RedeemBody {
    /// "Indicates the status of the avatar."
    pub avatar_ready: bool,
    /// Present when ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_complete: Option<Vec<ExportBody>>,
    /// Present when not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_incomplete: Option<IncompleteBody>,
}

impl RedeemBody {
    /// "Contains download URLs."
    pub fn ready(exports: Vec<ExportBody>) -> Self {
        Self { avatar_ready: true, payload_complete: Some(exports), payload_incomplete: None }
    }

    /// "Contains information about the completion progress of the avatar."
    pub fn not_ready(progress: &Progress) -> Self {
        let incomplete = IncompleteBody {
            completion_progress: progress.completion_on_wire(),
            completion_status: progress.status.as_str().to_owned(),
            queue_position: progress.queue_on_wire(),
        };
        Self { avatar_ready: false, payload_complete: None, payload_incomplete: Some(incomplete) }
    }
}

/// One entry of `payload_complete`.
#[derive(Debug, Clone, Serialize)]
pub struct ExportBody {
    /// "One-time download URL of avatar asset."
    #[serde(rename = "download_URL")]
    pub download_url: String,
    /// "Type of avatar asset, usually indicating file extension."
    pub export_type: String,
}

/// `payload_incomplete`.
#[derive(Debug, Clone, Serialize)]
pub struct IncompleteBody {
    /// 0 to 100, or −1.
    pub completion_progress: i64,
    /// One of the four.
    pub completion_status: String,
    /// A place, or −1.
    pub queue_position: i64,
}

/// An error's body, assumed to be Parse Server's form.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorReply {
    /// A number for programs.
    pub code: i64,
    /// A sentence for people.
    pub error: String,
}
