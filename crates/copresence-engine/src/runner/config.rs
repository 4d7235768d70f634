//! Configuration of a visit, and what it needs to run.

use crate::clock::Clock;
use crate::events::VisitEvent;
use crate::profile::Profile;
use copresence_client::ApiClient;
use copresence_protocol::{ExportType, LinkTemplate};
use copresence_store::{DataDir, Journal, VisitDownloadLimits, VisitId, VisitStart};
use copresence_visit::{Outcome, PollingConfig, TokenIssueParameters};
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Configuration of one visit.
#[derive(Debug, Clone)]
pub struct VisitConfig {
    /// The visit's id.
    pub id: VisitId,
    /// The profile's name.
    pub profile: String,
    /// URL of the backend, for people.
    pub api_url: String,
    /// Host (and port) of the backend, for the manifest.
    pub backend_host: String,
    /// Template of the link in the QR code.
    pub link: LinkTemplate,
    /// Where the avatar's folder is created.
    pub out_dir: PathBuf,
    /// How polls are spaced.
    pub polling: PollingConfig,
    /// End the visit after this time if no avatar was delivered.
    pub timeout: Duration,
    /// Lifetime of an Export Token, if the profile states one.
    pub token_lifetime: Option<Duration>,
    /// The visit is complete only if these exports were delivered.
    pub required_exports: Vec<ExportType>,
    /// Limits of the downloads, and how long failures are tolerated.
    pub limits: VisitDownloadLimits,
    /// First pause before a failed download is retried; doubled after each attempt without progress.
    pub download_pause: Duration,
    /// Whether the backend ends with this process (the embedded sandbox).
    pub ephemeral: bool,
}

/// Default of [`VisitConfig::download_pause`].
pub const DEFAULT_DOWNLOAD_PAUSE: Duration = Duration::from_millis(400);

impl VisitConfig {
    /// What the journal records at the start of the visit.
    pub(crate) fn to_start_record(&self, started_at: Timestamp) -> VisitStart {
        VisitStart {
            id: self.id,
            profile: self.profile.clone(),
            api_url: self.api_url.clone(),
            backend_host: self.backend_host.clone(),
            ephemeral: self.ephemeral,
            out_dir: self.out_dir.clone(),
            required_exports: self.required_exports.clone(),
            started_at,
            limits: Some(self.limits),
        }
    }

    /// The request for an Export Token.
    pub(crate) fn to_token_request(&self) -> TokenIssueParameters {
        TokenIssueParameters { link: self.link.clone(), token_lifetime: self.token_lifetime }
    }
}

/// What a visit needs to run.
#[derive(Clone)]
pub struct VisitContext {
    /// Endpoints of the backend.
    pub api: ApiClient,
    /// The data folder.
    pub data: Arc<DataDir>,
    /// The journal in the data folder.
    pub journal: Journal,
    /// The clock.
    pub clock: Clock,
    /// Receives the visit's events.
    pub event_sink: EventSink,
    /// Limits for a recovered visit whose own limits are not in the journal. A live visit has its own in
    /// [`VisitConfig`].
    pub limits: VisitDownloadLimits,
}

impl VisitContext {
    /// The same context with a profile's limits for recovery.
    #[must_use]
    pub fn with_profile_recovery_limits(self, profile: &Profile) -> Self {
        Self { limits: profile.limits, ..self }
    }
}

/// Receives events as they happen; must not block.
pub type EventSink = Arc<dyn Fn(VisitEvent) + Send + Sync>;

/// How a visit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitResult {
    /// The outcome.
    pub outcome: Outcome,
    /// The avatar's folder, complete or incomplete.
    pub directory: Option<PathBuf>,
}
