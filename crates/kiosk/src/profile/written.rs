//! A profile as it stands in the file: only what somebody wrote.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// `[profiles.NAME]`; every key may be absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The backend's base URL.
    pub api_url: Option<Url>,
    /// The link template, with `{token}`.
    pub link: Option<String>,
    /// `timeout = "15m"`.
    #[serde(default, deserialize_with = "duration")]
    pub timeout: Option<Duration>,
    /// `patience = "3m"`.
    #[serde(default, deserialize_with = "duration")]
    pub patience: Option<Duration>,
    /// `export_token_life = "10m"`.
    #[serde(default, deserialize_with = "duration")]
    pub export_token_life: Option<Duration>,
    /// Where avatars are saved.
    pub out: Option<PathBuf>,
    /// `[profiles.NAME.polling]`.
    #[serde(default)]
    pub polling: WrittenPolling,
    /// `[profiles.NAME.login]`.
    pub login: Option<WrittenLogin>,
    /// `[profiles.NAME.partner]`.
    pub partner: Option<WrittenPartner>,
    /// `[profiles.NAME.downloads]`.
    #[serde(default)]
    pub downloads: WrittenDownloads,
    /// `[profiles.NAME.network]`.
    #[serde(default)]
    pub network: WrittenNetwork,
}

/// How polls are spaced.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPolling {
    /// Never closer together than this.
    #[serde(default, deserialize_with = "duration")]
    pub fastest: Option<Duration>,
    /// Never further apart than this.
    #[serde(default, deserialize_with = "duration")]
    pub slowest: Option<Duration>,
    /// A fixed interval instead of the adaptive policy.
    #[serde(default, deserialize_with = "duration")]
    pub fixed: Option<Duration>,
    /// How long processing usually takes.
    #[serde(default, deserialize_with = "duration")]
    pub usual_processing: Option<Duration>,
}

/// The (assumed) login request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenLogin {
    /// Below the API's URL. Default `/login`.
    pub path: Option<String>,
    /// Default `POST`.
    pub method: Option<String>,
    /// JSON Pointer to the session token in the answer. Default `/sessionToken`.
    pub token: Option<String>,
}

/// A partner's own backend, which hands out Export Tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPartner {
    /// Where a token is asked for.
    pub url: Url,
    /// Default `POST`.
    pub method: Option<String>,
    /// Sent along; a value may hold `{partner_key}`, which is taken from the keychain.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// JSON Pointer to the Export Token in the answer. Default `/token`.
    pub token: Option<String>,
    /// Where redeems go instead of Copresence, when the partner relays them.
    pub redeem_url: Option<Url>,
}

/// Limits of downloads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenDownloads {
    /// Files at once, 1 to 16.
    pub parallel: Option<usize>,
    /// As in `"2GiB"`.
    #[serde(default, deserialize_with = "size")]
    pub max_file_size: Option<u64>,
    /// As in `"128MiB"`.
    #[serde(default, deserialize_with = "size")]
    pub min_free_space: Option<u64>,
}

/// How long the network may take.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenNetwork {
    /// Until a connection stands.
    #[serde(default, deserialize_with = "duration")]
    pub connect: Option<Duration>,
    /// Without a byte from the backend.
    #[serde(default, deserialize_with = "duration")]
    pub silence: Option<Duration>,
    /// A call of the API from start to end.
    #[serde(default, deserialize_with = "duration")]
    pub call: Option<Duration>,
}

fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(input)?;
    humantime::parse_duration(&text)
        .map(Some)
        .map_err(|error| D::Error::custom(format!("`{text}` is no duration such as `90s` or `15m`: {error}")))
}

fn size<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(input)?;
    text.parse::<bytesize::ByteSize>()
        .map(|size| Some(size.as_u64()))
        .map_err(|error| D::Error::custom(format!("`{text}` is no size such as `2GiB`: {error}")))
}
