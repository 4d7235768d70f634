//! From a profile and its credentials to a visit that can run.

use crate::clock::Clock;
use crate::credentials::{self, CredentialStore, KeychainError};
use crate::profile::Profile;
use crate::runner::{DEFAULT_DOWNLOAD_PAUSE, EventSink, VisitConfig, VisitContext};
use copresence_client::{
    ApiClient, BackendWithRoutes, Credentials, ExchangeRecorder, NoRecorder, PartnerTokenSource, RedeemEndpoint,
    SetupError, TokenSource,
};
use copresence_protocol::{ApiKey, ExportType, LinkTemplate, LinkTemplateError, Password, Username};
use copresence_store::{DataDir, StoreError, VisitDownloadLimits, VisitId};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The target of the visits: a profile's own backend, or the embedded sandbox that a host started.
#[derive(Debug, Clone)]
pub struct ProfileOrSandboxBackend {
    /// Base URL of the API.
    pub api_url: Url,
    /// Template of the link in the QR code.
    pub link: LinkTemplate,
    /// In memory only.
    pub credentials: Credentials,
    /// Whether it is the embedded sandbox, which ends with this process.
    pub is_embedded_sandbox: bool,
}

/// Why a profile has no usable backend.
#[derive(Debug, thiserror::Error)]
pub enum ProfileBackendError {
    /// The profile has no URL.
    #[error("the profile `{0}` has no `api_url`; add one, or use --api-url")]
    NoUrl(String),
    /// The link is not a template.
    #[error(transparent)]
    Link(#[from] LinkTemplateError),
    /// The keychain failed, and the environment has no credentials.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
}

impl ProfileOrSandboxBackend {
    /// The backend of a profile that is not the embedded sandbox, with the credentials that were found; and the error
    /// of the keychain, if the environment had credentials all the same. Blocks on the keychain.
    ///
    /// # Errors
    /// When the profile has no URL or link, or when the keychain fails and the environment has no credentials.
    pub fn find_credentials_and_build_backend(
        profile: &Profile,
        credential_store: &CredentialStore,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Option<KeychainError>), ProfileBackendError> {
        let target = Self::backend_target_without_credentials(profile)?;
        let found = credentials::find_credentials(profile, credential_store, env)?;
        let credentials = credentials::to_client_credentials(profile, &found);
        Ok((Self { credentials, ..target }, found.keychain_error))
    }

    /// The backend of a profile that is not the embedded sandbox, without credentials. Does not use the keychain.
    /// No visit can start with it.
    ///
    /// # Errors
    /// The profile has no URL or no link.
    pub fn backend_target_without_credentials(profile: &Profile) -> Result<Self, ProfileBackendError> {
        let url = profile.api_url.as_ref().or_else(|| profile.partner_token_url());
        let api_url = url.cloned().ok_or_else(|| ProfileBackendError::NoUrl(profile.name.clone()))?;
        let link = if let Some(link) = &profile.link {
            link.clone()
        } else {
            // A URL without a link most likely belongs to a sandbox: use the link of its phone page.
            let base = api_url.as_str().trim_end_matches('/');
            format!("{base}/phone?exportToken={{token}}").parse()?
        };
        Ok(Self { api_url, link, credentials: Credentials::default(), is_embedded_sandbox: false })
    }

    /// The sandbox that a host embeds, with the credentials that it accepts.
    ///
    /// # Errors
    /// When the link is not a template.
    pub fn target_of_embedded_sandbox(
        api_url: Url,
        link_template: &str,
        api_key: ApiKey,
        login: (Username, Password),
    ) -> Result<Self, LinkTemplateError> {
        let credentials = Credentials { api_key: Some(api_key), login: Some(login), ..Credentials::default() };
        Ok(Self { api_url, link: link_template.parse()?, credentials, is_embedded_sandbox: true })
    }

    /// Whether a URL from the journal leads to this backend. A slash at the end of the path and a fragment do not count,
    /// because endpoints are joined without them. `false` if it is no URL.
    pub fn is_same_backend(&self, api_url: &str) -> bool {
        let without_end = |mut url: Url| {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&path);
            url.set_fragment(None);
            url
        };
        api_url.parse().is_ok_and(|url| without_end(url) == without_end(self.api_url.clone()))
    }

