//! Files for the web view under `avatar://localhost/…`:
//!
//! * `<visit>/<file>`: saved files of the visit on the screen only;
//! * `past/<visit>/<file>`: portraits of past visits, while the panel is unlocked;
//! * `booth/logo.png`: the operator's logo.

use kiosk::app::Kiosk;
use kiosk::clock::Clock;
use kiosk::panel::Panel;
use percent_encoding::percent_decode_str;
use tauri::http::{Request, Response, StatusCode, header};
use tauri::{AppHandle, Manager, Runtime, UriSchemeContext, UriSchemeResponder};

/// Name of the URL scheme.
pub(crate) const SCHEME: &str = "avatar";

/// Base URL for the web view: the scheme, or a host on systems without custom schemes.
pub(crate) const BASE: &str =
    if cfg!(any(windows, target_os = "android")) { "http://avatar.localhost" } else { "avatar://localhost" };

/// Handles a request off the main thread, because reading a large avatar takes time.
#[expect(clippy::needless_pass_by_value, reason = "the signature is Tauri's")]
pub(crate) fn answer<R: Runtime>(
    context: UriSchemeContext<'_, R>,
    request: Request<Vec<u8>>,
    responder: UriSchemeResponder,
) {
    let app = context.app_handle().clone();
    let of_kiosk = context.webview_label() == crate::commands::WINDOW;
    let path = request.uri().path().to_owned();
    tauri::async_runtime::spawn(async move {
        let found = match asked_for(&path).filter(|_| of_kiosk) {
            Some(asked) => file(&app, &asked).await,
            None => None,
        };
        responder.respond(respond(found));
    });
}

/// A file that the web view can request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Shown { visit: String, name: String },
    Past { visit: String, name: String },
    Logo,
}

fn asked_for(path: &str) -> Option<Asked> {
    let (place, rest) = path.strip_prefix('/')?.split_once('/')?;
    let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    match place {
        "booth" => (rest == "logo.png").then_some(Asked::Logo),
        "past" => {
            let (visit, name) = rest.split_once('/')?;
            Some(Asked::Past { visit: visit.to_owned(), name: decoded(name)? })
        }
        visit => Some(Asked::Shown { visit: visit.to_owned(), name: decoded(rest)? }),
    }
}

/// Content type and bytes of a file, if it may be read now.
pub(crate) async fn file<R: Runtime>(app: &AppHandle<R>, asked: &Asked) -> Option<(&'static str, Vec<u8>)> {
    let path = match asked {
        Asked::Shown { visit, name } => app.state::<Kiosk>().shown_file(visit, name)?,
        Asked::Past { visit, name } => {
            let panel = app.state::<Panel>();
            let open = panel.gate().is_open(app.state::<Clock>().moment());
            if !open {
                return None;
            }
            panel.past_portrait(visit, name).await?
        }
        Asked::Logo => {
            let panel = app.state::<Panel>().inner().clone();
            return Some(("image/png", read_file(move || panel.logo()).await?));
        }
    };
    let kind = content_type(&path);
    Some((kind, read_file(move || std::fs::read(&path).ok()).await?))
}

async fn read_file(read: impl FnOnce() -> Option<Vec<u8>> + Send + 'static) -> Option<Vec<u8>> {
    tauri::async_runtime::spawn_blocking(read).await.ok().flatten()
}

fn respond(file: Option<(&'static str, Vec<u8>)>) -> Response<Vec<u8>> {
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
    fn paths_are_parsed_into_requests() {
        let shown = |visit: &str, name: &str| Asked::Shown { visit: visit.into(), name: name.into() };
        assert_eq!(asked_for("/v/avatar%20x.glb"), Some(shown("v", "avatar x.glb")));
        let past = Asked::Past { visit: "v".into(), name: "avatar.png".into() };
        assert_eq!(asked_for("/past/v/avatar.png"), Some(past));
        assert_eq!(asked_for("/booth/logo.png"), Some(Asked::Logo));
        for nothing in ["/v", "v/x", "/past/v", "/booth/settings.toml", "/booth/../settings.toml", "/"] {
            assert_eq!(asked_for(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_missing_file_is_a_404() {
        assert_eq!(respond(None).status(), StatusCode::NOT_FOUND);
        assert_eq!(respond(Some(("image/png", vec![1]))).status(), StatusCode::OK);
    }
}
