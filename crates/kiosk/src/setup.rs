//! From a profile and its credentials to something that can be driven.

use crate::clock::Clock;
use crate::drive::{Order, Parts, Teller};
use crate::profile::Profile;
use client::{
    Api, Backend, Credentials, NoRecorder, PartnerSource, Recorder, RedeemRoute, SetupError, TimeOuts,
    TokenSource,
};
use protocol::{ExportType, LinkTemplate};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{DataDir, StoreError, VisitId};
use url::Url;

/// The backend that visits are made at: a profile's own, or the embedded sandbox that a host started.
#[derive(Debug, Clone)]
pub struct Target {
    /// Base URL of the API.
    pub api_url: Url,
    /// What the QR says.
    pub link: LinkTemplate,
    /// In memory only.
    pub credentials: Credentials,
    /// Whether it is the embedded sandbox, which dies with this process.
    pub embedded_sandbox: bool,
}

impl Target {
    /// Host and port, for people and manifests.
    pub fn host(&self) -> String {
        let host = self.api_url.host_str().unwrap_or_default();
        self.api_url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The endpoints, ready to be called.
    ///
    /// # Errors
    /// [`SetupError`] names the credential that is missing for the profile's way to a token.
    pub fn api(&self, profile: &Profile, recorder: Arc<dyn Recorder>) -> Result<Api, SetupError> {
        let backend = Backend {
            base_url: self.api_url.clone(),
            login: profile.login.clone(),
            source: profile.source.clone(),
            redeem: profile.redeem.clone(),
        };
        Api::new(backend, self.credentials.clone(), TimeOuts::default(), recorder)
    }

    /// For downloads alone, which carry no credential and therefore need none.
    pub fn downloads(&self) -> Result<Api, SetupError> {
        let url = self.api_url.clone();
        let backend = Backend {
            source: TokenSource::Partner(PartnerSource::new(url.clone())),
            redeem: RedeemRoute::Partner { url: url.clone(), headers: Vec::new() },
            ..Backend::vendor(url)
        };
        Api::new(backend, Credentials::default(), TimeOuts::default(), Arc::new(NoRecorder))
    }
}

/// The data folder, opened.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The folder.
    pub data: Arc<DataDir>,
    /// The journal in it.
    pub journal: store::Journal,
}

impl Disk {
    /// Opens (and makes) a data folder.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let data = DataDir::open(path)?;
        let journal = data.journal()?;
        Ok(Self { data: Arc::new(data), journal })
    }

    /// Where data stands when nobody says otherwise.
    pub fn default_path() -> PathBuf {
        dirs::data_dir().unwrap_or_default().join("copresence-kiosk")
    }

    /// Where avatars go when neither the command nor the profile says.
    pub fn default_out(&self) -> PathBuf {
        self.data.path().join("avatars")
    }

    /// What a visit is driven with.
    pub fn parts(&self, api: Api, clock: Clock, teller: Teller) -> Parts {
        Parts { api, data: self.data.clone(), journal: self.journal.clone(), clock, teller }
    }
}

/// What a host may set for its visits over what the profile says.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Where avatars are saved.
    pub out: Option<PathBuf>,
    /// Give up when no avatar came.
    pub timeout: Option<Duration>,
    /// A fixed interval instead of the adaptive policy.
    pub poll: Option<Duration>,
    /// The visit is complete only if these came.
    pub required_exports: Vec<ExportType>,
    /// The largest file taken, in bytes.
    pub max_file_size: Option<u64>,
}

/// What one visit is to do, from profile, target and overrides.
pub fn order(profile: &Profile, target: &Target, disk: &Disk, overrides: &Overrides) -> Order {
    let mut pace = profile.pace.clone();
    if overrides.poll.is_some() {
        pace.fixed = overrides.poll;
    }
    let out = overrides.out.clone().or_else(|| profile.out.clone()).unwrap_or_else(|| disk.default_out());
    Order {
        id: VisitId::new(),
        profile: profile.name.clone(),
        api_url: target.api_url.to_string(),
        backend_host: target.host(),
        link: target.link.clone(),
        out,
        pace,
        timeout: overrides.timeout.unwrap_or(profile.timeout),
        patience: profile.patience,
        export_token_life: profile.export_token_life,
        required_exports: overrides.required_exports.clone(),
        parallel_downloads: profile.parallel_downloads,
        max_file_size: overrides.max_file_size.unwrap_or(profile.max_file_size),
        ephemeral: target.embedded_sandbox,
    }
}
