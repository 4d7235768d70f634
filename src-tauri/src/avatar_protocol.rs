//! Files for the web view under `avatar://localhost/…`:
//!
//! * `<visit>/<file>`: saved files of the visit on the screen only;
//! * `past/<visit>/<file>`: portraits of past visits, while the panel is unlocked;
//! * `booth/logo.png`: the operator's logo.

use copresence_booth::app::Kiosk;
use copresence_booth::panel::Panel;
use copresence_engine::clock::Clock;
use percent_encoding::percent_decode_str;
use tauri::http::{Request, Response, StatusCode, header};
use tauri::{AppHandle, Manager, Runtime, UriSchemeContext, UriSchemeResponder};

/// Name of the URL scheme.
pub(crate) const AVATAR_SCHEME: &str = "avatar";

/// Base URL for the web view: the scheme, or a host on systems without custom schemes.
pub(crate) const AVATAR_BASE_URL: &str =
    if cfg!(any(windows, target_os = "android")) { "http://avatar.localhost" } else { "avatar://localhost" };

/// Handles a request off the main thread, because reading a large avatar takes time.
#[expect(clippy::needless_pass_by_value, reason = "the signature is Tauri's")]
pub(crate) fn handle_avatar_request<R: Runtime>(
    context: UriSchemeContext<'_, R>,
    request: Request<Vec<u8>>,
    responder: UriSchemeResponder,
) {
    let app = context.app_handle().clone();
    let of_kiosk = context.webview_label() == crate::window::KIOSK_WINDOW;
    let path = request.uri().path().to_owned();
    tauri::async_runtime::spawn(async move {
        let found = match parse_request_path(&path).filter(|_| of_kiosk) {
            Some(asked) => read_requested_file(&app, &asked).await,
            None => None,
        };
        responder.respond(build_file_response(found));
    });
}

/// A file that the web view can request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RequestedFile {
    ShownVisit { visit: String, name: String },
    PastPortrait { visit: String, name: String },
    Logo,
}

/// What a path asks for; `None` if it is none of the known forms.
fn parse_request_path(path: &str) -> Option<RequestedFile> {
    let (place, rest) = path.strip_prefix('/')?.split_once('/')?;
    let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    match place {
        "booth" => (rest == "logo.png").then_some(RequestedFile::Logo),
        "past" => {
            let (visit, name) = rest.split_once('/')?;
            Some(RequestedFile::PastPortrait { visit: visit.to_owned(), name: decoded(name)? })
        }
        visit => Some(RequestedFile::ShownVisit { visit: visit.to_owned(), name: decoded(rest)? }),
    }
}

/// Content type and bytes of a file, if it may be read now.
pub(crate) async fn read_requested_file<R: Runtime>(
    app: &AppHandle<R>,
    asked: &RequestedFile,
) -> Option<(&'static str, Vec<u8>)> {
    let path = match asked {
        RequestedFile::ShownVisit { visit, name } => app.state::<Kiosk>().shown_visit_file_path(visit, name)?,
        RequestedFile::PastPortrait { visit, name } => {
            let panel = app.state::<Panel>();
            let open = panel.pin_lock().is_unlocked(app.state::<Clock>().millis_since_clock_creation());
            if !open {
                return None;
            }
            panel.past_portrait_path(visit, name).await?
        }
        RequestedFile::Logo => {
            let panel = app.state::<Panel>().inner().clone();
            return Some(("image/png", read_off_thread(move || panel.operator_logo()).await?));
        }
    };
    let kind = content_type_of_file(&path);
    Some((kind, read_off_thread(move || std::fs::read(&path).ok()).await?))
}

/// Reads a file on a thread that may block.
async fn read_off_thread(read: impl FnOnce() -> Option<Vec<u8>> + Send + 'static) -> Option<Vec<u8>> {
    tauri::async_runtime::spawn_blocking(read).await.ok().flatten()
}

/// The file as a response, or status 404.
fn build_file_response(file: Option<(&'static str, Vec<u8>)>) -> Response<Vec<u8>> {
    let (status, kind, body) = match file {
        Some((kind, body)) => (StatusCode::OK, kind, body),
        None => (StatusCode::NOT_FOUND, "text/plain", Vec::new()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    // The page's origin differs from the scheme's. No other page has access.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, header::HeaderValue::from_static("*"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

/// The content type, by the file's extension.
fn content_type_of_file(file: &std::path::Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("glb") => "model/gltf-binary",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parsed_into_requests() {
        let shown = |visit: &str, name: &str| RequestedFile::ShownVisit { visit: visit.into(), name: name.into() };
        assert_eq!(parse_request_path("/v/avatar%20x.glb"), Some(shown("v", "avatar x.glb")));
        let past = RequestedFile::PastPortrait { visit: "v".into(), name: "avatar.png".into() };
        assert_eq!(parse_request_path("/past/v/avatar.png"), Some(past));
        assert_eq!(parse_request_path("/booth/logo.png"), Some(RequestedFile::Logo));
        for nothing in ["/v", "v/x", "/past/v", "/booth/settings.toml", "/booth/../settings.toml", "/"] {
            assert_eq!(parse_request_path(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_missing_file_is_a_404() {
        assert_eq!(build_file_response(None).status(), StatusCode::NOT_FOUND);
        assert_eq!(build_file_response(Some(("image/png", vec![1]))).status(), StatusCode::OK);
    }
}
