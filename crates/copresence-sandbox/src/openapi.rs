//! Schemas of the vendor API's bodies, for the OpenAPI document. A test compares them with real responses.

#![expect(dead_code, reason = "these types are read by the schema generator alone")]

use serde::Deserialize;
use utoipa::ToSchema;

/// The body of a `/login` request.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LoginRequest {
    /// The business account's user name.
    pub(crate) username: String,
    /// The business account's password.
    #[schema(format = Password)]
    pub(crate) password: String,
}

/// The body of a `/login` response.
#[derive(ToSchema)]
#[schema(as = Login)]
pub(crate) struct LoginResponseSchema {
    /// "A temporary string to be used as header in further API requests".
    #[schema(rename = "sessionToken", example = "r:0123456789abcdef")]
    session_token: String,
}

/// The body of a `/generateExportToken` response.
#[derive(ToSchema)]
#[schema(as = ExportToken)]
pub(crate) struct GenerateResponseSchema {
    /// "Unique string identifier for an Export Token in the Copresence backend."
    token: String,
}

/// The body of a `/redeemExportToken` response: `payload_complete` if ready, else `payload_incomplete`.
#[derive(ToSchema)]
#[schema(as = Redeemed)]
pub(crate) struct RedeemResponseSchema {
    /// "A boolean flag inside the response indicates the status of the avatar."
    avatar_ready: bool,
    /// "Contains download URLs."
    #[schema(nullable = false)]
    payload_complete: Option<Vec<ExportedFileSchema>>,
    /// "Contains information about the completion progress of the avatar."
    #[schema(nullable = false)]
    payload_incomplete: Option<AvatarProgressSchema>,
}

/// One exported file.
#[derive(ToSchema)]
#[schema(as = Export)]
pub(crate) struct ExportedFileSchema {
    /// "One-time download URL of avatar asset."
    #[schema(rename = "download_URL")]
    download_url: String,
    /// "Type of avatar asset, usually indicating file extension."
    #[schema(example = "glb")]
    export_type: String,
}

/// The progress of an avatar.
#[derive(ToSchema)]
#[schema(as = Incomplete)]
pub(crate) struct AvatarProgressSchema {
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

/// The body of every error response.
#[derive(ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorResponseSchema {
    /// The error code.
    code: i64,
    /// A message for people.
    error: String,
}
