//! Controls the TCP connection under a request, for faults below HTTP: a reset, an end in the middle of a response, and
//! bytes after its end.
//!
//! The HTTP stack has no such operations. So each connection is wrapped in a [`FaultControlledConnection`], and each request
//! carries a [`ConnectionControl`] for it. The requested end happens when the HTTP stack next uses the connection. An
//! orderly end waits until everything before it has been sent.

use crate::connection_slots::{ConnectionOrigin, ConnectionSlotGuard, ConnectionSlots};
use crate::sandbox::Sandbox;
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
use tokio::time::Sleep;
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
    fn underlying_tcp_stream(&self) -> &TcpStream;
}

impl ResettableSocket for TcpStream {
    fn underlying_tcp_stream(&self) -> &TcpStream {
        self
    }
}

impl ResettableSocket for TlsStream<TcpStream> {
    fn underlying_tcp_stream(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl ResettableSocket for Box<dyn ResettableSocket + Send> {
    fn underlying_tcp_stream(&self) -> &TcpStream {
        (**self).underlying_tcp_stream()
    }
}

/// A connection that obeys a [`ConnectionControl`], and fails if the client accepts nothing for too long.
pub(crate) struct FaultControlledConnection<S> {
    socket: S,
    control: ConnectionControl,
    write_timeout: Duration,
    /// Ends when the client has accepted nothing for `write_timeout`; `None` while it accepts.
    stalled_write: Option<Pin<Box<Sleep>>>,
    _place: ConnectionSlotGuard,
}

/// Time allowed for the TLS handshake.
const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Accepts connections while there are slots for them, closes others at once, and attaches a [`ConnectionControl`] to their
/// requests.
#[derive(Clone)]
pub(crate) struct SlotLimitedAcceptor {
    slots: Arc<ConnectionSlots>,
    may_be_behind_local_proxy: bool,
    write_timeout: Duration,
    tls: Option<TlsAcceptor>,
}

impl SlotLimitedAcceptor {
    pub(crate) fn new(sandbox: &Sandbox, tls: Option<Arc<ServerConfig>>) -> Self {
        Self {
            slots: sandbox.connection_slots().clone(),
            may_be_behind_local_proxy: sandbox.may_be_behind_local_proxy(),
            write_timeout: sandbox.resource_limits().write_timeout,
            tls: tls.map(TlsAcceptor::from),
        }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for SlotLimitedAcceptor {
    type Stream = FaultControlledConnection<Box<dyn ResettableSocket + Send>>;
    type Service = AddExtension<S, ConnectionControl>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    /// Takes a slot for the connection, does the TLS handshake if there is one, and gives its requests a control.
    /// Fails at once if there is no slot.
    fn accept(&self, tcp: TcpStream, service: S) -> Self::Future {
        let place = tcp.peer_addr().and_then(|peer| {
            let origin = ConnectionOrigin::classify_peer_address(peer.ip(), self.may_be_behind_local_proxy);
            self.slots.take_slot(origin).ok_or_else(|| io::Error::other("there are too many connections"))
        });
        let (tls, write_timeout) = (self.tls.clone(), self.write_timeout);
        Box::pin(async move {
            let place = place?;
            // Sends small responses at once, and in the chunks in which they were written.
            tcp.set_nodelay(true)?;
            let socket: Box<dyn ResettableSocket + Send> = match tls {
                Some(tls) => Box::new(tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, tls.accept(tcp)).await??),
                None => Box::new(tcp),
            };
            let control = ConnectionControl::default();
            Ok((
                FaultControlledConnection {
                    socket,
                    control: control.clone(),
                    write_timeout,
                    stalled_write: None,
                    _place: place,
                },
                Extension(control).layer(service),
            ))
        })
    }
}

impl<S: ResettableSocket> FaultControlledConnection<S> {
    /// Fails if the connection is to be reset now.
    fn fail_if_reset_requested(&self) -> io::Result<()> {
        if self.control.lock_requested_termination().end == Some(ConnectionTermination::ResetNow) {
            Err(self.prepare_reset_returning_error())
        } else {
            Ok(())
        }
    }

    /// Prepares a reset, and returns the error that lets the HTTP stack drop the connection.
    fn prepare_reset_returning_error(&self) -> io::Error {
        self.enable_reset_on_drop();
        io::Error::new(io::ErrorKind::ConnectionReset, "a fault of the sandbox resets this connection")
    }

    /// Makes the socket send RST when it is dropped, which the next error causes.
    fn enable_reset_on_drop(&self) {
        if let Err(error) = self.socket.underlying_tcp_stream().set_zero_linger() {
            tracing::warn!(%error, "a connection cannot be reset, and is closed instead");
        }
    }

    /// Fails a write that has been pending for longer than the write timeout, and resets the connection then.
    fn apply_write_timeout<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.stalled_write = None;
            return write;
        }
        let limit = self.write_timeout;
        ready!(self.stalled_write.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx));
        // A close would keep what was written in the kernel's memory until the client reads it.
        self.enable_reset_on_drop();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read the response")))
    }
}

impl<S: ResettableSocket> AsyncRead for FaultControlledConnection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.fail_if_reset_requested()?;
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: ResettableSocket> AsyncWrite for FaultControlledConnection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.fail_if_reset_requested()?;
        let write = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.apply_write_timeout(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.fail_if_reset_requested()?;
        let write = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.apply_write_timeout(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// Flushes the socket, and then ends the connection if that was requested. The HTTP stack calls this after it has
    /// written everything.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.fail_if_reset_requested()?;
        let flush = Pin::new(&mut this.socket).poll_flush(cx);
        ready!(this.apply_write_timeout(cx, flush))?;
        let (end, mut tail) = {
            let requested = this.control.lock_requested_termination();
            (requested.end, requested.tail.clone())
        };
        while end == Some(ConnectionTermination::CloseAfterFlush) && !tail.is_empty() {
            let write = Pin::new(&mut this.socket).poll_write(cx, &tail);
            let sent = ready!(this.apply_write_timeout(cx, write))?;
            tail.advance(sent);
            this.control.lock_requested_termination().tail = tail.clone();
        }
        match end {
            None => Poll::Ready(Ok(())),
            Some(ConnectionTermination::ResetNow | ConnectionTermination::ResetAfterFlush) => {
                Poll::Ready(Err(this.prepare_reset_returning_error()))
            }
            Some(ConnectionTermination::CloseAfterFlush) => {
                let shutdown = Pin::new(&mut this.socket).poll_shutdown(cx);
                ready!(this.apply_write_timeout(cx, shutdown))?;
                let error = "a fault of the sandbox closes this connection";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)))
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fail_if_reset_requested()?;
        let shutdown = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.apply_write_timeout(cx, shutdown)
    }
}
