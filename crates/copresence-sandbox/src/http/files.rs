//! `GET /files/{id}/{file}`: one-time, short-lived downloads.
//!
//! See [`crate::world::downloads`] for when a URL is used up. `Range` and `If-Range` resume an unfinished delivery. A
//! range without the last byte, and `HEAD`, do not use the URL up.

use super::error::{ErrorResponse, NO_STORE, OBJECT_NOT_FOUND};
use super::glb_padding;
use crate::avatar_store::FileContentOrPath;
use crate::openapi::ErrorResponseSchema;
use crate::sandbox::Sandbox;
use crate::world::downloads::{DeliveryId, DownloadRefusal};
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use std::io;
use std::ops::Range;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Maximum size of a chunk, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// The route of the files that download URLs point to.
pub(super) fn routes() -> Router {
    Router::new().route("/files/{id}/{file}", get(download_file))
}

/// The routes for the OpenAPI document; [`routes`] serves them.
pub(super) fn build_file_routes_for_openapi_document() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(download_file))
}

/// A file that is open for reading.
struct OpenFile {
    source: FileSource,
    length: u64,
    etag: String,
}

/// Where the bytes of a file are read from: memory (possibly followed by padding) or disk.
enum FileSource {
    Memory(Bytes),
    /// A GLB up to its padding, which follows.
    Padded(Bytes),
    Disk(tokio::fs::File),
}

