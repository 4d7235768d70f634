//! The order in which the addresses of a host are connected to.
//!
//! Without a failure it is that of the system. The connector falls through to the next address only if no TCP connection is
//! made; an address that accepts connections and does not answer would be asked again and again.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Maximum number of hosts whose failures are remembered.
const MAX_HOSTS: usize = 256;

/// The failed addresses of each host.
#[derive(Default)]
pub(crate) struct HostAddressOrder {
    hosts: Mutex<HashMap<String, HostAddresses>>,
}

/// What is known of the addresses of one host.
#[derive(Default)]
struct HostAddresses {
    /// The address that was first in the last order.
    first: Option<IpAddr>,
    /// Addresses at which a request failed, the one of the last failure at the end.
    failed: Vec<IpAddr>,
}

impl HostAddressOrder {
    /// Orders the addresses of a host: those without a failure first, and among them those of another family than the last
    /// failed one; then the others, the one that failed last at the end.
    pub(crate) fn order_addresses(&self, host: &str, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let mut hosts = self.lock_hosts();
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(host) {
            hosts.clear();
        }
        let known = hosts.entry(host.to_owned()).or_default();
        known.failed.retain(|failed| addresses.iter().any(|address| address.ip() == *failed));
        let failed_family = known.failed.last().map(IpAddr::is_ipv6);
        addresses.sort_by_key(|address| match known.failed.iter().position(|failed| *failed == address.ip()) {
            None => (0, failed_family == Some(address.is_ipv6())),
            Some(at) => (1 + at, false),
        });
        known.first = addresses.first().map(SocketAddr::ip);
        addresses
    }

    /// Records that a request at this host failed, at the connected address if it is known, otherwise at the first one of the
    /// last order.
    pub(crate) fn record_failure(&self, host: &str, connected: Option<IpAddr>) {
        let mut hosts = self.lock_hosts();
        let Some(known) = hosts.get_mut(host) else { return };
        if let Some(failed) = connected.or(known.first) {
            known.failed.retain(|earlier| *earlier != failed);
            known.failed.push(failed);
        }
    }

    fn lock_hosts(&self) -> MutexGuard<'_, HashMap<String, HostAddresses>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(known: &HostAddressOrder, addresses: &[&str]) -> Vec<String> {
        let addresses = addresses.iter().map(|ip| SocketAddr::new(ip.parse().expect("an address"), 0)).collect();
        known.order_addresses("files.test", addresses).iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn an_address_that_failed_comes_last_and_the_other_family_next() {
        let known = HostAddressOrder::default();
        let all = ["2001:db8::1", "2001:db8::2", "203.0.113.1"];
        assert_eq!(order(&known, &all), all, "the order of the system");
        known.record_failure("other.test", None);
        assert_eq!(order(&known, &all), all);
        known.record_failure("files.test", None);
        assert_eq!(order(&known, &all), ["203.0.113.1", "2001:db8::2", "2001:db8::1"]);
        assert_eq!(order(&known, &all)[0], "203.0.113.1", "it is kept while it works");
        known.record_failure("files.test", None);
        assert_eq!(order(&known, &all), ["2001:db8::2", "2001:db8::1", "203.0.113.1"]);
        known.record_failure("files.test", None);
        assert_eq!(order(&known, &all), ["2001:db8::1", "203.0.113.1", "2001:db8::2"], "each in turn");
        assert_eq!(order(&known, &["203.0.113.9", "203.0.113.1"])[0], "203.0.113.9", "a new address");
    }

    #[test]
    fn the_connected_address_fails_and_not_the_first_one() {
        let known = HostAddressOrder::default();
        let all = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
        order(&known, &all);
        known.record_failure("files.test", Some("203.0.113.2".parse().expect("an address")));
        assert_eq!(order(&known, &all), ["203.0.113.1", "203.0.113.3", "203.0.113.2"]);
        for host in 0..=MAX_HOSTS {
            known.order_addresses(&host.to_string(), Vec::new());
        }
        assert!(known.lock_hosts().len() <= MAX_HOSTS);
    }
}
