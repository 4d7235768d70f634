//! The bodies of the vendor's side as schemas for the OpenAPI document. A test holds them to what is sent.

#![expect(dead_code, reason = "these types are read by the schema generator alone")]

use serde::Deserialize;
use utoipa::ToSchema;

/// What `/login` takes.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LoginRequest {
    /// The business account's user name.
    pub(crate) username: String,
    /// The business account's password.
    #[schema(format = Password)]
    pub(crate) password: String,
}

/// What `/login` answers.
#[derive(ToSchema)]
#[schema(as = Login)]
pub(crate) struct LoginSchema {
    /// "A temporary string to be used as header in further API requests".
    #[schema(rename = "sessionToken", example = "r:0123456789abcdef")]
    session_token: String,
}

/// What `/generateExportToken` answers.
#[derive(ToSchema)]
#[schema(as = ExportToken)]
pub(crate) struct GenerateSchema {
    /// "Unique string identifier for an Export Token in the Copresence backend."
    token: String,
}

/// What `/redeemExportToken` answers: `payload_complete` when ready, else `payload_incomplete`.
#[derive(ToSchema)]
#[schema(as = Redeemed)]
pub(crate) struct RedeemSchema {
    /// "A boolean flag inside the response indicates the status of the avatar."
    avatar_ready: bool,
    /// "Contains download URLs."
    #[schema(nullable = false)]
    payload_complete: Option<Vec<ExportSchema>>,
    /// "Contains information about the completion progress of the avatar."
    #[schema(nullable = false)]
    payload_incomplete: Option<IncompleteSchema>,
}

/// One asset.
#[derive(ToSchema)]
#[schema(as = Export)]
pub(crate) struct ExportSchema {
    /// "One-time download URL of avatar asset."
    #[schema(rename = "download_URL")]
    download_url: String,
    /// "Type of avatar asset, usually indicating file extension."
    #[schema(example = "glb")]
    export_type: String,
}

/// How far an avatar is.
#[derive(ToSchema)]
#[schema(as = Incomplete)]
pub(crate) struct IncompleteSchema {
    /// "The value is between 0 and 100. If an avatar has not been associated, the value is -1."
    #[schema(minimum = -1, maximum = 100)]
    completion_progress: i64,
    /// "Possible values are `no_associated_avatar`, `in_queue`, `processing`, `failed`."
    #[schema(example = "processing")]
    completion_status: String,
    /// "If no avatar has been associated or the avatar is not in the queue, value is -1."
    #[schema(minimum = -1)]
    queue_position: i64,
}

/// Any error.
#[derive(ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorSchema {
    /// A number for programs.
    code: i64,
    /// A sentence for people.
    error: String,
}
