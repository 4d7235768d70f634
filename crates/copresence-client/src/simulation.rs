//! A simulated network in place of HTTP, for tests that run whole visits in simulated time (feature `simulation`).
//!
//! [`crate::ApiClient::with_simulated_network`] replaces the sockets only: requests, timeouts, classification of errors
//! and redaction are those of the product.

use crate::transport_error::ConnectErrorKind;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream};
use http_body::{Body, Frame, SizeHint};
use reqwest::ResponseBuilderExt;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

/// Answers requests in place of a network and the servers behind it.
pub trait SimulatedNetwork: Send + Sync {
    /// Sends one request and waits for the headers of its response.
    ///
    /// Dropping the future is what a closed connection is: the request may have an effect all the same.
    fn send_request(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<SimulatedBody>, SimulatedFailure>>;
}

/// Why a simulated request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedFailure {
    /// No byte of the request was sent.
    NeverSent(ConnectErrorKind),
    /// The request was sent, and the connection ended before the headers of the response.
    ConnectionLost,
}

/// The body of a simulated response.
pub struct SimulatedBody {
    length: Option<u64>,
    /// Never locked: the mutex makes the body `Sync`, as reqwest requires.
    chunks: Mutex<BoxStream<'static, io::Result<Bytes>>>,
}

impl SimulatedBody {
    /// A body that arrives in chunks. `length` is its stated length in bytes. After an error nothing more is read.
    ///
    /// A body that ends before its stated length must end with an error, as it does over HTTP.
    pub fn new(length: Option<u64>, chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self { length, chunks: Mutex::new(chunks.boxed()) }
    }
}

impl fmt::Debug for SimulatedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedBody").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Body for SimulatedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunks = self.chunks.get_mut().unwrap_or_else(PoisonError::into_inner);
        chunks.poll_next_unpin(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Sends a request over the simulated network.
pub(crate) async fn execute_request(
    network: &dyn SimulatedNetwork,
    request: reqwest::Request,
) -> Result<reqwest::Response, SimulatedFailure> {
    let unsendable = |_| SimulatedFailure::NeverSent(ConnectErrorKind::Other);
    let url = request.url().clone();
    let mut simulated = http::Request::new(Bytes::new());
    *simulated.method_mut() = request.method().clone();
    *simulated.uri_mut() = http::Uri::try_from(url.as_str()).map_err(unsendable)?;
    *simulated.headers_mut() = request.headers().clone();
    if let Some(body) = request.body().and_then(reqwest::Body::as_bytes) {
        *simulated.body_mut() = Bytes::copy_from_slice(body);
    }
    let (mut parts, body) = network.send_request(simulated).await?.into_parts();
    // The builder is the only way to state the URL of a response.
    if let Some(extensions) = http::Response::builder().url(url).extensions_mut() {
        parts.extensions.extend(std::mem::take(extensions));
    }
    Ok(http::Response::from_parts(parts, reqwest::Body::wrap(body)).into())
}
