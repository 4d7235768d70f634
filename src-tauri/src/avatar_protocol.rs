//! Files for the web view under `avatar://localhost/…`:
//!
//! * `<visit>/<file>`: saved files of the visit on the screen only;
//! * `past/<visit>/<file>`: portraits of past visits, while the panel is unlocked;
//! * `booth/logo.png`: the operator's logo.
//!
//! `?from=N` asks for a piece of the file that starts at byte N. The page reads an avatar in pieces, so that the
//! program never has a whole one in memory. The header `x-file-size` has the size of the whole file.
//!
//! Without `from` it asks for a picture as a whole. A backend made it, so it is served only if it is small, and if its
//! header says that it can be shown.

use crate::picture_header::check_picture_within_max_pixels;
use copresence_booth::app::Kiosk;
use copresence_booth::panel::Panel;
use copresence_engine::clock::Clock;
use percent_encoding::percent_decode_str;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use tauri::http::{HeaderValue, Request, Response, StatusCode, header};
use tauri::{AppHandle, Manager, Runtime, UriSchemeContext, UriSchemeResponder};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Name of the URL scheme.
pub(crate) const AVATAR_SCHEME: &str = "avatar";

/// Base URL for the web view: the scheme, or a host on systems without custom schemes.
pub(crate) const AVATAR_BASE_URL: &str =
    if cfg!(any(windows, target_os = "android")) { "http://avatar.localhost" } else { "avatar://localhost" };

/// Header with the size of the whole file in bytes.
const FILE_SIZE_HEADER: &str = "x-file-size";

/// Bytes of the longest piece of a file.
const MAX_PIECE_BYTES: u64 = 4 << 20;

/// Size in bytes of the largest file that is given as a whole, as pictures are. A portrait of four megapixels has about 5 MB.
const MAX_WHOLE_FILE_BYTES: u64 = 8 << 20;

/// Maximum number of pixels of a picture on the visitor's screen. The page decodes it whole, with 4 bytes a pixel or more.
const MAX_SHOWN_PIXELS: u64 = 16 << 20;

/// Maximum number of pixels of a picture in the history, which shows many at once, each as small as a thumbnail.
const MAX_LISTED_PIXELS: u64 = 4 << 20;

/// How many whole files are read at a time. Each is in memory twice until the web view has it: the history asks for many
/// at once.
const MAX_WHOLE_FILE_READS: usize = 2;

/// The places of the whole files that are read.
static WHOLE_FILE_READS: Semaphore = Semaphore::const_new(MAX_WHOLE_FILE_READS);

