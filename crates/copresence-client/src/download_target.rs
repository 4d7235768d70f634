//! Decides where the download URLs of a backend may lead.
//!
//! A backend is a stranger: a URL that it sends must not make this program call a service of this machine or of its
//! private network, and must not move a file from https to http. The rules apply to every redirect, too.
//!
//! Host names are checked by the addresses that they resolve to, inside the resolver of the HTTP client, so that the
//! checked addresses are the ones that are connected to. A proxy resolves names itself: with one, only literal addresses
//! and `localhost` are checked.

use crate::address_order::HostAddressOrder;
use crate::backend::DownloadUrlRuleExceptions;
use crate::file_host::{HostNetworkScope, network_scope_of_host, network_scope_of_ip};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use url::{Host, Url};

/// Finds the addresses of a host name.
pub(crate) type HostLookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Maximum time for the addresses of the backend's own host.
const BACKEND_LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The lookup of the operating system.
pub(crate) fn create_system_host_lookup() -> HostLookup {
    Arc::new(|name| async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed())
}

/// Why a download URL is not requested. Contains at most an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetRefusalReason {
    /// Plain http from a backend that is called over https.
    PlainHttp,
    /// An address of this machine or of a private network, from a backend with a public address.
    PrivateAddress(IpAddr),
    /// A host name with only such addresses. A network that asks for a login answers so for every name.
    NameOfPrivateAddress(IpAddr),
    /// `localhost`, from a backend with a public address.
    LoopbackName,
}

impl TargetRefusalReason {
    /// Whether the same URL may be allowed some seconds later, without another setting: its name may have another address
    /// then.
    pub(crate) fn may_be_allowed_later(&self) -> bool {
        matches!(self, Self::NameOfPrivateAddress(_))
    }

    /// The violated rule, without a remedy.
    fn violated_rule_text(&self) -> String {
        match self {
            Self::PlainHttp => "it is plain http, although the backend is called over https".to_owned(),
            Self::PrivateAddress(address) | Self::NameOfPrivateAddress(address) => {
                format!("{address} is not a public address, although the backend has one")
            }
            Self::LoopbackName => "it names this machine, although the backend has a public address".to_owned(),
        }
    }
}

impl fmt::Display for TargetRefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, remedy) = match self {
            Self::PlainHttp => ("allow_http", "send https URLs"),
            Self::PrivateAddress(_) | Self::NameOfPrivateAddress(_) | Self::LoopbackName => {
                ("allow_private_hosts", "send URLs with a public host")
            }
        };
        if self.may_be_allowed_later() {
            return write!(
                f,
                "{}. If this network asks for a login, log in; otherwise the backend must {remedy}, or set \
                 `downloads.{key} = true` in the profile and run `copresence recover`",
                self.violated_rule_text()
            );
        }
        write!(
            f,
            "{}. The backend must {remedy}. To download the file all the same, set `downloads.{key} = true` in the \
             profile and run `copresence recover`",
            self.violated_rule_text()
        )
    }
}

impl std::error::Error for TargetRefusalReason {}

/// The rules for the download URLs of one backend.
pub(crate) struct DownloadTargetRules {
    /// URL of the calls whose responses contain the download URLs.
    backend: Url,
    exceptions: DownloadUrlRuleExceptions,
    /// Whether the backend's host had a public address at any time. Never reset: the backend decides what its name
    /// resolves to later.
    was_backend_public: AtomicBool,
    lookup: HostLookup,
    /// The order of the addresses of all hosts, also of API calls.
    address_order: HostAddressOrder,
}

impl DownloadTargetRules {
    pub(crate) fn new(backend: Url, exceptions: DownloadUrlRuleExceptions, lookup: HostLookup) -> Self {
        let address_order = HostAddressOrder::default();
        Self { backend, exceptions, was_backend_public: AtomicBool::new(false), lookup, address_order }
    }

    /// Records that a request to this URL failed, so that the next one goes to another address of its host. `connected` is the
    /// address of the server, if it answered.
    pub(crate) fn record_failed_request(&self, url: &Url, connected: Option<SocketAddr>) {
        if let Some(Host::Domain(host)) = url.host() {
            self.address_order.record_failure(host, connected.map(|address| address.ip()));
        }
    }

    /// Whether the profile allows plain http from a backend that is called over https.
    pub(crate) fn allows_http(&self) -> bool {
        self.exceptions.allow_http
    }

