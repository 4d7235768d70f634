//! Controls the TCP connection under a request, for faults below HTTP: a reset, an end in the middle of a response, and
//! bytes after its end.
//!
//! The HTTP stack has no such operations. So each connection is wrapped in a [`FaultyConnection`], and each request
//! carries a [`ConnectionControl`] for it. The requested end happens when the HTTP stack next uses the connection. An
//! orderly end waits until everything before it has been sent.

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use rustls::ServerConfig;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Layer;

/// Controls the connection that a request came by.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionControl(Arc<Mutex<RequestedTermination>>);

/// How and after which bytes the connection ends; set by a fault.
#[derive(Debug, Default)]
struct RequestedTermination {
    end: Option<ConnectionTermination>,
    /// Bytes to send after everything else, before the end.
    tail: Bytes,
}

/// How the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionTermination {
    /// RST now, without sending what is buffered.
    ResetNow,
    /// RST after everything is sent.
    ResetAfterFlush,
    /// FIN after everything is sent.
    CloseAfterFlush,
}

impl ConnectionControl {
    /// Resets the connection without sending another byte.
    pub(crate) fn request_immediate_reset(&self) {
        self.lock_requested_termination().end = Some(ConnectionTermination::ResetNow);
    }

    /// Resets the connection after everything written has been sent.
    pub(crate) fn request_reset_after_flush(&self) {
        self.lock_requested_termination().end = Some(ConnectionTermination::ResetAfterFlush);
    }

    /// Closes the connection after everything written, and then `tail`, has been sent.
    pub(crate) fn request_close_after_sending(&self, tail: Bytes) {
        let mut requested = self.lock_requested_termination();
        requested.end = Some(ConnectionTermination::CloseAfterFlush);
        requested.tail = tail;
    }

    /// Locks the mutex of the requested termination.
    fn lock_requested_termination(&self) -> MutexGuard<'_, RequestedTermination> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection over TCP that can be reset.
pub(crate) trait ResettableSocket: AsyncRead + AsyncWrite + Unpin {
    /// The underlying TCP connection.
    fn tcp_stream(&self) -> &TcpStream;
}

impl ResettableSocket for TcpStream {
    fn tcp_stream(&self) -> &TcpStream {
        self
    }
}

impl ResettableSocket for TlsStream<TcpStream> {
    fn tcp_stream(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl ResettableSocket for Box<dyn ResettableSocket + Send> {
    fn tcp_stream(&self) -> &TcpStream {
        (**self).tcp_stream()
    }
}

/// A connection that obeys a [`ConnectionControl`].
pub(crate) struct FaultyConnection<S> {
    socket: S,
    control: ConnectionControl,
    _permit: OwnedSemaphorePermit,
}

/// Maximum number of connections. Beyond it, a new one is closed at once.
const MAX_CONNECTIONS: usize = 4_000;

/// Time allowed for the TLS handshake.
const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Accepts at most [`MAX_CONNECTIONS`] connections, and attaches a [`ConnectionControl`] to their requests.
#[derive(Clone)]
pub(crate) struct ConnectionAcceptor {
    permits: Arc<Semaphore>,
    tls: Option<TlsAcceptor>,
}

impl ConnectionAcceptor {
    pub(crate) fn new(tls: Option<Arc<ServerConfig>>) -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)), tls: tls.map(TlsAcceptor::from) }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for ConnectionAcceptor {
    type Stream = FaultyConnection<Box<dyn ResettableSocket + Send>>;
    type Service = AddExtension<S, ConnectionControl>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, tcp: TcpStream, service: S) -> Self::Future {
        let permit = self.permits.clone().try_acquire_owned();
        let tls = self.tls.clone();
        Box::pin(async move {
            let permit = permit.map_err(io::Error::other)?;
            // Sends small responses at once, and in the chunks in which they were written.
            tcp.set_nodelay(true)?;
            let socket: Box<dyn ResettableSocket + Send> = match tls {
                Some(tls) => Box::new(tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, tls.accept(tcp)).await??),
                None => Box::new(tcp),
            };
            let control = ConnectionControl::default();
            Ok((
                FaultyConnection { socket, control: control.clone(), _permit: permit },
                Extension(control).layer(service),
            ))
        })
    }
}

impl<S: ResettableSocket> FaultyConnection<S> {
    /// Fails if the connection is to be reset now.
    fn fail_if_reset_requested(&self) -> io::Result<()> {
        if self.control.lock_requested_termination().end == Some(ConnectionTermination::ResetNow) {
            Err(self.prepare_reset_returning_error())
        } else {
            Ok(())
        }
    }

    /// Makes the socket send RST when it is dropped, which the returned error causes.
    fn prepare_reset_returning_error(&self) -> io::Error {
        if let Err(error) = self.socket.tcp_stream().set_zero_linger() {
            tracing::warn!(%error, "a fault cannot reset a connection, and closes it instead");
        }
        io::Error::new(io::ErrorKind::ConnectionReset, "a fault of the sandbox resets this connection")
    }
}

impl<S: ResettableSocket> AsyncRead for FaultyConnection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.fail_if_reset_requested()?;
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: ResettableSocket> AsyncWrite for FaultyConnection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.fail_if_reset_requested()?;
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.fail_if_reset_requested()?;
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// Called by the HTTP stack after it has written everything.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.fail_if_reset_requested()?;
        ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
        let (end, mut tail) = {
            let requested = this.control.lock_requested_termination();
            (requested.end, requested.tail.clone())
        };
        while end == Some(ConnectionTermination::CloseAfterFlush) && !tail.is_empty() {
            let sent = ready!(Pin::new(&mut this.socket).poll_write(cx, &tail))?;
            tail.advance(sent);
            this.control.lock_requested_termination().tail = tail.clone();
        }
        match end {
            None => Poll::Ready(Ok(())),
            Some(ConnectionTermination::ResetNow | ConnectionTermination::ResetAfterFlush) => {
                Poll::Ready(Err(this.prepare_reset_returning_error()))
            }
            Some(ConnectionTermination::CloseAfterFlush) => {
                ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
                let error = "a fault of the sandbox closes this connection";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)))
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fail_if_reset_requested()?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
