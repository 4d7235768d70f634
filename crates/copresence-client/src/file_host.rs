//! Recognizes download URLs whose host exists only on the backend's own machine or network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// The network from which a host can be reached. Ordered from the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostNetworkScope {
    /// Only from the same machine.
    Loopback,
    /// A name without a dot: known only to a container network or a local resolver.
    SingleLabel,
    /// Only from the same private network.
    Private,
    /// From the Internet.
    Public,
}

/// Ends of host names that only a private network resolves.
const PRIVATE_NAME_ENDS: [&str; 6] = [".local", ".internal", ".lan", ".home.arpa", ".intranet", ".corp"];

/// Explains that the public URL of the backend is misconfigured, as the host of a download URL shows, with the
/// remedy. `None` if the host is at least as reachable as the one of the backend, so that a backend on this machine
/// may have its files on this machine.
pub fn explain_misconfigured_public_url(file_url: &Url, backend_url: &Url) -> Option<String> {
    let (file, backend) = (file_url.host()?, backend_url.host()?);
    if file == backend {
        return None;
    }
    let (file_reach, backend_reach) = (network_scope_of_host(&file), network_scope_of_host(&backend));
    let place = match file_reach {
        HostNetworkScope::Loopback if backend_reach != HostNetworkScope::Loopback => "on the backend's own machine",
        HostNetworkScope::SingleLabel => "in the backend's own network",
        HostNetworkScope::Private if backend_reach == HostNetworkScope::Public => "in the backend's own network",
        _ => return None,
    };
    Some(format!(
        "the file URL names {}, which exists only {place}: the backend's public URL is misconfigured",
        host_and_port(file_url)
    ))
}

/// Whether a URL contains `&amp;`: it was escaped for HTML, so the names of its query parameters are wrong.
pub fn has_html_escaped_query(url: &Url) -> bool {
    url.query().is_some_and(|query| query.to_ascii_lowercase().contains("&amp;"))
}

/// The host of a URL, with the port if it is not the default one of the scheme.
pub(crate) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The network from which a host can be reached.
pub(crate) fn network_scope_of_host(host: &Host<&str>) -> HostNetworkScope {
    match host {
        Host::Ipv4(address) => network_scope_of_ipv4(*address),
        Host::Ipv6(address) => network_scope_of_ipv6(*address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if name == "localhost" || name.ends_with(".localhost") {
                HostNetworkScope::Loopback
            } else if !name.contains('.') {
                HostNetworkScope::SingleLabel
            } else if PRIVATE_NAME_ENDS.iter().any(|end| name.ends_with(end)) {
                HostNetworkScope::Private
            } else {
                HostNetworkScope::Public
            }
        }
    }
}

/// The network from which an IP address can be reached.
pub(crate) fn network_scope_of_ip(address: IpAddr) -> HostNetworkScope {
    match address {
        IpAddr::V4(address) => network_scope_of_ipv4(address),
        IpAddr::V6(address) => network_scope_of_ipv6(address),
    }
}

/// From where an IPv4 address can be reached; the shared address space of providers (100.64.0.0/10) counts as
/// private.
fn network_scope_of_ipv4(address: Ipv4Addr) -> HostNetworkScope {
    let [first, second, third, _] = address.octets();
    // 100.64.0.0/10 is the shared address space of providers (RFC 6598).
    let is_shared = first == 100 && (64..128).contains(&second);
    // IETF protocol assignments, with the metadata service of a cloud, the former 6to4 relays, and the reserved class E.
    // 198.18.0.0/15 counts as public: some proxies resolve every name to it.
    let is_reserved = first >= 240 || matches!([first, second, third], [192, 0, 0] | [192, 88, 99]);
    // 0.0.0.0/8 is "this network" (RFC 1122), and 255.255.255.255 every host of it.
    if address.is_loopback() || first == 0 {
        HostNetworkScope::Loopback
    } else if address.is_private() || address.is_link_local() || address.is_multicast() || is_shared || is_reserved {
        HostNetworkScope::Private
    } else {
        HostNetworkScope::Public
    }
}

