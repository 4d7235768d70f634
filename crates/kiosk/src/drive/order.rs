//! What a visit is to do, and what it is driven with.

use crate::clock::Clock;
use crate::line::Line;
use crate::profile::Profile;
use client::Api;
use protocol::{ExportType, LinkTemplate};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{DataDir, Journal, VisitId, VisitLimits};
use visit::{Outcome, Pace};

/// What one visit is to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// The visit's id.
    pub id: VisitId,
    /// The profile's name.
    pub profile: String,
    /// The backend, for people.
    pub api_url: String,
    /// The backend's host (and port), for the manifest.
    pub backend_host: String,
    /// What the QR says.
    pub link: LinkTemplate,
    /// Where the avatar's folder goes.
    pub out: PathBuf,
    /// How polls are spaced.
    pub pace: Pace,
    /// Give up when no avatar came.
    pub timeout: Duration,
    /// How long the backend may fail in a row, or a download hardly move.
    pub patience: Duration,
    /// The Export Token's life, where the profile states one.
    pub export_token_life: Option<Duration>,
    /// The visit is complete only if these came.
    pub required_exports: Vec<ExportType>,
    /// Files at once.
    pub parallel_downloads: usize,
    /// The largest file taken, in bytes.
    pub max_file_size: u64,
    /// The room on the disk, in bytes, under which no token is asked for and none redeemed.
    pub min_free_space: u64,
    /// Before a download that broke is asked for again; doubled each time that it brings nothing.
    pub download_pause: Duration,
    /// Whether the backend dies with this process (the embedded sandbox).
    pub ephemeral: bool,
}

/// [`Order::download_pause`] where nobody says otherwise.
pub const DOWNLOAD_PAUSE: Duration = Duration::from_millis(400);

/// What a visit is driven with.
#[derive(Clone)]
pub struct Parts {
    /// The backend's endpoints.
    pub api: Api,
    /// The data folder.
    pub data: Arc<DataDir>,
    /// The journal in it.
    pub journal: Journal,
    /// Time.
    pub clock: Clock,
    /// Who is told each line.
    pub teller: Teller,
    /// What `recover` keeps to where the journal does not say what the visit was told; a visit has its own in its
    /// [`Order`].
    pub limits: VisitLimits,
}

impl Parts {
    /// With a profile's limits for `recover`.
    #[must_use]
    pub fn within(self, profile: &Profile) -> Self {
        let limits = VisitLimits {
            parallel_downloads: profile.parallel_downloads,
            max_file_size: profile.max_file_size,
            patience: profile.patience,
            min_free_space: profile.min_free_space,
        };
        Self { limits, ..self }
    }
}

impl Order {
    /// What `recover` is to keep to as well, should it finish this visit.
    pub(crate) fn limits(&self) -> VisitLimits {
        VisitLimits {
            parallel_downloads: self.parallel_downloads,
            max_file_size: self.max_file_size,
            patience: self.patience,
            min_free_space: self.min_free_space,
        }
    }
}

/// Those of a profile that says nothing.
pub(crate) const DEFAULT_LIMITS: VisitLimits = VisitLimits {
    parallel_downloads: 4,
    max_file_size: 2 << 30,
    patience: Duration::from_mins(3),
    min_free_space: 128 << 20,
};

/// Takes in lines as they happen; must not block.
pub type Teller = Arc<dyn Fn(Line) + Send + Sync>;

/// How a visit ended, for whoever awaits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The avatar's folder, or the incomplete one.
    pub directory: Option<PathBuf>,
}
