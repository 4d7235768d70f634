//! From a profile and its credentials to something that can be driven.

use crate::clock::Clock;
use crate::credentials::{self, Vault, VaultError};
use crate::drive::{DEFAULT_LIMITS, DOWNLOAD_PAUSE, Order, Parts, Teller};
use crate::profile::Profile;
use client::{
    Api, Backend, Credentials, NoRecorder, PartnerSource, Recorder, RedeemRoute, SetupError, TimeOuts,
    TokenSource,
};
use protocol::{ApiKey, ExportType, LinkError, LinkTemplate, Password, Username};
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

/// Why a profile leads to no backend.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The profile says no URL.
    #[error("the profile `{0}` has no `api_url`; add one, or use --api-url")]
    NoUrl(String),
    /// The link is no template.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The keychain failed, and the environment gave nothing.
    #[error(transparent)]
    Keychain(#[from] VaultError),
}

impl Target {
    /// The backend of a profile that is not the embedded sandbox, with what was found of its credentials; and why
    /// the keychain could not be asked, when the environment gave something all the same. Blocks on the keychain.
    pub fn remote(
        profile: &Profile,
        vault: &Vault,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Option<VaultError>), TargetError> {
        let target = Self::without_credentials(profile)?;
        let found = credentials::find(profile, vault, env)?;
        let credentials = credentials::for_client(&found);
        Ok((Self { credentials, ..target }, found.note))
    }

    /// The same with no credential: nobody is asked, and no visit can be made there yet.
    pub fn without_credentials(profile: &Profile) -> Result<Self, TargetError> {
        let url = profile.api_url.as_ref().or_else(|| profile.partner_url());
        let api_url = url.cloned().ok_or_else(|| TargetError::NoUrl(profile.name.clone()))?;
        let link = if let Some(link) = &profile.link {
            link.clone()
        } else {
            // What stands behind a URL that was given without a link is most likely a sandbox: its phone page.
            let base = api_url.as_str().trim_end_matches('/');
            format!("{base}/phone?exportToken={{token}}").parse()?
        };
        Ok(Self { api_url, link, credentials: Credentials::default(), embedded_sandbox: false })
    }

    /// The sandbox that a host embeds, with what it accepts.
    pub fn embedded_sandbox(
        api_url: Url,
        link_template: &str,
        api_key: ApiKey,
        login: (Username, Password),
    ) -> Result<Self, LinkError> {
        let credentials =
            Credentials { api_key: Some(api_key), login: Some(login), ..Credentials::default() };
        Ok(Self { api_url, link: link_template.parse()?, credentials, embedded_sandbox: true })
    }

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
        Api::new(self.backend(profile), self.credentials.clone(), profile.network, recorder)
    }

    /// The profile's routes to it.
    pub fn backend(&self, profile: &Profile) -> Backend {
        Backend {
            base_url: self.api_url.clone(),
            login: profile.login.clone(),
            source: profile.source.clone(),
            redeem: profile.redeem.clone(),
        }
    }

    /// For downloads alone, which carry no credential and therefore need none.
    pub fn downloads(&self, network: TimeOuts) -> Result<Api, SetupError> {
        let url = self.api_url.clone();
        let backend = Backend {
            source: TokenSource::Partner(PartnerSource::new(url.clone())),
            redeem: RedeemRoute::Partner { url: url.clone(), headers: Vec::new() },
            ..Backend::vendor(url)
        };
        Api::new(backend, Credentials::default(), network, Arc::new(NoRecorder))
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

    /// Saves the files of a report into a new folder of the data folder; gives its path. Blocks on the disk.
    pub fn save_report(&self, name: &str, files: &[(&str, &[u8])]) -> Result<PathBuf, StoreError> {
        self.data.write_folder(store::HostFolder::Reports, name, files)
    }

    /// What a visit is driven with.
    pub fn parts(&self, api: Api, clock: Clock, teller: Teller) -> Parts {
        let limits = DEFAULT_LIMITS;
        Parts { api, data: self.data.clone(), journal: self.journal.clone(), clock, teller, limits }
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

/// The longest pause between two polls of the embedded sandbox.
const SANDBOX_SLOWEST: Duration = Duration::from_secs(2);
/// What its scenario `happy` takes at speed 1.
const SANDBOX_PROCESSING: Duration = Duration::from_secs(17);

/// Earlier visits looked at, to learn how long a backend processes.
const LEARN_FROM: u32 = 50;
/// With fewer there is nothing to learn from.
const LEARN_LEAST: usize = 3;

/// How long this backend usually processes: the median of what the latest visits saw.
async fn learnt_processing(disk: &Disk, profile: &Profile, target: &Target) -> Option<Duration> {
    let latest = disk.journal.latest(LEARN_FROM).await.ok()?;
    let here = latest
        .iter()
        .filter(|visit| visit.start.profile == profile.name && visit.start.backend_host == target.host());
    let mut seen: Vec<Duration> = here
        .filter_map(|visit| visit.times.ready?.duration_since(visit.times.processing?).try_into().ok())
        .collect();
    seen.sort_unstable();
    (seen.len() >= LEARN_LEAST).then(|| seen[seen.len() / 2])
}

/// What one visit is to do, from profile, target and overrides.
pub async fn order(profile: &Profile, target: &Target, disk: &Disk, overrides: &Overrides) -> Order {
    let mut pace = profile.pace.clone();
    if overrides.poll.is_some() {
        pace.fixed = overrides.poll;
    }
    let learnt = match profile.usual_processing {
        Some(usual) => Some(usual),
        None => learnt_processing(disk, profile, target).await,
    };
    if let Some(learnt) = learnt {
        pace.usual_processing = learnt;
    }
    if target.embedded_sandbox {
        // It is quick, it is on this machine, and asking it costs nobody anything.
        pace.slowest = pace.slowest.min(SANDBOX_SLOWEST).max(pace.fastest);
        pace.usual_processing = pace.usual_processing.min(SANDBOX_PROCESSING);
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
        min_free_space: profile.min_free_space,
        download_pause: DOWNLOAD_PAUSE,
        ephemeral: target.embedded_sandbox,
    }
}
