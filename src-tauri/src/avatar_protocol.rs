//! `avatar://localhost/<visit>/<file>`: the saved files of the visit on the screen, and of no other.

use kiosk::app::Kiosk;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use tauri::http::{Request, Response, StatusCode, header};
use tauri::{Manager, Runtime, UriSchemeContext, UriSchemeResponder};

/// The scheme's name.
pub(crate) const SCHEME: &str = "avatar";

/// Where the web view finds it: the scheme itself, or a host where schemes are not to be had.
pub(crate) const BASE: &str =
    if cfg!(any(windows, target_os = "android")) { "http://avatar.localhost" } else { "avatar://localhost" };

/// Answers off the main thread: a large avatar must not freeze the screen.
#[expect(clippy::needless_pass_by_value, reason = "the signature is Tauri's")]
pub(crate) fn answer<R: Runtime>(
    context: UriSchemeContext<'_, R>,
    request: Request<Vec<u8>>,
    responder: UriSchemeResponder,
) {
    let kiosk = context.app_handle().state::<Kiosk>().inner().clone();
    let of_kiosk = context.webview_label() == crate::commands::WINDOW;
    let path = request.uri().path().to_owned();
    tauri::async_runtime::spawn_blocking(move || {
        let file = asked_for(&path).filter(|_| of_kiosk);
        responder.respond(respond(file.and_then(|(visit, name)| kiosk.shown_file(&visit, &name))));
    });
}

fn asked_for(path: &str) -> Option<(String, String)> {
    let (visit, name) = path.strip_prefix('/')?.split_once('/')?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    Some((visit.to_owned(), name.into_owned()))
}

fn respond(file: Option<PathBuf>) -> Response<Vec<u8>> {
    let read = file.and_then(|file| Some((content_type(&file), std::fs::read(&file).ok()?)));
    let (status, kind, body) = match read {
        Some((kind, body)) => (StatusCode::OK, kind, body),
        None => (StatusCode::NOT_FOUND, "text/plain", Vec::new()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    // The page has another origin than the scheme; it is the only page that gets here.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, header::HeaderValue::from_static("*"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

fn content_type(file: &std::path::Path) -> &'static str {
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
    fn a_path_names_a_visit_and_a_file() {
        assert_eq!(asked_for("/v/avatar%20x.glb"), Some(("v".into(), "avatar x.glb".into())));
        assert_eq!(asked_for("/v"), None);
        assert_eq!(asked_for("v/x"), None);
    }

    #[test]
    fn what_is_not_there_is_a_404() {
        assert_eq!(respond(None).status(), StatusCode::NOT_FOUND);
        assert_eq!(respond(Some("/nowhere/at/all".into())).status(), StatusCode::NOT_FOUND);
    }
}
