//! The sandbox on a port.

use crate::http::app;
use crate::line::LineAcceptor;
use crate::network;
use crate::requests::RequestLine;
use crate::sandbox::{Sandbox, SetupError};
use crate::settings::Settings;
use crate::tls::TlsError;
use axum_server::Handle;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use url::Url;

/// How long requests in flight may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// How long a connection may wait for a request, so that idle strangers do not use them all up.
const FIRST_REQUEST: Duration = Duration::from_secs(30);

/// How often pictures and avatars that nobody needs any more are dropped.
const SWEEP: Duration = Duration::from_secs(2);

/// A sandbox that listens. Dropped without [`Server::stop`], it ends at once, and requests in flight with it.
pub struct Server {
    sandbox: Sandbox,
    listens: SocketAddr,
    url: Url,
    public: Url,
    fingerprint: Option<String>,
    handle: Handle<SocketAddr>,
    serving: Option<JoinHandle<io::Result<()>>>,
    sweeping: JoinHandle<()>,
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Another program listens there.
    #[error("the port {port} is taken by another program (listening on {address} failed); choose another with --listen, or port 0 for a free one", port = .address.port())]
    Taken {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Listening failed otherwise.
    #[error("the sandbox cannot listen on {address}: {source}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

impl Server {
    /// Starts a sandbox on `listen`; port 0 takes a free one. It answers when this returns. Needs a tokio runtime.
    pub async fn start(settings: Settings, listen: SocketAddr) -> Result<Self, StartError> {
        let assets = settings.assets.is_some();
        let sandbox = if assets {
            // A partner's folder may lie on a slow disk.
            let read = tokio::task::spawn_blocking(move || Sandbox::new(settings)).await;
            read.map_err(|error| StartError::Listen { address: listen, source: io::Error::other(error) })??
        } else {
            Sandbox::new(settings)?
        };
        Self::serve(sandbox, listen)
    }

    /// As [`Server::start`], for a sandbox already in hand.
    pub fn serve(sandbox: Sandbox, listen: SocketAddr) -> Result<Self, StartError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::Taken { address: listen },
            _ => StartError::Listen { address: listen, source },
        };
        let listener = TcpListener::bind(listen).map_err(refused)?;
        let listens = listener.local_addr().map_err(refused)?;
        let no_url = || refused(io::Error::other("the address makes no URL"));
        let url = network::local_url(listens, sandbox.scheme()).ok_or_else(no_url)?;
        let reached = network::phone_url(listens, sandbox.scheme()).ok_or_else(no_url)?;
        let public = sandbox.public_url().cloned().unwrap_or(reached);
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter();
        let hosts = names.chain(public.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()));
        let tls = sandbox.tls().map(|tls| tls.ready(hosts.collect())).transpose()?;
        let (config, fingerprint) = tls.map(|ready| (ready.config, ready.fingerprint)).unzip();
        sandbox.listens_on(url.clone());
        let handle = Handle::new();
        let server = axum_server::from_tcp(listener).map_err(refused)?;
        // HTTP/1.1 alone: there a connection that breaks takes one request with it, as faults mean it.
        let server = server.acceptor(LineAcceptor::new(config));
        let mut server = server.http1_only();
        server.http_builder().http1().header_read_timeout(FIRST_REQUEST);
        let server = server.handle(handle.clone()).first_request_timeout(FIRST_REQUEST);
        let service = app(sandbox.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let serving = Some(tokio::spawn(server.serve(service)));
        let sweeping = tokio::spawn(sweep(sandbox.clone()));
        tracing::info!(%url, "the sandbox listens");
        Ok(Self { sandbox, listens, url, public, fingerprint, handle, serving, sweeping })
    }

    /// Where programs on this machine reach it.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.listens
    }

    /// Where phones on the network reach it: the public URL where one was set, the machine's own address when it
    /// listens on all, else the same as [`Server::url`].
    pub fn phone_url(&self) -> Url {
        self.public.clone()
    }

    /// The SHA-256 fingerprint of its certificate, when it serves HTTPS.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Whether others than this machine can reach it.
    pub fn is_open_to_network(&self) -> bool {
        !self.listens.ip().to_canonical().is_loopback()
    }

    /// What a QR code says, with `{token}` where the Export Token goes.
    pub fn link_template(&self) -> String {
        format!("{}/phone?exportToken={{token}}", self.public.as_str().trim_end_matches('/'))
    }

    /// The sandbox behind it.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// One line a request served from now on, masked. See [`Sandbox::requests`].
    pub fn requests(&self) -> broadcast::Receiver<RequestLine> {
        self.sandbox.requests()
    }

    /// Stops: no new connection, two seconds for requests in flight, then everything ends.
    pub async fn stop(mut self) {
        self.handle.graceful_shutdown(Some(GRACE));
        if let Some(serving) = self.serving.take()
            && let Err(error) = serving.await
        {
            tracing::warn!(%error, "the sandbox's server ended badly");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.shutdown();
        self.sweeping.abort();
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn sweep(sandbox: Sandbox) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tick.tick().await;
        sandbox.sweep();
    }
}