/// Handles a request off the main thread, because reading a file takes time.
#[expect(clippy::needless_pass_by_value, reason = "the signature is Tauri's")]
pub(crate) fn serve_avatar_request_off_main_thread<R: Runtime>(
    context: UriSchemeContext<'_, R>,
    request: Request<Vec<u8>>,
    responder: UriSchemeResponder,
) {
    let app = context.app_handle().clone();
    let of_kiosk = context.webview_label() == crate::window::KIOSK_WINDOW;
    let asked = parse_request_path(request.uri().path()).filter(|_| of_kiosk);
    let part = parse_file_part_from_query(request.uri().query());
    tauri::async_runtime::spawn(async move {
        // Held until the web view has the bytes.
        let _place = wait_for_whole_file_read_permit(&WHOLE_FILE_READS, part).await;
        let found = match (asked, part) {
            (Some(asked), Some(part)) => read_requested_part_if_permitted(&app, &asked, part).await,
            _ => None,
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

/// How much of a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestedFilePart {
    WholeFile,
    /// At most [`MAX_PIECE_BYTES`] from this offset.
    PieceFrom(u64),
}

/// Bytes of a file, with what the page needs to know about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileContent {
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Size of the whole file in bytes.
    pub(crate) file_size: u64,
}

/// The part that a query asks for; `None` if the query has another form.
fn parse_file_part_from_query(query: Option<&str>) -> Option<RequestedFilePart> {
    match query {
        None | Some("") => Some(RequestedFilePart::WholeFile),
        Some(query) => query.strip_prefix("from=")?.parse().ok().map(RequestedFilePart::PieceFrom),
    }
}

/// Waits until a whole file may be read. A piece of a file needs no place, so that it does not wait for portraits.
async fn wait_for_whole_file_read_permit(
    places: &Semaphore,
    part: Option<RequestedFilePart>,
) -> Option<SemaphorePermit<'_>> {
    match part {
        Some(RequestedFilePart::WholeFile) => places.acquire().await.ok(),
        Some(RequestedFilePart::PieceFrom(_)) | None => None,
    }
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

/// The requested part of a file, if it may be read now.
pub(crate) async fn read_requested_part_if_permitted<R: Runtime>(
    app: &AppHandle<R>,
    asked: &RequestedFile,
    part: RequestedFilePart,
) -> Option<FileContent> {
    let path = match asked {
        RequestedFile::ShownVisit { visit, name } => {
            let kiosk = app.state::<Kiosk>();
            kiosk.record_file_request_of_page(visit, name);
            kiosk.shown_visit_file_path(visit, name)?
        }
        RequestedFile::PastPortrait { visit, name } => {
            let panel = app.state::<Panel>();
            let open = panel.pin_lock().is_unlocked(app.state::<Clock>().millis_since_clock_creation());
            if !open {
                return None;
            }
            panel.find_past_portrait_path(visit, name).await?
        }
        RequestedFile::Logo => {
            let panel = app.state::<Panel>().inner().clone();
            let bytes = run_on_blocking_thread(move || panel.read_operator_logo()).await?;
            let file_size = bytes.len() as u64;
            return Some(FileContent { content_type: "image/png", bytes, file_size });
        }
    };
    let content_type = content_type_of_file(&path);
    let max_pixels = match asked {
        RequestedFile::PastPortrait { .. } => MAX_LISTED_PIXELS,
        RequestedFile::ShownVisit { .. } | RequestedFile::Logo => MAX_SHOWN_PIXELS,
    };
    let read = run_on_blocking_thread(move || {
        Some(read_file_part_and_size(&path, part, max_pixels).map_err(|error| (path, error)))
    })
    .await?;
    match read {
        Ok((bytes, file_size)) => Some(FileContent { content_type, bytes, file_size }),
        Err((path, error)) => {
            tracing::warn!(path = %path.display(), %error, "a saved file could not be read for the screen");
            None
        }
    }
}

/// Runs a blocking function on a thread that may block.
async fn run_on_blocking_thread<T: Send + 'static>(read: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    tauri::async_runtime::spawn_blocking(read).await.ok().flatten()
}

/// A part of a file, and the size of the whole file. As a whole only a picture of at most `max_pixels` is read.
///
/// # Errors
/// If the file cannot be read, or is asked for as a whole and is too large, or no picture that can be shown.
fn read_file_part_and_size(path: &Path, part: RequestedFilePart, max_pixels: u64) -> std::io::Result<(Vec<u8>, u64)> {
    let mut file = std::fs::File::open(path)?;
    let file_size = file.metadata()?.len();
    let limit = match part {
        RequestedFilePart::PieceFrom(offset) => {
            file.seek(SeekFrom::Start(offset))?;
            MAX_PIECE_BYTES
        }
        RequestedFilePart::WholeFile if file_size > MAX_WHOLE_FILE_BYTES => {
            return Err(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                format!("the file has {file_size} bytes, and at most {MAX_WHOLE_FILE_BYTES} are read at once"),
            ));
        }
        RequestedFilePart::WholeFile => MAX_WHOLE_FILE_BYTES,
    };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    if part == RequestedFilePart::WholeFile {
        check_picture_within_max_pixels(&bytes, max_pixels)
            .map_err(|why| std::io::Error::new(std::io::ErrorKind::InvalidData, why))?;
    }
    Ok((bytes, file_size))
}

/// The file as a response, or status 404.
fn build_file_response(file: Option<FileContent>) -> Response<Vec<u8>> {
    let (status, content_type, body, file_size) = match file {
        Some(file) => (StatusCode::OK, file.content_type, file.bytes, Some(file.file_size)),
        None => (StatusCode::NOT_FOUND, "text/plain", Vec::new(), None),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // The page's origin differs from the scheme's. No other page has access.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(FILE_SIZE_HEADER));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(file_size) = file_size {
        headers.insert(FILE_SIZE_HEADER, HeaderValue::from(file_size));
    }
    response
}

