//! `GET /files/{id}/{file}`: one-time, short-lived downloads.
//!
//! See [`crate::world::downloads`] for when a URL is used up. `Range` and `If-Range` resume an unfinished delivery. A range
//! without the last byte, and `HEAD`, do not use the URL up.

use super::ballast;
use super::error::{NO_STORE, NOT_FOUND, Refused};
use crate::openapi::ErrorSchema;
use crate::sandbox::Sandbox;
use crate::scenario::BALLAST;
use crate::wardrobe::Content;
use crate::world::downloads::{Claim, Refusal};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use std::io;
use std::ops::Range;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Maximum size of a chunk, in bytes.
const CHUNK: usize = 64 * 1024;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new().route("/files/{id}/{file}", get(download_file))
}

/// The routes for the OpenAPI document; [`routes`] serves them.
pub(super) fn documented() -> OpenApiRouter<Sandbox> {
    OpenApiRouter::new().routes(routes!(download_file))
}

/// A file that is open for reading.
struct Opened {
    source: Source,
    length: u64,
    etag: String,
}

enum Source {
    Memory(Bytes),
    /// A GLB up to its padding, which follows.
    Ballasted(Bytes),
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
        (status = 404, description = "No such URL", body = ErrorSchema),
        (status = 410, description = "The URL has been used or has expired", body = ErrorSchema),
        (status = 416, description = "The range is outside the file", body = ErrorSchema),
    )
)]
async fn download_file(
    State(sandbox): State<Sandbox>,
    Path((id, file)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let checked = sandbox.with_world(|world, now| world.look_at_file(&id, &file, now));
    let (avatar, source) = checked.map_err(refused)?;
    let content = sandbox.closet().content(&avatar, &source.file).await;
    let opened = match content {
        Some(content) => open(content, source.large).await,
        None => Err(io::Error::other("the avatar cannot be generated")),
    };
    let opened = opened.map_err(|error| {
        tracing::error!(%error, file, "a file cannot be delivered");
        Refused::internal("the file cannot be read; see the log of the sandbox")
    })?;
    let (status, range) = match asked_range(&headers, &opened) {
        Asked::Whole => (StatusCode::OK, 0..opened.length),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Outside => return Ok(outside(opened.length)),
    };
    let head = head(status, &range, &opened, &file);
    if method == Method::HEAD {
        return Ok((status, head).into_response());
    }
    let delivery_id = sandbox.with_world(|world, now| world.begin_file(&id, &file, now)).map_err(refused)?;
    if opened.length == 0 {
        sandbox.with_world(|world, _| world.hand_over(&delivery_id.id, delivery_id.delivery, true));
    }
    let body = Body::from_stream(chunks(sandbox, delivery_id, opened, range));
    Ok((status, head, body).into_response())
}

fn refused(refusal: Refusal) -> Refused {
    let status = match refusal {
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::Used | Refusal::Expired => StatusCode::GONE,
    };
    Refused::new(status, NOT_FOUND, refusal.to_string())
}

async fn open(content: Content, large: bool) -> io::Result<Opened> {
    match content {
        Content::Memory { bytes, etag } if large && ballast::fits(&bytes) => {
            let head = ballast::head(&bytes, BALLAST);
            let etag = format!("\"large-{}\"", etag.trim_matches('"'));
            Ok(Opened { length: head.len() as u64 + BALLAST, source: Source::Ballasted(head), etag })
        }
        Content::Memory { bytes, etag } => {
            Ok(Opened { length: bytes.len() as u64, source: Source::Memory(bytes), etag })
        }
        Content::Disk(path) => {
            let file = tokio::fs::File::open(&path).await?;
            let about = file.metadata().await?;
            let changed = about.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let etag = format!("\"{:x}-{:x}\"", about.len(), changed.unwrap_or_default().as_nanos());
            Ok(Opened { length: about.len(), source: Source::Disk(file), etag })
        }
    }
}

/// Streams a complete file, without using a download URL.
pub(super) async fn whole(content: Content) -> io::Result<Body> {
    match content {
        Content::Memory { bytes, .. } => Ok(Body::from(bytes)),
        Content::Disk(path) => {
            let file = tokio::fs::File::open(&path).await?;
            let pieces = stream::try_unfold(file, |mut file| async move {
                let mut buffer = BytesMut::with_capacity(CHUNK);
                let read = file.read_buf(&mut buffer).await?;
                io::Result::Ok((read > 0).then(|| (buffer.freeze(), file)))
            });
            Ok(Body::from_stream(pieces))
        }
    }
}

enum Asked {
    Whole,
    Part(Range<u64>),
    Outside,
}

/// Accepts a single range. The whole file is sent for several ranges, for a malformed one, and if `If-Range` names another
/// version of the file, as RFC 9110 allows.
fn asked_range(headers: &HeaderMap, opened: &Opened) -> Asked {
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        return Asked::Whole;
    };
    if headers.get(header::IF_RANGE).is_some_and(|tag| tag.as_bytes() != opened.etag.as_bytes()) {
        return Asked::Whole;
    }
    let Ok(parsed) = http_range_header::parse_range_header(range) else { return Asked::Whole };
    if parsed.ranges.len() != 1 {
        return Asked::Whole;
    }
    match parsed.validate(opened.length).ok().and_then(|ranges| ranges.into_iter().next()) {
        Some(range) => Asked::Part(*range.start()..range.end() + 1),
        None => Asked::Outside,
    }
}

