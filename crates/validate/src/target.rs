//! Which backend is checked, and how far a run may go.

use client::{Backend, Credentials, PARTNER_KEY_PLACEHOLDER, RedeemRoute, TimeOuts, TokenSource};
use protocol::LinkTemplate;
use std::time::Duration;
use url::{Host, Url};

/// A backend to be checked.
#[derive(Debug, Clone)]
pub struct Target {
    /// What people call it: a profile's name.
    pub name: String,
    /// The routes to it.
    pub backend: Backend,
    /// In memory only.
    pub credentials: Credentials,
    /// What the QR code says.
    pub link: LinkTemplate,
    /// How long each part of a call may take.
    pub time_outs: TimeOuts,
}

/// How far a run may go.
#[derive(Debug, Clone)]
pub struct Options {
    /// As many Export Tokens may be made; `None`: as many as the plan says.
    pub max_tokens: Option<u32>,
    /// Whether checks may run that lose an avatar.
    pub destructive: bool,
    /// Whether requests that are wrong on purpose may be sent: wrong passwords, strangers' keys, spent tokens.
    pub wrong_requests: bool,
    /// Whether avatars may be made.
    pub avatars: bool,
    /// How long an avatar is waited for.
    pub patience: Duration,
    /// After how long an unused download URL must have ended.
    pub url_life: Duration,
    /// How long a relay's upstream is watched for a redeem that nobody asked for, in real time.
    pub watch: Duration,
}

impl Default for Options {
    /// No bound, nothing destructive, wrong requests and avatars, 15 min, 15 min, 5 s.
    fn default() -> Self {
        Self {
            max_tokens: None,
            destructive: false,
            wrong_requests: true,
            avatars: true,
            patience: Duration::from_mins(15),
            url_life: Duration::from_mins(15),
            watch: Duration::from_secs(5),
        }
    }
}

/// Facts about the backend that are known before the first request.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// Whether the API's URL is https.
    pub https: bool,
    /// Whether the API's URL is a loopback address.
    pub loopback: bool,
    /// Whether tokens come from a partner's relay.
    pub relays_tokens: bool,
    /// Whether redeems go through a partner's relay.
    pub relays_redeems: bool,
    /// Whether the run sends no deliberately wrong request.
    pub right_only: bool,
    /// Whether the relay requires its own key, according to the profile.
    pub relay_has_key: bool,
    /// Where the login response has the session token (JSON Pointer).
    pub session_pointer: String,
    /// Where the generate response has the Export Token (JSON Pointer).
    pub token_pointer: String,
}

impl Target {
    /// What is known before the first request.
    pub(crate) fn ground(&self) -> Ground {
        Ground::of(&self.backend)
    }
}

impl Ground {
    pub(crate) fn of(backend: &Backend) -> Self {
        let Backend { base_url, login, source, redeem } = backend;
        let keyed = |headers: &[(String, String)]| {
            headers.iter().any(|(_, value)| value.contains(PARTNER_KEY_PLACEHOLDER))
        };
        let mut ground = Ground {
            https: base_url.scheme() == "https",
            loopback: is_this_machine(base_url),
            session_pointer: login.token_pointer.clone(),
            token_pointer: "/token".to_owned(),
            ..Ground::default()
        };
        if let TokenSource::Partner(partner) = source {
            ground.relays_tokens = true;
            ground.relay_has_key |= keyed(&partner.headers);
            ground.token_pointer.clone_from(&partner.token_pointer);
            ground.https = partner.url.scheme() == "https";
            ground.loopback = is_this_machine(&partner.url);
        }
        if let RedeemRoute::Partner { headers, .. } = redeem {
            ground.relays_redeems = true;
            ground.relay_has_key |= keyed(headers);
        }
        ground
    }
}

/// Whether a URL names this machine.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
