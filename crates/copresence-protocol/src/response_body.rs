//! Response bodies as a Copresence backend sends them, for the sandbox.
//!
//! These types are separate from the parsing types, so that a wrong field name cannot go unnoticed. Both are tested
//! against the same golden JSON.

use crate::progress::Progress;
use serde::Serialize;

/// The body of `POST /generateExportToken`.
#[derive(Debug, Clone, Serialize)]
pub struct GenerateBody {
    /// The Export Token.
    pub token: String,
}

/// The body of the login response, whose form is assumed.
#[derive(Debug, Clone, Serialize)]
pub struct LoginResponseBody {
    /// The session token.
    #[serde(rename = "sessionToken")]
    pub session_token: String,
}

/// The body of `GET /redeemExportToken` with status 200. Has either `payload_complete` or `payload_incomplete`.
#[derive(Debug, Clone, Serialize)]
pub struct RedeemBody {
    /// Spec: "Indicates the status of the avatar."
    pub avatar_ready: bool,
    /// Present if the avatar is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_complete: Option<Vec<CompletePayloadEntry>>,
    /// Present if the avatar is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_incomplete: Option<IncompletePayload>,
}

impl RedeemBody {
    /// The body of an avatar that is ready. Spec: "Contains download URLs."
    pub fn ready_redeem_body(exports: Vec<CompletePayloadEntry>) -> Self {
        Self { avatar_ready: true, payload_complete: Some(exports), payload_incomplete: None }
    }

    /// The body of an avatar that is not ready. Spec: "Contains information about the completion progress of the
    /// avatar."
    pub fn not_ready_redeem_body(progress: &Progress) -> Self {
        let incomplete = IncompletePayload {
            completion_progress: progress.completion_wire_value(),
            completion_status: progress.status.as_str().to_owned(),
            queue_position: progress.queue_position_wire_value(),
        };
        Self { avatar_ready: false, payload_complete: None, payload_incomplete: Some(incomplete) }
    }
}

/// One exported file of an avatar that is ready: an entry of `payload_complete` in a redeem response.
#[derive(Debug, Clone, Serialize)]
pub struct CompletePayloadEntry {
    /// Spec: "One-time download URL of avatar asset."
    #[serde(rename = "download_URL")]
    pub download_url: String,
    /// Spec: "Type of avatar asset, usually indicating file extension."
    pub export_type: String,
}

/// The progress of an avatar that is not ready: the object `payload_incomplete` of a redeem response.
#[derive(Debug, Clone, Serialize)]
pub struct IncompletePayload {
    /// `0..=100`, or −1.
    pub completion_progress: i64,
    /// One of the four statuses of the specification.
    pub completion_status: String,
    /// The position in the queue, or −1.
    pub queue_position: i64,
}

/// The body of an error response, assumed to have the form that Parse Server uses.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorResponseBody {
    /// Error number for programs.
    pub code: i64,
    /// Error message for people.
    pub error: String,
}
