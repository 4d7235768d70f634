//! The command line's words.

use clap::{Parser, Subcommand};
use sandbox::Scenario;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// The whole product without a window: visits, a simulated backend, recovery, history.
#[derive(Debug, Parser)]
#[command(name = "copresence", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "First steps:
  copresence visit --auto       one whole visit with nobody present
  copresence sandbox            a simulated backend, for writing a client
  copresence credentials set    a profile's credentials into the OS keychain
  copresence validate           check a backend (here: the sandbox) and report
  copresence doctor             what works on this machine, and what to do about the rest

Exit codes:
    0  the avatar is saved, whole (or: the checks passed; nothing to recover; all is well)
    1  validate: at least one required check failed
    2  usage or configuration
    3  credentials missing or refused
    4  the Export Token was refused, or ran out, before an avatar came
    5  the avatar failed, and the visit ended with it
    6  the backend could not be reached, or kept failing
    7  redeemed, but not every file could be saved
    8  nobody finished in time (--timeout)
    9  the backend broke the protocol
   10  possibly consumed: an answer was lost, and the token is now refused
  130  interrupted; `copresence recover` finishes what was redeemed")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// The profile: which backend, and how it is reached [default: sandbox; `doctor`: the one chosen in the panel]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The file of profiles (`copresence profile path` says the default)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where journal, history and logs stand
    #[arg(long, global = true, value_name = "DIR", env = "COPRESENCE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The backend's base URL, instead of the profile's
    #[arg(long, global = true, value_name = "URL", value_parser = http_url)]
    pub(crate) api_url: Option<Url>,
    /// What the QR says, with `{token}` in it, instead of the profile's
    #[arg(long, global = true, value_name = "TEMPLATE", value_parser = link)]
    pub(crate) link: Option<kiosk::LinkTemplate>,
    /// Where avatars are saved
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// JSON Lines on stdout; everything for people goes to stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on stderr (-vv: every detail)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// No colours and no moving lines
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

