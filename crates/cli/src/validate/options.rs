//! The words of `copresence validate`.

use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// How to check, how far to go, and what to write.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all required checks passed, 1 at least one failed (with --compare: the two differ), \
2 usage, 3 credentials missing or refused, 6 the backend could not be reached.

Without --api-url, the profile `sandbox` checks the embedded sandbox. A sandbox on this machine has its phone played
for it; elsewhere a terminal shows the QR code and waits. docs/validate.md leads from an account to a report."
)]
pub(crate) struct Options {
    /// Make at most this many Export Tokens; checks that would need more are left out
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    /// Also run what may lose an avatar: several redeems at once, URLs left to end (at a sandbox: always)
    #[arg(long)]
    pub(crate) destructive: bool,
    /// How long to wait for an avatar
    #[arg(long, value_name = "DUR", default_value = "15m", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// With --destructive: after how long unused download URLs must have ended
    #[arg(long, value_name = "DUR", default_value = "15m", value_parser = humantime::parse_duration)]
    pub(crate) url_life: Duration,
    /// For a relay: the sandbox behind it, which tells what it was asked
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<Url>,
    /// For a relay: how long to watch the sandbox behind it for a redeem that nobody asked for
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) watch: Duration,
    /// Ask nobody for a phone: leave out what needs one
    #[arg(long)]
    pub(crate) no_phone: bool,
    /// Do not ask before tokens are made
    #[arg(long)]
    pub(crate) yes: bool,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) report: Option<PathBuf>,
    /// Write the report as one page to hand over
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) html: Option<PathBuf>,
    /// Write the report as XML for CI, in the form of `JUnit`
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) junit: Option<PathBuf>,
    /// Write every exchange to an HTTP Archive, redacted
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) har: Option<PathBuf>,
    /// Say what changed since this earlier --report
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) baseline: Option<PathBuf>,
    /// Check two backends and list every difference in form; each a profile, or the file of an earlier --report
    #[arg(long, num_args = 2, value_names = ["A", "B"], help_heading = "Reports", conflicts_with_all = ["baseline", "report", "html", "junit", "har"])]
    pub(crate) compare: Vec<String>,
}

impl Options {
    /// What the run may do. At a sandbox nothing that is lost was anybody's.
    pub(super) fn limits(&self, sandbox: bool) -> validate::Options {
        validate::Options {
            max_tokens: self.max_tokens,
            destructive: self.destructive || sandbox,
            patience: self.timeout,
            url_life: self.url_life,
            watch: self.watch,
            ..validate::Options::default()
        }
    }
}
