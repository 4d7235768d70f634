//! Selects the address of this machine that phones on the same network should use.

use if_addrs::{IfAddr, Interface};
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

/// Name prefixes of interfaces of containers, virtual machines and tunnels, which phones cannot reach.
const VIRTUAL_INTERFACE_PREFIXES: [&str; 15] = [
    "docker",
    "br-",
    "veth",
    "virbr",
    "vmnet",
    "vbox",
    "vethernet",
    "tun",
    "tap",
    "wg",
    "tailscale",
    "zt",
    "utun",
    "cni",
    "flannel",
];

/// Whether the host of a URL is `localhost` or a loopback address.
pub(crate) fn is_loopback_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The URL for clients on this machine.
pub(crate) fn local_url(address: SocketAddr, scheme: &str) -> Option<Url> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    build_base_url_for_address(ip, address.port(), scheme)
}

/// The URL for phones on the network. If the server listens on all addresses, it contains the best network address
/// of this machine; if there is none, loopback.
pub(crate) fn phone_url_for_listen_address(address: SocketAddr, scheme: &str) -> Option<Url> {
    if !address.ip().is_unspecified() {
        return local_url(address, scheme);
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the network addresses of this machine cannot be read");
        Vec::new()
    });
    match best_network_address(&interfaces) {
        Some(ip) => build_base_url_for_address(ip, address.port(), scheme),
        None => local_url(address, scheme),
    }
}

/// The base URL of a server at this address; `None` if it is no valid URL.
fn build_base_url_for_address(ip: IpAddr, port: u16, scheme: &str) -> Option<Url> {
    Url::parse(&format!("{scheme}://{}/", SocketAddr::new(ip, port))).ok()
}

/// Selects an address: IPv4 before IPv6 (shorter in a QR code), private before public, physical interfaces before
/// virtual ones. Never loopback or link-local.
fn best_network_address(interfaces: &[Interface]) -> Option<IpAddr> {
    let rank = |interface: &&Interface| {
        let name = interface.name.to_ascii_lowercase();
        let is_virtual = interface.is_p2p() || VIRTUAL_INTERFACE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let (family, public) = match &interface.addr {
            IfAddr::V4(v4) => (0, !v4.ip.is_private()),
            IfAddr::V6(_) => (1, false),
        };
        (!interface.is_oper_up(), is_virtual, family, public)
    };
    let usable = |interface: &&Interface| !interface.is_loopback() && !interface.is_link_local();
    interfaces.iter().filter(usable).min_by_key(rank).map(Interface::ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfOperStatus, Ifv4Addr};

    fn interface(name: &str, ip: [u8; 4]) -> Interface {
        let addr =
            IfAddr::V4(Ifv4Addr { ip: ip.into(), netmask: [255, 255, 255, 0].into(), prefixlen: 24, broadcast: None });
        let name = name.to_owned();
        #[cfg(not(windows))]
        return Interface { name, addr, index: None, oper_status: IfOperStatus::Up, is_p2p: false };
        #[cfg(windows)]
        return Interface {
            name,
            addr,
            index: None,
            oper_status: IfOperStatus::Up,
            is_p2p: false,
            adapter_name: String::new(),
        };
    }

    #[test]
    fn lan_address_is_preferred_to_containers_and_loopback() {
        let all = [
            interface("lo", [127, 0, 0, 1]),
            interface("docker0", [172, 17, 0, 1]),
            interface("eth1", [169, 254, 3, 4]),
            interface("wlan0", [192, 168, 1, 20]),
        ];
        assert_eq!(best_network_address(&all), Some(IpAddr::from([192, 168, 1, 20])));
        assert_eq!(best_network_address(&all[..2]), Some(IpAddr::from([172, 17, 0, 1])), "better than none");
        assert_eq!(best_network_address(&all[..1]), None);
    }

    #[test]
    fn specific_address_is_its_own_url() {
        let url = phone_url_for_listen_address("127.0.0.1:8787".parse().expect("an address"), "http").expect("a URL");
        assert_eq!(url.as_str(), "http://127.0.0.1:8787/");
        let all = local_url("[::]:80".parse().expect("an address"), "http").expect("a URL");
        assert_eq!(all.as_str(), "http://[::1]/");
    }
}
