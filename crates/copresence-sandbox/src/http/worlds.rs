//! The endpoints for worlds: `/sandbox/worlds`.

use super::MAX_BODY_BYTES;
use super::error::{COMMAND_UNAVAILABLE, ErrorResponse, NoStoreJson};
use super::request_body::{parse_json_object, receive_body};
use super::world_selection::build_unknown_world_error;
use crate::faults::Fault;
use crate::openapi::ErrorResponseSchema;
use crate::sandbox::{CreateWorldError, Sandbox, WorldView};
use crate::scenario::Scenario;
use crate::settings::WorldSettings;
use crate::whole_number::deserialize_optional_whole_number;
use axum::Extension;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes that create, list, describe and end worlds.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(create_world, list_worlds)).routes(routes!(get_world, delete_world))
}

/// The settings of a new world. What is left out is as the sandbox was started; the seed is random.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = WorldSettings)]
struct CreateWorldRequest {
    /// The seed of ids, timings and avatars: the same seed gives the same Export Tokens, in the order of the requests.
    #[serde(deserialize_with = "deserialize_optional_whole_number")]
    #[schema(format = "uint64")]
    seed: Option<u64>,
    /// The name of the scenario of new tokens.
    #[schema(example = "happy")]
    scenario: Option<String>,
    /// Or a scenario of its own: the text of a scenario file (TOML).
    scenario_file: Option<String>,
    /// Virtual seconds per real second, above 0.
    #[schema(exclusive_minimum = 0.0, maximum = 100_000.0)]
    speed: Option<f64>,
    /// Whether the clock is paused from the start.
    paused: bool,
    /// The initial faults, as in `PUT /sandbox/faults`.
    faults: Option<Vec<Fault>>,
    /// Seconds of real time after which it ends, if it is not used.
    #[serde(deserialize_with = "deserialize_optional_whole_number")]
    #[schema(minimum = 1, maximum = 86_400)]
    idle_limit_seconds: Option<u64>,
}

/// A new world: where it is, and the credentials that it accepts.
#[derive(Serialize, ToSchema)]
struct CreatedWorld {
    /// Its id, which is in its URLs: `/worlds/{id}/…`.
    id: String,
    /// The URL of all its endpoints. The URL of the sandbox itself works too where requests have its API key.
    url: String,
    /// The REST API key, which selects this world.
    api_key: String,
    /// A session token that is valid from the start.
    session_token: String,
    /// User name for `/login`.
    username: String,
    /// Password for `/login`.
    #[schema(format = Password)]
    password: String,
    /// The seed of ids, timings and avatars.
    seed: u64,
}

/// Maximum of `idle_limit_seconds`: a day.
const MAX_IDLE_LIMIT_SECONDS: u64 = 86_400;

