//! The file of profiles, and its errors with their lines.

use super::written::{DownloadsToml, LoginToml, NetworkToml, PartnerToml, PollingToml, ProfileToml};
use super::{Profile, SANDBOX_PROFILE};
use copresence_client::{
    DownloadUrlRuleExceptions, LoginRoute, PartnerTokenSource, RedeemEndpoint, Timeouts, TokenSource,
};
use copresence_protocol::headers;
use copresence_store::VisitDownloadLimits;
use copresence_visit::PollingConfig;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Minimum accepted network timeout.
const MIN_TIMEOUT: Duration = Duration::from_millis(100);
/// Maximum accepted network timeout.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

/// Minimum accepted `downloads.keep_trying`.
const MIN_KEEP_TRYING: Duration = Duration::from_secs(1);
/// Maximum accepted `downloads.keep_trying`. One-time URLs live for minutes or hours.
const MAX_KEEP_TRYING: Duration = Duration::from_hours(30 * 24);

/// Default of [`Profile::timeout`].
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(15);

/// Why a profile cannot be used. Each message says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("cannot read the profiles in {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file was named and does not exist.
    #[error("there is no file {path}; `copresence profile path` says where profiles are looked for")]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML, or has an unknown key or a wrong value.
    #[error("{path}, line {line}: {message}{hint}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
        /// What to do, if it can be guessed; begins with a full stop.
        hint: &'static str,
    },
    /// No profile has that name.
    #[error("there is no profile `{name}` in {path}; there {are}: {known}", are = if .known.contains(',') { "are" } else { "is" })]
    Unknown {
        /// The requested name.
        name: String,
        /// The file.
        path: PathBuf,
        /// The names that exist.
        known: String,
    },
    /// The profile is incomplete or contradictory.
    #[error("the profile `{name}`{place}: {problem}")]
    Incomplete {
        /// The profile.
        name: String,
        /// ` in FILE`, or nothing.
        place: String,
        /// What, and what to do.
        problem: String,
    },
}

/// All profiles: those of the file, and the built-in `sandbox`.
///
/// # Defaults
/// Only `sandbox`.
#[derive(Debug, Clone, Default)]
pub struct Profiles {
    loaded_profiles_path: PathBuf,
    written: BTreeMap<String, ProfileToml>,
}

/// The profiles file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfilesFile {
    #[serde(default)]
    profiles: BTreeMap<String, ProfileToml>,
}

/// The default file: in the user's configuration folder, or the system's if the user has no home.
pub fn default_profiles_path() -> PathBuf {
    let system = if cfg!(windows) { r"C:\ProgramData" } else { "/etc" };
    dirs::config_dir().unwrap_or_else(|| PathBuf::from(system)).join("copresence-kiosk").join("profiles.toml")
}

impl Profiles {
    /// Reads the named file, or the default one, which need not exist.
    ///
    /// # Errors
    /// When the file cannot be read, a named file does not exist, or its content is wrong.
    pub fn load_profiles(named: Option<&Path>) -> Result<Self, ProfileError> {
        let path = named.map_or_else(default_profiles_path, Path::to_path_buf);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => String::new(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ProfileError::NoFile { path });
            }
            Err(cause) => return Err(ProfileError::Unreadable { path, cause }),
        };
        Self::parse_profiles(path, &text)
    }

    /// Parses the text of a profiles file; the error names the line. The values of a profile are checked only when
    /// it is asked for.
    fn parse_profiles(path: PathBuf, text: &str) -> Result<Self, ProfileError> {
        let document: ProfilesFile = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
            let message = error.message().to_owned();
            ProfileError::Invalid { path: path.clone(), line, hint: misplaced_credential_hint(&message), message }
        })?;
        Ok(Self { loaded_profiles_path: path, written: document.profiles })
    }

    /// Path of the file that these profiles were loaded from.
    pub fn loaded_profiles_path(&self) -> &Path {
        &self.loaded_profiles_path
    }

    /// The names of the profiles, sorted; always with `sandbox`.
    pub fn profile_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.written.keys().cloned().collect();
        if !self.written.contains_key(SANDBOX_PROFILE) {
            names.push(SANDBOX_PROFILE.to_owned());
            names.sort();
        }
        names
    }

    /// One profile, with defaults filled in.
    ///
    /// # Errors
    /// When there is no such profile, or it is incomplete or contradictory.
    pub fn build_profile_by_name(&self, name: &str) -> Result<Profile, ProfileError> {
        let written = match self.written.get(name) {
            Some(written) => written.clone(),
            None if name == SANDBOX_PROFILE => ProfileToml::default(),
            None => {
                return Err(ProfileError::Unknown {
                    name: name.to_owned(),
                    path: self.loaded_profiles_path.clone(),
                    known: self.profile_names().join(", "),
                });
            }
        };
        profile_from_toml(name, written).map_err(|problem| ProfileError::Incomplete {
            name: name.to_owned(),
            place: format!(" in {}", self.loaded_profiles_path.display()),
            problem,
        })
    }
}

