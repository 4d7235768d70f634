//! The endpoints for testers: `/sandbox/…`.

use super::error::{Fresh, INVALID_JSON, Refused};
use crate::clock::{ClockMove, ClockState};
use crate::faults::{self, Fault, FaultState, FaultsError};
use crate::openapi::ErrorSchema;
use crate::requests::RequestLine;
use crate::sandbox::{Sandbox, SandboxState};
use crate::scenario::{CATALOGUE, Making, Scenario};
use crate::world::avatar::AvatarChoice;
use crate::world::state::TokenState;
use crate::world::{AssociateError, Force, ForceError};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Sandbox> {
    OpenApiRouter::new()
        .routes(routes!(get_state))
        .routes(routes!(associate_avatar))
        .routes(routes!(expire_token))
        .routes(routes!(fail_avatar))
        .routes(routes!(complete_avatar))
        .routes(routes!(move_clock))
        .routes(routes!(list_requests, clear_requests))
        .routes(routes!(list_faults, set_faults, clear_faults))
        .routes(routes!(list_scenarios))
}

/// The body of `associate`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Association {
    /// `new`, or the id of an existing avatar.
    #[schema(value_type = String, example = "new")]
    avatar: AvatarChoice,
    /// The token's new scenario. Omitted: it keeps its own.
    #[serde(default)]
    scenario: Option<Scenario>,
}

/// A row of the catalogue of scenarios.
#[derive(Serialize, ToSchema)]
struct ScenarioRow {
    /// Its name.
    name: Scenario,
    /// What happens, in one sentence.
    does: &'static str,
    /// Lifetime of its tokens, in milliseconds.
    token_life_ms: u64,
    /// Milliseconds from association to the end with a new avatar: minimum and maximum, at speed 1.
    new_ms: [u64; 2],
    /// The same with an existing avatar.
    existing_ms: [u64; 2],
    /// Whether auto-play scans the code.
    scanned: bool,
}

/// Get all tokens, the scenario and the clock
#[utoipa::path(get, path = "/sandbox/state", tag = "tester", operation_id = "state", responses((status = 200, description = "The state", body = SandboxState)))]
async fn get_state(State(sandbox): State<Sandbox>) -> Fresh<SandboxState> {
    Fresh(sandbox.state())
}

/// Play the phone: associate an avatar with a token
#[utoipa::path(
    post, path = "/sandbox/tokens/{token}/associate", tag = "tester", operation_id = "associate",
    params(("token" = String, Path, description = "The Export Token")),
    request_body = Association,
    responses(
        (status = 200, description = "Associated", body = TokenState),
        (status = 400, description = "The body, avatar or scenario is invalid", body = ErrorSchema),
        (status = 404, description = "No such token", body = ErrorSchema),
        (status = 409, description = "The token already has an avatar, or is no longer active", body = ErrorSchema),
    )
)]
async fn associate_avatar(
    State(sandbox): State<Sandbox>,
    Path(token): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Fresh<TokenState>, Refused> {
    let association: Association = serde_json::from_slice(&body?).map_err(Refused::bad_json)?;
    sandbox.associate(&token, &association.avatar, association.scenario)?;
    shown(&sandbox, &token)
}

/// Expire a token now
#[utoipa::path(
    post, path = "/sandbox/tokens/{token}/expire", tag = "tester", operation_id = "expire",
    params(("token" = String, Path, description = "The Export Token")),
    responses(
        (status = 200, description = "Expired", body = TokenState),
        (status = 404, description = "No such token", body = ErrorSchema),
        (status = 409, description = "The token is no longer active", body = ErrorSchema),
    )
)]
async fn expire_token(
    State(sandbox): State<Sandbox>,
    Path(token): Path<String>,
) -> Result<Fresh<TokenState>, Refused> {
    sandbox.force(&token, Force::Expire)?;
    shown(&sandbox, &token)
}

/// Make the avatar fail now
#[utoipa::path(
    post, path = "/sandbox/tokens/{token}/fail", tag = "tester", operation_id = "fail",
    params(("token" = String, Path, description = "The Export Token")),
    responses(
        (status = 200, description = "Failed", body = TokenState),
        (status = 404, description = "No such token", body = ErrorSchema),
        (status = 409, description = "The token has no avatar, or is no longer active", body = ErrorSchema),
    )
)]
async fn fail_avatar(
    State(sandbox): State<Sandbox>,
    Path(token): Path<String>,
) -> Result<Fresh<TokenState>, Refused> {
    sandbox.force(&token, Force::Fail)?;
    shown(&sandbox, &token)
}

/// Make the avatar ready now
#[utoipa::path(
    post, path = "/sandbox/tokens/{token}/complete", tag = "tester", operation_id = "complete",
    params(("token" = String, Path, description = "The Export Token")),
    responses(
        (status = 200, description = "Ready", body = TokenState),
        (status = 404, description = "No such token", body = ErrorSchema),
        (status = 409, description = "The token has no avatar, or is no longer active", body = ErrorSchema),
    )
)]
async fn complete_avatar(
    State(sandbox): State<Sandbox>,
    Path(token): Path<String>,
) -> Result<Fresh<TokenState>, Refused> {
    sandbox.force(&token, Force::Complete)?;
    shown(&sandbox, &token)
}

