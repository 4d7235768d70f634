//! The phone page, which the QR code opens if no Copresence app is installed. With the Export Token from the code, a
//! client may associate an avatar and follow its progress, and nothing else.

use super::error::{COMMAND_UNAVAILABLE, ErrorResponse, NoStoreJson, OPERATION_FORBIDDEN};
use super::files;
use super::pages::{render_page, response_with_type_and_caching};
use super::request_body::{ReceivedBody, receive_body};
use crate::phone_texts::{self, PhoneTexts};
use crate::picture::{self, PictureError};
use crate::sandbox::Sandbox;
use crate::world::avatar::{AvatarChoice, AvatarIdentity, ExistingAvatar};
use crate::world::state::{PhoneView, TokenPhase};
use askama::Template;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use image::RgbImage;
use serde::Deserialize;

/// Maximum size of an uploaded picture, in bytes. The phone page sends a square JPEG of 720 pixels a side, which has at
/// most a few hundred KiB.
const MAX_PICTURE_BYTES: u32 = 2 * 1024 * 1024;

/// The routes of the phone page.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/phone", get(serve_phone_page))
        .route("/phone/status", get(serve_token_state_for_phone))
        .route("/phone/associate", post(associate_avatar))
        .route("/phone/avatars/{id}/portrait", get(serve_avatar_portrait))
}

/// The query of the phone page: the token, the language, and whether a program plays the phone.
#[derive(Default, Deserialize)]
struct PhonePageQuery {
    #[serde(default, rename = "exportToken")]
    export_token: String,
    /// The language selected on the page.
    lang: Option<String>,
    /// Given by a program that plays the phone on its own screen: no pictures of that machine can be chosen.
    played: Option<String>,
}

/// The query of an association: the token, and the avatar that the visitor chose.
#[derive(Deserialize)]
struct AssociateQuery {
    #[serde(rename = "exportToken")]
    export_token: String,
    avatar: AvatarChoice,
}

/// The template of the phone page: texts, the token with its state, and the avatars to choose from.
#[derive(Template)]
#[template(path = "phone.html")]
struct PhonePageTemplate {
    texts: &'static PhoneTexts,
    languages: &'static [PhoneTexts],
    token: String,
    /// The current state of the token, as JSON; null for an unknown token.
    view: String,
    faces: Vec<AvatarTile>,
    /// Whether a program plays the phone on its own screen. It has no camera, and its pictures are not the visitor's.
    played: bool,
}

/// An avatar to choose from.
struct AvatarTile {
    id: String,
    name: String,
    /// Whether there is a portrait. Otherwise the initial is shown.
    portrait: bool,
    initial: String,
}

impl AvatarTile {
    /// The tile of an existing avatar on the phone page.
    fn tile_from_avatar(existing: ExistingAvatar) -> Self {
        let initial = existing.name.chars().next().map(|c| c.to_uppercase().to_string());
        Self {
            portrait: existing.portrait_file_name().is_some(),
            initial: initial.unwrap_or_default(),
            id: existing.id,
            name: existing.name,
        }
    }
}

/// Serves the phone page of a token, in the visitor's language.
async fn serve_phone_page(
    Extension(sandbox): Extension<Sandbox>,
    query: Result<Query<PhonePageQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let PhonePageQuery { export_token: token, lang, played } = query.map(|Query(query)| query).unwrap_or_default();
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let texts = phone_texts::select_phone_texts_by_language(lang.as_deref(), accepted);
    let view = sandbox.phone_view_by_token(&token);
    let status = match view.as_ref().map(|view| view.state) {
        None => StatusCode::NOT_FOUND,
        Some(TokenPhase::Expired) => StatusCode::GONE,
        Some(_) => StatusCode::OK,
    };
    let page = PhonePageTemplate {
        texts,
        languages: &*phone_texts::LANGUAGES,
        // Plain data always serialises. With null, the page would say that the code is unknown.
        view: serde_json::to_string(&view).unwrap_or_else(|_| "null".to_owned()),
        faces: sandbox.existing_avatars().into_iter().map(AvatarTile::tile_from_avatar).collect(),
        token,
        played: played.is_some(),
    };
    let mut response = render_page(status, &page);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(texts.tag));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
    response
}