/// A hint to use the keychain if the message complains of an unknown key that looks like a credential; otherwise
/// empty.
fn misplaced_credential_hint(message: &str) -> &'static str {
    let secret = ["key", "password", "username", "session", "secret"];
    if message.contains("unknown field")
        && secret.iter().any(|word| {
            message.contains(&format!("`{word}"))
                || message.contains(&format!("_{word}")) && !message.contains("partner_key")
        })
    {
        return ". Credentials never stand in a file: `copresence credentials set` puts them into the keychain";
    }
    ""
}

/// Checks a profile as written and fills in the defaults. The error says which key is wrong.
fn profile_from_toml(name: &str, written: ProfileToml) -> Result<Profile, String> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err("a profile's name has letters, digits, `-` and `_` only".to_owned());
    }
    let api_url = match written.api_url {
        Some(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
            return Err(format!("`api_url` must be an http(s) URL, and is `{url}`"));
        }
        Some(url) if !url.username().is_empty() || url.password().is_some() => {
            return Err("`api_url` must carry no user name or password".to_owned());
        }
        url => url,
    };
    let link = written.link.map(|text| text.parse().map_err(|error| format!("`link`: {error}"))).transpose()?;
    let relayed = written.partner.as_ref().is_some_and(|partner| partner.redeem_url.is_some());
    if name != SANDBOX_PROFILE && api_url.is_none() && !relayed {
        return Err("`api_url` is missing: the backend's URL".to_owned());
    }
    if (api_url.is_some() || relayed) && name != SANDBOX_PROFILE && link.is_none() {
        return Err("`link` is missing: what the QR says, as in \
             `link = \"https://…/?exportToken={token}\"`"
            .to_owned());
    }
    let limits = visit_limits_from_toml(written.patience, &written.downloads)?;
    let (source, redeem) = token_routes_or_vendor_default(written.partner)?;
    Ok(Profile {
        name: name.to_owned(),
        api_url,
        link,
        login_route: login_route_from_toml(written.login.unwrap_or_default())?,
        token_source: source,
        redeem_route: redeem,
        polling: polling_config_from_toml(&written.polling)?,
        usual_processing: written.polling.usual_processing,
        timeout: written.timeout.unwrap_or(DEFAULT_TIMEOUT),
        limits,
        token_lifetime: written.export_token_life,
        out_dir: written.out,
        timeouts: network_timeouts_from_toml(&written.network, &written.downloads)?,
        download_exceptions: DownloadUrlRuleExceptions {
            allow_http: written.downloads.allow_http.unwrap_or_default(),
            allow_private_hosts: written.downloads.allow_private_hosts.unwrap_or_default(),
        },
    })
}

