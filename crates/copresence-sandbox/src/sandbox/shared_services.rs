//! What all worlds of a sandbox share: its URLs, limits and stores.

use super::{Sandbox, WORLD_PATH_PREFIX};
use crate::avatar_store::AvatarStore;
use crate::connection_slots::ConnectionSlots;
use crate::limits::{ResourceLimits, UploadLimiter};
use crate::network::is_loopback_url;
use crate::rate_limit::ClientRateLimiter;
use crate::tls::CertificateSource;
use std::sync::{Arc, PoisonError};
use url::Url;

impl Sandbox {
    /// Where the certificate comes from; `None` for plain HTTP.
    pub(crate) fn certificate_source(&self) -> Option<&CertificateSource> {
        self.shared.tls.as_ref()
    }

    /// `http` or `https`.
    pub(crate) fn url_scheme(&self) -> &'static str {
        if self.shared.tls.is_some() { "https" } else { "http" }
    }

    /// The rate limiter of the clients, which counts the requests of each address.
    pub(crate) fn client_rate_limiter(&self) -> &ClientRateLimiter {
        &self.shared.rate_limit
    }

    /// The bounds on bodies, responses and connections.
    pub(crate) fn resource_limits(&self) -> &ResourceLimits {
        &self.shared.limits
    }

    /// The places for connections, which all servers of this sandbox share.
    pub(crate) fn connection_slots(&self) -> &Arc<ConnectionSlots> {
        &self.shared.connection_slots
    }

    /// The limiter of bodies and uploaded pictures.
    pub(crate) fn upload_limiter(&self) -> &UploadLimiter {
        &self.shared.upload_limiter
    }

    /// The store that generates, caches and reads the files of avatars.
    pub(crate) fn avatar_store(&self) -> &AvatarStore {
        &self.shared.avatar_store
    }

    /// The public URL from the settings, for a sandbox behind a reverse proxy; `None` if not set.
    pub(crate) fn configured_public_url(&self) -> Option<&Url> {
        self.shared.public_url.as_ref()
    }

    /// Whether a proxy on this machine may forward requests of other machines, because the public URL names another
    /// host than this machine's loopback address.
    pub(crate) fn may_be_behind_local_proxy(&self) -> bool {
        self.configured_public_url().is_some_and(|url| !is_loopback_url(url))
    }

    /// The URL under which a client reaches this sandbox, without a trailing `/`: the public URL if set, else `host`
    /// (the client's `Host` header, which was checked), else the listening address.
    /// That of a world other than the main one ends with its prefix.
    pub(crate) fn base_url_for_client(&self, host: Option<&str>) -> String {
        let from_host = || Url::parse(&format!("{}://{}/", self.url_scheme(), host?)).ok();
        let local = || self.shared.local_url.read().unwrap_or_else(PoisonError::into_inner).clone();
        let url = self.shared.public_url.clone().or_else(from_host).or_else(local);
        let base = url.as_ref().map_or("http://localhost", |url| url.as_str().trim_end_matches('/'));
        self.world_id().map_or_else(|| base.to_owned(), |id| format!("{base}{WORLD_PATH_PREFIX}{id}"))
    }

    /// Sets the URL for clients on this machine, once the server listens.
    pub(crate) fn set_local_url(&self, url: Url) {
        *self.shared.local_url.write().unwrap_or_else(PoisonError::into_inner) = Some(url);
    }
}