/// Advance, speed up or pause the virtual clock
#[utoipa::path(
    post, path = "/sandbox/clock", tag = "tester", operation_id = "clock",
    request_body = ClockMove,
    responses(
        (status = 200, description = "The new state of the clock", body = ClockState),
        (status = 400, description = "The change is invalid", body = ErrorSchema),
    )
)]
async fn move_clock(
    State(sandbox): State<Sandbox>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Fresh<ClockState>, Refused> {
    let change: ClockMove = serde_json::from_slice(&body?).map_err(Refused::bad_json)?;
    sandbox.move_clock(&change).map(Fresh).map_err(Refused::bad_json)
}

/// List the logged requests, oldest first, credentials masked
#[utoipa::path(get, path = "/sandbox/requests", tag = "tester", operation_id = "requests", responses((status = 200, description = "The logged requests", body = Vec<RequestLine>)))]
async fn list_requests(State(sandbox): State<Sandbox>) -> Fresh<Vec<RequestLine>> {
    Fresh(sandbox.log().lines())
}

/// Clear the request log
#[utoipa::path(delete, path = "/sandbox/requests", tag = "tester", operation_id = "forget_requests", responses((status = 204, description = "Cleared")))]
async fn clear_requests(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.log().clear();
    StatusCode::NO_CONTENT
}

/// List the active faults and their counts
///
/// A fault is `{"on":"redeem","nth":[1,3],"do":{"status":{"code":503}}}`. `copresence sandbox --list-faults` lists the
/// values of `do`.
#[utoipa::path(get, path = "/sandbox/faults", tag = "tester", responses((status = 200, description = "The list", body = Vec<FaultState>)))]
async fn list_faults(State(sandbox): State<Sandbox>) -> Fresh<Vec<FaultState>> {
    Fresh(sandbox.faults())
}

/// Replace the list of faults
///
/// All counts restart at 0. `nth` counts the requests that match the fault, from 1.
#[utoipa::path(
    put, path = "/sandbox/faults", tag = "tester",
    request_body = Vec<Fault>,
    responses(
        (status = 200, description = "The new list", body = Vec<FaultState>),
        (status = 400, description = "The list is invalid; the error says where", body = ErrorSchema),
        (status = 413, description = "The list is too large", body = ErrorSchema),
    )
)]
async fn set_faults(
    State(sandbox): State<Sandbox>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Fresh<Vec<FaultState>>, Refused> {
    let list = faults::read(&body?).map_err(|error| unfit(&error))?;
    sandbox.set_faults(list).map_err(|error| unfit(&error))?;
    Ok(Fresh(sandbox.faults()))
}

/// Remove all faults
#[utoipa::path(delete, path = "/sandbox/faults", tag = "tester", operation_id = "end_faults", responses((status = 204, description = "Removed")))]
async fn clear_faults(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.end_faults();
    StatusCode::NO_CONTENT
}

/// List the scenarios
#[utoipa::path(get, path = "/sandbox/scenarios", tag = "tester", operation_id = "scenarios", responses((status = 200, description = "The catalogue", body = Vec<ScenarioRow>)))]
async fn list_scenarios() -> Fresh<Vec<ScenarioRow>> {
    let range = |making: &Making| {
        let (shortest, longest) = making.total();
        [crate::clock::millis(shortest), crate::clock::millis(longest)]
    };
    let row = |entry: &crate::scenario::Entry| ScenarioRow {
        name: entry.scenario,
        does: entry.does,
        token_life_ms: crate::clock::millis(entry.token_life),
        new_ms: range(&entry.new),
        existing_ms: range(&entry.existing),
        scanned: entry.scanned,
    };
    Fresh(CATALOGUE.iter().map(row).collect())
}

fn unfit(error: &FaultsError) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, INVALID_JSON, error.to_string())
}

fn shown(sandbox: &Sandbox, token: &str) -> Result<Fresh<TokenState>, Refused> {
    let state = sandbox.token_state(token);
    state.map(Fresh).ok_or_else(|| Refused::not_found(&ForceError::NoSuchToken))
}

impl From<AssociateError> for Refused {
    fn from(error: AssociateError) -> Self {
        match error {
            AssociateError::NoSuchToken => Self::not_found(&error),
            AssociateError::HasAvatar | AssociateError::Over => Self::conflict(&error),
            AssociateError::NoSuchAvatar(_) => Self::bad_json(error),
        }
    }
}

impl From<ForceError> for Refused {
    fn from(error: ForceError) -> Self {
        match error {
            ForceError::NoSuchToken => Self::not_found(&error),
            ForceError::Over | ForceError::NoAvatar => Self::conflict(&error),
        }
    }
}
