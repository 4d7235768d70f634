//! Bodies that are cut, slow, of another length, endless, random or encoded. All of them are streamed.

use crate::faults::CutBy;
use crate::line::Line;
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
const PIECE: usize = 64 * 1024;

/// A body that fails before its first byte.
pub(super) fn broken() -> impl Stream<Item = io::Result<Bytes>> {
    stream::once(async { Err(ended()) })
}

/// Ends the response after `after` bytes of the body.
pub(super) fn cut(response: Response, after: u64, by: CutBy, control: Option<Line>) -> Response {
    let promised = length(&response).unwrap_or(0).max(after.saturating_add(1));
    with_body(response, Some(promised), |body| {
        stream::try_unfold((body, after, control), move |(mut body, left, control)| async move {
            let chunk = if left == 0 { None } else { next(&mut body).await? };
            let Some(mut chunk) = chunk else {
                end(by, control.as_ref()).await;
                return Err(ended());
            };
            chunk.truncate(index(left));
            let left = left - chunk.len() as u64;
            Ok(Some((chunk, (body, left, control))))
        })
    })
}

/// Sends the body slowly, in about twenty chunks per second.
pub(super) fn slow(response: Response, bytes_per_second: u64) -> Response {
    let piece = index(bytes_per_second / 20).clamp(1, PIECE);
    let whole = length(&response);
    with_body(response, whole, |body| {
        stream::try_unfold((body, Bytes::new()), move |(mut body, mut chunk)| async move {
            while chunk.is_empty() {
                let Some(next) = next(&mut body).await? else { return Ok(None) };
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
pub(super) fn wrong_length(response: Response, by: i64, control: Option<Line>) -> Response {
    let whole = length(&response).unwrap_or(0);
    if by >= 0 {
        return cut(response, whole, CutBy::Close, control)
            .with_length(whole.saturating_add(by.unsigned_abs()));
    }
    if whole == 0 {
        return response;
    }
    // With a promised length of 0, the HTTP stack would not poll the body.
    let promised = whole.saturating_sub(by.unsigned_abs()).max(1);
    with_body(response, Some(promised), |body| {
        stream::try_unfold((body, promised, control), |(mut body, left, control)| async move {
            let Some(mut chunk) = next(&mut body).await? else { return Ok(None) };
            if (chunk.len() as u64) < left {
                let left = left - chunk.len() as u64;
                return Ok(Some((chunk, (body, left, control))));
            }
            // The HTTP stack sends nothing beyond the promised length, so the connection sends the rest.
            let mut rest = BytesMut::from(&chunk.split_off(index(left))[..]);
            while let Some(more) = next(&mut body).await? {
                rest.extend_from_slice(&more);
            }
            if let Some(control) = &control {
                control.close_after(rest.freeze());
            }
            Ok(Some((chunk, (body, 0, control))))
        })
    })
}

/// Adds filler to the body without end.
pub(super) fn endless(response: Response) -> Response {
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let filler = Bytes::from(vec![if json { b' ' } else { 0 }; PIECE]);
    with_body(response, None, |body| {
        body.map(|chunk| chunk.map_err(io::Error::other))
            .chain(stream::repeat_with(move || Ok(filler.clone())))
    })
}

/// Sends random bytes in place of the body.
pub(super) async fn garbage(response: Response, bytes: Option<u64>, rng: ChaCha8Rng) -> Response {
    let Some(bytes) = bytes else {
        let whole = length(&response);
        return with_body(response, whole, |body| {
            let mut rng = rng;
            body.map(move |chunk| chunk.map(|chunk| random(chunk.len(), &mut rng)).map_err(io::Error::other))
        });
    };
    let (head, body) = response.into_parts();
    spend(Response::new(body)).await;
    with_body(Response::from_parts(head, Body::empty()), Some(bytes), |_| {
        stream::unfold((bytes, rng), |(left, mut rng)| async move {
            let piece = index(left).min(PIECE);
            (piece > 0).then(|| (Ok(random(piece, &mut rng)), (left - piece as u64, rng)))
        })
    })
}

/// Sets Content-Encoding, and encodes the body if the coding is supported and not only claimed.
pub(super) fn coded(mut response: Response, coding: &str, only_claimed: bool) -> Response {
    // Checked when the list was set.
    if let Ok(value) = HeaderValue::from_str(coding) {
        response.headers_mut().insert(header::CONTENT_ENCODING, value);
    }
    let encoder = match coding {
        "gzip" if !only_claimed => Encoder::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
        "deflate" if !only_claimed => Encoder::Deflate(ZlibEncoder::new(Vec::new(), Compression::fast())),
        _ => return response,
    };
    with_body(response, None, |body| {
        stream::try_unfold((body, Some(encoder)), |(mut body, encoder)| async move {
            let Some(mut encoder) = encoder else { return Ok(None) };
            Ok(match next(&mut body).await? {
                Some(chunk) => Some((encoder.take(&chunk)?, (body, Some(encoder)))),
                None => Some((encoder.finish()?, (body, None))),
            })
        })
    })
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Encoder {
    /// Encodes a chunk; returns the output so far, which may be empty.
    fn take(&mut self, chunk: &[u8]) -> io::Result<Bytes> {
        Ok(std::mem::take(match self {
            Self::Gzip(to) => to.write_all(chunk).map(|()| to.get_mut())?,
            Self::Deflate(to) => to.write_all(chunk).map(|()| to.get_mut())?,
        })
        .into())
    }

    fn finish(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Gzip(to) => to.finish()?,
            Self::Deflate(to) => to.finish()?,
        }
        .into())
    }
}

/// The length of the body, if known.
fn length(response: &Response) -> Option<u64> {
    let from_header =
        response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    from_header.or_else(|| response.body().size_hint().exact())
}

/// Reads a response to its end and drops it, so that it has its full effect: a file's URL is used up.
pub(super) async fn spend(response: Response) {
    let mut body = response.into_body().into_data_stream();
    while let Some(Ok(_)) = body.next().await {}
}

/// Ends a response before its promised end. Returns only if there is no connection to end.
async fn end(by: CutBy, control: Option<&Line>) {
    match (by, control) {
        (CutBy::Close, Some(control)) => control.close_after(Bytes::new()),
        (CutBy::Reset, Some(control)) => control.reset(),
        (CutBy::Silence, _) => {}
        (_, None) => return,
    }
    pending::<()>().await;
}

/// Replaces the body, and sets its Content-Length (chunked if `None`).
fn with_body<S>(
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
        Some(length) => response.with_length(length),
        None => response,
    }
}

trait WithLength {
    fn with_length(self, length: u64) -> Self;
}

impl WithLength for Response {
    fn with_length(mut self, length: u64) -> Self {
        self.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        self
    }
}

async fn next(body: &mut BodyDataStream) -> io::Result<Option<Bytes>> {
    body.next().await.transpose().map_err(io::Error::other)
}

fn ended() -> io::Error {
    io::Error::other("a fault of the sandbox ends this response")
}

fn random(length: usize, rng: &mut ChaCha8Rng) -> Bytes {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes.into()
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
