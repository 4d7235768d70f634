//! Options of `copresence load`.

use crate::failure::CommandFailure;
use crate::simulation_options::{SimulatedBackendOptions, parse_poll_interval};
use crate::validate::phone_command::PhoneCommand;
use clap::ValueEnum;
use copresence_load::{ArrivalSchedule, ArrivalSpacing, DownloadMode, LoadPlan, Threshold, VisitStartModel};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Maximum number of visits at a time in the open model without `--consoles`.
const DEFAULT_MAX_CONSOLES: usize = 10_000;
/// Number of consoles in the closed model without `--consoles`.
const DEFAULT_CONSOLES: usize = 10;
/// Duration in the closed model without `--duration`.
const DEFAULT_DURATION: Duration = Duration::from_mins(1);
/// How long visits may continue after the duration, if a phone gives them avatars.
const DEFAULT_FINISH_DURATION: Duration = Duration::from_mins(1);

/// Options: when visits start, how they proceed, what they may cost, and which reports to write.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  copresence load --consoles 20 --duration 30s
  copresence load --arrivals 0..50/s@2m,50/s@10m --threshold 'issue_p99<500ms' --html report.html
  copresence load --profile live --arrivals 5/s@1m --phone none --max-tokens 300

Thresholds: METRIC<LIMIT, also with <= > >= ==
  durations  {login,issue,redeem,download,noticed,visit,connection_wait,start_lag} with
             {_p50,_p90,_p95,_p99,_p999,_mean,_max}, as in redeem_p99<500ms
  shares     failures, failed_visits, as in failures<1%
  counts     requests, completed_visits, not_started, tokens_issued, tokens_spent,
             possibly_issued, possibly_consumed, double_deliveries, as in requests>=1000

Exit codes: 0 passed, 1 a threshold is not satisfied or a token was delivered twice, 2 usage,
3 credentials missing or refused, 6 the backend issued no token, 130 interrupted.
See docs/load.md for a walk-through.")]
pub(crate) struct LoadOptions {
    /// Start visits at this rate, whether earlier ones have ended or not: `50/s`, a ramp `0..50/s@2m`, or stages as in
    /// `0..50/s@2m,50/s@10m`. Without it, each console makes one visit after another
    #[arg(long, value_name = "RATES", help_heading = "Load", conflicts_with_all = ["ramp_up", "pause"])]
    pub(crate) arrivals: Option<ArrivalSchedule>,
    /// Number of consoles; with --arrivals the maximum number of visits at a time [default: 10; with --arrivals 10000]
    #[arg(long, value_name = "N", help_heading = "Load", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) consoles: Option<u32>,
    /// How long visits start [default: 1m; with --arrivals the sum of its stages]
    #[arg(long, value_name = "DUR", help_heading = "Load", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// How long visits may continue after that before they are interrupted [default: 60s; without a phone 0s]
    #[arg(long, value_name = "DUR", help_heading = "Load", value_parser = humantime::parse_duration)]
    pub(crate) finish: Option<Duration>,
    /// Time in which the consoles start
    #[arg(long, value_name = "DUR", default_value = "0s", help_heading = "Load", value_parser = humantime::parse_duration)]
    pub(crate) ramp_up: Duration,
    /// Time between two visits of a console
    #[arg(long, value_name = "DUR", default_value = "1s", help_heading = "Load", value_parser = humantime::parse_duration)]
    pub(crate) pause: Duration,
    /// Space arrivals evenly instead of at random
    #[arg(long, help_heading = "Load", requires = "arrivals")]
    pub(crate) even: bool,
    /// Maximum number of requests in flight; others wait, which counts as their latency
    #[arg(long, value_name = "N", default_value_t = 500, help_heading = "Load", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(crate) connections: u32,
    /// Who scans the codes: `sandbox`, `none`, or a command, whose `{link}` or `COPRESENCE_PHONE_LINK` is the link
    /// [default: the sandbox if the backend is one, else none]
    #[arg(long, value_name = "sandbox|none|CMD", help_heading = "Visits", value_parser = LoadPhoneChoice::parse_phone_choice)]
    pub(crate) phone: Option<LoadPhoneChoice>,
    /// Time from the code to its scan; each visit takes half to one and a half times as long
    #[arg(long, value_name = "DUR", default_value = "5s", help_heading = "Visits", value_parser = humantime::parse_duration)]
    pub(crate) scan_after: Duration,
    /// What to do with the files: nothing, request them up to the headers, or receive and hash them. Nothing is saved
    #[arg(long, value_name = "HOW", default_value = "none", help_heading = "Visits")]
    pub(crate) download: DownloadChoice,
    /// Redeem each spent token once more, which must be refused: finds double deliveries
    #[arg(long, help_heading = "Visits")]
    pub(crate) redeem_spent: bool,
    /// Give up a visit when no avatar was delivered after this time [default: the profile's, 15m]
    #[arg(long, value_name = "DUR", help_heading = "Visits", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Poll this long after each response instead of by the adaptive policy
    #[arg(long, value_name = "FIXED_DUR", help_heading = "Visits", value_parser = parse_poll_interval)]
    pub(crate) poll: Option<Duration>,
    /// Request at most this many Export Tokens; needed for every backend but a sandbox
    #[arg(long, value_name = "N", help_heading = "Costs", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_tokens: Option<u64>,
    /// Request tokens without asking for confirmation
    #[arg(long, help_heading = "Costs")]
    pub(crate) yes: bool,
    /// Fail the run (exit code 1) unless this holds, as in `issue_p99<500ms` (repeatable; see below)
    #[arg(long = "threshold", value_name = "CONDITION", help_heading = "Reports")]
    pub(crate) thresholds: Vec<Threshold>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) report: Option<PathBuf>,
    /// Write the report as one HTML page with charts
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) html: Option<PathBuf>,
    /// Serve the figures for Prometheus at `http://ADDRESS/metrics` while it runs
    #[arg(long, value_name = "ADDRESS", help_heading = "Reports")]
    pub(crate) prometheus: Option<SocketAddr>,
    /// Join a Locust master as a worker: its users are consoles of this process
    #[arg(long, help_heading = "Locust", requires = "master_host", conflicts_with_all = ["arrivals", "consoles", "duration", "finish", "ramp_up", "even", "thresholds", "report", "html", "prometheus"])]
    pub(crate) worker: bool,
    /// Machine of the Locust master
    #[arg(long, value_name = "HOST", help_heading = "Locust", requires = "worker")]
    pub(crate) master_host: Option<String>,
    /// Port of the Locust master for workers
    #[arg(long, value_name = "PORT", default_value_t = 5557, help_heading = "Locust", requires = "worker")]
    pub(crate) master_port: u16,
    #[command(flatten)]
    pub(crate) world: SimulatedBackendOptions,
}

