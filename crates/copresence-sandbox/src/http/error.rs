//! Error responses in Parse Server's form: `{"code":N,"error":"…"}`.

use crate::world::TokenNotActive;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use copresence_protocol::headers::INVALID_SESSION_CODE;
use copresence_protocol::response_body::ErrorResponseBody;

/// Parse Server's "object not found"; also used for a wrong login.
pub(super) const OBJECT_NOT_FOUND: i64 = 101;
/// Parse Server's "invalid JSON".
pub(super) const INVALID_JSON: i64 = 107;
/// Parse Server's "command unavailable".
pub(super) const COMMAND_UNAVAILABLE: i64 = 108;
/// Parse Server's "operation forbidden".
pub(super) const OPERATION_FORBIDDEN: i64 = 119;
/// Parse Server's "internal server error".
const INTERNAL_ERROR: i64 = 1;

pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// An error response: the status, and a body in the form of Parse Server.
#[derive(Debug)]
pub(super) struct ErrorResponse {
    status: StatusCode,
    body: ErrorResponseBody,
}

impl ErrorResponse {
    pub(super) fn new(status: StatusCode, code: i64, error: impl Into<String>) -> Self {
        Self { status, body: ErrorResponseBody { code, error: error.into() } }
    }

    /// 409: the request conflicts with the state of the token.
    pub(super) fn conflict_error(error: &impl ToString) -> Self {
        Self::new(StatusCode::CONFLICT, OPERATION_FORBIDDEN, error.to_string())
    }

    /// 404: the token, file or other object does not exist.
    pub(super) fn not_found_error(error: &(impl ToString + ?Sized)) -> Self {
        Self::new(StatusCode::NOT_FOUND, OBJECT_NOT_FOUND, error.to_string())
    }

    /// 400: the body or the query of the request is invalid.
    pub(super) fn invalid_request_error(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID_JSON, format!("invalid request: {error}"))
    }

    /// 400: the Export Token is unknown, spent or expired.
    pub(super) fn token_not_active_error(error: TokenNotActive) -> Self {
        Self::new(StatusCode::BAD_REQUEST, OBJECT_NOT_FOUND, error.to_string())
    }

    /// 403: the REST API key is missing or wrong.
    pub(super) fn invalid_api_key_error() -> Self {
        Self::new(StatusCode::FORBIDDEN, OPERATION_FORBIDDEN, "the REST API key is missing or wrong")
    }

    /// 401: the session token is missing or wrong.
    pub(super) fn invalid_session_error() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, INVALID_SESSION_CODE, "invalid session token")
    }

    /// 405: the endpoint does not support the method.
    pub(super) fn method_not_allowed_error() -> Self {
        let error = "this endpoint does not support this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, COMMAND_UNAVAILABLE, error)
    }

    /// 500: an error within the sandbox.
    pub(super) fn internal_error(error: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_ERROR, error)
    }
}

impl IntoResponse for ErrorResponse {
    /// The response with its status, the body as JSON, and `Cache-Control: no-store`.
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
        response
    }
}

/// A JSON response with `Cache-Control: no-store`.
pub(super) struct NoStoreJson<T>(pub(super) T);

impl<T: serde::Serialize> IntoResponse for NoStoreJson<T> {
    /// The value as JSON, with `Cache-Control: no-store` and no sniffing of its type.
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}
