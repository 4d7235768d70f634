//! For tests: a TCP port that nobody else gets.
//!
//! A port that was bound and let go again is free for everybody: side by side with hundreds of tests that each ask for
//! any port, a test that relies on *nobody listens there* will one day meet another test's server. So the port is kept
//! by a socket that is bound and never listens: connections are refused, and no one is given it.

use socket2::{Domain, Socket, Type};
use std::fmt;
use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// A port of `127.0.0.1` on which nobody listens, kept as long as this value lives.
///
/// Shown, it is `127.0.0.1:PORT`, as a URL wants it.
#[derive(Debug)]
pub struct Port {
    address: SocketAddrV4,
    keeper: Option<Socket>,
}

impl Port {
    /// Takes one that the system chooses.
    ///
    /// # Errors
    /// When the system has no port or no socket left.
    pub fn keep() -> Result<Self> {
        let keeper = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Windows would give the port to anybody who also says so.
        if cfg!(unix) {
            keeper.set_reuse_address(true)?;
        }
        keeper.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = keeper.local_addr()?.as_socket_ipv4();
        let address = address.ok_or_else(|| Error::other("bound to no IPv4 address"))?;
        Ok(Self { address, keeper: Some(keeper) })
    }

    /// Its number, 1 to 65535.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.address.port()
    }

    /// The same port, for a program that is told the number and listens there itself.
    ///
    /// On Linux it stays kept: who asks for any port is not given it, while who asks for this one by its number, with
    /// `SO_REUSEADDR` (the standard library, tokio, `GLib` and Python all say so), may listen. Other systems refuse
    /// that, so there it is let go, and was only free a moment ago.
    #[must_use]
    pub fn for_a_program(mut self) -> Self {
        if cfg!(not(target_os = "linux")) {
            self.keeper = None;
        }
        self
    }
}

impl fmt::Display for Port {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::Port;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn nobody_answers_there() {
        let port = Port::keep().expect("a port");
        let refused = TcpStream::connect(port.to_string()).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(port.to_string(), format!("127.0.0.1:{}", port.number()));
    }

    #[test]
    fn a_program_that_knows_the_number_may_listen_there_again_and_again() {
        let port = Port::keep().expect("a port").for_a_program();
        for _ in 0..2 {
            let listener = TcpListener::bind(port.to_string()).expect("ours to take");
            TcpStream::connect(port.to_string()).expect("answered");
            drop(listener);
        }
    }
}
