//! Options that every command accepts.

use std::path::PathBuf;
use url::Url;

/// Options that every command accepts.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct CommonOptions {
    /// Profile to use: the backend and how to reach it [default: sandbox; `doctor`: the one chosen in the panel]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Profiles file (`copresence profile path` prints the default)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of journal, history and logs
    #[arg(long, global = true, value_name = "DIR", env = "COPRESENCE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Base URL of the backend. Overrides the profile's `api_url`
    #[arg(long, global = true, value_name = "URL", value_parser = parse_http_url)]
    pub(crate) api_url: Option<Url>,
    /// Link template for the QR code; must contain `{token}`. Overrides the profile's `link`
    #[arg(long, global = true, value_name = "TEMPLATE", value_parser = parse_link_template)]
    pub(crate) link: Option<copresence_engine::LinkTemplate>,
    /// Directory to save avatars in
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write JSON Lines to stdout; messages for people go to stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log more to stderr (-vv: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Disable colours and animated lines
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

impl CommonOptions {
    /// Name of the selected profile; `sandbox` without `--profile`.
    pub(crate) fn selected_profile_name(&self) -> &str {
        self.profile.as_deref().unwrap_or(copresence_engine::profile::SANDBOX_PROFILE)
    }
}

/// Parses an absolute http or https URL.
pub(crate) fn parse_http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; an http(s) URL is needed, as in https://…"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("an http(s) URL is needed".to_owned());
    }
    Ok(url)
}

/// Parses a link template. The error is its message for the command line.
fn parse_link_template(text: &str) -> Result<copresence_engine::LinkTemplate, String> {
    text.parse().map_err(|error: copresence_engine::LinkTemplateError| error.to_string())
}
