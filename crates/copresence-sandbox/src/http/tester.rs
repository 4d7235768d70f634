//! The endpoints for testers: `/sandbox/…`.

use super::MAX_BODY_BYTES;
use super::error::{ErrorResponse, INVALID_JSON, NoStoreJson};
use super::request_body::{parse_json_object, receive_body};
use crate::clock::{ClockChange, ClockState};
use crate::faults::{self, Fault, FaultListError, FaultWithCounts};
use crate::openapi::ErrorResponseSchema;
use crate::requests::RequestLine;
use crate::sandbox::{Sandbox, SandboxStateView};
use crate::scenario::{Scenario, UnknownScenarioError};
use crate::world::avatar::AvatarChoice;
use crate::world::state::TesterTokenView;
use crate::world::{AssociateError, ForceTokenStateError, ForcedState};
use axum::Extension;
use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of the tester API within one world.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(get_sandbox_state))
        .routes(routes!(associate_avatar))
        .routes(routes!(expire_token))
        .routes(routes!(fail_avatar))
        .routes(routes!(complete_avatar))
        .routes(routes!(apply_clock_change))
        .routes(routes!(list_logged_requests, clear_request_log))
        .routes(routes!(list_active_faults, set_faults, clear_faults))
        .routes(routes!(list_scenarios))
}

/// The body of `associate`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Association)]
struct AssociateRequest {
    /// `new`, or the id of an existing avatar.
    #[schema(value_type = String, example = "new")]
    avatar: AvatarChoice,
    /// The name of the token's new scenario. Omitted: it keeps its own.
    #[serde(default)]
    #[schema(example = "happy")]
    scenario: Option<String>,
}

/// A row of the catalogue of scenarios.
#[derive(Serialize, ToSchema)]
struct ScenarioRow {
    /// Its name.
    name: String,
    /// What happens, in one sentence.
    does: String,
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
#[utoipa::path(get, path = "/sandbox/state", tag = "tester", operation_id = "state", responses((status = 200, description = "The state", body = SandboxStateView)))]
async fn get_sandbox_state(Extension(sandbox): Extension<Sandbox>) -> NoStoreJson<SandboxStateView> {
    NoStoreJson(sandbox.sandbox_state())
}

/// Play the phone: associate an avatar with a token
#[utoipa::path(
    post, path = "/sandbox/tokens/{token}/associate", tag = "tester", operation_id = "associate",
    params(("token" = String, Path, description = "The Export Token")),
    request_body = AssociateRequest,
    responses(
        (status = 200, description = "Associated", body = TesterTokenView),
        (status = 400, description = "The body, avatar or scenario is invalid", body = ErrorResponseSchema),
        (status = 404, description = "No such token", body = ErrorResponseSchema),
        (status = 409, description = "The token already has an avatar, or is no longer active", body = ErrorResponseSchema),
    )
)]
async fn associate_avatar(
    Extension(sandbox): Extension<Sandbox>,
    Path(token): Path<String>,
    body: Body,
) -> Result<NoStoreJson<TesterTokenView>, ErrorResponse> {
    let body = receive_body(&sandbox, body, MAX_BODY_BYTES).await?;
    let association: AssociateRequest = parse_json_object(&body)?;
    let scenario = association.scenario.map(|name| sandbox.find_scenario(&name)).transpose()?;
    sandbox.associate_avatar(&token, &association.avatar, scenario)?;
    token_view_json(&sandbox, &token)
}

/// Expire a token now
#[utoipa::path(
    post, path = "/sandbox/tokens/{token}/expire", tag = "tester", operation_id = "expire",
    params(("token" = String, Path, description = "The Export Token")),
    responses(
        (status = 200, description = "Expired", body = TesterTokenView),
        (status = 404, description = "No such token", body = ErrorResponseSchema),
        (status = 409, description = "The token is no longer active", body = ErrorResponseSchema),
    )
)]
async fn expire_token(
    Extension(sandbox): Extension<Sandbox>,
    Path(token): Path<String>,
) -> Result<NoStoreJson<TesterTokenView>, ErrorResponse> {
    sandbox.force_token_state(&token, ForcedState::Expire)?;
    token_view_json(&sandbox, &token)
}