/// Create a world of its own for a test
///
/// A world has its own credentials, clock, faults, tokens and request log. Requests with its API key are for it, as are
/// all requests under its URL. It ends when it is deleted, or was not used for a while.
#[utoipa::path(
    post, path = "/sandbox/worlds", tag = "tester", operation_id = "create_world",
    request_body(content = Option<CreateWorldRequest>, description = "Without a body, every setting has its default"),
    responses(
        (status = 201, description = "Created", body = CreatedWorld),
        (status = 400, description = "A setting is invalid, or a scenario unknown; the error says which", body = ErrorResponseSchema),
        (status = 503, description = "There are too many worlds, or too many other bodies are received at the moment", body = ErrorResponseSchema),
    )
)]
async fn create_world(
    Extension(sandbox): Extension<Sandbox>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, NoStoreJson<CreatedWorld>), ErrorResponse> {
    let body = receive_body(&sandbox, body, MAX_BODY_BYTES).await?;
    let has_settings = !matches!(body.trim_ascii(), b"" | b"null");
    let request: CreateWorldRequest =
        if has_settings { parse_json_object(&body)? } else { CreateWorldRequest::default() };
    if let Some(seconds) = request.idle_limit_seconds
        && !(1..=MAX_IDLE_LIMIT_SECONDS).contains(&seconds)
    {
        let error = format!("`idle_limit_seconds` is a number from 1 to {MAX_IDLE_LIMIT_SECONDS}, not {seconds}");
        return Err(ErrorResponse::invalid_request_error(error));
    }
    let scenario = match (request.scenario, request.scenario_file) {
        (Some(_), Some(_)) => {
            let error = "`scenario` and `scenario_file` cannot be given together";
            return Err(ErrorResponse::invalid_request_error(error));
        }
        (Some(name), None) => Some(sandbox.find_scenario(&name)?.clone()),
        (None, Some(text)) => {
            let parsed = Scenario::parse_scenario_file(&text);
            Some(parsed.map_err(|error| ErrorResponse::invalid_request_error(format!("`scenario_file`, {error}")))?)
        }
        (None, None) => None,
    };
    let world = sandbox.create_world(WorldSettings {
        seed: request.seed,
        scenario,
        speed: request.speed,
        paused: request.paused,
        faults: request.faults,
        idle_limit: request.idle_limit_seconds.map(Duration::from_secs),
    })?;
    let accepted = world.accepted_credentials();
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let created = CreatedWorld {
        id: world.world_id().unwrap_or_default().to_owned(),
        url: world.base_url_for_client(host),
        api_key: accepted.api_key.expose().to_owned(),
        session_token: accepted.session_token.expose().to_owned(),
        username: accepted.username.expose().to_owned(),
        password: accepted.password.expose().to_owned(),
        seed: world.sandbox_state().seed,
    };
    Ok((StatusCode::CREATED, NoStoreJson(created)))
}

/// List the worlds, except the main one
#[utoipa::path(get, path = "/sandbox/worlds", tag = "tester", operation_id = "list_worlds", responses((status = 200, description = "The worlds", body = Vec<WorldView>)))]
async fn list_worlds(Extension(sandbox): Extension<Sandbox>) -> NoStoreJson<Vec<WorldView>> {
    NoStoreJson(sandbox.list_world_views())
}

/// Get a world
#[utoipa::path(
    get, path = "/sandbox/worlds/{id}", tag = "tester", operation_id = "get_world",
    params(("id" = String, Path, description = "The id of the world")),
    responses(
        (status = 200, description = "The world", body = WorldView),
        (status = 404, description = "No such world", body = ErrorResponseSchema),
    )
)]
async fn get_world(
    Extension(sandbox): Extension<Sandbox>,
    Path(id): Path<String>,
) -> Result<NoStoreJson<WorldView>, ErrorResponse> {
    sandbox.find_world_view(&id).map(NoStoreJson).ok_or_else(build_unknown_world_error)
}

/// End a world
///
/// Its id and its credentials are unknown from then on. Requests in flight are completed.
#[utoipa::path(
    delete, path = "/sandbox/worlds/{id}", tag = "tester", operation_id = "delete_world",
    params(("id" = String, Path, description = "The id of the world")),
    responses(
        (status = 204, description = "Ended"),
        (status = 404, description = "No such world", body = ErrorResponseSchema),
    )
)]
async fn delete_world(
    Extension(sandbox): Extension<Sandbox>,
    Path(id): Path<String>,
) -> Result<StatusCode, ErrorResponse> {
    if sandbox.remove_world(&id) { Ok(StatusCode::NO_CONTENT) } else { Err(build_unknown_world_error()) }
}

impl From<CreateWorldError> for ErrorResponse {
    fn from(error: CreateWorldError) -> Self {
        match error {
            CreateWorldError::TooMany(error) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, COMMAND_UNAVAILABLE, error.to_string())
            }
            CreateWorldError::Speed(_) | CreateWorldError::Faults(_) => Self::invalid_request_error(error),
        }
    }
}