    /// Checks what the URL alone shows: its scheme, a literal address, and `localhost`.
    pub(crate) async fn check_scheme_and_literal_host(&self, url: &Url) -> Result<(), TargetRefusalReason> {
        if is_plain_http_from_https(url, &self.backend) && !self.exceptions.allow_http {
            return Err(TargetRefusalReason::PlainHttp);
        }
        let Some(refused) = find_literal_host_refusal(url) else { return Ok(()) };
        if self.exceptions.allow_private_hosts || !self.is_backend_public().await { Ok(()) } else { Err(refused) }
    }

    /// The addresses of a download host that may be connected to. An error if it has only others.
    async fn keep_allowed_addresses(&self, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, TargetRefusalReason> {
        let not_public =
            addresses.iter().map(SocketAddr::ip).find(|ip| network_scope_of_ip(*ip) != HostNetworkScope::Public);
        let Some(not_public) = not_public else { return Ok(addresses) };
        if self.exceptions.allow_private_hosts || !self.is_backend_public().await {
            return Ok(addresses);
        }
        let mut allowed = addresses;
        allowed.retain(|address| network_scope_of_ip(address.ip()) == HostNetworkScope::Public);
        if allowed.is_empty() { Err(TargetRefusalReason::NameOfPrivateAddress(not_public)) } else { Ok(allowed) }
    }

    /// Whether the backend's host has, or had, a public address. A name that cannot be resolved here, for example
    /// because only the proxy can, is judged by its form.
    async fn is_backend_public(&self) -> bool {
        let Some(host) = self.backend.host() else { return true };
        let name = match host {
            Host::Ipv4(address) => return network_scope_of_ip(address.into()) == HostNetworkScope::Public,
            Host::Ipv6(address) => return network_scope_of_ip(address.into()) == HostNetworkScope::Public,
            Host::Domain(name) => name,
        };
        if network_scope_of_host(&host) == HostNetworkScope::Loopback {
            return false;
        }
        if !self.was_backend_public.load(Ordering::Relaxed) {
            match tokio::time::timeout(BACKEND_LOOKUP_TIMEOUT, (self.lookup)(name.to_owned())).await {
                Ok(Ok(addresses)) => self.record_whether_backend_is_public(&addresses),
                Ok(Err(_)) | Err(_) => return network_scope_of_host(&host) == HostNetworkScope::Public,
            }
        }
        self.was_backend_public.load(Ordering::Relaxed)
    }

    /// Remembers whether the backend's host has a public address.
    fn record_whether_backend_is_public(&self, addresses: &[SocketAddr]) {
        if addresses.iter().any(|address| network_scope_of_ip(address.ip()) == HostNetworkScope::Public) {
            self.was_backend_public.store(true, Ordering::Relaxed);
        }
    }
}

/// Why a download URL is not requested from this backend, by the two URLs alone. `None` if they show nothing wrong: host
/// names may still resolve to private addresses.
pub fn explain_refused_download_url(file_url: &Url, backend_url: &Url) -> Option<String> {
    if is_plain_http_from_https(file_url, backend_url) {
        return Some(TargetRefusalReason::PlainHttp.violated_rule_text());
    }
    let is_backend_public = network_scope_of_host(&backend_url.host()?) == HostNetworkScope::Public;
    find_literal_host_refusal(file_url).filter(|_| is_backend_public).map(|refused| refused.violated_rule_text())
}

/// Whether a file URL is plain http although its backend is called over https.
fn is_plain_http_from_https(file_url: &Url, backend_url: &Url) -> bool {
    file_url.scheme() == "http" && backend_url.scheme() == "https"
}

/// The refusal of a URL whose host is a literal address that is not public, or `localhost`; `None` for other hosts.
fn find_literal_host_refusal(url: &Url) -> Option<TargetRefusalReason> {
    let host = url.host()?;
    let address = match host {
        Host::Domain(_) => {
            return (network_scope_of_host(&host) == HostNetworkScope::Loopback)
                .then_some(TargetRefusalReason::LoopbackName);
        }
        Host::Ipv4(address) => IpAddr::from(address),
        Host::Ipv6(address) => IpAddr::from(address),
    };
    (network_scope_of_ip(address) != HostNetworkScope::Public).then_some(TargetRefusalReason::PrivateAddress(address))
}

/// Resolves the hosts of API calls without restriction, to another address first after a failure, and records whether the
/// backend's host is public.
pub(crate) struct BackendScopeRecordingResolver(pub(crate) Arc<DownloadTargetRules>);

impl Resolve for BackendScopeRecordingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        async move {
            let name = name.as_str();
            let addresses = (rules.lookup)(name.to_owned()).await?;
            if rules.backend.host_str() == Some(name) {
                rules.record_whether_backend_is_public(&addresses);
            }
            Ok(Box::new(rules.address_order.order_addresses(name, addresses).into_iter()) as Addrs)
        }
        .boxed()
    }
}

