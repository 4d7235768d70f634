//! Which proxy a call uses, for the operator. The HTTP library applies the same rules to the same sources.

use hyper_util::client::proxy::matcher::Matcher;
use std::fmt;
use url::{Host, Url};

/// The proxy of calls to one URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyInUse {
    /// Scheme, host and port of the proxy, without name and password.
    pub address: String,
    /// Where it is configured: the name of an environment variable, or the settings of the system.
    pub source: &'static str,
}

impl fmt::Display for ProxyInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} (from {})", self.address, self.source)
    }
}

/// The proxy of calls to this URL; `None` if they connect directly, as loopback addresses always do.
///
/// Read from the environment (`HTTPS_PROXY` or `HTTP_PROXY`, else `ALL_PROXY`; `NO_PROXY` excepts hosts), and on
/// Windows and macOS also from the system.
pub fn find_proxy_for_url(url: &Url) -> Option<ProxyInUse> {
    if is_loopback_url(url) {
        return None;
    }
    let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    let proxy = proxy.uri();
    let port = proxy.port().map_or_else(String::new, |port| format!(":{port}"));
    let address = format!("{}://{}{port}", proxy.scheme_str().unwrap_or("http"), proxy.host().unwrap_or_default());
    Some(ProxyInUse { address, source: proxy_source_name(url.scheme()) })
}

/// The name of the proxy's source: the first proxy variable that is set, in the order in which the library reads
/// them, or `the system's settings`.
fn proxy_source_name(scheme: &str) -> &'static str {
    let variables: [&'static str; 4] = match scheme {
        "https" => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let is_set = |name: &&str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    variables.into_iter().find(is_set).unwrap_or("the system's settings")
}

/// Whether a URL has a loopback host.
pub(crate) fn is_loopback_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_bypass_the_proxy() {
        for (url, inward) in [
            ("http://localhost:1/", true),
            ("http://127.8.0.1/", true),
            ("http://[::1]/", true),
            ("http://api.localhost/", true),
            ("http://localhost.test/", false),
            ("http://192.168.0.2/", false),
        ] {
            assert_eq!(is_loopback_url(&Url::parse(url).expect("a URL")), inward, "{url}");
        }
    }
}
