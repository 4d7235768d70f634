//! Reads request bodies within the limits of size, time and memory.
//!
//! Handlers take the [`Body`] and read it with [`receive_body`] after their checks, so that a request that is refused
//! costs neither memory nor time.

use super::error::{COMMAND_UNAVAILABLE, ErrorResponse, INVALID_JSON};
use crate::sandbox::Sandbox;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use bytes::BytesMut;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use std::ops::Deref;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

/// A request body in memory, with its share of the memory for bodies.
pub(super) struct ReceivedBody {
    bytes: Bytes,
    _reservation: Option<OwnedSemaphorePermit>,
}

impl Deref for ReceivedBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Receives a body of at most `max_bytes` bytes.
///
/// # Errors
/// 413 if it is larger; 408 if it does not arrive in time; 503 if too many other bodies are in memory; 400 if the
/// connection fails.
pub(super) async fn receive_body(sandbox: &Sandbox, body: Body, max_bytes: u32) -> Result<ReceivedBody, ErrorResponse> {
    let limit = sandbox.resource_limits().body_time_limit;
    let deadline = Instant::now() + limit;
    // Without a Content-Length, the size is not known before the end.
    let declared = body.size_hint().upper().unwrap_or(max_bytes.into());
    let too_large = || {
        let error = format!("the body is too large; at most {max_bytes} bytes are accepted");
        ErrorResponse::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID_JSON, error)
    };
    let reserved = u32::try_from(declared).ok().filter(|declared| *declared <= max_bytes).ok_or_else(too_large)?;
    let reservation =
        timeout_at(deadline, sandbox.upload_limiter().reserve_body_bytes(reserved)).await.map_err(|_| {
            let error = "the sandbox receives too many other bodies at the moment; try again later";
            ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, COMMAND_UNAVAILABLE, error)
        })?;
    // One buffer: a list of the frames would need many times the memory of a body in chunks of one byte.
    let capacity = reserved as usize;
    let mut bytes = BytesMut::with_capacity(capacity);
    let receive_frames = async {
        let mut frames = body.into_data_stream();
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(ErrorResponse::invalid_request_error)?;
            if frame.len() > capacity - bytes.len() {
                return Err(too_large());
            }
            bytes.extend_from_slice(&frame);
        }
        Ok(bytes.freeze())
    };
    let received = timeout_at(deadline, receive_frames).await.map_err(|_| {
        let error = format!("the body did not arrive within {} seconds; send it again", limit.as_secs_f32());
        ErrorResponse::new(StatusCode::REQUEST_TIMEOUT, COMMAND_UNAVAILABLE, error)
    })?;
    Ok(ReceivedBody { bytes: received?, _reservation: reservation })
}

/// Parses a JSON object. The error names the member.
///
/// # Errors
/// 400 if the text is not JSON, not an object (`serde` would read a list as one), or a member is invalid.
pub(super) fn parse_json_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, ErrorResponse> {
    if text.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(ErrorResponse::invalid_request_error("the body is not a JSON object, as in {\"paused\": true}"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let member = error.path().to_string();
        let place = if member == "." { String::new() } else { format!("`{member}`: ") };
        ErrorResponse::invalid_request_error(format!("{place}{}", error.inner()))
    })?;
    deserializer.end().map_err(ErrorResponse::invalid_request_error)?;
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SandboxSettings;
    use axum::response::IntoResponse as _;
    use std::convert::Infallible;
    use std::sync::Arc;

    /// A frame of one byte, which counts as long as its memory is in use.
    struct CountedFrame(#[expect(dead_code, reason = "its references are counted")] Arc<()>);

    impl AsRef<[u8]> for CountedFrame {
        fn as_ref(&self) -> &[u8] {
            b"X"
        }
    }

    /// Receives `count` frames of one byte. Returns the result and the largest number of frames in memory.
    async fn receive_counted_frames(count: usize, max_bytes: u32) -> (Result<ReceivedBody, ErrorResponse>, usize) {
        let sandbox = Sandbox::new(SandboxSettings::default()).expect("a sandbox");
        let held = Arc::new(());
        let most = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (counter, highest) = (held.clone(), most.clone());
        let frames = futures_util::stream::iter(0..count).map(move |_| {
            let frame = Bytes::from_owner(CountedFrame(counter.clone()));
            highest.fetch_max(Arc::strong_count(&counter) - 2, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, Infallible>(frame)
        });
        let received = receive_body(&sandbox, Body::from_stream(frames), max_bytes).await;
        (received, most.load(std::sync::atomic::Ordering::Relaxed))
    }

    #[tokio::test]
    async fn body_in_tiny_chunks_takes_the_memory_of_its_bytes() {
        let (received, frames_in_memory) = receive_counted_frames(1_000, 1_000).await;
        assert_eq!(received.map(|body| body.len()).ok(), Some(1_000));
        assert!(frames_in_memory <= 2, "{frames_in_memory} frames");
        let (refused, _) = receive_counted_frames(1_001, 1_000).await;
        assert_eq!(refused.err().expect("refused").into_response().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
