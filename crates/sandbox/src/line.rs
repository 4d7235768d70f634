//! Controls the TCP connection under a request, for faults below HTTP: a reset, an end in the middle of a response, and bytes
//! after its end.
//!
//! The HTTP stack has no such operations. So each connection is wrapped in a [`FaultyConnection`], and each request carries a
//! [`ConnectionControl`] for it. The requested end happens when the HTTP stack next uses the connection. An orderly end waits
//! until everything before it has been sent.

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
pub(crate) struct Line(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    end: Option<End>,
    /// Bytes to send after everything else, before the end.
    tail: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// RST now, without sending what is buffered.
    AtOnce,
    /// RST after everything is sent.
    Reset,
    /// FIN after everything is sent.
    Close,
}

impl Line {
    /// Resets the connection without sending another byte.
    pub(crate) fn reset_at_once(&self) {
        self.asked().end = Some(End::AtOnce);
    }

    /// Resets the connection after everything written has been sent.
    pub(crate) fn reset(&self) {
        self.asked().end = Some(End::Reset);
    }

    /// Closes the connection after everything written, and then `tail`, has been sent.
    pub(crate) fn close_after(&self, tail: Bytes) {
        let mut requested = self.asked();
        requested.end = Some(End::Close);
        requested.tail = tail;
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection over TCP that can be reset.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// The underlying TCP connection.
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Socket for Box<dyn Socket + Send> {
    fn tcp(&self) -> &TcpStream {
        (**self).tcp()
    }
}

/// A connection that obeys a [`ConnectionControl`].
pub(crate) struct Wire<S> {
    socket: S,
    line: Line,
    _place: OwnedSemaphorePermit,
}

/// Maximum number of connections. Beyond it, a new one is closed at once.
const MAX_CONNECTIONS: usize = 4_000;

/// Time allowed for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Accepts connections up to the maximum, and attaches a [`ConnectionControl`] to their requests.
#[derive(Clone)]
pub(crate) struct LineAcceptor {
    places: Arc<Semaphore>,
    tls: Option<TlsAcceptor>,
}

impl LineAcceptor {
    pub(crate) fn new(tls: Option<Arc<ServerConfig>>) -> Self {
        Self { places: Arc::new(Semaphore::new(MAX_CONNECTIONS)), tls: tls.map(TlsAcceptor::from) }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for LineAcceptor {
    type Stream = Wire<Box<dyn Socket + Send>>;
    type Service = AddExtension<S, Line>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, tcp: TcpStream, service: S) -> Self::Future {
        let permit = self.places.clone().try_acquire_owned();
        let tls = self.tls.clone();
        Box::pin(async move {
            let permit = permit.map_err(io::Error::other)?;
            // Sends small responses at once, and in the chunks in which they were written.
            tcp.set_nodelay(true)?;
            let socket: Box<dyn Socket + Send> = match tls {
                Some(tls) => Box::new(tokio::time::timeout(HANDSHAKE, tls.accept(tcp)).await??),
                None => Box::new(tcp),
            };
            let control = Line::default();
            Ok((Wire { socket, line: control.clone(), _place: permit }, Extension(control).layer(service)))
        })
    }
}

impl<S: Socket> Wire<S> {
    /// Fails if the connection is to be reset now.
    fn alive(&self) -> io::Result<()> {
        if self.line.asked().end == Some(End::AtOnce) { Err(self.cut()) } else { Ok(()) }
    }

    /// Makes the socket send RST when it is dropped, which the returned error causes.
    fn cut(&self) -> io::Error {
        if let Err(error) = self.socket.tcp().set_zero_linger() {
            tracing::warn!(%error, "a fault cannot reset a connection, and closes it instead");
        }
        io::Error::new(io::ErrorKind::ConnectionReset, "a fault of the sandbox resets this connection")
    }
}

impl<S: Socket> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: Socket> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// Called by the HTTP stack after it has written everything.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.alive()?;
        ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
        let (end, mut tail) = {
            let requested = this.line.asked();
            (requested.end, requested.tail.clone())
        };
        while end == Some(End::Close) && !tail.is_empty() {
            let sent = ready!(Pin::new(&mut this.socket).poll_write(cx, &tail))?;
            tail.advance(sent);
            this.line.asked().tail = tail.clone();
        }
        match end {
            None => Poll::Ready(Ok(())),
            Some(End::AtOnce | End::Reset) => Poll::Ready(Err(this.cut())),
            Some(End::Close) => {
                ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
                let error = "a fault of the sandbox closes this connection";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)))
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