/// The limits of a visit, with defaults. An error if the number of parallel downloads is out of range.
fn visit_limits_from_toml(patience: Option<Duration>, written: &DownloadsToml) -> Result<VisitDownloadLimits, String> {
    let defaults = VisitDownloadLimits::default();
    let limits = VisitDownloadLimits {
        parallel_downloads: written.parallel.unwrap_or(defaults.parallel_downloads),
        max_file_size: written.max_file_size.unwrap_or(defaults.max_file_size),
        patience: patience.unwrap_or(defaults.patience),
        keep_trying: written.keep_trying.unwrap_or(defaults.keep_trying),
        min_free_space: written.min_free_space.unwrap_or(defaults.min_free_space),
    };
    if !(1..=16).contains(&limits.parallel_downloads) {
        return Err(format!("`downloads.parallel` is 1 to 16, and is {}", limits.parallel_downloads));
    }
    if !(MIN_KEEP_TRYING..=MAX_KEEP_TRYING).contains(&limits.keep_trying) {
        let time = humantime::format_duration(limits.keep_trying);
        return Err(format!("`downloads.keep_trying` is 1s to 30d, and is `{time}`"));
    }
    Ok(limits)
}

/// The timeouts, with defaults. The error says which key is out of range.
fn network_timeouts_from_toml(written: &NetworkToml, downloads: &DownloadsToml) -> Result<Timeouts, String> {
    let defaults = Timeouts::default();
    let network = Timeouts {
        connect: written.connect.unwrap_or(defaults.connect),
        read: written.silence.unwrap_or(defaults.read),
        first_byte: downloads.first_byte.unwrap_or(defaults.first_byte),
        total: written.call.unwrap_or(defaults.total),
    };
    for (key, time) in [
        ("network.connect", network.connect),
        ("network.silence", network.read),
        ("network.call", network.total),
        ("downloads.first_byte", network.first_byte),
    ] {
        if !(MIN_TIMEOUT..=MAX_TIMEOUT).contains(&time) {
            let time = humantime::format_duration(time);
            return Err(format!("`{key}` is 100ms to 1h, and is `{time}`"));
        }
    }
    if network.connect >= network.total {
        return Err("`network.connect` must be shorter than `network.call`, of which it is a part".to_owned());
    }
    Ok(network)
}

/// The spacing of polls, with defaults. The error says which key is out of range.
fn polling_config_from_toml(written: &PollingToml) -> Result<PollingConfig, String> {
    let defaults = PollingConfig::default();
    let polling = PollingConfig {
        fastest: written.fastest.unwrap_or(defaults.fastest),
        slowest: written.slowest.unwrap_or(defaults.slowest),
        fixed: written.fixed,
        ..defaults
    };
    if polling.fastest < Duration::from_millis(50) {
        return Err("`polling.fastest` is at least 50ms, for the backend's sake".to_owned());
    }
    if polling.slowest < polling.fastest {
        return Err("`polling.slowest` is shorter than `polling.fastest`".to_owned());
    }
    Ok(polling)
}

/// The login request with defaults for what is not written. The error says which key is wrong.
fn login_route_from_toml(written: LoginToml) -> Result<LoginRoute, String> {
    let defaults = LoginRoute::default();
    Ok(LoginRoute {
        path: written.path.unwrap_or_else(|| headers::LOGIN_PATH.to_owned()),
        method: written.method.map_or(Ok(defaults.method), |word| parse_http_method(&word, "login.method"))?,
        token_pointer: json_pointer_or_default(written.token, defaults.token_pointer, "login.token")?,
        logout_path: written.logout_path,
    })
}

/// Token source and redeem route from the `[partner]` table; the vendor's backend without one.
fn token_routes_or_vendor_default(partner: Option<PartnerToml>) -> Result<(TokenSource, RedeemEndpoint), String> {
    let Some(partner) = partner else {
        return Ok((TokenSource::Direct, RedeemEndpoint::Vendor));
    };
    let headers: Vec<(String, String)> = partner.headers.into_iter().collect();
    let source = TokenSource::Partner(PartnerTokenSource {
        url: partner.url,
        method: parse_http_method(partner.method.as_deref().unwrap_or("POST"), "partner.method")?,
        headers: headers.clone(),
        token_pointer: json_pointer_or_default(partner.token, "/token".to_owned(), "partner.token")?,
    });
    let redeem = partner.redeem_url.map_or(RedeemEndpoint::Vendor, |url| RedeemEndpoint::Partner { url, headers });
    Ok((source, redeem))
}

