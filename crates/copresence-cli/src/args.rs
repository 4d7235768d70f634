//! Command-line arguments of `copresence`.

use crate::common_options::{CommonOptions, parse_http_url};
use crate::simulation_options::{SimulatedBackendOptions, parse_poll_interval};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use copresence_sandbox::BuiltInScenarioName;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Copresence test console: run visits, a simulated backend, and integration checks from the terminal.
#[derive(Debug, Parser)]
#[command(name = "copresence", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "First steps:
  copresence visit --auto       run one whole visit, the phone included
  copresence sandbox            run a simulated backend to write a client against
  copresence credentials set    store a profile's credentials in the OS keychain
  copresence validate           check a backend (here: the sandbox) and write reports
  copresence load               load a backend (here: the sandbox) with many virtual consoles
  copresence doctor             check this machine, with a remedy for each problem

Exit codes:
    0  the avatar is saved completely (or: the checks passed; nothing to recover; no problem found)
    1  validate: at least one required check failed; load: a threshold is not satisfied;
       doctor --drill: a promise is broken
    2  usage or configuration
    3  credentials missing or refused
    4  the Export Token was refused or expired before an avatar was delivered
    5  the avatar failed and the visit ended
    6  the backend could not be reached, or kept failing
    7  redeemed, but not every file could be saved
    8  no avatar was delivered in time (--timeout)
    9  the backend broke the protocol
   10  possibly consumed: a redeem was sent without a clear result, and the token is now
       refused or given up
11-14  validate --verify: the passport was changed, is somebody else's, contradicts its
       evidence, or is outdated
  130  interrupted; `copresence recover` finishes what was redeemed")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one whole visit in the terminal: QR code, live status, progress bars, saved files
    Visit(VisitOptions),
    /// Run the simulated Copresence backend until it is stopped, or while a command runs
    Sandbox(SandboxOptions),
    /// Check a backend (Copresence's or a partner's own) and write reports
    Validate(crate::validate::ValidateOptions),
    /// Load a backend with many virtual consoles, and report latencies, failures and what became of the tokens
    Load(Box<crate::load::LoadOptions>),
    /// Finish visits that a crash or power cut interrupted; `visit` also does this at its start
    Recover,
    /// List, show or forget past visits
    History {
        #[command(subcommand)]
        command: Option<HistoryCommand>,
    },
    /// Set, list or remove a profile's credentials in the OS keychain
    Credentials {
        #[command(subcommand)]
        command: crate::credentials::CredentialsCommand,
    },
    /// List and show profiles: backend, connection, limits
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// Check this machine: keychain, network, clock, disk, display, web view; each with a remedy
    Doctor(crate::doctor::DoctorOptions),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man pages to a folder
    Man {
        /// The folder, which is made if it does not exist
        #[arg(value_hint = clap::ValueHint::DirPath)]
        dir: PathBuf,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct VisitOptions {
    /// With the sandbox: simulate the phone too, so that no person is needed
    #[arg(long)]
    pub(crate) auto: bool,
    /// Give up when no avatar was delivered after this time, such as `90s` or `15m` [default: the profile's, 15m]
    #[arg(long, value_name = "DUR", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Poll this long after each response instead of by the adaptive policy
    #[arg(long, value_name = "FIXED_DUR", value_parser = parse_poll_interval)]
    pub(crate) poll: Option<Duration>,
    /// Require this export type for a complete visit (repeatable)
    #[arg(long = "export", value_name = "TYPE")]
    pub(crate) exports: Vec<String>,
    /// Write the QR code to a file
    #[arg(long, value_name = "FILE.png|FILE.svg")]
    pub(crate) qr: Option<PathBuf>,
    /// Write every HTTP exchange to an HTTP Archive (HAR), with secrets removed
    #[arg(long, value_name = "FILE")]
    pub(crate) har: Option<PathBuf>,
    /// Largest file to accept, such as `500MiB` [default: the profile's, 2GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_file_size)]
    pub(crate) max_file_size: Option<bytesize::ByteSize>,
    #[command(flatten)]
    pub(crate) world: SimulatedBackendOptions,
}

#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(
    after_help = "With COMMAND, as in `copresence sandbox -- npm test`, its environment has COPRESENCE_SANDBOX_URL,
COPRESENCE_SANDBOX_PHONE_URL, COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN, COPRESENCE_USERNAME, COPRESENCE_PASSWORD
and COPRESENCE_OPERATOR_KEY. Signals are passed on to it. The exit code is that of the command: 128 and the number
of the signal if a signal ended it, 127 if it does not exist, 126 if it cannot start. -v prints the requests."
)]
pub(crate) struct SandboxOptions {
    /// Address to listen on; `0.0.0.0:8787` lets phones on this network connect, `127.0.0.1:0` takes a free port
    /// [default: 127.0.0.1:8787; with COMMAND: 127.0.0.1:0]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen_address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Public URL of the sandbox when it runs behind a proxy; /sandbox/ then needs the operator key
    #[arg(long, value_name = "URL", value_parser = parse_http_url)]
    pub(crate) public_url: Option<Url>,
    /// REST API key to accept (simulated; random by default)
    #[arg(long, value_name = "K")]
    pub(crate) api_key: Option<String>,
    /// User name that the login accepts (random by default)
    #[arg(long, value_name = "U")]
    pub(crate) username: Option<String>,
    /// Password that the login accepts (simulated; random by default)
    #[arg(long, value_name = "P")]
    pub(crate) password: Option<String>,
    /// Serve HTTPS with this certificate (PEM, including its chain)
    #[arg(long, value_name = "FILE.pem", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE.pem", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Serve HTTPS with a new self-signed certificate and print its fingerprint
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) tls_self_signed: bool,
    /// Maximum requests per second from one address on the network; 0 means no limit
    #[arg(long, value_name = "N", default_value_t = copresence_sandbox::DEFAULT_RATE_LIMIT)]
    pub(crate) rate_limit: u32,
    /// Time after which a world of `POST /sandbox/worlds` ends, if it is not used
    #[arg(long, value_name = "DUR", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(crate) world_idle_limit: Duration,
    /// Stop when stdin is closed, as it is when the program that started the sandbox ends
    #[arg(long, conflicts_with = "command")]
    pub(crate) until_stdin_closes: bool,
    /// List the scenarios and exit
    #[arg(long)]
    pub(crate) list_scenarios: bool,
    /// Print the file of a scenario and exit
    #[arg(long, value_name = "NAME")]
    pub(crate) print_scenario: Option<BuiltInScenarioName>,
    /// List the faults with an example of each and exit
    #[arg(long)]
    pub(crate) list_faults: bool,
    /// Run this command once the sandbox is ready, and end with its exit code
    #[arg(last = true, num_args = 1.., value_name = "COMMAND", conflicts_with_all = ["list_scenarios", "print_scenario", "list_faults"], value_hint = clap::ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
    #[command(flatten)]
    pub(crate) world: SimulatedBackendOptions,
}

