//! Limits the number of connections: of other machines in all and of each, and of this machine.
//!
//! Programs on this machine have places of their own, so that a kiosk reaches its sandbox while strangers use up theirs.

use crate::limits::ResourceLimits;
use crate::rate_limit::address_range_of_client;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the connections of all servers of one sandbox.
pub(crate) struct ConnectionPlaces {
    max_remote: usize,
    max_per_address: usize,
    max_local: usize,
    counts: Mutex<ConnectionCounts>,
}

#[derive(Default)]
struct ConnectionCounts {
    local: usize,
    remote: usize,
    /// The connections of each other machine that has any.
    by_address: HashMap<IpAddr, usize>,
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionOrigin {
    /// A program on this machine.
    Local,
    /// A proxy on this machine, for its clients.
    LocalProxy,
    /// Another machine.
    Remote(IpAddr),
}

/// The place of one connection, until it is dropped.
pub(crate) struct ConnectionPlace {
    places: Arc<ConnectionPlaces>,
    origin: ConnectionOrigin,
}

impl ConnectionOrigin {
    /// The origin of a connection from this address. With a proxy in front, this machine's address is the proxy's.
    pub(crate) fn origin_of_peer(peer: IpAddr, is_behind_proxy: bool) -> Self {
        let peer = peer.to_canonical();
        match (peer.is_loopback(), is_behind_proxy) {
            (true, false) => Self::Local,
            (true, true) => Self::LocalProxy,
            (false, _) => Self::Remote(address_range_of_client(peer)),
        }
    }
}

impl ConnectionPlaces {
    /// Places within the limits, and within a process that may have `open_file_limit` open files.
    pub(crate) fn new(limits: &ResourceLimits, open_file_limit: Option<usize>) -> Self {
        let share = |divisor| open_file_limit.map_or(usize::MAX, |limit| limit / divisor);
        Self {
            max_remote: limits.max_remote_connections.min(share(4)),
            max_per_address: limits.max_connections_per_address,
            max_local: limits.max_local_connections.min(share(2)),
            counts: Mutex::default(),
        }
    }

    /// Takes a place for a connection; `None` if there is none.
    pub(crate) fn take_place(self: &Arc<Self>, origin: ConnectionOrigin) -> Option<ConnectionPlace> {
        let mut counts = self.lock_counts();
        match origin {
            ConnectionOrigin::Local => {
                if counts.local >= self.max_local {
                    return None;
                }
                counts.local += 1;
            }
            ConnectionOrigin::LocalProxy | ConnectionOrigin::Remote(_) => {
                if counts.remote >= self.max_remote {
                    return None;
                }
                if let ConnectionOrigin::Remote(address) = origin {
                    let of_address = counts.by_address.entry(address).or_default();
                    if *of_address >= self.max_per_address {
                        return None;
                    }
                    *of_address += 1;
                }
                counts.remote += 1;
            }
        }
        Some(ConnectionPlace { places: self.clone(), origin })
    }

    fn lock_counts(&self) -> MutexGuard<'_, ConnectionCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut counts = self.places.lock_counts();
        match self.origin {
            ConnectionOrigin::Local => counts.local -= 1,
            ConnectionOrigin::LocalProxy => counts.remote -= 1,
            ConnectionOrigin::Remote(address) => {
                counts.remote -= 1;
                if let Some(of_address) = counts.by_address.get_mut(&address) {
                    *of_address -= 1;
                    if *of_address == 0 {
                        counts.by_address.remove(&address);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection_places(open_file_limit: Option<usize>) -> Arc<ConnectionPlaces> {
        Arc::new(ConnectionPlaces::new(&ResourceLimits::default(), open_file_limit))
    }

    fn remote(network: u8, host: u8) -> ConnectionOrigin {
        ConnectionOrigin::origin_of_peer([192, 168, network, host].into(), false)
    }

    /// Takes places until there is none.
    fn take_all(
        places: &Arc<ConnectionPlaces>,
        origins: impl IntoIterator<Item = ConnectionOrigin>,
    ) -> Vec<ConnectionPlace> {
        origins.into_iter().map_while(|origin| places.take_place(origin)).collect()
    }

    #[test]
    fn one_machine_has_32_places_and_gets_them_back() {
        let places = connection_places(None);
        let mut taken = take_all(&places, [remote(1, 1); 100]);
        assert_eq!(taken.len(), 32);
        assert!(places.take_place(remote(1, 2)).is_some(), "another machine");
        taken.pop();
        assert!(places.take_place(remote(1, 1)).is_some());
        drop(taken);
        let counts = places.lock_counts();
        assert_eq!((counts.remote, counts.by_address.len()), (0, 0));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_machine() {
        let places = connection_places(None);
        let hosts = (1..100_u128).map(|host| IpAddr::from((0x2001_0db8_u128 << 96 | host).to_be_bytes()));
        let taken = take_all(&places, hosts.map(|peer| ConnectionOrigin::origin_of_peer(peer, false)));
        assert_eq!(taken.len(), 32);
    }

    #[test]
    fn strangers_leave_places_for_this_machine_and_open_files_for_the_process() {
        for (open_file_limit, max_remote, max_local) in [(None, 512, 4_000), (Some(1_024), 256, 512)] {
            let places = connection_places(open_file_limit);
            let strangers = (0..=255).flat_map(|host| [remote(1, host); 4]);
            let strangers = take_all(&places, strangers);
            assert_eq!(strangers.len(), max_remote);
            let local = ConnectionOrigin::origin_of_peer([127, 0, 0, 1].into(), false);
            assert_eq!(take_all(&places, std::iter::repeat_n(local, 5_000)).len(), max_local);
            let proxied = ConnectionOrigin::origin_of_peer([127, 0, 0, 1].into(), true);
            assert!(places.take_place(proxied).is_none(), "clients of a proxy are strangers");
            drop(strangers);
            assert_eq!(
                take_all(&places, std::iter::repeat_n(proxied, 600)).len(),
                max_remote,
                "without a limit of one address"
            );
        }
    }
}