/// Parses GET, POST or PUT in any case; the error names `key`.
fn parse_http_method(word: &str, key: &str) -> Result<http::Method, String> {
    match word.to_ascii_uppercase().as_str() {
        "GET" => Ok(http::Method::GET),
        "POST" => Ok(http::Method::POST),
        "PUT" => Ok(http::Method::PUT),
        _ => Err(format!("`{key}` is GET, POST or PUT, and is `{word}`")),
    }
}

/// A JSON Pointer as written, or the default. The error names the key if it is no pointer.
fn json_pointer_or_default(written: Option<String>, default: String, key: &str) -> Result<String, String> {
    match written {
        None => Ok(default),
        Some(text) if text.starts_with('/') => Ok(text),
        Some(text) => Err(format!("`{key}` is a JSON Pointer such as `/data/token`, and is `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Profiles, ProfileError> {
        Profiles::parse_profiles(PathBuf::from("profiles.toml"), text)
    }

    fn words(result: Result<impl std::fmt::Debug, ProfileError>) -> String {
        result.expect_err("a wrong profile").to_string()
    }

    #[test]
    fn no_file_is_needed() {
        let profiles = read("").expect("nothing is fine");
        assert_eq!(profiles.profile_names(), ["sandbox"]);
        let profile = profiles.build_profile_by_name("sandbox").expect("built in");
        assert!(profile.uses_embedded_sandbox());
        assert_eq!(profile.timeout, Duration::from_mins(15));
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line() {
        let error = words(read("[profiles.live]\napi_url = \"https://a.test\"\ntimeuot = \"5m\"\n"));
        assert!(error.starts_with("profiles.toml, line 3: unknown field `timeuot`"), "{error}");
        let error = words(read("[profiles.live]\ntimeout = \"5 minuets\"\n"));
        assert!(error.starts_with("profiles.toml, line 2: `5 minuets` is no duration"), "{error}");
        let error = words(read("[profiles.live\n"));
        assert!(error.starts_with("profiles.toml, line 1: "), "{error}");
    }

    #[test]
    fn a_credential_in_the_file_is_sent_to_the_keychain() {
        for key in ["api_key", "password", "session_token"] {
            let error = words(read(&format!("[profiles.live]\n{key} = \"x\"\n")));
            assert!(error.contains("copresence credentials set"), "{error}");
        }
        assert!(!words(read("[profiles.live]\nfoo = 1\n")).contains("credentials set"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let profiles = read("[profiles.live]\ntimeout = \"5m\"\n").expect("reads");
        assert!(words(profiles.build_profile_by_name("live")).contains("`api_url` is missing"));
        assert!(words(profiles.build_profile_by_name("nope")).contains("there are: live, sandbox"));
    }

    #[test]
    fn the_networks_times_are_checked_by_their_keys() {
        let text = "[profiles.live]\napi_url = \"https://a.test\"\nlink = \"https://b.test/{token}\"\n";
        let with = |line: &str| read(&format!("{text}{line}\n")).expect("reads").build_profile_by_name("live");
        let network = with("network = { connect = \"2s\", silence = \"1s\" }").expect("usable").timeouts;
        let seconds = Duration::from_secs;
        assert_eq!((network.connect, network.read, network.total), (seconds(2), seconds(1), seconds(30)));
        assert_eq!(network.first_byte, Duration::from_mins(2));
        let file = with("downloads.first_byte = \"5m\"").expect("usable").timeouts;
        assert_eq!(file.first_byte, Duration::from_mins(5));
        assert!(words(with("downloads.first_byte = \"2h\"")).contains("`downloads.first_byte` is 100ms to 1h"));
        assert!(words(with("network.silence = \"0s\"")).contains("`network.silence` is 100ms to 1h"));
        assert!(words(with("network.connect = \"30s\"")).contains("`network.connect` must be shorter"));
    }

    #[test]
    fn keep_trying_is_a_duration_within_its_range() {
        let text = "[profiles.live]\napi_url = \"https://a.test\"\nlink = \"https://b.test/{token}\"\n";
        let with = |line: &str| read(&format!("{text}{line}\n")).expect("reads").build_profile_by_name("live");
        let hours = |profile: Profile| profile.limits.keep_trying.as_secs() / 3600;
        assert_eq!(with("").map(hours).expect("usable"), 24);
        assert_eq!(with("downloads.keep_trying = \"2h\"").map(hours).expect("usable"), 2);
        assert!(words(with("downloads.keep_trying = \"0s\"")).contains("`downloads.keep_trying` is 1s to 30d"));
        assert!(words(with("downloads.keep_trying = \"31d\"")).contains("`downloads.keep_trying` is 1s to 30d"));
    }

    #[test]
    fn a_partners_backend_is_a_way_to_a_token() {
        let text = r#"
            [profiles.game]
            link = "https://app.test/?exportToken={token}"
            polling.fixed = "2s"
            downloads.max_file_size = "10MiB"
            [profiles.game.partner]
            url = "https://game.test/token"
            token = "/data/exportToken"
            redeem_url = "https://game.test/redeem"
            headers = { Authorization = "Bearer {partner_key}" }
        "#;
        let profile = read(text).expect("reads").build_profile_by_name("game").expect("usable");
        assert!(matches!(profile.token_source, TokenSource::Partner(_)));
        assert!(matches!(profile.redeem_route, RedeemEndpoint::Partner { .. }));
        assert_eq!(profile.limits.max_file_size, 10 << 20);
        assert_eq!(profile.polling.fixed, Some(Duration::from_secs(2)));
    }

    /// A line of a profiles file: a table, a key with a value of any kind, or noise.
    fn profile_line() -> impl Strategy<Value = String> {
        let table = prop_oneof![
            Just("profiles.live"),
            Just("profiles.live.login"),
            Just("profiles.live.partner"),
            Just("profiles.live.polling"),
            Just("profiles.live.downloads"),
            Just("profiles.live.network"),
            Just("profiles"),
        ];
        let key = prop_oneof![
            Just("api_url"),
            Just("url"),
            Just("link"),
            Just("timeout"),
            Just("patience"),
            Just("fastest"),
            Just("slowest"),
            Just("fixed"),
            Just("path"),
            Just("method"),
            Just("token"),
            Just("redeem_url"),
            Just("headers"),
            Just("parallel"),
            Just("max_file_size"),
            Just("keep_trying"),
            Just("connect"),
            Just("call"),
        ];
        let value = prop_oneof![
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| format!("{number:?}")),
            any::<bool>().prop_map(|truth| truth.to_string()),
            "[0-9]{1,20} ?(ms|s|m|h|d|w|y)?".prop_map(|duration| format!("{duration:?}")),
            "https?://[a-z0-9:@/.%{}-]{0,20}".prop_map(|url| format!("{url:?}")),
            any::<String>().prop_map(|text| toml::Value::from(text).to_string()),
            Just("{ Authorization = \"x\" }".to_owned()),
            Just("[1, \"a\"]".to_owned()),
        ];
        prop_oneof![
            2 => table.prop_map(|table| format!("[{table}]")),
            6 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
            1 => any::<String>(),
        ]
    }

    proptest! {
        #[test]
        fn any_profiles_file_is_used_or_refused_with_its_name(lines in proptest::collection::vec(profile_line(), 0..12)) {
            let text = lines.join("\n");
            let refusal = match read(&text) {
                Ok(profiles) => match profiles.build_profile_by_name("live") {
                    Ok(profile) => {
                        prop_assert!(profile.timeout > Duration::ZERO);
                        return Ok(());
                    }
                    Err(refusal) => refusal,
                },
                Err(refusal) => {
                    if let ProfileError::Invalid { line, .. } = &refusal {
                        prop_assert!((1..=text.matches('\n').count() + 1).contains(line), "line {line}");
                    }
                    refusal
                }
            };
            prop_assert!(refusal.to_string().contains("profiles.toml"), "{refusal}");
        }
    }
}