/// Make the avatar fail now
#[utoipa::path(
    post, path = "/sandbox/tokens/{token}/fail", tag = "tester", operation_id = "fail",
    params(("token" = String, Path, description = "The Export Token")),
    responses(
        (status = 200, description = "Failed", body = TesterTokenView),
        (status = 404, description = "No such token", body = ErrorResponseSchema),
        (status = 409, description = "The token has no avatar, or is no longer active", body = ErrorResponseSchema),
    )
)]
async fn fail_avatar(
    Extension(sandbox): Extension<Sandbox>,
    Path(token): Path<String>,
) -> Result<NoStoreJson<TesterTokenView>, ErrorResponse> {
    sandbox.force_token_state(&token, ForcedState::Fail)?;
    token_view_json(&sandbox, &token)
}

/// Make the avatar ready now
#[utoipa::path(
    post, path = "/sandbox/tokens/{token}/complete", tag = "tester", operation_id = "complete",
    params(("token" = String, Path, description = "The Export Token")),
    responses(
        (status = 200, description = "Ready", body = TesterTokenView),
        (status = 404, description = "No such token", body = ErrorResponseSchema),
        (status = 409, description = "The token has no avatar, or is no longer active", body = ErrorResponseSchema),
    )
)]
async fn complete_avatar(
    Extension(sandbox): Extension<Sandbox>,
    Path(token): Path<String>,
) -> Result<NoStoreJson<TesterTokenView>, ErrorResponse> {
    sandbox.force_token_state(&token, ForcedState::Complete)?;
    token_view_json(&sandbox, &token)
}

/// Advance, speed up or pause the virtual clock
#[utoipa::path(
    post, path = "/sandbox/clock", tag = "tester", operation_id = "clock",
    request_body = ClockChange,
    responses(
        (status = 200, description = "The new state of the clock", body = ClockState),
        (status = 400, description = "The change is empty, or a value is out of range; the error says which", body = ErrorResponseSchema),
    )
)]
async fn apply_clock_change(
    Extension(sandbox): Extension<Sandbox>,
    body: Body,
) -> Result<NoStoreJson<ClockState>, ErrorResponse> {
    let body = receive_body(&sandbox, body, MAX_BODY_BYTES).await?;
    let change: ClockChange = parse_json_object(&body)?;
    sandbox.change_clock(&change).map(NoStoreJson).map_err(ErrorResponse::invalid_request_error)
}

/// List the logged requests, oldest first, credentials masked
#[utoipa::path(get, path = "/sandbox/requests", tag = "tester", operation_id = "requests", responses((status = 200, description = "The logged requests", body = Vec<RequestLine>)))]
async fn list_logged_requests(Extension(sandbox): Extension<Sandbox>) -> NoStoreJson<Vec<RequestLine>> {
    NoStoreJson(sandbox.request_log().logged_lines())
}

/// Clear the request log
#[utoipa::path(delete, path = "/sandbox/requests", tag = "tester", operation_id = "forget_requests", responses((status = 204, description = "Cleared")))]
async fn clear_request_log(Extension(sandbox): Extension<Sandbox>) -> StatusCode {
    sandbox.request_log().clear_log();
    StatusCode::NO_CONTENT
}

/// List the active faults and their counts
///
/// A fault is `{"on":"redeem","nth":[1,3],"do":{"status":{"code":503}}}`. `copresence sandbox --list-faults` lists the
/// values of `do`.
#[utoipa::path(get, path = "/sandbox/faults", tag = "tester", operation_id = "list_faults", responses((status = 200, description = "The list", body = Vec<FaultWithCounts>)))]
async fn list_active_faults(Extension(sandbox): Extension<Sandbox>) -> NoStoreJson<Vec<FaultWithCounts>> {
    NoStoreJson(sandbox.active_faults_with_counts())
}