#[derive(Debug, Clone, Default, Subcommand)]
pub(crate) enum HistoryCommand {
    /// List all visits, newest first
    #[default]
    List,
    /// Show one visit with its ticket, redeems and files
    Show {
        /// The visit's id, or its beginning
        id: String,
    },
    /// Print what is or was stored of a visit, where, and when each thing was deleted, for the visitor's question
    Receipt {
        /// The visit's id, its beginning or its end, also of a forgotten visit (default: all forgotten visits)
        id: Option<String>,
    },
    /// Count the Export Tokens by what became of them, those of forgotten visits included
    Tokens,
    /// Remove visits and their files; a receipt with dates and paths stays
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Forget {
        /// The visit's id, or its beginning
        #[arg(group = "which")]
        id: Option<String>,
        /// Visits that started longer ago than this, such as `7d`
        #[arg(long, group = "which", value_name = "DUR", value_parser = humantime::parse_duration)]
        older_than: Option<Duration>,
        /// All visits
        #[arg(long, group = "which")]
        all: bool,
        /// The receipts of visits that were removed before
        #[arg(long, group = "which")]
        receipts: bool,
        /// Also forget visits whose files cannot be removed because their disk is not mounted; the files stay
        #[arg(long, conflicts_with = "receipts")]
        without_files: bool,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the names of the profiles
    List,
    /// Show one profile with every default filled in
    Show {
        /// Name of the profile
        name: String,
    },
    /// Print the path of the profiles file
    Path,
}

/// Parses `ADDRESS:PORT`, or a port alone, which means loopback.
fn parse_listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| "an address with a port is needed, as in 127.0.0.1:8787".to_owned())
}

/// Parses a size above 0, as in `500MiB`.
fn parse_file_size(text: &str) -> Result<bytesize::ByteSize, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(size),
        Ok(_) => Err("a size above 0 is needed".to_owned()),
        Err(error) => Err(format!("{error}; a size is needed, as in 500MiB")),
    }
}
