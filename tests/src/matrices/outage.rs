//! An outage of the recording backend: for a time it cannot be used, and then it is as before.

use std::net::TcpStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How the backend fails during an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageKind {
    /// Nothing listens at its port.
    Refused,
    /// Each connection is closed with a reset.
    Reset,
    /// Each request is answered with 503.
    Unavailable,
    /// Connections are accepted and never answered, as behind a network that drops packets.
    Silent,
    /// There is no route to its address (`ENETUNREACH`).
    Unreachable,
    /// The name server says that its name does not exist.
    NameNotFound,
    /// Nothing listens at the address of the name server.
    NameServerGone,
    /// The name server does not answer.
    NameServerSilent,
}

impl OutageKind {
    /// Those of the backend itself.
    pub(crate) const OF_BACKEND: [Self; 4] = [Self::Refused, Self::Reset, Self::Unavailable, Self::Silent];
    /// Those of the route to it and of its name. The backend only cuts the connections that are open.
    pub(crate) const OF_ROUTE_AND_NAME: [Self; 4] =
        [Self::Unreachable, Self::NameNotFound, Self::NameServerGone, Self::NameServerSilent];

    /// Part of the name of a cell, and row of the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Unavailable => "503",
            Self::Silent => "silent",
            Self::Unreachable => "no route",
            Self::NameNotFound => "no such name",
            Self::NameServerGone => "no name server",
            Self::NameServerSilent => "silent name server",
        }
    }
}

/// The outage of a backend, if there is one now.
#[derive(Default)]
pub(crate) struct OutageState {
    current: Mutex<Option<(OutageKind, Instant)>>,
    changed: Condvar,
}

impl OutageState {
    /// Begins an outage that ends after this time.
    pub(crate) fn begin(&self, kind: OutageKind, duration: Duration) {
        *self.lock() = Some((kind, Instant::now() + duration));
        self.changed.notify_all();
    }

    /// The present outage.
    pub(crate) fn current(&self) -> Option<OutageKind> {
        let current = *self.lock();
        current.filter(|(_, end)| Instant::now() < *end).map(|(kind, _)| kind)
    }

    /// Waits until there is no outage.
    pub(crate) fn await_end(&self) {
        let mut current = self.lock();
        while let Some(left) = current.and_then(|(_, end)| end.checked_duration_since(Instant::now())) {
            if left.is_zero() {
                break;
            }
            current = self.changed.wait_timeout(current, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *current = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(OutageKind, Instant)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes a connection with a reset instead of an orderly end.
pub(crate) fn reset_connection(stream: &TcpStream) {
    // Fails if the other side has already closed it.
    _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}