/// Replace the list of faults
///
/// All counts restart at 0. `nth` counts the requests that match the fault, from 1.
#[utoipa::path(
    put, path = "/sandbox/faults", tag = "tester",
    request_body = Vec<Fault>,
    responses(
        (status = 200, description = "The new list", body = Vec<FaultWithCounts>),
        (status = 400, description = "The list is invalid; the error says where", body = ErrorResponseSchema),
        (status = 413, description = "The list is too large", body = ErrorResponseSchema),
    )
)]
async fn set_faults(
    Extension(sandbox): Extension<Sandbox>,
    body: Body,
) -> Result<NoStoreJson<Vec<FaultWithCounts>>, ErrorResponse> {
    let body = receive_body(&sandbox, body, MAX_BODY_BYTES).await?;
    let list = faults::parse_and_check_faults(&body).map_err(|error| invalid_faults_error(&error))?;
    sandbox.set_faults(list).map_err(|error| invalid_faults_error(&error))?;
    Ok(NoStoreJson(sandbox.active_faults_with_counts()))
}

/// Remove all faults
#[utoipa::path(delete, path = "/sandbox/faults", tag = "tester", operation_id = "end_faults", responses((status = 204, description = "Removed")))]
async fn clear_faults(Extension(sandbox): Extension<Sandbox>) -> StatusCode {
    sandbox.clear_faults();
    StatusCode::NO_CONTENT
}

/// List the scenarios, with those of the sandbox's own files
#[utoipa::path(get, path = "/sandbox/scenarios", tag = "tester", operation_id = "scenarios", responses((status = 200, description = "The catalogue", body = Vec<ScenarioRow>)))]
async fn list_scenarios(Extension(sandbox): Extension<Sandbox>) -> NoStoreJson<Vec<ScenarioRow>> {
    let range = |scenario: &Scenario, existing| {
        let (shortest, longest) = scenario.total_duration_range(existing);
        [crate::clock::to_millis(shortest), crate::clock::to_millis(longest)]
    };
    let row = |scenario: &Scenario| ScenarioRow {
        name: scenario.name().to_owned(),
        does: scenario.summary_sentence().to_owned(),
        token_life_ms: crate::clock::to_millis(scenario.token_lifetime()),
        new_ms: range(scenario, false),
        existing_ms: range(scenario, true),
        scanned: scenario.is_associated_by_autoplay(),
    };
    NoStoreJson(sandbox.scenarios().iter().map(row).collect())
}

/// 400: the list of faults is invalid, with the reason.
fn invalid_faults_error(error: &FaultListError) -> ErrorResponse {
    ErrorResponse::new(StatusCode::BAD_REQUEST, INVALID_JSON, error.to_string())
}

/// The state of a token as JSON; 404 if there is no such token.
fn token_view_json(sandbox: &Sandbox, token: &str) -> Result<NoStoreJson<TesterTokenView>, ErrorResponse> {
    let state = sandbox.token_view(token);
    state.map(NoStoreJson).ok_or_else(|| ErrorResponse::not_found_error(&ForceTokenStateError::NoSuchToken))
}

impl From<UnknownScenarioError> for ErrorResponse {
    fn from(error: UnknownScenarioError) -> Self {
        Self::invalid_request_error(error)
    }
}

impl From<AssociateError> for ErrorResponse {
    fn from(error: AssociateError) -> Self {
        match error {
            AssociateError::NoSuchToken => Self::not_found_error(&error),
            AssociateError::HasAvatar | AssociateError::NotActive => Self::conflict_error(&error),
            AssociateError::NoSuchAvatar(_) => Self::invalid_request_error(error),
        }
    }
}

impl From<ForceTokenStateError> for ErrorResponse {
    fn from(error: ForceTokenStateError) -> Self {
        match error {
            ForceTokenStateError::NoSuchToken => Self::not_found_error(&error),
            ForceTokenStateError::NotActive | ForceTokenStateError::NoAvatar => Self::conflict_error(&error),
        }
    }
}
