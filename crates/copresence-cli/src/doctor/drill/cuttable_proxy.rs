//! A TCP proxy on the loopback address, which can be cut: connections end, and new ones are refused.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A TCP proxy whose connections can be cut, to rehearse a network outage. It stops when this value is dropped.
pub(super) struct CuttableProxy {
    address: SocketAddr,
    target: SocketAddr,
    /// Present while the proxy accepts connections.
    running: Option<DropGuard>,
}

impl CuttableProxy {
    /// Starts a proxy in front of `target`, on a free port.
    pub(super) fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = open_listener_reusing_port(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        Ok(Self { address, target, running: Some(start_serving_connections(listener, target)) })
    }

    /// The address on which the proxy listens.
    pub(super) fn listen_address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and refuses new ones.
    pub(super) fn end_and_refuse_connections(&mut self) {
        self.running = None;
    }

    /// Accepts connections again.
    pub(super) async fn accept_connections_again(&mut self) -> io::Result<()> {
        // The task that owned the earlier listener may still be ending.
        for _ in 0..100 {
            match open_listener_reusing_port(self.address) {
                Ok(listener) => {
                    self.running = Some(start_serving_connections(listener, self.target));
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
        self.running = Some(start_serving_connections(open_listener_reusing_port(self.address)?, self.target));
        Ok(())
    }
}

/// Opens a listener on `address`, also if closed connections still hold the port.
fn open_listener_reusing_port(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Closed connections keep the port for a while.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(64)
}

/// Starts to serve connections in the background. They end when the returned guard is dropped.
fn start_serving_connections(listener: TcpListener, target: SocketAddr) -> DropGuard {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        let accept = async {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(stopping.clone().run_until_cancelled_owned(forward_connection(client, target)));
            }
        };
        stopping.run_until_cancelled(accept).await;
    });
    stop.drop_guard()
}

/// Connects to `target`, and copies bytes in both directions until one side closes.
async fn forward_connection(mut client: TcpStream, target: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(target).await {
        // An error ends the connection, as it would without the proxy.
        _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}