/// Resolves the hosts of downloads to the addresses that are allowed, to another one first after a failure.
pub(crate) struct DownloadHostResolver(pub(crate) Arc<DownloadTargetRules>);

impl Resolve for DownloadHostResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        async move {
            let addresses = (rules.lookup)(name.as_str().to_owned()).await?;
            let allowed = rules.keep_allowed_addresses(addresses).await?;
            Ok(Box::new(rules.address_order.order_addresses(name.as_str(), allowed).into_iter()) as Addrs)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `*.public.test` is public, `*.private.test` private, `*.both.test` both, and other names have no address.
    fn fake_lookup() -> HostLookup {
        Arc::new(|name| {
            let addresses: &[&str] = match name.rsplit('.').nth(1) {
                Some("public") => &["203.0.113.7:0", "[2001:db8::7]:0"],
                Some("private") => &["10.0.0.7:0", "[::ffff:127.0.0.1]:0"],
                Some("both") => &["127.0.0.1:0", "203.0.113.7:0"],
                _ => &[],
            };
            let found: Vec<_> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
            async move { if found.is_empty() { Err(io::Error::other("no such host")) } else { Ok(found) } }.boxed()
        })
    }

    fn rules(backend: &str) -> Arc<DownloadTargetRules> {
        rules_with_exceptions(backend, DownloadUrlRuleExceptions::default())
    }

    fn rules_with_exceptions(backend: &str, exceptions: DownloadUrlRuleExceptions) -> Arc<DownloadTargetRules> {
        Arc::new(DownloadTargetRules::new(backend.parse().expect("a URL"), exceptions, fake_lookup()))
    }

    async fn check(rules: &DownloadTargetRules, url: &str) -> Result<(), TargetRefusalReason> {
        rules.check_scheme_and_literal_host(&Url::parse(url).expect("a URL")).await
    }

    async fn resolve(rules: &Arc<DownloadTargetRules>, name: &str) -> Result<Vec<String>, String> {
        let resolver = DownloadHostResolver(Arc::clone(rules));
        let found = resolver.resolve(name.parse().expect("a name")).await.map_err(|error| error.to_string())?;
        Ok(found.map(|address| address.ip().to_string()).collect())
    }

    #[tokio::test]
    async fn a_public_backend_cannot_name_this_machine_or_its_network() {
        for backend in ["http://api.public.test/", "http://203.0.113.1/", "http://api.unresolvable.test/"] {
            let rules = rules(backend);
            for url in [
                "http://127.0.0.1:1/",
                "http://0x7f.1/",
                "http://2130706433/",
                "http://0.0.0.0/",
                "http://10.1.2.3/",
                "http://172.16.0.1/",
                "http://192.168.0.1/",
                "http://169.254.169.254/",
                "http://100.64.0.1/",
                "http://224.0.0.1/",
                "http://255.255.255.255/",
                "http://[::]/",
                "http://[::1]/",
                "http://[::ffff:127.0.0.1]/",
                "http://[::7f00:1]/",
                "http://[64:ff9b::a00:1]/",
                "http://[2002:7f00:1::]/",
                "http://[fe80::1]/",
                "http://[fec0::1]/",
                "http://[fd00::1]/",
                "http://[ff02::1]/",
                "http://localhost/",
                "http://LOCALHOST./",
                "http://files.localhost/",
            ] {
                let refused = check(&rules, url).await.expect_err(url).to_string();
                assert!(refused.contains("downloads.allow_private_hosts"), "{refused}");
            }
            for url in ["http://203.0.113.9/", "http://[2001:db8::1]/", "http://files.public.test/"] {
                assert_eq!(check(&rules, url).await, Ok(()), "{backend} {url}");
            }
        }
    }

    #[tokio::test]
    async fn a_backend_on_this_machine_or_in_a_private_network_may_name_any_host() {
        for backend in ["http://127.0.0.1:1/", "http://192.168.0.2/", "http://localhost/", "http://api.private.test/"] {
            let rules = rules(backend);
            for url in ["http://127.0.0.1/", "http://10.0.0.1/", "http://localhost/", "https://203.0.113.9/"] {
                assert_eq!(check(&rules, url).await, Ok(()), "{backend} {url}");
            }
            assert_eq!(resolve(&rules, "files.private.test").await.expect("resolved").len(), 2);
        }
    }