impl Common {
    /// The profile's name.
    pub(crate) fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or(kiosk::profile::SANDBOX)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One whole visit in the terminal: QR, live status, progress bars, files saved
    Visit(VisitOptions),
    /// The simulated Copresence backend, until stopped
    Sandbox(SandboxOptions),
    /// Check a backend, Copresence's or a partner's own, and report
    Validate(crate::validate::Options),
    /// Finish what a crash or power cut left unfinished; also done at every start of `visit`
    Recover,
    /// Past visits
    History {
        #[command(subcommand)]
        command: Option<HistoryCommand>,
    },
    /// A profile's credentials in the OS keychain
    Credentials {
        #[command(subcommand)]
        command: CredentialsCommand,
    },
    /// Profiles: which backend, how it is reached, with which limits
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// What works on this machine: keychain, network, clock, disk, display, web view; each with a remedy
    Doctor,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct VisitOptions {
    /// With the sandbox: play the phone too, so that nobody needs to be present
    #[arg(long)]
    pub(crate) auto: bool,
    /// Give up when no avatar has arrived, as in `90s` or `15m` [default: the profile's, 15m]
    #[arg(long, value_name = "DUR", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Poll this long after each answer, instead of the adaptive policy
    #[arg(long, value_name = "FIXED_DUR", value_parser = poll)]
    pub(crate) poll: Option<Duration>,
    /// The visit is complete only if this export type came (repeatable)
    #[arg(long = "export", value_name = "TYPE")]
    pub(crate) exports: Vec<String>,
    /// Write the QR code to a file
    #[arg(long, value_name = "FILE.png|FILE.svg")]
    pub(crate) qr: Option<PathBuf>,
    /// Write every exchange to an HTTP Archive, redacted
    #[arg(long, value_name = "FILE")]
    pub(crate) har: Option<PathBuf>,
    /// The largest file accepted, as in `500MiB` [default: the profile's, 2GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_file_size: Option<bytesize::ByteSize>,
    #[command(flatten)]
    pub(crate) world: WorldOptions,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Sandbox")]
pub(crate) struct WorldOptions {
    /// What happens to the tokens (`copresence sandbox --list-scenarios`)
    #[arg(long, value_name = "NAME", default_value_t = Scenario::Happy)]
    pub(crate) scenario: Scenario,
    /// Simulated seconds per real second; tokens and URLs live for two minutes and one of real time, at least
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Decides timings and avatars: the same seed gives the same run
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Serve a partner's own files instead: one sub-folder per avatar
    #[arg(long, value_name = "DIR")]
    pub(crate) assets: Option<PathBuf>,
    /// What goes wrong: a list of faults as JSON (`copresence sandbox --list-faults`)
    #[arg(long, value_name = "FILE.json")]
    pub(crate) faults: Option<PathBuf>,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SandboxOptions {
    /// Where to listen; `0.0.0.0:8787` lets phones on this network in, `127.0.0.1:0` takes a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Where it is reached from outside, when something stands in front of it
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub(crate) public_url: Option<Url>,
    /// The REST API key that it accepts (a simulated one; random by default)
    #[arg(long, value_name = "K")]
    pub(crate) api_key: Option<String>,
    /// The user name that its login accepts (random by default)
    #[arg(long, value_name = "U")]
    pub(crate) username: Option<String>,
    /// The password that its login accepts (a simulated one; random by default)
    #[arg(long, value_name = "P")]
    pub(crate) password: Option<String>,
    /// Serve HTTPS with this certificate (PEM, with its chain)
    #[arg(long, value_name = "FILE.pem", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(long, value_name = "FILE.pem", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Serve HTTPS with a self-signed certificate, made now; its fingerprint is printed
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) tls_self_signed: bool,
    /// Requests per second that one address on the network may make; 0: no limit
    #[arg(long, value_name = "N", default_value_t = sandbox::RATE_LIMIT)]
    pub(crate) rate_limit: u32,
    /// List the scenarios and stop
    #[arg(long)]
    pub(crate) list_scenarios: bool,
    /// List what a fault can do, with an example of each, and stop
    #[arg(long)]
    pub(crate) list_faults: bool,
    #[command(flatten)]
    pub(crate) world: WorldOptions,
}

#[derive(Debug, Clone, Default, Subcommand)]
pub(crate) enum HistoryCommand {
    /// All visits, the newest first
    #[default]
    List,
    /// One visit: its redeems, its files
    Show {
        /// The visit's id, or its beginning
        id: String,
    },
    /// Remove visits with their files
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Forget {
        /// The visit's id, or its beginning
        #[arg(group = "which")]
        id: Option<String>,
        /// Those that began longer ago than this, as in `7d`
        #[arg(long, group = "which", value_name = "DUR", value_parser = humantime::parse_duration)]
        older_than: Option<Duration>,
        /// All of them
        #[arg(long, group = "which")]
        all: bool,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Put credentials into the keychain; values are asked for, or read as `NAME=value` lines from stdin
    Set {
        /// Which ones (default: all that the profile can use): api-key, session-token, username, password, partner-key
        #[arg(value_name = "WHICH", value_parser = slot)]
        which: Vec<kiosk::credentials::Slot>,
    },
    /// What is set, and where it was found (never the value)
    Status,
    /// Take credentials out of the keychain
    Remove {
        /// Which ones (default: all)
        #[arg(value_name = "WHICH", value_parser = slot)]
        which: Vec<kiosk::credentials::Slot>,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProfileCommand {
    /// The names
    List,
    /// One profile with every default filled in
    Show {
        /// Its name
        name: String,
    },
    /// Where profiles are looked for
    Path,
}

fn http_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|error| format!("{error}; an http(s) URL is needed, as in https://…"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("an http(s) URL is needed".to_owned());
    }
    Ok(url)
}

/// An address with its port, or a port alone, which this machine alone reaches.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| "an address with a port is needed, as in 127.0.0.1:8787".to_owned())
}

fn size(text: &str) -> Result<bytesize::ByteSize, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(size),
        Ok(_) => Err("a size above 0 is needed".to_owned()),
        Err(error) => Err(format!("{error}; a size is needed, as in 500MiB")),
    }
}

/// The shortest interval that a profile may set, too.
const SHORTEST_POLL: Duration = Duration::from_millis(50);

fn poll(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if every < SHORTEST_POLL {
        return Err("at least 50ms, for the backend's sake".to_owned());
    }
    Ok(every)
}

fn link(text: &str) -> Result<kiosk::LinkTemplate, String> {
    text.parse().map_err(|error: kiosk::LinkError| error.to_string())
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number is needed".to_owned())?;
    if speed.is_finite() && speed > 0.0 { Ok(speed) } else { Err("a number above 0 is needed".to_owned()) }
}

fn slot(word: &str) -> Result<kiosk::credentials::Slot, String> {
    let all = kiosk::credentials::Slot::ALL;
    all.into_iter().find(|slot| slot.word() == word).ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|slot| slot.word()).collect();
        format!("one of {}", words.join(", "))
    })
}
