//! Serves a sandbox on a TCP port.

use crate::connection::SlotLimitedAcceptor;
use crate::http::build_service;
use crate::network;
use crate::requests::RequestLine;
use crate::sandbox::{Sandbox, SandboxSetupError};
use crate::settings::SandboxSettings;
use crate::tls::TlsError;
use axum::ServiceExt;
use axum::extract::Request;
use axum_server::Handle;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use url::Url;

/// Time allowed for requests in flight when the server stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Time allowed for a connection to send its first request, so that idle connections do not accumulate.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum size of what is buffered of a connection in each direction, in bytes. A request head must fit into it.
const MAX_BUFFERED_BYTES: usize = 64 * 1024;

/// Interval at which unused worlds, and unneeded pictures and avatars, are dropped.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(2);

/// A listening sandbox. Dropping it without [`Server::shut_down_server`] aborts requests in flight.
pub struct Server {
    sandbox: Sandbox,
    listen_address: SocketAddr,
    local_url: Url,
    phone_url: Url,
    certificate_fingerprint: Option<String>,
    handle: Handle<SocketAddr>,
    serving: Option<JoinHandle<io::Result<()>>>,
    cleanup: JoinHandle<()>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are invalid.
    #[error(transparent)]
    Setup(#[from] SandboxSetupError),
    /// Another program uses the port.
    #[error("the port {port} is taken by another program (listening on {address} failed); choose another with --listen, or port 0 for a free one", port = .address.port())]
    PortInUse {
        /// The requested address.
        address: SocketAddr,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Listening failed for another reason.
    #[error("the sandbox cannot listen on {address}: {source}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
}

impl Server {
    /// Starts a sandbox on `listen`; port 0 selects a free port. It accepts requests once this returns. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// The settings or the certificate are invalid, or the address cannot be listened on.
    pub async fn start(settings: SandboxSettings, listen: SocketAddr) -> Result<Self, StartError> {
        let assets = settings.assets.is_some();
        let sandbox = if assets {
            // The assets folder may be on a slow disk.
            let read = tokio::task::spawn_blocking(move || Sandbox::new(settings)).await;
            read.map_err(|error| StartError::Listen { address: listen, source: io::Error::other(error) })??
        } else {
            Sandbox::new(settings)?
        };
        Self::start_server_for_existing_sandbox(sandbox, listen)
    }

    /// Like [`Server::start`], for an existing sandbox.
    ///
    /// # Errors
    /// The certificate cannot be used, or the address cannot be listened on.
    pub fn start_server_for_existing_sandbox(sandbox: Sandbox, listen: SocketAddr) -> Result<Self, StartError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortInUse { address: listen },
            _ => StartError::Listen { address: listen, source },
        };
        let listener = TcpListener::bind(listen).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let no_url = || refused(io::Error::other("the address cannot be written as a URL"));
        let local_url = network::local_url(address, sandbox.url_scheme()).ok_or_else(no_url)?;
        let network_url = network::phone_url_for_listen_address(address, sandbox.url_scheme()).ok_or_else(no_url)?;
        let phone_url = sandbox.configured_public_url().cloned().unwrap_or(network_url);
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter();
        let hosts = names.chain(phone_url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()));
        let tls =
            sandbox.certificate_source().map(|tls| tls.load_or_generate_server_config(hosts.collect())).transpose()?;
        let (config, fingerprint) = tls.map(|ready| (ready.config, ready.fingerprint)).unzip();
        sandbox.set_local_url(local_url.clone());
        let handle = Handle::new();
        let server = axum_server::from_tcp(listener).map_err(refused)?;
        // HTTP/1.1 only: a fault that breaks the connection must affect one request, not several multiplexed ones.
        let server = server.acceptor(SlotLimitedAcceptor::new(&sandbox, config));
        let mut server = server.http1_only();
        server.http_builder().http1().header_read_timeout(FIRST_REQUEST_TIMEOUT).max_buf_size(MAX_BUFFERED_BYTES);
        let server = server.handle(handle.clone()).first_request_timeout(FIRST_REQUEST_TIMEOUT);
        let service = build_service(sandbox.clone());
        let service = ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(service);
        let serving = Some(tokio::spawn(server.serve(service)));
        let cleanup = tokio::spawn(clean_up_worlds_and_avatars_periodically(sandbox.clone()));
        tracing::info!(url = %local_url, "the sandbox listens");
        Ok(Self {
            sandbox,
            listen_address: address,
            local_url,
            phone_url,
            certificate_fingerprint: fingerprint,
            handle,
            serving,
            cleanup,
        })
    }

    /// The URL for programs on this machine.
    pub fn local_url(&self) -> Url {
        self.local_url.clone()
    }

    /// The address that it listens on.
    pub fn listen_address(&self) -> SocketAddr {
        self.listen_address
    }

    /// The base URL for phones on the network: the public URL if one is set; this machine's network address if the
    /// server listens on all addresses; else [`Server::local_url`].
    pub fn phone_url(&self) -> Url {
        self.phone_url.clone()
    }

    /// The SHA-256 fingerprint of the certificate, with HTTPS.
    pub fn certificate_fingerprint(&self) -> Option<&str> {
        self.certificate_fingerprint.as_deref()
    }

    /// Whether other machines can reach it.
    pub fn is_open_to_network(&self) -> bool {
        !self.listen_address.ip().to_canonical().is_loopback()
    }

    /// The link for the QR code, with `{token}` in place of the Export Token.
    pub fn qr_link_template(&self) -> String {
        format!("{}/phone?exportToken={{token}}", self.phone_url.as_str().trim_end_matches('/'))
    }

    /// The sandbox that it serves.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Subscribes to the request log. See [`Sandbox::subscribe_to_request_log`].
    pub fn subscribe_to_request_log(&self) -> broadcast::Receiver<RequestLine> {
        self.sandbox.subscribe_to_request_log()
    }

    /// Stops: refuses new connections, allows two seconds for requests in flight, then aborts them.
    pub async fn shut_down_server(mut self) {
        self.handle.graceful_shutdown(Some(SHUTDOWN_GRACE));
        if let Some(serving) = self.serving.take()
            && let Err(error) = serving.await
        {
            tracing::warn!(%error, "the server of the sandbox failed");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.shutdown();
        self.cleanup.abort();
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// Ends unused worlds and drops the avatars that no token needs any more, at intervals. Never returns.
async fn clean_up_worlds_and_avatars_periodically(sandbox: Sandbox) {
    let mut tick = tokio::time::interval(CLEANUP_INTERVAL);
    loop {
        tick.tick().await;
        sandbox.clean_up_worlds_and_avatars();
    }
}