    #[tokio::test]
    async fn a_host_name_is_judged_by_its_addresses_when_it_is_resolved() {
        let rules = rules("https://api.public.test/");
        assert_eq!(resolve(&rules, "files.public.test").await.expect("resolved").len(), 2);
        assert_eq!(resolve(&rules, "files.both.test").await, Ok(vec!["203.0.113.7".to_owned()]));
        let refused = resolve(&rules, "files.private.test").await.expect_err("private");
        assert!(refused.starts_with("10.0.0.7 is not a public address"), "{refused}");
        let exceptions =
            DownloadUrlRuleExceptions { allow_private_hosts: true, ..DownloadUrlRuleExceptions::default() };
        let allowed = rules_with_exceptions("https://api.public.test/", exceptions);
        assert_eq!(resolve(&allowed, "files.private.test").await.expect("resolved").len(), 2);
        assert_eq!(check(&allowed, "https://127.0.0.1/").await, Ok(()));
    }

    #[tokio::test]
    async fn a_backend_that_was_public_stays_public_when_its_name_resolves_to_a_private_address() {
        let is_rebound = Arc::new(AtomicBool::new(false));
        let lookup: HostLookup = {
            let is_rebound = Arc::clone(&is_rebound);
            Arc::new(move |_| {
                let ip = if is_rebound.load(Ordering::Relaxed) { [127, 0, 0, 1] } else { [203, 0, 113, 1] };
                async move { Ok(vec![SocketAddr::from((ip, 0))]) }.boxed()
            })
        };
        let backend = Url::parse("http://api.test/").expect("a URL");
        let rules = Arc::new(DownloadTargetRules::new(backend, DownloadUrlRuleExceptions::default(), lookup));
        let name = "api.test".parse().expect("a name");
        assert_eq!(BackendScopeRecordingResolver(Arc::clone(&rules)).resolve(name).await.expect("resolved").count(), 1);
        is_rebound.store(true, Ordering::Relaxed);
        assert!(resolve(&rules, "api.test").await.is_err(), "the name of the backend itself");
        assert!(check(&rules, "http://127.0.0.1/").await.is_err());
    }

    #[tokio::test]
    async fn another_address_comes_first_after_a_failure_in_api_calls_and_downloads() {
        let rules = rules("https://api.public.test/");
        let url = Url::parse("https://api.public.test/redeem").expect("a URL");
        let api_addresses = async || {
            let resolver = BackendScopeRecordingResolver(Arc::clone(&rules));
            let found = resolver.resolve("api.public.test".parse().expect("a name")).await.expect("resolved");
            found.map(|address| address.ip().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(api_addresses().await, ["203.0.113.7", "2001:db8::7"]);
        rules.record_failed_request(&url, None);
        assert_eq!(api_addresses().await, ["2001:db8::7", "203.0.113.7"]);
        assert_eq!(resolve(&rules, "api.public.test").await.expect("resolved"), ["2001:db8::7", "203.0.113.7"]);
        rules.record_failed_request(&url, Some("[2001:db8::7]:443".parse().expect("an address")));
        assert_eq!(api_addresses().await, ["203.0.113.7", "2001:db8::7"]);
    }

    #[test]
    fn the_urls_alone_show_some_refusals() {
        let explain = |file: &str, backend: &str| {
            explain_refused_download_url(&file.parse().expect("a URL"), &backend.parse().expect("a URL"))
        };
        for file in ["http://files.test/a", "https://localhost/a", "https://10.0.0.1/a"] {
            assert!(explain(file, "https://api.test/").is_some(), "{file}");
        }
        for (file, backend) in [
            ("https://files.test/a", "https://api.test/"),
            ("https://10.0.0.1/a", "https://10.0.0.2/"),
            ("http://localhost/a", "http://127.0.0.1/"),
            ("http://files.test/a", "http://api.test/"),
        ] {
            assert_eq!(explain(file, backend), None, "{file} {backend}");
        }
    }

    #[tokio::test]
    async fn plain_http_is_refused_from_an_https_backend_only() {
        let https = rules("https://api.public.test/");
        let refused = check(&https, "http://files.public.test/").await.expect_err("plain http").to_string();
        assert!(refused.contains("downloads.allow_http"), "{refused}");
        assert_eq!(check(&https, "https://files.public.test/").await, Ok(()));
        assert_eq!(check(&rules("http://api.public.test/"), "http://files.public.test/").await, Ok(()));
        let exceptions = DownloadUrlRuleExceptions { allow_http: true, ..DownloadUrlRuleExceptions::default() };
        let allowed = rules_with_exceptions("https://api.public.test/", exceptions);
        assert_eq!(check(&allowed, "http://files.public.test/").await, Ok(()));
        assert!(check(&allowed, "http://127.0.0.1/").await.is_err(), "each exception is for itself");
    }
}
