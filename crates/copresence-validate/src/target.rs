//! The backend to check, and the limits of a run.

use copresence_client::{
    BackendWithRoutes, Credentials, PARTNER_KEY_PLACEHOLDER, RedeemEndpoint, Timeouts, TokenSource,
};
use copresence_protocol::LinkTemplate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::{Host, Url};

/// The target of a run of the checks: a backend.
#[derive(Debug, Clone)]
pub struct CheckTarget {
    /// Name of the profile.
    pub name: String,
    /// URLs and routes of the backend.
    pub backend: BackendWithRoutes,
    /// Credentials; kept in memory only.
    pub credentials: Credentials,
    /// Link template of the QR code.
    pub link_template: LinkTemplate,
    /// Time limits of each HTTP call.
    pub time_outs: Timeouts,
    /// How long the backend may fail without one answer, as of a visit: the profile's `patience`.
    pub patience: Duration,
}

/// Limits of a run.
///
/// # Defaults
/// No token limit; wrong requests and avatars allowed, loss of an avatar and wrong passwords for the account not; 15 min
/// for an avatar, 15 min for an unused URL, 5 s for the upstream, 1 s before the first retry.
#[expect(clippy::struct_excessive_bools, reason = "independent permissions")]
#[derive(Debug, Clone)]
pub struct RunLimits {
    /// Maximum number of Export Tokens to generate. `None`: as many as the plan needs.
    pub max_tokens: Option<u32>,
    /// Whether acts that may lose an avatar are allowed.
    pub allow_destructive: bool,
    /// Whether deliberately wrong requests are allowed: unknown users, wrong keys, spent tokens.
    pub allow_wrong_requests: bool,
    /// Whether a wrong password for the account's own user is allowed. Some backends lock an account after a few.
    pub allow_lockout: bool,
    /// Whether acts that consume an avatar are allowed.
    pub allow_avatars: bool,
    /// How long to wait for an avatar.
    pub avatar_timeout: Duration,
    /// Time after which an unused download URL must have expired.
    pub url_lifetime: Duration,
    /// How long to watch a relay's upstream for redeems that the run did not send, in real time.
    pub upstream_watch: Duration,
    /// Pause before the first retry of a request that got no answer, in real time. It grows with each retry.
    pub retry_pause: Duration,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            max_tokens: None,
            allow_destructive: false,
            allow_wrong_requests: true,
            allow_lockout: false,
            allow_avatars: true,
            avatar_timeout: Duration::from_mins(15),
            url_lifetime: Duration::from_mins(15),
            upstream_watch: Duration::from_secs(5),
            retry_pause: Duration::from_secs(1),
        }
    }
}

/// Facts about the backend that are known before the first request.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownBackendFacts {
    /// Whether the API's URL is https.
    pub uses_https: bool,
    /// Whether the API's URL is a loopback address.
    pub is_loopback: bool,
    /// Whether tokens come from a partner's relay.
    pub relays_tokens: bool,
    /// Whether redeems go through a partner's relay.
    pub relays_redeems: bool,
    /// Whether the run sends no deliberately wrong request.
    pub only_valid_requests: bool,
    /// Whether the run may try a wrong password for the account's own user.
    pub allows_lockout: bool,
    /// Whether the relay requires its own key, according to the profile.
    pub relay_requires_key: bool,
    /// Where the login response has the session token (JSON Pointer).
    pub session_pointer: String,
    /// Where the generate response has the Export Token (JSON Pointer).
    pub token_pointer: String,
}

impl CheckTarget {
    /// Facts about this backend that are known before the first request.
    pub(crate) fn backend_facts_before_first_request(&self) -> KnownBackendFacts {
        KnownBackendFacts::derive_backend_facts_from_routes(&self.backend)
    }
}

impl KnownBackendFacts {
    /// Derives the facts from the configured routes.
    pub(crate) fn derive_backend_facts_from_routes(backend: &BackendWithRoutes) -> Self {
        let BackendWithRoutes { base_url, login_route: login, token_source: source, redeem_route: redeem, .. } =
            backend;
        let has_partner_key =
            |headers: &[(String, String)]| headers.iter().any(|(_, value)| value.contains(PARTNER_KEY_PLACEHOLDER));
        let mut info = KnownBackendFacts {
            uses_https: base_url.scheme() == "https",
            is_loopback: is_loopback_url(base_url),
            session_pointer: login.token_pointer.clone(),
            token_pointer: "/token".to_owned(),
            ..KnownBackendFacts::default()
        };
        if let TokenSource::Partner(partner) = source {
            info.relays_tokens = true;
            info.relay_requires_key |= has_partner_key(&partner.headers);
            info.token_pointer.clone_from(&partner.token_pointer);
            info.uses_https = partner.url.scheme() == "https";
            info.is_loopback = is_loopback_url(&partner.url);
        }
        if let RedeemEndpoint::Partner { headers, .. } = redeem {
            info.relays_redeems = true;
            info.relay_requires_key |= has_partner_key(headers);
        }
        info
    }
}

/// Whether the host of a URL is `localhost` or a loopback address.
pub fn is_loopback_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