fn outside(length: u64) -> Response {
    let error = "the range is outside the file";
    let mut response = Refused::new(StatusCode::RANGE_NOT_SATISFIABLE, NOT_FOUND, error).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

fn head(status: StatusCode, range: &Range<u64>, opened: &Opened, file: &str) -> HeaderMap {
    let mut head = HeaderMap::new();
    let mut put = |name, value: &str| {
        // Numbers, a digest and a fixed list of types are always valid header values.
        if let Ok(value) = HeaderValue::from_str(value) {
            head.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, content_type(file));
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

pub(super) fn content_type(file: &str) -> &'static str {
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

struct Delivery {
    sandbox: Sandbox,
    claim: Claim,
    source: Source,
    next: u64,
    end: u64,
    length: u64,
    sought: bool,
}

fn chunks(
    sandbox: Sandbox,
    delivery_id: Claim,
    opened: Opened,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let Opened { source, length, .. } = opened;
    let delivery = Delivery {
        sandbox,
        claim: delivery_id,
        source,
        next: range.start,
        end: range.end,
        length,
        sought: false,
    };
    stream::try_unfold(delivery, |mut delivery| async move {
        if delivery.next >= delivery.end {
            return Ok(None);
        }
        let chunk = delivery.read().await?;
        delivery.next += chunk.len() as u64;
        let last = delivery.next == delivery.length;
        let (id, number) = (&delivery.claim.id, delivery.claim.delivery);
        if !delivery.sandbox.with_world(|world, _| world.hand_over(id, number, last)) {
            return Err(io::Error::other("a newer delivery of this one-time URL has replaced this one"));
        }
        Ok(Some((chunk, delivery)))
    })
}

impl Delivery {
    async fn read(&mut self) -> io::Result<Bytes> {
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX).min(CHUNK);
        match &mut self.source {
            Source::Memory(bytes) => {
                let from = usize::try_from(self.next).map_err(io::Error::other)?;
                Ok(bytes.slice(from..from + left))
            }
            Source::Ballasted(head) => match self.next.checked_sub(head.len() as u64) {
                None => {
                    let from = usize::try_from(self.next).map_err(io::Error::other)?;
                    Ok(head.slice(from..head.len().min(from + left)))
                }
                Some(from) => Ok(ballast::bytes(from, left)),
            },
            Source::Disk(file) => {
                if !self.sought {
                    file.seek(SeekFrom::Start(self.next)).await?;
                    self.sought = true;
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
