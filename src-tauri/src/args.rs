//! The command line of the window. Everything else is in the profile.

use clap::Parser;
use copresence_engine::logging::LevelFilter;
use copresence_engine::setup::DataStore;
use copresence_sandbox::{BuiltInScenarioName, Scenario};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The Copresence kiosk in a window. Without options it starts its own simulated backend.
#[derive(Debug, Clone, Parser)]
#[command(name = "copresence-kiosk", version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// The profile of the backend [default: the one chosen last in the panel, at first `sandbox`]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The profiles file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The folder of journal and history
    #[arg(long, value_name = "DIR", env = "COPRESENCE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The folder in which avatars are saved
    #[arg(long, value_name = "DIR", env = "COPRESENCE_OUT")]
    pub(crate) out: Option<PathBuf>,
    /// Remove the operator's PIN and exit; the next opening of the panel asks for a new one
    #[arg(long)]
    pub(crate) forget_pin: bool,
    /// Ask for a PIN on the terminal (or read it from a pipe), set it in place of any other, and exit
    #[arg(long, conflicts_with = "forget_pin")]
    pub(crate) set_pin: bool,
    /// Fill the whole screen, without decorations
    #[arg(long)]
    pub(crate) full_screen: bool,
    /// Start in kiosk mode whatever the settings say: full screen, always on top, and closed only with the operator's
    /// PIN
    #[arg(long)]
    pub(crate) kiosk: bool,
    /// Show start errors on the screen too, as the desktop menu entry does
    #[arg(long)]
    pub(crate) errors_on_screen: bool,
    /// Serve metrics for Prometheus at http://ADDRESS:PORT/metrics [default: `listen` below [metrics] in settings.toml,
    /// else none]
    #[arg(long, value_name = "ADDRESS:PORT", env = "COPRESENCE_METRICS")]
    pub(crate) metrics: Option<SocketAddr>,
    /// A file with the token that reading the metrics needs, in its first line; required unless ADDRESS is a loopback
    /// address
    #[arg(long, value_name = "FILE", env = "COPRESENCE_METRICS_TOKEN_FILE")]
    pub(crate) metrics_token_file: Option<PathBuf>,
    /// Sandbox: let phones on this network reach its phone page
    #[arg(long)]
    pub(crate) let_phones_in: bool,
    /// Sandbox: how it treats tokens
    #[arg(long, value_name = "NAME", default_value_t = BuiltInScenarioName::Happy, conflicts_with = "scenario_file")]
    pub(crate) scenario: BuiltInScenarioName,
    /// Sandbox: how it treats tokens, in a file (`copresence sandbox --print-scenario happy` prints one to start from)
    #[arg(long, value_name = "FILE.toml", value_parser = read_scenario_file)]
    pub(crate) scenario_file: Option<Scenario>,
    /// Sandbox: simulated seconds per real second
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// Sandbox: seed of timings and avatars
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Log more to stderr
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Args {
    /// The data folder: of the command line, or the default one.
    pub(crate) fn data_dir_or_default(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(DataStore::default_data_dir)
    }

    /// The lowest level that is logged: `WARN`, or `INFO` with `-v`.
    pub(crate) fn log_level(&self) -> LevelFilter {
        match self.verbose {
            0 => LevelFilter::WARN,
            _ => LevelFilter::INFO,
        }
    }
}

/// Reads and checks a scenario. The error names the line and the column.
fn read_scenario_file(path: &str) -> Result<Scenario, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    Scenario::parse_scenario_file(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses the `copresence-kiosk` command in a packaged file. `line` is the start of its line.
    fn parse_packaged_command(file: &str, line: &str) -> Args {
        let text = std::fs::read_to_string(format!("../packaging/{file}")).expect("text");
        let line = text.lines().find_map(|found| found.strip_prefix(line)).expect("the line");
        let words = line.split_whitespace().skip_while(|word| *word != "/usr/bin/copresence-kiosk");
        Args::try_parse_from(words).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    #[test]
    fn packaged_commands_use_existing_options() {
        assert!(parse_packaged_command("copresence-kiosk.service", "ExecStart=").kiosk);
        assert!(parse_packaged_command("booth/copresence-booth.service", "ExecStart=").kiosk);
        let menu = parse_packaged_command("copresence-kiosk.desktop", "Exec=");
        // Nobody sees stderr of a program that the menu starts.
        assert!(menu.errors_on_screen && !menu.kiosk);
    }
}