    /// Host and port, for people and manifests.
    pub fn host_and_port(&self) -> String {
        let host = self.api_url.host_str().unwrap_or_default();
        self.api_url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Builds the API client for this backend with the routes and timeouts of a profile.
    ///
    /// # Errors
    /// [`SetupError`] names the credential that the profile's source of tokens needs and lacks.
    pub fn build_api_client(
        &self,
        profile: &Profile,
        recorder: Arc<dyn ExchangeRecorder>,
    ) -> Result<ApiClient, SetupError> {
        ApiClient::new(self.backend_with_profile_routes(profile), self.credentials.clone(), profile.timeouts, recorder)
    }

    /// The backend's URL with the routes of a profile.
    pub fn backend_with_profile_routes(&self, profile: &Profile) -> BackendWithRoutes {
        BackendWithRoutes {
            base_url: self.api_url.clone(),
            login_route: profile.login_route.clone(),
            token_source: profile.token_source.clone(),
            redeem_route: profile.redeem_route.clone(),
            download_exceptions: profile.download_exceptions,
        }
    }

    /// A client for downloads only: they send no credential, so none is needed. `profile` is that of the visit; without
    /// one, the defaults apply.
    ///
    /// # Errors
    /// When the HTTP client cannot be made, for example without root certificates.
    pub fn build_download_only_client(&self, profile: Option<&Profile>) -> Result<ApiClient, SetupError> {
        // The URL that the file URLs came from, because it decides where they may lead.
        let url = match profile.map(|profile| &profile.redeem_route) {
            Some(RedeemEndpoint::Partner { url, .. }) => url.clone(),
            _ => self.api_url.clone(),
        };
        let timeouts = profile.map(|profile| profile.timeouts).unwrap_or_default();
        let download_exceptions = profile.map(|profile| profile.download_exceptions).unwrap_or_default();
        let backend = BackendWithRoutes {
            token_source: TokenSource::Partner(PartnerTokenSource::new(url.clone())),
            redeem_route: RedeemEndpoint::Partner { url: url.clone(), headers: Vec::new() },
            download_exceptions,
            ..BackendWithRoutes::copresence_backend_from_url(url)
        };
        ApiClient::new(backend, Credentials::default(), timeouts, Arc::new(NoRecorder))
    }
}

/// The opened data folder, and the journal in it.
#[derive(Debug, Clone)]
pub struct DataStore {
    /// The folder.
    pub data: Arc<DataDir>,
    /// The journal in it.
    pub journal: copresence_store::Journal,
}

impl DataStore {
    /// Opens a data folder, and creates it if needed. Blocks on the disk.
    ///
    /// # Errors
    /// When the folder or the journal in it cannot be created or opened.
    pub fn open_or_create_data_store(path: &Path) -> Result<Self, StoreError> {
        let data = DataDir::open_data_dir_removing_leftovers(path)?;
        let journal = data.open_or_repair_journal()?;
        Ok(Self { data: Arc::new(data), journal })
    }

    /// The default data folder: in the user's data folder, or the system's if the user has no home.
    pub fn default_data_dir() -> PathBuf {
        let system = if cfg!(windows) { r"C:\ProgramData" } else { "/var/lib" };
        dirs::data_dir().unwrap_or_else(|| PathBuf::from(system)).join("copresence-kiosk")
    }

    /// Where avatars are saved if neither the command nor the profile names a folder.
    pub fn default_avatars_dir(&self) -> PathBuf {
        self.data.path().join("avatars")
    }

    /// Writes the files of a report into a new folder of the data folder; returns its path. Blocks on the disk.
    ///
    /// # Errors
    /// When the folder or a file cannot be written.
    pub fn write_report_files_to_new_folder(&self, name: &str, files: &[(&str, &[u8])]) -> Result<PathBuf, StoreError> {
        self.data.create_diagnostics_folder_with_files(copresence_store::DiagnosticsFolderKind::Reports, name, files)
    }