/// Handler: the state of a token for the phone page, as JSON.
async fn serve_token_state_for_phone(
    Extension(sandbox): Extension<Sandbox>,
    query: Result<Query<PhonePageQuery>, QueryRejection>,
) -> Result<NoStoreJson<PhoneView>, ErrorResponse> {
    let Query(query) = query.map_err(|error| ErrorResponse::invalid_request_error(error.body_text()))?;
    phone_view_json(&sandbox, &query.export_token)
}

/// Records a new avatar (the body is the picture, or empty) or chooses an existing one.
///
/// Everything that can be refused is refused before the picture is received and decoded, so that only the holder of an
/// unused token can cause this work, and only once at a time.
async fn associate_avatar(
    Extension(sandbox): Extension<Sandbox>,
    query: Result<Query<AssociateQuery>, QueryRejection>,
    body: Body,
) -> Result<NoStoreJson<PhoneView>, ErrorResponse> {
    let Query(query) = query.map_err(|error| ErrorResponse::invalid_request_error(error.body_text()))?;
    sandbox.check_avatar_can_be_associated(&query.export_token, &query.avatar)?;
    let Some(_upload) = sandbox.upload_limiter().begin_upload_if_none_for_token(&query.export_token) else {
        let error = "another picture for this Export Token is being received; wait until it has arrived";
        return Err(ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, COMMAND_UNAVAILABLE, error));
    };
    let face = if query.avatar == AvatarChoice::New {
        let body = receive_body(&sandbox, body, MAX_PICTURE_BYTES).await?;
        if body.is_empty() { None } else { Some(decode_picture_in_turn(&sandbox, body).await?) }
    } else {
        None
    };
    sandbox.associate_avatar_with_picture(&query.export_token, &query.avatar, None, face)?;
    phone_view_json(&sandbox, &query.export_token)
}

/// Decodes a picture when it is its turn.
async fn decode_picture_in_turn(sandbox: &Sandbox, body: ReceivedBody) -> Result<RgbImage, ErrorResponse> {
    let permit = sandbox.upload_limiter().wait_for_picture_decoding_permit().await;
    let decoding = tokio::task::spawn_blocking(move || {
        // The decoding continues if the client disconnects, so it owns the permit.
        let _permit = permit;
        picture::decode_and_shrink_picture(&body)
    });
    Ok(decoding.await.map_err(|_| PictureError::Undecodable)??)
}

/// The phone view of a token as JSON: its state, as the phone page shows it. 404 if there is no such token.
fn phone_view_json(sandbox: &Sandbox, token: &str) -> Result<NoStoreJson<PhoneView>, ErrorResponse> {
    let view = sandbox.phone_view_by_token(token);
    view.map(NoStoreJson).ok_or_else(|| ErrorResponse::not_found_error("there is no such Export Token"))
}

impl From<PictureError> for ErrorResponse {
    fn from(error: PictureError) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, OPERATION_FORBIDDEN, error.to_string())
    }
}

/// Serves the portrait of an existing avatar, for the phone page; 404 if there is none.
async fn serve_avatar_portrait(
    Extension(sandbox): Extension<Sandbox>,
    Path(id): Path<String>,
) -> Result<Response, ErrorResponse> {
    let no_portrait = || ErrorResponse::not_found_error("there is no such portrait");
    let avatars = sandbox.existing_avatars();
    let existing = avatars.iter().find(|existing| existing.id == id).ok_or_else(no_portrait)?;
    let file = existing.portrait_file_name().ok_or_else(no_portrait)?;
    let content =
        sandbox.avatar_store().export_content(&AvatarIdentity::Existing { id }, file).await.ok_or_else(no_portrait)?;
    let body = files::stream_complete_file(content).await.map_err(|error| {
        tracing::warn!(%error, file, "a portrait cannot be read");
        no_portrait()
    })?;
    Ok(response_with_type_and_caching(files::content_type_from_file_name(file), "max-age=300", body))
}
