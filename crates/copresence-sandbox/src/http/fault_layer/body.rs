//! Bodies that are cut, slow, of another length, endless, random or encoded. All of them are streamed.

use crate::connection::ConnectionControl;
use crate::faults::BodyCutMethod;
use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::BytesMut;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use futures_util::{Stream, StreamExt, stream};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::future::pending;
use std::io::{self, Write};
use std::time::Duration;

/// Maximum size of a generated chunk, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// A body that fails before its first byte.
pub(super) fn immediately_failing_body() -> impl Stream<Item = io::Result<Bytes>> {
    stream::once(async { Err(response_abort_error()) })
}

/// Ends the response after `after` bytes of the body.
pub(in crate::http) fn with_cut_body(
    response: Response,
    after: u64,
    by: BodyCutMethod,
    control: Option<ConnectionControl>,
) -> Response {
    let promised = body_length(&response).unwrap_or(0).max(after.saturating_add(1));
    replace_body_and_length_header(response, Some(promised), |body| {
        stream::try_unfold((body, after, control), move |(mut body, left, control)| async move {
            let chunk = if left == 0 { None } else { read_next_body_chunk(&mut body).await? };
            let Some(mut chunk) = chunk else {
                end_connection_early(by, control.as_ref()).await;
                return Err(response_abort_error());
            };
            chunk.truncate(saturating_usize(left));
            let left = left - chunk.len() as u64;
            Ok(Some((chunk, (body, left, control))))
        })
    })
}

/// Sends the body slowly, in about twenty chunks per second.
pub(super) fn with_slow_body(response: Response, bytes_per_second: u64) -> Response {
    let piece = saturating_usize(bytes_per_second / 20).clamp(1, CHUNK_BYTES);
    let whole = body_length(&response);
    replace_body_and_length_header(response, whole, |body| {
        stream::try_unfold((body, Bytes::new()), move |(mut body, mut chunk)| async move {
            while chunk.is_empty() {
                let Some(next) = read_next_body_chunk(&mut body).await? else { return Ok(None) };
                chunk = next;
            }
            let part = chunk.split_to(piece.min(chunk.len()));
            #[expect(clippy::cast_precision_loss, reason = "a pace")]
            let takes = part.len() as f64 / bytes_per_second as f64;
            tokio::time::sleep(Duration::from_secs_f64(takes)).await;
            Ok(Some((part, (body, chunk))))
        })
    })
}

/// Promises a Content-Length that differs from the body by `by` bytes.
pub(super) fn with_wrong_length(response: Response, by: i64, control: Option<ConnectionControl>) -> Response {
    let whole = body_length(&response).unwrap_or(0);
    if by >= 0 {
        return with_cut_body(response, whole, BodyCutMethod::Close, control)
            .with_content_length_header(whole.saturating_add(by.unsigned_abs()));
    }
    if whole == 0 {
        return response;
    }
    // With a promised length of 0, the HTTP stack would not poll the body.
    let promised = whole.saturating_sub(by.unsigned_abs()).max(1);
    replace_body_and_length_header(response, Some(promised), |body| {
        stream::try_unfold((body, promised, control), |(mut body, left, control)| async move {
            let Some(mut chunk) = read_next_body_chunk(&mut body).await? else { return Ok(None) };
            if (chunk.len() as u64) < left {
                let left = left - chunk.len() as u64;
                return Ok(Some((chunk, (body, left, control))));
            }
            // The HTTP stack sends nothing beyond the promised length, so the connection sends the rest.
            let mut rest = BytesMut::from(&chunk.split_off(saturating_usize(left))[..]);
            while let Some(more) = read_next_body_chunk(&mut body).await? {
                rest.extend_from_slice(&more);
            }
            if let Some(control) = &control {
                control.request_close_after_sending(rest.freeze());
            }
            Ok(Some((chunk, (body, 0, control))))
        })
    })
}

/// Adds filler to the body without end.
pub(super) fn with_endless_filler(response: Response) -> Response {
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let filler = Bytes::from(vec![if json { b' ' } else { 0 }; CHUNK_BYTES]);
    replace_body_and_length_header(response, None, |body| {
        body.map(|chunk| chunk.map_err(io::Error::other)).chain(stream::repeat_with(move || Ok(filler.clone())))
    })
}

/// Sends random bytes in place of the body.
pub(super) async fn with_garbage_body(response: Response, bytes: Option<u64>, rng: ChaCha8Rng) -> Response {
    let Some(bytes) = bytes else {
        let whole = body_length(&response);
        return replace_body_and_length_header(response, whole, |body| {
            let mut rng = rng;
            body.map(move |chunk| chunk.map(|chunk| random_bytes(chunk.len(), &mut rng)).map_err(io::Error::other))
        });
    };
    let (head, body) = response.into_parts();
    read_and_discard_response(Response::new(body)).await;
    replace_body_and_length_header(Response::from_parts(head, Body::empty()), Some(bytes), |_| {
        stream::unfold((bytes, rng), |(left, mut rng)| async move {
            let piece = saturating_usize(left).min(CHUNK_BYTES);
            (piece > 0).then(|| (Ok(random_bytes(piece, &mut rng)), (left - piece as u64, rng)))
        })
    })
}

