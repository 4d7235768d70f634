//! Profiles: which backend, by which way, with which limits. No secret ever stands in one.

mod file;
mod shown;
mod written;

pub use file::{ProfileError, Profiles, default_config_path};
pub use written::Written;

use client::{LoginRoute, RedeemRoute, TimeOuts, TokenSource};
use protocol::LinkTemplate;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;
use visit::Pace;

/// The built-in profile of the embedded sandbox, and the default of every command.
pub const SANDBOX: &str = "sandbox";

/// One profile with every default filled in.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// The backend. `None` only for the profile `sandbox`, whose backend is embedded.
    pub api_url: Option<Url>,
    /// What the QR says. `None` only where the embedded sandbox supplies it.
    pub link: Option<LinkTemplate>,
    /// How a session token is had.
    pub login: LoginRoute,
    /// Where Export Tokens come from.
    pub source: TokenSource,
    /// Who redeems them.
    pub redeem: RedeemRoute,
    /// How polls are spaced.
    pub pace: Pace,
    /// How long this backend usually processes, where the profile says; otherwise it is learnt from earlier visits.
    pub usual_processing: Option<Duration>,
    /// Give up when no avatar came. Default 15 minutes.
    pub timeout: Duration,
    /// How long the backend may fail without a good answer in between. Default 3 minutes.
    pub patience: Duration,
    /// How long an Export Token lives, where somebody said so; for the countdown only.
    pub export_token_life: Option<Duration>,
    /// Where avatars are saved; `None` is `avatars` in the data folder.
    pub out: Option<PathBuf>,
    /// Files of one avatar that are downloaded at once. Default 4.
    pub parallel_downloads: usize,
    /// The largest file taken, in bytes. Default 2 GiB.
    pub max_file_size: u64,
    /// The room on the disk, in bytes, under which no token is asked for and none redeemed. Default 128 MiB.
    pub min_free_space: u64,
    /// How long the network may take. Default: as in [`TimeOuts`].
    pub network: TimeOuts,
}

impl Profile {
    /// Whether its backend is the embedded sandbox.
    pub fn is_embedded_sandbox(&self) -> bool {
        self.name == SANDBOX && self.api_url.is_none() && self.partner_url().is_none()
    }

    /// Where the partner's own backend hands out tokens, if it is that which does.
    pub fn partner_url(&self) -> Option<&Url> {
        match &self.source {
            TokenSource::Partner(partner) => Some(&partner.url),
            TokenSource::Direct => None,
        }
    }
}