/// Download a file, once
///
/// Spec: "One-time download URL of avatar asset." "The provided URLs are also invalidated after a short while."
#[utoipa::path(
    get, path = "/files/{id}/{file}", tag = "vendor", operation_id = "download",
    params(
        ("id" = String, Path, description = "The one-time part of the URL"),
        ("file" = String, Path, description = "The file's name"),
        ("Range" = Option<String>, Header, description = "Resumes an unfinished delivery"),
        ("If-Range" = Option<String>, Header, description = "The ETag of the unfinished delivery"),
    ),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream"),
        (status = 206, description = "The rest of the file", content_type = "application/octet-stream"),
        (status = 404, description = "No such URL", body = ErrorResponseSchema),
        (status = 410, description = "The URL has been used or has expired", body = ErrorResponseSchema),
        (status = 416, description = "The range is outside the file", body = ErrorResponseSchema),
    )
)]
async fn download_file(
    Extension(sandbox): Extension<Sandbox>,
    Path((id, file)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ErrorResponse> {
    let checked = sandbox.with_locked_world(|world, now| world.check_download(&id, &file, now));
    let (avatar, source) = checked.map_err(download_refusal_error)?;
    let content = sandbox.avatar_store().export_content(&avatar, &source.file).await;
    let opened = match content {
        Some(content) => open_content_with_optional_padding(content, source.glb_padding).await,
        None => Err(io::Error::other("the avatar cannot be generated")),
    };
    let opened = opened.map_err(|error| {
        tracing::error!(%error, file, "a file cannot be delivered");
        ErrorResponse::internal_error("the file cannot be read; see the log of the sandbox")
    })?;
    let (status, range) = match parse_requested_range(&headers, &opened) {
        RequestedRange::Whole => (StatusCode::OK, 0..opened.length),
        RequestedRange::Range(range) => (StatusCode::PARTIAL_CONTENT, range),
        RequestedRange::Unsatisfiable => return Ok(range_not_satisfiable_response(opened.length)),
    };
    let head = file_response_headers(status, &range, &opened, &file);
    if method == Method::HEAD {
        return Ok((status, head).into_response());
    }
    let delivery_id = sandbox
        .with_locked_world(|world, now| world.begin_delivery(&id, &file, now))
        .map_err(download_refusal_error)?;
    if opened.length == 0 {
        sandbox.with_locked_world(|world, _| {
            world.check_and_record_chunk(&delivery_id.url_id, delivery_id.delivery, true)
        });
    }
    let mut delivery = OngoingFileDelivery::new(sandbox, delivery_id, opened, range);
    if let Err(error) = delivery.read_ahead_first_chunk().await {
        tracing::error!(%error, file, "a file cannot be delivered");
        return Err(ErrorResponse::internal_error("the file cannot be read; see the log of the sandbox"));
    }
    Ok((status, head, Body::from_stream(stream_range_using_up_url(delivery))).into_response())
}

/// The error of a refused download: 404 for an unknown URL, 410 for a used or expired one.
fn download_refusal_error(refusal: DownloadRefusal) -> ErrorResponse {
    let status = match refusal {
        DownloadRefusal::Unknown => StatusCode::NOT_FOUND,
        DownloadRefusal::Used | DownloadRefusal::Expired => StatusCode::GONE,
    };
    ErrorResponse::new(status, OBJECT_NOT_FOUND, refusal.to_string())
}

/// Opens the content of a file with its length and `ETag`. A GLB in memory is padded by `glb_padding` bytes.
async fn open_content_with_optional_padding(content: FileContentOrPath, glb_padding: u64) -> io::Result<OpenFile> {
    match content {
        FileContentOrPath::Memory { bytes, etag } if glb_padding > 0 && glb_padding::can_pad_glb(&bytes) => {
            let head = glb_padding::glb_with_padding_chunk_header(&bytes, glb_padding);
            let etag = format!("\"large-{}\"", etag.trim_matches('"'));
            Ok(OpenFile { length: head.len() as u64 + glb_padding, source: FileSource::Padded(head), etag })
        }
        FileContentOrPath::Memory { bytes, etag } => {
            Ok(OpenFile { length: bytes.len() as u64, source: FileSource::Memory(bytes), etag })
        }
        FileContentOrPath::Disk(path) => {
            let file = tokio::fs::File::open(&path).await?;
            let about = file.metadata().await?;
            let changed = about.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let etag = format!("\"{:x}-{:x}\"", about.len(), changed.unwrap_or_default().as_nanos());
            Ok(OpenFile { length: about.len(), source: FileSource::Disk(file), etag })
        }
    }
}

/// Streams a complete file, without using a download URL.
pub(super) async fn stream_complete_file(content: FileContentOrPath) -> io::Result<Body> {
    match content {
        FileContentOrPath::Memory { bytes, .. } => Ok(Body::from(bytes)),
        FileContentOrPath::Disk(path) => {
            let file = tokio::fs::File::open(&path).await?;
            let pieces = stream::try_unfold(file, |mut file| async move {
                let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
                let read = file.read_buf(&mut buffer).await?;
                io::Result::Ok((read > 0).then(|| (buffer.freeze(), file)))
            });
            Ok(Body::from_stream(pieces))
        }
    }
}

/// The part of a file that a request asks for.
enum RequestedRange {
    Whole,
    Range(Range<u64>),
    Unsatisfiable,
}

/// Parses the single range that a request asks for. It is the whole file without a range, for several ranges, for a
/// malformed one, and if `If-Range` names another version of the file, as RFC 9110 allows.
fn parse_requested_range(headers: &HeaderMap, opened: &OpenFile) -> RequestedRange {
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        return RequestedRange::Whole;
    };
    if headers.get(header::IF_RANGE).is_some_and(|tag| tag.as_bytes() != opened.etag.as_bytes()) {
        return RequestedRange::Whole;
    }
    let Ok(parsed) = http_range_header::parse_range_header(range) else { return RequestedRange::Whole };
    if parsed.ranges.len() != 1 {
        return RequestedRange::Whole;
    }
    match parsed.validate(opened.length).ok().and_then(|ranges| ranges.into_iter().next()) {
        Some(range) => RequestedRange::Range(*range.start()..range.end() + 1),
        None => RequestedRange::Unsatisfiable,
    }
}

/// 416 with `Content-Range: bytes */length`.
fn range_not_satisfiable_response(length: u64) -> Response {
    let error = "the range is outside the file";
    let mut response = ErrorResponse::new(StatusCode::RANGE_NOT_SATISFIABLE, OBJECT_NOT_FOUND, error).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// The headers of a response with a file or a part of it.
fn file_response_headers(status: StatusCode, range: &Range<u64>, opened: &OpenFile, file: &str) -> HeaderMap {
    let mut head = HeaderMap::new();
    let mut put = |name, value: &str| {
        // Numbers, a digest and a fixed list of types are always valid header values.
        if let Ok(value) = HeaderValue::from_str(value) {
            head.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, content_type_from_file_name(file));
    put(header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    put(header::ETAG, &opened.etag);
    put(header::ACCEPT_RANGES, "bytes");
    put(header::CONTENT_DISPOSITION, "attachment");
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if status == StatusCode::PARTIAL_CONTENT {
        put(header::CONTENT_RANGE, &format!("bytes {}-{}/{}", range.start, range.end - 1, opened.length));
    }
    head.insert(header::CACHE_CONTROL, NO_STORE);
    head
}

/// The media type of a file by its extension; `application/octet-stream` if it is unknown.
pub(super) fn content_type_from_file_name(file: &str) -> &'static str {
    let extension = file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("glb") => "model/gltf-binary",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("zip") => "application/zip",
        Some("obj") => "model/obj",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

/// A delivery of a file that is under way: the file, the range still to be sent, and the claim on the one-time URL.
struct OngoingFileDelivery {
    sandbox: Sandbox,
    claim: DeliveryId,
    source: FileSource,
    next_offset: u64,
    end_offset: u64,
    file_length: u64,
    has_seeked: bool,
    /// The chunk at `next_offset`, if it has been read already.
    read_ahead: Option<Bytes>,
}

/// Streams a range of a file. Fails if a newer delivery of the same URL replaces this one; the last byte of the
/// file uses the URL up.
fn stream_range_using_up_url(delivery: OngoingFileDelivery) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(delivery, |mut delivery| async move {
        if delivery.next_offset >= delivery.end_offset {
            return Ok(None);
        }
        let chunk = match delivery.read_ahead.take() {
            Some(chunk) => chunk,
            None => delivery.read_chunk().await?,
        };
        delivery.next_offset += chunk.len() as u64;
        let last = delivery.next_offset == delivery.file_length;
        let (id, number) = (&delivery.claim.url_id, delivery.claim.delivery);
        if !delivery.sandbox.with_locked_world(|world, _| world.check_and_record_chunk(id, number, last)) {
            return Err(io::Error::other("a newer delivery of this one-time URL has replaced this one"));
        }
        Ok(Some((chunk, delivery)))
    })
}

impl OngoingFileDelivery {
    fn new(sandbox: Sandbox, claim: DeliveryId, opened: OpenFile, range: Range<u64>) -> Self {
        let OpenFile { source, length, .. } = opened;
        Self {
            sandbox,
            claim,
            source,
            next_offset: range.start,
            end_offset: range.end,
            file_length: length,
            has_seeked: false,
            read_ahead: None,
        }
    }

    /// Reads the first chunk before the response begins, and keeps it until it is sent with the headers. So whether a
    /// client that closes the connection after the headers has used the URL up is independent of the speed of the disk.
    async fn read_ahead_first_chunk(&mut self) -> io::Result<()> {
        if self.next_offset < self.end_offset {
            self.read_ahead = Some(self.read_chunk().await?);
        }
        Ok(())
    }

    /// Reads the next chunk of the range, at most [`CHUNK_BYTES`] long.
    async fn read_chunk(&mut self) -> io::Result<Bytes> {
        let left = usize::try_from(self.end_offset - self.next_offset).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        match &mut self.source {
            FileSource::Memory(bytes) => {
                let from = usize::try_from(self.next_offset).map_err(io::Error::other)?;
                Ok(bytes.slice(from..from + left))
            }
            FileSource::Padded(head) => match self.next_offset.checked_sub(head.len() as u64) {
                None => {
                    let from = usize::try_from(self.next_offset).map_err(io::Error::other)?;
                    Ok(head.slice(from..head.len().min(from + left)))
                }
                Some(from) => Ok(glb_padding::generate_padding_bytes(from, left)),
            },
            FileSource::Disk(file) => {
                if !self.has_seeked {
                    file.seek(SeekFrom::Start(self.next_offset)).await?;
                    self.has_seeked = true;
                }
                let mut buffer = BytesMut::with_capacity(left);
                let read = file.take(left as u64).read_buf(&mut buffer).await?;
                if read == 0 {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the file was truncated while it was sent",
                    ));
                }
                Ok(buffer.freeze())
            }
        }
    }
}
