//! The phone page, which the QR code opens if no Copresence app is installed. With the Export Token from the code, a client
//! may associate an avatar and follow its progress, and nothing else.

use super::error::{FORBIDDEN, Fresh, Refused};
use super::files;
use super::pages::{render_page, typed_response};
use crate::phone_texts::{self, PhoneTexts};
use crate::picture::{self, PictureError};
use crate::sandbox::Sandbox;
use crate::world::avatar::{Avatar, AvatarChoice, Existing};
use crate::world::state::{PhoneView, TokenPhase};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

/// Maximum size of an uploaded picture, in bytes.
pub(crate) const MAX_PICTURE: usize = 10 * 1024 * 1024;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/phone", get(page))
        .route("/phone/status", get(status))
        .route("/phone/associate", post(associate).layer(DefaultBodyLimit::max(MAX_PICTURE)))
        .route("/phone/avatars/{id}/portrait", get(portrait))
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default, rename = "exportToken")]
    export_token: String,
    /// The language selected on the page.
    lang: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(rename = "exportToken")]
    export_token: String,
    avatar: AvatarChoice,
}

#[derive(Template)]
#[template(path = "phone.html")]
struct Page {
    texts: &'static PhoneTexts,
    languages: &'static [PhoneTexts],
    token: String,
    /// The current state of the token, as JSON; null for an unknown token.
    view: String,
    faces: Vec<Face>,
}

/// An avatar to choose from.
struct Face {
    id: String,
    name: String,
    /// Whether there is a portrait. Otherwise the initial is shown.
    portrait: bool,
    initial: String,
}

impl Face {
    fn of(existing: Existing) -> Self {
        let initial = existing.name.chars().next().map(|c| c.to_uppercase().to_string());
        Self {
            portrait: existing.portrait().is_some(),
            initial: initial.unwrap_or_default(),
            id: existing.id,
            name: existing.name,
        }
    }
}

async fn page(
    State(sandbox): State<Sandbox>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Asked { export_token: token, lang } = query.map(|Query(query)| query).unwrap_or_default();
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let texts = phone_texts::select_language(lang.as_deref(), accepted);
    let view = sandbox.phone_view(&token);
    let status = match view.as_ref().map(|view| view.state) {
        None => StatusCode::NOT_FOUND,
        Some(TokenPhase::Expired) => StatusCode::GONE,
        Some(_) => StatusCode::OK,
    };
    let page = Page {
        texts,
        languages: &*phone_texts::LANGUAGES,
        // Plain data always serialises. With null, the page would say that the code is unknown.
        view: serde_json::to_string(&view).unwrap_or_else(|_| "null".to_owned()),
        faces: sandbox.existing_avatars().into_iter().map(Face::of).collect(),
        token,
    };
    let mut response = render_page(status, &page);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(texts.tag));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
    response
}

async fn status(
    State(sandbox): State<Sandbox>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Fresh<PhoneView>, Refused> {
    let Query(query) = query.map_err(|error| Refused::bad_json(error.body_text()))?;
    view(&sandbox, &query.export_token)
}

/// Records a new avatar (the body is the picture, or empty) or chooses an existing one.
async fn associate(
    State(sandbox): State<Sandbox>,
    query: Result<Query<Choice>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Fresh<PhoneView>, Refused> {
    let Query(query) = query.map_err(|error| Refused::bad_json(error.body_text()))?;
    // Checked before the picture is decoded, so that requests without a valid token are cheap.
    view(&sandbox, &query.export_token)?;
    let body = body?;
    let face = if body.is_empty() || query.avatar != AvatarChoice::New {
        None
    } else {
        let read = tokio::task::spawn_blocking(move || picture::read(&body)).await;
        Some(read.map_err(|_| Refused::from(PictureError::Unreadable))??)
    };
    sandbox.associate_with_picture(&query.export_token, &query.avatar, None, face)?;
    view(&sandbox, &query.export_token)
}

fn view(sandbox: &Sandbox, token: &str) -> Result<Fresh<PhoneView>, Refused> {
    let view = sandbox.phone_view(token);
    view.map(Fresh).ok_or_else(|| Refused::not_found("there is no such Export Token"))
}

impl From<PictureError> for Refused {
    fn from(error: PictureError) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, FORBIDDEN, error.to_string())
    }
}

async fn portrait(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Result<Response, Refused> {
    let no_portrait = || Refused::not_found("there is no such portrait");
    let avatars = sandbox.existing_avatars();
    let existing = avatars.iter().find(|existing| existing.id == id).ok_or_else(no_portrait)?;
    let file = existing.portrait().ok_or_else(no_portrait)?;
    let content = sandbox.closet().content(&Avatar::Existing { id }, file).await.ok_or_else(no_portrait)?;
    let body = files::whole(content).await.map_err(|error| {
        tracing::warn!(%error, file, "a portrait cannot be read");
        no_portrait()
    })?;
    Ok(typed_response(files::content_type(file), "max-age=300", body))
}
