//! Reserved TCP ports for tests.
//!
//! A port that was bound and closed again is free for every process. A test that expects a refused connection on such a
//! port may connect to the server of another test that runs at the same time. A reserved port is bound to a socket that
//! never listens: connections are refused, and the system assigns the port to no other socket.

use socket2::{Domain, Socket, Type};
use std::fmt;
use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// A port of `127.0.0.1` without a listener, reserved until this value is dropped.
///
/// `Display` writes `127.0.0.1:PORT`, for use in a URL.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddrV4,
    socket: Option<Socket>,
}

impl ReservedPort {
    /// Reserves a port that the system chooses.
    ///
    /// # Errors
    /// The system has no free port or socket.
    pub fn reserve_port() -> Result<Self> {
        let keeper = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // On Windows, SO_REUSEADDR lets any other socket bind the same port.
        if cfg!(unix) {
            keeper.set_reuse_address(true)?;
        }
        keeper.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = keeper.local_addr()?.as_socket_ipv4();
        let address = address.ok_or_else(|| Error::other("bound to no IPv4 address"))?;
        Ok(Self { address, socket: Some(keeper) })
    }

    /// The port number, `1..=65535`.
    #[must_use]
    pub fn reserved_port_number(&self) -> u16 {
        self.address.port()
    }

    /// The same port, for a child process that gets the number and listens on it.
    ///
    /// On Linux the port stays reserved: a socket that binds it by number with `SO_REUSEADDR` may listen. The standard
    /// library, tokio, `GLib` and Python all set that option. Other systems refuse the second bind, so there the
    /// reservation ends, and another process may take the port first.
    #[must_use]
    pub fn hand_over_to_child_process(mut self) -> Self {
        if cfg!(not(target_os = "linux")) {
            self.socket = None;
        }
        self
    }
}

impl fmt::Display for ReservedPort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::ReservedPort;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn connections_to_a_reserved_port_are_refused() {
        let port = ReservedPort::reserve_port().expect("a port");
        let refused = TcpStream::connect(port.to_string()).expect_err("no listener");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(port.to_string(), format!("127.0.0.1:{}", port.reserved_port_number()));
    }

    #[test]
    fn a_program_that_knows_the_number_can_listen_repeatedly() {
        let port = ReservedPort::reserve_port().expect("a port").hand_over_to_child_process();
        for _ in 0..2 {
            let listener = TcpListener::bind(port.to_string()).expect("bound");
            TcpStream::connect(port.to_string()).expect("connected");
            drop(listener);
        }
    }
}
