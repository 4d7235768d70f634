//! A profile as it is written in the file, without defaults.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// `[profiles.NAME]`; every key may be absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileToml {
    /// The backend's base URL.
    pub api_url: Option<Url>,
    /// The link template, with `{token}`.
    pub link: Option<String>,
    /// `timeout = "15m"`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub timeout: Option<Duration>,
    /// `patience = "3m"`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub patience: Option<Duration>,
    /// `export_token_life = "10m"`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub export_token_life: Option<Duration>,
    /// Where avatars are saved.
    pub out: Option<PathBuf>,
    /// `[profiles.NAME.polling]`.
    #[serde(default)]
    pub polling: PollingToml,
    /// `[profiles.NAME.login]`.
    pub login: Option<LoginToml>,
    /// `[profiles.NAME.partner]`.
    pub partner: Option<PartnerToml>,
    /// `[profiles.NAME.downloads]`.
    #[serde(default)]
    pub downloads: DownloadsToml,
    /// `[profiles.NAME.network]`.
    #[serde(default)]
    pub network: NetworkToml,
}

/// How polls are spaced.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollingToml {
    /// Minimum time between polls.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub fastest: Option<Duration>,
    /// Maximum time between polls.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub slowest: Option<Duration>,
    /// A fixed interval instead of the adaptive policy.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub fixed: Option<Duration>,
    /// Usual processing time.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub usual_processing: Option<Duration>,
}

/// The `login` table of a profile: the (assumed) login request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginToml {
    /// Below the API's URL. Default `/login`.
    pub path: Option<String>,
    /// Default `POST`.
    pub method: Option<String>,
    /// JSON Pointer to the session token in the response. Default `/sessionToken`.
    pub token: Option<String>,
    /// Path of the logout below the API's URL. Default: none; sessions are left to expire.
    pub logout_path: Option<String>,
}

/// The `partner` table of a profile: a partner's own backend, which issues Export Tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerToml {
    /// URL at which a token is requested.
    pub url: Url,
    /// Default `POST`.
    pub method: Option<String>,
    /// Headers of the request; a value may contain `{partner_key}`, which is read from the keychain.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// JSON Pointer to the Export Token in the response. Default `/token`.
    pub token: Option<String>,
    /// URL of the redeems, if the partner relays them.
    pub redeem_url: Option<Url>,
}

/// Limits of downloads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownloadsToml {
    /// Parallel downloads, 1..=16.
    pub parallel: Option<usize>,
    /// As in `"2GiB"`.
    #[serde(default, deserialize_with = "deserialize_size")]
    pub max_file_size: Option<u64>,
    /// Until the first byte of a file.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub first_byte: Option<Duration>,
    /// As in `"128MiB"`.
    #[serde(default, deserialize_with = "deserialize_size")]
    pub min_free_space: Option<u64>,
    /// How long after the delivery missing files are requested again, 1s..=30d. As in `"24h"`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub keep_trying: Option<Duration>,
    /// Whether plain http URLs of a backend that is called over https are requested.
    pub allow_http: Option<bool>,
    /// Whether a backend with a public address may name files on this machine and in private networks.
    pub allow_private_hosts: Option<bool>,
}

/// Timeouts of the network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkToml {
    /// Until a connection is established.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub connect: Option<Duration>,
    /// Without a byte from the backend.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub silence: Option<Duration>,
    /// A whole API call.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub call: Option<Duration>,
}

/// Parses a text such as `90s` or `15m`.
fn deserialize_duration<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(input)?;
    humantime::parse_duration(&text)
        .map(Some)
        .map_err(|error| D::Error::custom(format!("`{text}` is no duration such as `90s` or `15m`: {error}")))
}

/// Parses a text such as `2GiB` to bytes.
fn deserialize_size<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(input)?;
    text.parse::<bytesize::ByteSize>()
        .map(|size| Some(size.as_u64()))
        .map_err(|error| D::Error::custom(format!("`{text}` is no size such as `2GiB`: {error}")))
}
