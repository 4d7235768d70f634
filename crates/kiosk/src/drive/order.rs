//! What a visit is to do, and what it is driven with.

use crate::clock::Clock;
use crate::line::Line;
use crate::profile::Profile;
use client::Api;
use protocol::{ExportType, LinkTemplate};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{DataDir, Journal, VisitId};
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
    /// What `recover` keeps to; a visit has its own in its [`Order`].
    pub limits: Limits,
}

impl Parts {
    /// With a profile's limits for `recover`.
    #[must_use]
    pub fn within(self, profile: &Profile) -> Self {
        let limits = Limits {
            parallel_downloads: profile.parallel_downloads,
            max_file_size: profile.max_file_size,
            patience: profile.patience,
        };
        Self { limits, ..self }
    }
}

/// What downloads keep to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// As [`Order::parallel_downloads`].
    pub parallel_downloads: usize,
    /// As [`Order::max_file_size`].
    pub max_file_size: u64,
    /// As [`Order::patience`].
    pub patience: Duration,
}

impl Default for Limits {
    /// Those of a profile that says nothing.
    fn default() -> Self {
        Self { parallel_downloads: 4, max_file_size: 2 << 30, patience: Duration::from_mins(3) }
    }
}

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