/// From where an IPv6 address can be reached; one that contains an IPv4 address is classified as that. Public are only the
/// global unicast addresses (`2000::/3`), without those of protocols (`2001::/23`, with Teredo).
fn network_scope_of_ipv6(address: Ipv6Addr) -> HostNetworkScope {
    if address.is_loopback() || address.is_unspecified() {
        return HostNetworkScope::Loopback;
    }
    if let Some(contained) = embedded_ipv4(address) {
        return network_scope_of_ipv4(contained);
    }
    let [first, second, ..] = address.segments();
    let is_of_protocol = first == 0x2001 && second < 0x200;
    if first & 0xe000 == 0x2000 && !is_of_protocol { HostNetworkScope::Public } else { HostNetworkScope::Private }
}

/// The IPv4 address in a mapped (`::ffff:0:0/96`), compatible (`::/96`), NAT64 (`64:ff9b::/96`), 6to4 (`2002::/16`) or
/// ISATAP address (interface `0:5efe` or `200:5efe`).
fn embedded_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let ipv4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(ipv4(high, low))
        }
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(ipv4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misconfiguration(file: &str, backend: &str) -> Option<String> {
        let url = |text: &str| Url::parse(text).expect("a URL");
        explain_misconfigured_public_url(&url(file), &url(backend))
    }

    #[test]
    fn a_file_host_that_only_the_backend_can_reach_is_misconfigured() {
        for (file, backend) in [
            ("http://localhost:1337/files/a.glb", "https://api.example.com/"),
            ("http://127.0.0.1/a.glb", "https://api.example.com/"),
            ("http://[::1]/a.glb", "http://192.168.1.5/"),
            ("http://0.0.0.0:1337/a.glb", "http://192.168.1.5:1337/"),
            ("http://10.0.0.7/a.glb", "https://api.example.com/"),
            ("http://[fd00::1]/a.glb", "https://api.example.com/"),
            ("http://files.local/a.glb", "https://api.example.com/"),
            ("http://minio:9000/a.glb", "http://127.0.0.1:4010/"),
        ] {
            let words = misconfiguration(file, backend).expect(file);
            let host = host_and_port(&Url::parse(file).expect("a URL"));
            assert!(words.contains(&host) && words.contains("public URL is misconfigured"), "{words}");
        }
    }

    #[test]
    fn a_file_host_beside_its_backend_is_not_misconfigured() {
        for (file, backend) in [
            ("http://127.0.0.1:4010/files/a", "http://127.0.0.1:4010/"),
            ("http://localhost:9000/files/a", "http://127.0.0.1:4010/"),
            ("http://192.168.1.9/files/a", "http://192.168.1.5/"),
            ("http://parse:1337/files/a", "http://parse:1337/parse"),
            ("https://files.example.com/a", "https://api.example.com/"),
            ("https://files.example.com/a", "http://127.0.0.1:4010/"),
        ] {
            assert_eq!(misconfiguration(file, backend), None, "{file} {backend}");
        }
    }

    #[test]
    fn internal_and_reserved_addresses_are_not_public() {
        for address in [
            "64:ff9b:1::7f00:1",
            "::ffff:0:7f00:1",
            "2001:0:7f00:1::1",
            "2001:db8:1:2:0:5efe:7f00:1",
            "192.0.0.192",
            "240.0.0.1",
            "255.255.255.255",
            "100::1",
            "fec0::1",
            "fd00::1",
            "fe80::1",
            "ff02::1",
            "2002:7f00:1::1",
        ] {
            assert_ne!(network_scope_of_ip(address.parse().expect(address)), HostNetworkScope::Public, "{address}");
        }
        for address in ["8.8.8.8", "198.18.0.1", "2606:4700::1111", "2001:4860::8888", "64:ff9b::808:808"] {
            assert_eq!(network_scope_of_ip(address.parse().expect(address)), HostNetworkScope::Public, "{address}");
        }
    }

    #[test]
    fn an_html_escaped_query_is_recognized() {
        let escaped = |text: &str| has_html_escaped_query(&Url::parse(text).expect("a URL"));
        assert!(escaped("https://files.example.com/a?X-Amz-Date=1&amp;X-Amz-Signature=2"));
        assert!(!escaped("https://files.example.com/a?name=amp;&b=2"));
    }
}
