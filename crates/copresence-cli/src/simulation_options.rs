//! Options that several commands share: of the simulated backend, and the interval of polls.

use copresence_sandbox::BuiltInScenarioName;
use std::path::PathBuf;
use std::time::Duration;

/// Options of the simulated backend, shared by `sandbox`, `visit` and `load`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Sandbox")]
pub(crate) struct SimulatedBackendOptions {
    /// Scenario to simulate (`copresence sandbox --list-scenarios`)
    #[arg(long, value_name = "NAME", default_value_t = BuiltInScenarioName::Happy, conflicts_with = "scenario_file")]
    pub(crate) scenario: BuiltInScenarioName,
    /// Own scenario, in a file (`copresence sandbox --print-scenario happy` prints an example)
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) scenario_file: Option<PathBuf>,
    /// Simulated seconds per real second; tokens live at least two minutes and URLs one minute of real time
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = parse_speed_factor)]
    pub(crate) speed: f64,
    /// Seed for timings and avatars: the same seed gives the same run
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Serve files from this directory instead of generated avatars: one sub-folder per avatar
    #[arg(long, value_name = "DIR")]
    pub(crate) assets: Option<PathBuf>,
    /// Faults to inject, as a JSON list (`copresence sandbox --list-faults`)
    #[arg(long, value_name = "FILE.json")]
    pub(crate) faults: Option<PathBuf>,
    /// Answer as in a recorded run (`visit --har`); the files are those of a generated avatar
    #[arg(long, value_name = "FILE.har", conflicts_with_all = ["scenario", "scenario_file"])]
    pub(crate) replay: Option<PathBuf>,
}

/// Shortest poll interval; also the lower bound for a profile.
const SHORTEST_POLL: Duration = Duration::from_millis(50);

/// Parses the duration of `--poll`; it must be at least 50 ms.
pub(crate) fn parse_poll_interval(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if every < SHORTEST_POLL {
        return Err("at least 50ms, to protect the backend".to_owned());
    }
    Ok(every)
}

/// Parses a speed: a finite number above 0.
fn parse_speed_factor(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number is needed".to_owned())?;
    if speed.is_finite() && speed > 0.0 { Ok(speed) } else { Err("a number above 0 is needed".to_owned()) }
}
