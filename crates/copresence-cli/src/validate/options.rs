//! Options of `copresence validate`.

use super::phone_command::PhoneCommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use copresence_validate::Level;
use copresence_validate::passport::{PassportKeyError, PassportSignerPublicKey};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Options that `--compare` does not use.
const COMPARE_CONFLICTS: [&str; 10] = [
    "baseline",
    "report",
    "html",
    "junit",
    "har",
    "sarif",
    "summary",
    "expected_failures",
    "write_expected",
    "passport",
];
/// Options that `--verify` does not use, because it sends no request.
const VERIFY_CONFLICTS: [&str; 18] = [
    "max_tokens",
    "destructive",
    "allow_lockout",
    "upstream",
    "no_phone",
    "phone",
    "yes",
    "expected_failures",
    "write_expected",
    "report",
    "html",
    "junit",
    "har",
    "sarif",
    "summary",
    "baseline",
    "compare",
    "passport",
];

/// Options: which checks to run, how far to go, and which reports to write.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all required checks passed, 1 at least one failed (with --compare: the two differ), \
2 usage, or no API at this address, 3 credentials missing or refused, 6 the backend could not be reached, kept failing,
or something in between answered, 130 interrupted. With --expected-failures, 1 means that another check failed, or that a
listed one passes. With --verify: 11 the passport was changed, 12 somebody else signed it, 13 its evidence gives other
verdicts, 14 it was judged by another table of requirements.

Without --api-url, the profile `sandbox` checks the embedded sandbox. For a sandbox on this machine the phone is
simulated; for other backends the terminal shows the QR code and waits. See docs/validate.md for a walk-through."
)]
pub(crate) struct ValidateOptions {
    /// Make at most this many Export Tokens; checks that would need more are left out
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    /// Also run checks that may lose an avatar: concurrent redeems, expiring URLs (always on for a sandbox)
    #[arg(long)]
    pub(crate) destructive: bool,
    /// Also try one wrong password for the account's own user, which may lock the account (always on for a sandbox)
    #[arg(long)]
    pub(crate) allow_lockout: bool,
    /// How long to wait for an avatar
    #[arg(long, value_name = "DUR", default_value = "15m", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// With --destructive: time after which unused download URLs must have expired
    #[arg(long, value_name = "DUR", default_value = "15m", value_parser = humantime::parse_duration)]
    pub(crate) url_life: Duration,
    /// For a relay: the sandbox behind it, whose request log is checked
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<Url>,
    /// For a relay: how long to watch the sandbox behind it for unrequested redeems
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) watch: Duration,
    /// Skip checks that need a phone
    #[arg(long)]
    pub(crate) no_phone: bool,
    /// Run this command when a phone is needed; its `{link}`, or `COPRESENCE_PHONE_LINK`, is the QR code's link
    #[arg(long, value_name = "CMD", conflicts_with_all = ["no_phone", "upstream"], value_parser = PhoneCommand::parse_command_line_without_shell)]
    pub(crate) phone: Option<PhoneCommand>,
    /// Make tokens without asking for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    /// Lowest level of a failed check that fails the run
    #[arg(long, value_name = "LEVEL", default_value = "must", value_parser = requirement_level_parser())]
    pub(crate) fail_on: Level,
    /// Known failures, one check id per line: fail only if another check fails, or if a listed one passes
    #[arg(long, value_name = "FILE")]
    pub(crate) expected_failures: Option<PathBuf>,
    /// Write the checks that fail the run to a file for --expected-failures, and exit with 0; keeps its comments
    #[arg(long, value_name = "FILE", conflicts_with = "expected_failures")]
    pub(crate) write_expected: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) report: Option<PathBuf>,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) html: Option<PathBuf>,
    /// Write the report as `JUnit` XML for CI
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) junit: Option<PathBuf>,
    /// Write every HTTP exchange to an HTTP Archive (HAR), with secrets removed
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) har: Option<PathBuf>,
    /// Write the failed checks as SARIF 2.1.0, for alerts of a code host
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) sarif: Option<PathBuf>,
    /// Append a summary in Markdown to a file, such as `$GITHUB_STEP_SUMMARY`
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) summary: Option<PathBuf>,
    /// Print what changed since this earlier --report
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write a signed statement of the verdicts, with the evidence by which --verify judges them again
    #[arg(long, value_name = "FILE", help_heading = "Passport")]
    pub(crate) passport: Option<PathBuf>,
    /// Check the signature of a --passport, and judge its evidence by the present checks; sends no request
    #[arg(long, value_name = "FILE", help_heading = "Passport", conflicts_with_all = VERIFY_CONFLICTS)]
    pub(crate) verify: Option<PathBuf>,
    /// With --verify: accept only a passport that the owner of this public key signed (`ed25519:…`)
    #[arg(long, value_name = "KEY", help_heading = "Passport", requires = "verify", value_parser = parse_signer_public_key)]
    pub(crate) signer: Option<PassportSignerPublicKey>,
    /// Check two backends and list every difference in form; each is a profile or the file of an earlier --report
    #[arg(long, num_args = 2, value_names = ["A", "B"], help_heading = "Reports", conflicts_with_all = COMPARE_CONFLICTS)]
    pub(crate) compare: Vec<String>,
}

impl ValidateOptions {
    /// Converts to the options of a run. Destructive checks are always allowed at a sandbox, where nothing of value
    /// can be lost.
    pub(super) fn to_run_options(&self, sandbox: bool) -> copresence_validate::RunLimits {
        copresence_validate::RunLimits {
            max_tokens: self.max_tokens,
            allow_destructive: self.destructive || sandbox,
            // The sandbox behind a relay (--upstream) is not the backend that the run logs in at.
            allow_lockout: self.allow_lockout || (sandbox && self.upstream.is_none()),
            avatar_timeout: self.timeout,
            url_lifetime: self.url_life,
            upstream_watch: self.watch,
            ..copresence_validate::RunLimits::default()
        }
    }
}

/// Builds the clap parser of a requirement level: `must` or `should`.
fn requirement_level_parser() -> impl TypedValueParser<Value = Level> {
    PossibleValuesParser::new([Level::Must.lowercase_level(), Level::Should.lowercase_level()])
        .map(|word| if word == Level::Must.lowercase_level() { Level::Must } else { Level::Should })
}

/// Parses the public key of `--signer`.
fn parse_signer_public_key(text: &str) -> Result<PassportSignerPublicKey, String> {
    text.parse().map_err(|error: PassportKeyError| error.to_string())
}
