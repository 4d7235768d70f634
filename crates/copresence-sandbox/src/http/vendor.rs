//! The vendor's endpoints: the Copresence Integration API as its page describes it, and an assumed login.

use super::MAX_BODY_BYTES;
use super::error::{ErrorResponse, INVALID_JSON, NoStoreJson, OBJECT_NOT_FOUND};
use super::request_body::{parse_json_object, receive_body};
use crate::openapi::{
    ErrorResponseSchema, GenerateResponseSchema, LoginRequest, LoginResponseSchema, RedeemResponseSchema,
};
use crate::sandbox::Sandbox;
use crate::world::RedeemResult;
use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use copresence_protocol::headers::{API_KEY_NAME, EXPORT_TOKEN_NAME, SESSION_TOKEN_NAME};
use copresence_protocol::response_body::{CompletePayloadEntry, GenerateBody, LoginResponseBody, RedeemBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of the vendor's API: log in, generate, redeem.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(generate_export_token))
        .routes(routes!(redeem_export_token))
}

/// Log in as the business account
///
/// Assumed (Parse Server's form): "you can authenticate with the Copresence backend through an API request to
/// receive a session token in response".
#[utoipa::path(
    post, path = "/login", tag = "vendor", operation_id = "login",
    params(("X-Copresence-REST-API-Key" = String, Header, description = "REST API key for the Copresence API")),
    request_body = LoginRequest,
    responses(
        (status = 200, description = "Logged in", body = LoginResponseSchema),
        (status = 400, description = "The body is not a valid login", body = ErrorResponseSchema),
        (status = 401, description = "Wrong user name or password", body = ErrorResponseSchema),
        (status = 403, description = "The REST API key is missing or wrong", body = ErrorResponseSchema),
        (status = 413, description = "The body is too large", body = ErrorResponseSchema),
    )
)]
async fn log_in(
    Extension(sandbox): Extension<Sandbox>,
    headers: HeaderMap,
    body: Body,
) -> Result<NoStoreJson<LoginResponseBody>, ErrorResponse> {
    check_api_key(&sandbox, &headers)?;
    // The parser's message would repeat the sent credentials.
    let broken = || {
        let error = "a login requires the JSON body {\"username\": string, \"password\": string}";
        ErrorResponse::new(StatusCode::BAD_REQUEST, INVALID_JSON, error)
    };
    let body = receive_body(&sandbox, body, MAX_BODY_BYTES).await?;
    let login: LoginRequest = parse_json_object(&body).map_err(|_| broken())?;
    let session_token = sandbox
        .create_session_token_if_login_correct(&login.username, &login.password)
        .ok_or_else(|| ErrorResponse::new(StatusCode::UNAUTHORIZED, OBJECT_NOT_FOUND, "Invalid username/password."))?;
    Ok(NoStoreJson(LoginResponseBody { session_token }))
}

/// Generate an Export Token
///
/// "Generates an Export Token object in the Copresence backend, associates it with the requesting business customer
/// account, and returns the token's string as a response."
#[utoipa::path(
    post, path = "/generateExportToken", tag = "vendor", operation_id = "generateExportToken",
    params(
        ("X-Copresence-REST-API-Key" = String, Header, description = "REST API key for the Copresence API"),
        ("X-Copresence-Session-Token" = String, Header,
         description = "Session token received by authenticating as a business account"),
    ),
    responses(
        (status = 200, description = "Generated", body = GenerateResponseSchema),
        (status = 401, description = "The session token is missing or wrong (code 209)", body = ErrorResponseSchema),
        (status = 403, description = "The REST API key is missing or wrong", body = ErrorResponseSchema),
        (status = 503, description = "The maximum number of active tokens is reached", body = ErrorResponseSchema),
    )
)]
async fn generate_export_token(
    Extension(sandbox): Extension<Sandbox>,
    headers: HeaderMap,
) -> Result<NoStoreJson<GenerateBody>, ErrorResponse> {
    check_api_key(&sandbox, &headers)?;
    let session = header_text(&headers, SESSION_TOKEN_NAME).ok_or_else(ErrorResponse::invalid_session_error)?;
    if !sandbox.is_known_session_token(session) {
        return Err(ErrorResponse::invalid_session_error());
    }
    Ok(NoStoreJson(GenerateBody { token: generate_token(&sandbox)? }))
}

/// Generates an Export Token; 503 if there are too many.
pub(super) fn generate_token(sandbox: &Sandbox) -> Result<String, ErrorResponse> {
    sandbox
        .with_locked_world(crate::world::World::generate_token)
        .map_err(|full| ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, INVALID_JSON, full.to_string()))
}

/// Redeem an Export Token to get file URLs
///
/// "Once the Copresence backend provides a response with download URLs, the provided Export Token is invalidated by
/// the backend."
#[utoipa::path(
    get, path = "/redeemExportToken", tag = "vendor", operation_id = "redeemExportToken",
    params(
        ("X-Copresence-REST-API-Key" = String, Header, description = "REST API key for the Copresence API"),
        ("X-Copresence-Export-Token" = String, Header,
         description = "String of an Export Token generated by the /generateExportToken endpoint"),
    ),
    responses(
        (status = 200, description = "Export token is still active, and its associated avatar exports are either \
         still being processed or ready to download", body = RedeemResponseSchema),
        (status = 400, description = "Provided Export Token string does not match an active Export Token in the \
         Copresence backend", body = ErrorResponseSchema),
        (status = 403, description = "The REST API key is missing or wrong", body = ErrorResponseSchema),
    )
)]
async fn redeem_export_token(
    Extension(sandbox): Extension<Sandbox>,
    request: Request,
) -> Result<NoStoreJson<RedeemBody>, ErrorResponse> {
    // axum answers `HEAD` with the handler of `GET`, which would spend a token whose URLs nobody receives.
    if request.method() == Method::HEAD {
        return Err(ErrorResponse::method_not_allowed_error());
    }
    // Not the extractor `HeaderMap`, which copies all headers.
    let headers = request.headers();
    check_api_key(&sandbox, headers)?;
    // A missing token matches no active token either.
    let token = header_text(headers, EXPORT_TOKEN_NAME).unwrap_or_default();
    let redeemed = sandbox
        .with_locked_world(|world, now| world.redeem_token(token, now))
        .map_err(ErrorResponse::token_not_active_error)?;
    Ok(NoStoreJson(match redeemed {
        RedeemResult::NotReady(progress) => RedeemBody::not_ready_redeem_body(&progress),
        RedeemResult::Ready(offers) => {
            let base = sandbox.base_url_for_client(header_text(headers, header::HOST));
            let body = |offer: crate::world::DownloadOffer| CompletePayloadEntry {
                download_url: format!("{base}/files/{}/{}", offer.id, offer.file),
                export_type: offer.export_type,
            };
            RedeemBody::ready_redeem_body(offers.into_iter().map(body).collect())
        }
    }))
}

/// Fails with 403 unless the request has the REST API key.
pub(super) fn check_api_key(sandbox: &Sandbox, headers: &HeaderMap) -> Result<(), ErrorResponse> {
    let known = header_text(headers, API_KEY_NAME).is_some_and(|key| sandbox.is_valid_api_key(key));
    if known { Ok(()) } else { Err(ErrorResponse::invalid_api_key_error()) }
}

/// The value of a header as text; `None` if it is absent or not visible ASCII.
pub(super) fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
