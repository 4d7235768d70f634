//! What a load test does.

use crate::arrivals::{ArrivalSpacing, ArrivalStage};
use copresence_protocol::LinkTemplate;
use copresence_visit::PollingConfig;
use std::time::Duration;

/// When visits start.
#[derive(Debug, Clone, PartialEq)]
pub enum VisitStartModel {
    /// Visitors arrive by a schedule and do not wait for each other. `max_consoles` is the maximum number of visits at a
    /// time; arrivals beyond it are counted as not started.
    Open {
        /// The rates over time.
        stages: Vec<ArrivalStage>,
        /// How arrivals are spread within a rate.
        spacing: ArrivalSpacing,
        /// Maximum number of visits at a time.
        max_consoles: usize,
    },
    /// A fixed number of consoles, each with one visit after another.
    Closed {
        /// Number of consoles.
        consoles: usize,
        /// Time in which the consoles start, one after the other.
        ramp_up: Duration,
        /// Time between two visits of a console.
        pause: Duration,
    },
}

/// What a console does with the files of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DownloadMode {
    /// Requests no file.
    #[default]
    None,
    /// Requests each file and stops after the headers of the response.
    Head,
    /// Receives each file completely, hashes it and saves nothing.
    Full,
}

impl DownloadMode {
    /// The word of the command line: `none`, `head` or `full`.
    pub fn command_line_word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Head => "head",
            Self::Full => "full",
        }
    }
}

/// How one visit of a virtual console proceeds.
#[derive(Debug, Clone)]
pub struct ConsoleVisitPlan {
    /// Template of the link in the QR code.
    pub link: LinkTemplate,
    /// Whether the durations of earlier visits of the run take the place of those in `polling`.
    pub learns_durations: bool,
    /// Lifetime of an Export Token, if the profile states one.
    pub token_lifetime: Option<Duration>,
    /// How polls are spaced.
    pub polling: PollingConfig,
    /// End a visit after this time if no avatar was delivered.
    pub visit_timeout: Duration,
    /// How long the backend may fail without one usable response in between.
    pub patience: Duration,
    /// Time from the invitation to the scan of the QR code; each visit takes half to one and a half times as long.
    pub scan_after: Duration,
    /// What is done with the files.
    pub download: DownloadMode,
    /// Whether each spent token is redeemed once more, which must be refused.
    pub redeem_spent_tokens: bool,
    /// Maximum number of requests in flight. Each has a connection of its own, as on a console.
    pub max_connections: usize,
    /// Maximum number of requests for an Export Token. `None`: no limit (a sandbox).
    pub max_tokens: Option<u64>,
    /// Seed of arrivals, scan times and the polls' jitter.
    pub seed: u64,
}

/// A whole load test.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// When visits start.
    pub model: VisitStartModel,
    /// How long visits start.
    pub duration: Duration,
    /// How long visits may continue after that, before they are interrupted.
    pub finish_within: Duration,
}