    /// What a visit needs to run, with default limits for recovery ([`VisitContext::with_profile_recovery_limits`] sets
    /// those of a profile).
    pub fn context_with_default_recovery_limits(
        &self,
        api: ApiClient,
        clock: Clock,
        event_sink: EventSink,
    ) -> VisitContext {
        let limits = VisitDownloadLimits::default();
        VisitContext { api, data: self.data.clone(), journal: self.journal.clone(), clock, event_sink, limits }
    }
}

/// Settings of a host that override the profile's.
///
/// # Defaults
/// Nothing is overridden.
#[derive(Debug, Clone, Default)]
pub struct VisitOverrides {
    /// Where avatars are saved.
    pub out_dir: Option<PathBuf>,
    /// End the visit after this time if no avatar was delivered.
    pub timeout: Option<Duration>,
    /// A fixed interval instead of the adaptive policy.
    pub poll_interval: Option<Duration>,
    /// The visit is complete only if these exports were delivered.
    pub required_exports: Vec<ExportType>,
    /// The largest file accepted, in bytes.
    pub max_file_size: Option<u64>,
}

/// Maximum time between two polls of the embedded sandbox.
const SANDBOX_SLOWEST: Duration = Duration::from_secs(2);
/// Processing time of its scenario `happy` at speed 1.
pub const SANDBOX_PROCESSING: Duration = Duration::from_secs(17);

/// Latest visits from which the usual times of a backend are learnt.
pub const LEARN_FROM_VISITS: u32 = 50;
/// Minimum number of them that had a time.
const MIN_VISITS_TO_LEARN: usize = 3;

/// Usual times of this backend: medians of its latest visits. Each is `None` if too few visits had it.
struct UsualVisitDurations {
    /// From the start of the visit to the association of an avatar.
    association: Option<Duration>,
    processing: Option<Duration>,
}

/// Learns the usual times from the journal.
async fn load_usual_visit_durations(
    data_store: &DataStore,
    profile: &Profile,
    target: &ProfileOrSandboxBackend,
) -> UsualVisitDurations {
    // Without them the defaults apply; a journal that cannot be read is reported where it is needed.
    let latest = data_store.journal.load_latest_visits(LEARN_FROM_VISITS).await.unwrap_or_default();
    let here: Vec<_> = latest
        .iter()
        .filter(|visit| visit.start.profile == profile.name && visit.start.backend_host == target.host_and_port())
        .collect();
    let between = |from: Option<Timestamp>, to: Option<Timestamp>| to?.duration_since(from?).try_into().ok();
    UsualVisitDurations {
        association: median_if_enough_visits(
            here.iter().filter_map(|visit| between(Some(visit.start.started_at), visit.times.associated)).collect(),
        ),
        processing: median_if_enough_visits(
            here.iter().filter_map(|visit| between(visit.times.processing, visit.times.ready)).collect(),
        ),
    }
}

/// The median of the times of visits, or `None` if there are fewer than three.
pub fn median_if_enough_visits(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    (times.len() >= MIN_VISITS_TO_LEARN).then(|| times[times.len() / 2])
}

/// The configuration of one new visit, with a new id, from profile, target and overrides. Reads the usual
/// processing time from earlier visits in the journal if the profile states none.
pub async fn build_config_using_visit_history(
    profile: &Profile,
    target: &ProfileOrSandboxBackend,
    data_store: &DataStore,
    overrides: &VisitOverrides,
) -> VisitConfig {
    let mut polling = profile.polling.clone();
    if overrides.poll_interval.is_some() {
        polling.fixed = overrides.poll_interval;
    }
    let usual = load_usual_visit_durations(data_store, profile, target).await;
    polling.usual_association = usual.association;
    if let Some(usual_processing) = profile.usual_processing.or(usual.processing) {
        polling.usual_processing = usual_processing;
    }
    if target.is_embedded_sandbox {
        // It is fast and on this machine, so polls are cheap.
        polling.slowest = polling.slowest.min(SANDBOX_SLOWEST).max(polling.fastest);
        polling.usual_processing = polling.usual_processing.min(SANDBOX_PROCESSING);
    }
    let mut limits = profile.limits;
    if let Some(max_file_size) = overrides.max_file_size {
        limits.max_file_size = max_file_size;
    }
    let out_dir = overrides
        .out_dir
        .clone()
        .or_else(|| profile.out_dir.clone())
        .unwrap_or_else(|| data_store.default_avatars_dir());
    VisitConfig {
        id: VisitId::new(),
        profile: profile.name.clone(),
        api_url: target.api_url.to_string(),
        backend_host: target.host_and_port(),
        link: target.link.clone(),
        out_dir,
        polling,
        timeout: overrides.timeout.unwrap_or(profile.timeout),
        token_lifetime: profile.token_lifetime,
        required_exports: overrides.required_exports.clone(),
        limits,
        download_pause: DEFAULT_DOWNLOAD_PAUSE,
        ephemeral: target.is_embedded_sandbox,
    }
}