/// Who scans the QR codes of a load test: the value of `--phone`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoadPhoneChoice {
    /// The tester API of the sandbox.
    Sandbox,
    /// Nobody scans.
    None,
    /// A command of the user's.
    Command(PhoneCommand),
}

impl LoadPhoneChoice {
    /// Parses `sandbox`, `none` or a command line.
    fn parse_phone_choice(text: &str) -> Result<Self, String> {
        match text {
            "sandbox" => Ok(Self::Sandbox),
            "none" => Ok(Self::None),
            command => PhoneCommand::parse_command_line_without_shell(command).map(Self::Command),
        }
    }
}

/// What a load test downloads: the value of `--download`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DownloadChoice {
    /// Request no file
    None,
    /// Request each file and stop after the headers
    Head,
    /// Receive and hash each file
    Full,
}

impl From<DownloadChoice> for DownloadMode {
    fn from(choice: DownloadChoice) -> Self {
        match choice {
            DownloadChoice::None => Self::None,
            DownloadChoice::Head => Self::Head,
            DownloadChoice::Full => Self::Full,
        }
    }
}

impl LoadOptions {
    /// Converts the options to the plan of the load test: when visits start and end. `has_phone`: whether visits can
    /// end by themselves.
    pub(super) fn to_load_plan(&self, has_phone: bool) -> Result<LoadPlan, CommandFailure> {
        let consoles = self.consoles.map(|count| count as usize);
        let (model, duration) = if let Some(arrivals) = &self.arrivals {
            let stages = arrivals
                .resolve_stage_durations(self.duration)
                .map_err(|error| CommandFailure::usage_error(error.to_string()))?;
            let total = stages.iter().map(|stage| stage.duration).sum();
            let spacing = if self.even { ArrivalSpacing::Even } else { ArrivalSpacing::Poisson };
            let max_consoles = consoles.unwrap_or(DEFAULT_MAX_CONSOLES);
            (VisitStartModel::Open { stages, spacing, max_consoles }, self.duration.unwrap_or(total))
        } else {
            let consoles = consoles.unwrap_or(DEFAULT_CONSOLES);
            let model = VisitStartModel::Closed { consoles, ramp_up: self.ramp_up, pause: self.pause };
            (model, self.duration.unwrap_or(DEFAULT_DURATION))
        };
        let finish_within = self.finish.unwrap_or(if has_phone { DEFAULT_FINISH_DURATION } else { Duration::ZERO });
        Ok(LoadPlan { model, duration, finish_within })
    }
}