/// Sets Content-Encoding, and encodes the body if the coding is supported and not only claimed.
pub(super) fn with_real_or_claimed_encoding(mut response: Response, coding: &str, only_claimed: bool) -> Response {
    // Checked when the list was set.
    if let Ok(value) = HeaderValue::from_str(coding) {
        response.headers_mut().insert(header::CONTENT_ENCODING, value);
    }
    let encoder = match coding {
        "gzip" if !only_claimed => ContentEncoder::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
        "deflate" if !only_claimed => ContentEncoder::Deflate(ZlibEncoder::new(Vec::new(), Compression::fast())),
        _ => return response,
    };
    replace_body_and_length_header(response, None, |body| {
        stream::try_unfold((body, Some(encoder)), |(mut body, encoder)| async move {
            let Some(mut encoder) = encoder else { return Ok(None) };
            Ok(match read_next_body_chunk(&mut body).await? {
                Some(chunk) => Some((encoder.compress_chunk(&chunk)?, (body, Some(encoder)))),
                None => Some((encoder.finish_encoding()?, (body, None))),
            })
        })
    })
}

/// Encodes a body chunk by chunk, with gzip or deflate.
enum ContentEncoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl ContentEncoder {
    /// Compresses a chunk; returns the output so far, which may be empty.
    fn compress_chunk(&mut self, chunk: &[u8]) -> io::Result<Bytes> {
        Ok(std::mem::take(match self {
            Self::Gzip(to) => to.write_all(chunk).map(|()| to.get_mut())?,
            Self::Deflate(to) => to.write_all(chunk).map(|()| to.get_mut())?,
        })
        .into())
    }

    /// Ends the encoding; returns the last encoded bytes.
    fn finish_encoding(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Gzip(to) => to.finish()?,
            Self::Deflate(to) => to.finish()?,
        }
        .into())
    }
}

/// The length of the body, if known.
fn body_length(response: &Response) -> Option<u64> {
    let from_header =
        response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    from_header.or_else(|| response.body().size_hint().exact())
}

/// Reads a response to its end and drops it, so that it has its full effect: a file's URL is used up.
pub(super) async fn read_and_discard_response(response: Response) {
    let mut body = response.into_body().into_data_stream();
    while let Some(Ok(_)) = body.next().await {}
}

/// Ends the connection before the promised end of the response, or falls silent, and then waits forever. Returns only
/// if there is no connection to end.
async fn end_connection_early(by: BodyCutMethod, control: Option<&ConnectionControl>) {
    match (by, control) {
        (BodyCutMethod::Close, Some(control)) => control.request_close_after_sending(Bytes::new()),
        (BodyCutMethod::Reset, Some(control)) => control.request_reset_after_flush(),
        (BodyCutMethod::Silence, _) => {}
        (_, None) => return,
    }
    pending::<()>().await;
}

/// Replaces the body, and sets its Content-Length (chunked if `None`).
fn replace_body_and_length_header<S>(
    response: Response,
    promised: Option<u64>,
    change: impl FnOnce(BodyDataStream) -> S,
) -> Response
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    let (mut head, body) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    let response = Response::from_parts(head, Body::from_stream(change(body.into_data_stream())));
    match promised {
        Some(length) => response.with_content_length_header(length),
        None => response,
    }
}

/// Sets the `Content-Length` of a response without changing its body.
trait SetContentLength {
    /// Returns the response with this `Content-Length`, in bytes.
    fn with_content_length_header(self, length: u64) -> Self;
}

impl SetContentLength for Response {
    fn with_content_length_header(mut self, length: u64) -> Self {
        self.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        self
    }
}

/// Reads the next chunk of an unchanged body; `None` at its end.
async fn read_next_body_chunk(body: &mut BodyDataStream) -> io::Result<Option<Bytes>> {
    body.next().await.transpose().map_err(io::Error::other)
}

/// The error that makes the HTTP stack abort a response.
fn response_abort_error() -> io::Error {
    io::Error::other("a fault of the sandbox ends this response")
}

/// Random bytes of this length. The first is not ASCII, so that no body begins like JSON or like a page by chance.
fn random_bytes(length: usize, rng: &mut ChaCha8Rng) -> Bytes {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    if let Some(first) = bytes.first_mut() {
        *first |= 0x80;
    }
    bytes.into()
}

/// The number as `usize`, at most `usize::MAX`.
fn saturating_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
