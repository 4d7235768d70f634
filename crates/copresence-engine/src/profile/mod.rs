//! Profiles: which backend, by which routes, with which limits. They contain no secrets.

mod file;
mod rows;
mod written;

pub use file::{ProfileError, Profiles, default_profiles_path};
pub use written::ProfileToml;

use copresence_client::{DownloadUrlRuleExceptions, LoginRoute, RedeemEndpoint, Timeouts, TokenSource};
use copresence_protocol::LinkTemplate;
use copresence_store::VisitDownloadLimits;
use copresence_visit::PollingConfig;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// The built-in profile of the embedded sandbox, and the default of every command.
pub const SANDBOX_PROFILE: &str = "sandbox";

/// One profile with every default filled in.
///
/// # Defaults
/// As of the types of the fields; `timeout` is 15 minutes, and everything optional is absent.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// The backend. `None` only for the profile `sandbox`, whose backend is embedded.
    pub api_url: Option<Url>,
    /// Template of the link in the QR code. `None` only if the embedded sandbox supplies it.
    pub link: Option<LinkTemplate>,
    /// How a session token is obtained.
    pub login_route: LoginRoute,
    /// Where Export Tokens come from.
    pub token_source: TokenSource,
    /// Who redeems them.
    pub redeem_route: RedeemEndpoint,
    /// How polls are spaced.
    pub polling: PollingConfig,
    /// Usual processing time of this backend, if the profile states it; otherwise it is learnt from earlier visits.
    pub usual_processing: Option<Duration>,
    /// End a visit after this time if no avatar was delivered.
    pub timeout: Duration,
    /// Limits of the downloads, and how long failures are tolerated.
    pub limits: VisitDownloadLimits,
    /// Lifetime of an Export Token, if it is stated: for the countdown, and for the pauses of recovery.
    pub token_lifetime: Option<Duration>,
    /// Where avatars are saved; `None` is `avatars` in the data folder.
    pub out_dir: Option<PathBuf>,
    /// Timeouts of the network.
    pub timeouts: Timeouts,
    /// Download URLs that are requested although the backend should not send them.
    pub download_exceptions: DownloadUrlRuleExceptions,
}

impl Profile {
    /// Whether the profile's backend is the embedded sandbox.
    pub fn uses_embedded_sandbox(&self) -> bool {
        self.name == SANDBOX_PROFILE && self.api_url.is_none() && self.partner_token_url().is_none()
    }

    /// URL at which the partner's own backend issues Export Tokens; `None` if tokens come from the vendor.
    pub fn partner_token_url(&self) -> Option<&Url> {
        match &self.token_source {
            TokenSource::Partner(partner) => Some(&partner.url),
            TokenSource::Direct => None,
        }
    }
}