/// The content type, by the file's extension.
fn content_type_of_file(file: &Path) -> &'static str {
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
        let found = FileContent { content_type: "image/png", bytes: vec![1], file_size: 9 };
        let response = build_file_response(Some(found));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[FILE_SIZE_HEADER], "9");
    }

    #[test]
    fn queries_are_parsed_into_parts() {
        assert_eq!(parse_file_part_from_query(None), Some(RequestedFilePart::WholeFile));
        assert_eq!(parse_file_part_from_query(Some("from=4194304")), Some(RequestedFilePart::PieceFrom(4 << 20)));
        for other in ["from=", "from=-1", "from=1&to=2", "to=1"] {
            assert_eq!(parse_file_part_from_query(Some(other)), None, "{other}");
        }
    }

    #[test]
    fn pieces_make_up_the_file_and_a_huge_file_is_read_in_pieces_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("avatar.glb");
        let length = 2 * usize::try_from(MAX_PIECE_BYTES).expect("a small piece") + 5;
        let content: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
        std::fs::write(&path, &content).expect("a file");
        let mut read = Vec::new();
        while read.len() < content.len() {
            let piece = RequestedFilePart::PieceFrom(read.len() as u64);
            let (bytes, file_size) = read_file_part_and_size(&path, piece, MAX_LISTED_PIXELS).expect("a piece");
            assert!(!bytes.is_empty() && bytes.len() as u64 <= MAX_PIECE_BYTES);
            assert_eq!(file_size, content.len() as u64);
            read.extend(bytes);
        }
        assert!(read == content);
        let past_the_end = RequestedFilePart::PieceFrom(content.len() as u64 + 1);
        assert!(read_file_part_and_size(&path, past_the_end, MAX_LISTED_PIXELS).expect("no bytes").0.is_empty());

        let huge = std::fs::File::options().write(true).open(&path).expect("the file");
        huge.set_len(MAX_WHOLE_FILE_BYTES + 1).expect("a sparse file");
        let error =
            read_file_part_and_size(&path, RequestedFilePart::WholeFile, MAX_LISTED_PIXELS).expect_err("too large");
        assert!(error.to_string().contains("8388609 bytes"), "{error}");
        assert_eq!(
            read_file_part_and_size(&path, RequestedFilePart::PieceFrom(0), MAX_LISTED_PIXELS).expect("a piece").0.len()
                as u64,
            MAX_PIECE_BYTES
        );
    }

    #[test]
    fn a_whole_file_is_a_picture_that_the_page_can_show() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("avatar.png");
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(8, 8).write_to(&mut bytes, image::ImageFormat::Png).expect("encoded");
        let mut png = bytes.into_inner();
        std::fs::write(&path, &png).expect("a file");
        assert_eq!(
            read_file_part_and_size(&path, RequestedFilePart::WholeFile, MAX_LISTED_PIXELS).expect("shown").0,
            png
        );
        // 500 megapixels, as a file of a few kilobytes can have.
        png[16..24].copy_from_slice(&[0, 0, 0x57, 0x58, 0, 0, 0x57, 0x58]);
        std::fs::write(&path, &png).expect("a file");
        let error =
            read_file_part_and_size(&path, RequestedFilePart::WholeFile, MAX_LISTED_PIXELS).expect_err("not shown");
        assert!(error.to_string().contains("22360 × 22360 pixels"), "{error}");
        read_file_part_and_size(&path, RequestedFilePart::PieceFrom(0), MAX_LISTED_PIXELS).expect("a piece");
    }

    #[tokio::test]
    async fn few_whole_files_are_read_at_a_time_and_pieces_do_not_wait() {
        let places = Semaphore::new(MAX_WHOLE_FILE_READS);
        let mut held = Vec::new();
        for _ in 0..MAX_WHOLE_FILE_READS {
            held.push(wait_for_whole_file_read_permit(&places, Some(RequestedFilePart::WholeFile)).await);
        }
        assert_eq!(places.available_permits(), 0);
        assert!(wait_for_whole_file_read_permit(&places, Some(RequestedFilePart::PieceFrom(0))).await.is_none());
        let next = wait_for_whole_file_read_permit(&places, Some(RequestedFilePart::WholeFile));
        tokio::pin!(next);
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, &mut next).await.is_err(), "no place is free");
        held.pop();
        assert!(next.await.is_some());
    }
}
