//! Limits the number of connections: of other machines in all and of each, and of this machine.
//!
//! Programs on this machine have slots of their own, so that a kiosk reaches its sandbox while strangers use up theirs.

use crate::limits::ResourceLimits;
use crate::rate_limit::address_range_of_client;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts and limits the open connections of all servers of one sandbox.
pub(crate) struct ConnectionSlots {
    max_remote: usize,
    max_per_address: usize,
    max_local: usize,
    counts: Mutex<ConnectionCountsByOrigin>,
}

/// Number of open connections, by who opened them.
#[derive(Default)]
struct ConnectionCountsByOrigin {
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

/// Holds one slot of the connection limits, until it is dropped.
pub(crate) struct ConnectionSlotGuard {
    slots: Arc<ConnectionSlots>,
    origin: ConnectionOrigin,
}

impl ConnectionOrigin {
    /// The origin of a connection from this address. With a proxy in front, this machine's address is the proxy's.
    pub(crate) fn classify_peer_address(peer: IpAddr, may_be_behind_local_proxy: bool) -> Self {
        let peer = peer.to_canonical();
        match (peer.is_loopback(), may_be_behind_local_proxy) {
            (true, false) => Self::Local,
            (true, true) => Self::LocalProxy,
            (false, _) => Self::Remote(address_range_of_client(peer)),
        }
    }
}

impl ConnectionSlots {
    /// Slots within the limits, and within a process that may have `open_file_limit` open files.
    pub(crate) fn new(limits: &ResourceLimits, open_file_limit: Option<usize>) -> Self {
        let share = |divisor| open_file_limit.map_or(usize::MAX, |limit| limit / divisor);
        Self {
            max_remote: limits.max_remote_connections.min(share(4)),
            max_per_address: limits.max_connections_per_address,
            max_local: limits.max_local_connections.min(share(2)),
            counts: Mutex::default(),
        }
    }

    /// Takes a slot for a connection; `None` if there is none.
    pub(crate) fn take_slot(self: &Arc<Self>, origin: ConnectionOrigin) -> Option<ConnectionSlotGuard> {
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
        Some(ConnectionSlotGuard { slots: self.clone(), origin })
    }

    fn lock_counts(&self) -> MutexGuard<'_, ConnectionCountsByOrigin> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionSlotGuard {
    fn drop(&mut self) {
        let mut counts = self.slots.lock_counts();
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

    fn connection_slots(open_file_limit: Option<usize>) -> Arc<ConnectionSlots> {
        Arc::new(ConnectionSlots::new(&ResourceLimits::default(), open_file_limit))
    }

    fn remote(network: u8, host: u8) -> ConnectionOrigin {
        ConnectionOrigin::classify_peer_address([192, 168, network, host].into(), false)
    }

    /// Takes slots until there is none.
    fn take_all(
        slots: &Arc<ConnectionSlots>,
        origins: impl IntoIterator<Item = ConnectionOrigin>,
    ) -> Vec<ConnectionSlotGuard> {
        origins.into_iter().map_while(|origin| slots.take_slot(origin)).collect()
    }

    #[test]
    fn one_machine_has_32_places_and_gets_them_back() {
        let slots = connection_slots(None);
        let mut taken = take_all(&slots, [remote(1, 1); 100]);
        assert_eq!(taken.len(), 32);
        assert!(slots.take_slot(remote(1, 2)).is_some(), "another machine");
        taken.pop();
        assert!(slots.take_slot(remote(1, 1)).is_some());
        drop(taken);
        let counts = slots.lock_counts();
        assert_eq!((counts.remote, counts.by_address.len()), (0, 0));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_machine() {
        let slots = connection_slots(None);
        let hosts = (1..100_u128).map(|host| IpAddr::from((0x2001_0db8_u128 << 96 | host).to_be_bytes()));
        let taken = take_all(&slots, hosts.map(|peer| ConnectionOrigin::classify_peer_address(peer, false)));
        assert_eq!(taken.len(), 32);
    }

    #[test]
    fn strangers_leave_places_for_this_machine_and_open_files_for_the_process() {
        for (open_file_limit, max_remote, max_local) in [(None, 512, 4_000), (Some(1_024), 256, 512)] {
            let slots = connection_slots(open_file_limit);
            let strangers = (0..=255).flat_map(|host| [remote(1, host); 4]);
            let strangers = take_all(&slots, strangers);
            assert_eq!(strangers.len(), max_remote);
            let local = ConnectionOrigin::classify_peer_address([127, 0, 0, 1].into(), false);
            assert_eq!(take_all(&slots, std::iter::repeat_n(local, 5_000)).len(), max_local);
            let proxied = ConnectionOrigin::classify_peer_address([127, 0, 0, 1].into(), true);
            assert!(slots.take_slot(proxied).is_none(), "clients of a proxy are strangers");
            drop(strangers);
            assert_eq!(
                take_all(&slots, std::iter::repeat_n(proxied, 600)).len(),
                max_remote,
                "without a limit of one address"
            );
        }
    }
}
