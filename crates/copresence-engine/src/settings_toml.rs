//! The format of `settings.toml` in the data folder: the operator's settings.
//!
//! The file can come from an older or a newer version. Unknown keys are kept when it is written. An unusable value is
//! reported and left out, and the original file is copied aside. No content of the file prevents a start.

use crate::opening_hours::OpeningHours;
use copresence_store::{DataDir, SettingsOrLogoFile};
use phc::PasswordHash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use toml::{Table, Value};

/// Languages of the screens, as BCP 47 tags: those of `locales/`.
pub const LANGUAGES: [&str; 6] = ["de", "en", "es", "fr", "ja", "zh-Hans"];

/// Allowed values of [`UsableSettingsValues::idle_seconds`].
pub const IDLE_SECONDS_RANGE: RangeInclusive<u32> = 15..=3600;

/// Allowed values of [`UsableSettingsValues::lane_count`]; 0 means no lanes.
pub const LANE_COUNT_RANGE: RangeInclusive<u32> = 0..=8;

/// Allowed values of [`UsableSettingsValues::automatic_hand_over_seconds`].
pub const AUTOMATIC_HAND_OVER_SECONDS_RANGE: RangeInclusive<u32> = 5..=300;

/// Allowed values of [`UsableSettingsValues::ticket_minutes`].
pub const TICKET_MINUTES_RANGE: RangeInclusive<u32> = 1..=1440;

/// The usable values of the file.
///
/// # Defaults
/// Every value is absent. The reader chooses what an absent value means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsableSettingsValues {
    /// Hash of the PIN: argon2id as a PHC string.
    pub pin_hash: Option<String>,
    /// Wrong PINs since the last correct one.
    pub failed_pin_attempts: Option<u32>,
    /// The profile chosen last.
    pub profile: Option<String>,
    /// Whether phones on this network can reach the embedded sandbox.
    pub phone_access: Option<bool>,
    /// Hours that a visit's files are kept; 0 means until the visitor leaves.
    pub keep_hours: Option<u32>,
    /// Whether the program starts in kiosk mode.
    pub kiosk_mode: Option<bool>,
    /// Monitor name.
    pub monitor: Option<String>,
    /// Initial language for a new visitor.
    pub language: Option<String>,
    /// Seconds without a touch, in [`IDLE_SECONDS_RANGE`].
    pub idle_seconds: Option<u32>,
    /// Text of the attract screen.
    pub attract_text: LocalizedText,
    /// Consent text shown before the QR code.
    pub consent: LocalizedText,
    /// Whether screens are read aloud.
    pub voice: Option<bool>,
    /// Whether the focus, the buttons and the moments of a visit have sounds.
    pub sounds: Option<bool>,
    /// Maximum number of visits that continue as tickets, in [`LANE_COUNT_RANGE`].
    pub lane_count: Option<u32>,
    /// Seconds without input after which a visit is handed over by itself, in [`AUTOMATIC_HAND_OVER_SECONDS_RANGE`].
    pub automatic_hand_over_seconds: Option<u32>,
    /// Minutes that a ticket waits for its visitor, in [`TICKET_MINUTES_RANGE`].
    pub ticket_minutes: Option<u32>,
    /// When visits can begin.
    pub opening_hours: Option<OpeningHours>,
    /// Whether the screen is kept from blanking in kiosk mode.
    pub keep_awake: Option<bool>,
    /// Address and port of the metrics endpoint.
    pub metrics_listen: Option<SocketAddr>,
    /// The file with the bearer token of the metrics endpoint.
    pub metrics_token_file: Option<PathBuf>,
}

/// One text of the operator in several languages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalizedText {
    /// A text without a language, as the first versions wrote it. Never written.
    pub without_language: Option<String>,
    /// The texts in [`LANGUAGES`], each with its language.
    pub by_language: Vec<(&'static str, String)>,
}

/// A settings file that was read.
#[derive(Debug, Default)]
pub struct LoadedSettingsFile {
    /// The file, including unknown keys; empty if there is none or it cannot be used.
    pub file: SettingsToml,
    /// Its usable values.
    pub values: UsableSettingsValues,
    /// What is wrong with the file, and what was done about it.
    pub load_error: Option<String>,
    /// Whether the file exists, and it is unknown whether it has a PIN: it could not be read, it is not TOML, or its PIN
    /// cannot be used. The panel must stay closed then, and the file must not be overwritten.
    pub is_pin_unknown: bool,
    /// Whether the file exists, and it is unknown whether it turns kiosk mode on.
    pub is_kiosk_mode_unknown: bool,
}

/// Reads the settings file. Copies a partly unusable one aside, and logs what is wrong with it. Blocks on the disk.
pub fn read_settings_backing_up_unusable(data: &DataDir) -> LoadedSettingsFile {
    let bytes = match data.read_operator_file(SettingsOrLogoFile::Settings) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return LoadedSettingsFile::default(),
        Err(error) => {
            tracing::error!(%error, "the settings cannot be read: the defaults are used");
            let load_error = format!(
                "the settings cannot be read, so the panel stays closed and kiosk mode is on: {error}. Check the file's \
                 owner and access rights"
            );
            return LoadedSettingsFile {
                load_error: Some(load_error),
                is_pin_unknown: true,
                is_kiosk_mode_unknown: true,
                ..LoadedSettingsFile::default()
            };
        }
    };
    let mut flaws = Vec::new();
    let parsed = str::from_utf8(&bytes).ok().and_then(SettingsToml::parse_settings_toml);
    let is_pin_unknown = parsed.as_ref().is_none_or(SettingsToml::is_pin_unusable);
    let is_kiosk_mode_unknown = parsed.as_ref().is_none_or(SettingsToml::is_kiosk_mode_unusable);
    let file = parsed.unwrap_or_else(|| {
        flaws.push("it is not TOML".to_owned());
        SettingsToml::default()
    });
    let values = file.usable_values_and_report_flaws(&mut flaws);
    let unknown = file.unknown_keys();
    if !unknown.is_empty() {
        tracing::warn!(?unknown, "unknown settings are kept unchanged");
    }
    if is_pin_unknown {
        flaws.push(
            "it is unknown whether a PIN is set, so the panel stays closed: repair the file, or stop the kiosk and run \
             `copresence-kiosk --forget-pin`"
                .to_owned(),
        );
    }
    if is_kiosk_mode_unknown {
        flaws.push("kiosk mode is on until the panel turns it off".to_owned());
    }
    let load_error = (!flaws.is_empty()).then(|| {
        // A file that does not tell its PIN is not overwritten, so what is wrong in it cannot be set again in the panel.
        let remedy = if is_pin_unknown { "" } else { "Set it again. " };
        back_up_unusable_settings(data, &bytes, &flaws.join("; "), remedy)
    });
    LoadedSettingsFile { file, values, load_error, is_pin_unknown, is_kiosk_mode_unknown }
}

/// Copies a partly unusable file aside before it is overwritten. Returns a message for the operator.
fn back_up_unusable_settings(data: &DataDir, bytes: &[u8], what: &str, remedy: &str) -> String {
    let mark = copresence_store::Sha256Digest::sha256_of_bytes(bytes).to_string();
    let path = data.operator_file_path(SettingsOrLogoFile::Settings);
    let load_error = match data.keep_invalid_copy(SettingsOrLogoFile::Settings, bytes, &mark[..8]) {
        Ok(kept) => {
            format!("{}: {what}. {remedy}A copy of the file is {}", path.display(), kept.display())
        }
        Err(error) => format!("{}: {what}. {remedy}It could not be copied ({error})", path.display()),
    };
    tracing::error!(%load_error, "some settings cannot be used");
    load_error
}

/// The file's tables and keys. Each key may be absent or unusable; unknown keys are kept and written back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SettingsToml {
    profile: ParsedSetting<String>,
    phones: ParsedSetting<bool>,
    keep_hours: ParsedSetting<u32>,
    pin: ParsedSetting<PinToml>,
    display: ParsedSetting<DisplayToml>,
    lanes: ParsedSetting<LanesToml>,
    machine: ParsedSetting<MachineToml>,
    metrics: ParsedSetting<MetricsToml>,
    #[serde(flatten)]
    unknown: Table,
}

/// The table `[pin]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct PinToml {
    hash: ParsedSetting<String>,
    wrong: ParsedSetting<u32>,
    #[serde(flatten)]
    unknown: Table,
}

/// The table `[display]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct DisplayToml {
    kiosk_mode: ParsedSetting<bool>,
    monitor: ParsedSetting<String>,
    language: ParsedSetting<String>,
    idle_seconds: ParsedSetting<u32>,
    attract_text: ParsedSetting<TextByLanguageToml>,
    consent: ParsedSetting<TextByLanguageToml>,
    voice: ParsedSetting<bool>,
    sounds: ParsedSetting<bool>,
    #[serde(flatten)]
    unknown: Table,
}

/// The table `[lanes]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct LanesToml {
    count: ParsedSetting<u32>,
    automatic_seconds: ParsedSetting<u32>,
    ticket_minutes: ParsedSetting<u32>,
    #[serde(flatten)]
    unknown: Table,
}

/// The table `[machine]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct MachineToml {
    opening_hours: ParsedSetting<String>,
    keep_awake: ParsedSetting<bool>,
    #[serde(flatten)]
    unknown: Table,
}

/// The table `[metrics]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct MetricsToml {
    listen: ParsedSetting<SocketAddr>,
    token_file: ParsedSetting<PathBuf>,
    #[serde(flatten)]
    unknown: Table,
}

/// A text by language.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a table of texts by language")]
enum TextByLanguageToml {
    /// One text without a language, as the first versions wrote it.
    Single(String),
    /// Includes languages that this version does not know.
    ByLanguage(Table),
}

/// The value of one key of the settings file: absent, usable, or unusable with the reason. An unusable value does
/// not make the rest of the file unusable.
#[derive(Debug, Clone, Default)]
enum ParsedSetting<T> {
    #[default]
    Absent,
    Usable(T),
    /// The value has the wrong type or is out of range, with the reason. It is left out when the file is written.
    Unusable(String),
}

impl<T: DeserializeOwned + Clone> ParsedSetting<T> {
    /// Converts a TOML value to a setting. A value of the wrong type becomes an unusable setting, with the reason.
    fn setting_from_toml_value(value: Value) -> Self {
        let parsed = match &value {
            // Not `Value::try_into`, which turns dates into strings.
            Value::Table(table) => toml::from_str(&table.to_string()),
            _ => value.try_into(),
        };
        parsed.map_or_else(|error| Self::Unusable(error.message().to_owned()), Self::Usable)
    }

    /// The value, if it is usable. Otherwise appends the reason to `flaws`, unless the key is absent.
    fn usable_value_or_report_flaw(&self, name: &str, flaws: &mut Vec<String>) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Usable(value) => Some(value.clone()),
            Self::Unusable(reason) => {
                flaws.push(format!("{name} cannot be used ({reason})"));
                None
            }
        }
    }
}

impl<T: Default> ParsedSetting<T> {
    /// The value, after an absent or unusable one was replaced by the default.
    fn replace_unusable_by_default(&mut self) -> &mut T {
        if !matches!(self, Self::Usable(_)) {
            *self = Self::Usable(T::default());
        }
        match self {
            Self::Usable(value) => value,
            _ => unreachable!("assigned above"),
        }
    }
}

impl<T> From<Option<T>> for ParsedSetting<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Usable)
    }
}

impl<'de, T: DeserializeOwned + Clone> Deserialize<'de> for ParsedSetting<T> {
    /// Reads a value of any type. One of the wrong type becomes an unusable setting instead of an error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::setting_from_toml_value)
    }
}

impl<T: Serialize> Serialize for ParsedSetting<T> {
    /// Writes a usable value only; an absent or unusable one is left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Usable(value) => value.serialize(serializer),
            Self::Absent | Self::Unusable(_) => serializer.serialize_none(),
        }
    }
}

impl SettingsToml {
    /// Parses the file. `None` if it is not TOML.
    pub fn parse_settings_toml(text: &str) -> Option<Self> {
        toml::from_str(text).ok()
    }

    /// Whether the file has a PIN, or something in its place, that cannot be used.
    fn is_pin_unusable(&self) -> bool {
        match &self.pin {
            ParsedSetting::Absent => false,
            ParsedSetting::Unusable(_) => true,
            ParsedSetting::Usable(pin) => match &pin.hash {
                ParsedSetting::Absent => false,
                ParsedSetting::Unusable(_) => true,
                ParsedSetting::Usable(hash) => !is_argon2id_hash(hash),
            },
        }
    }

    /// Whether the file has a value for kiosk mode, or a table in which it may be, that cannot be used.
    fn is_kiosk_mode_unusable(&self) -> bool {
        match &self.display {
            ParsedSetting::Absent => false,
            ParsedSetting::Unusable(_) => true,
            ParsedSetting::Usable(display) => matches!(display.kiosk_mode, ParsedSetting::Unusable(_)),
        }
    }

    /// The usable values. Appends one message to `flaws` for each value that cannot be used.
    pub fn usable_values_and_report_flaws(&self, flaws: &mut Vec<String>) -> UsableSettingsValues {
        let pin = self.pin.usable_value_or_report_flaw("`pin`", flaws).unwrap_or_default();
        let mut pin_hash = pin.hash.usable_value_or_report_flaw("[pin] `hash`", flaws);
        if pin_hash.take_if(|hash| !is_argon2id_hash(hash)).is_some() {
            flaws.push("[pin] `hash` is not an argon2id hash".to_owned());
        }
        let display = self.display.usable_value_or_report_flaw("`display`", flaws).unwrap_or_default();
        let mut idle_seconds = display.idle_seconds.usable_value_or_report_flaw("[display] `idle_seconds`", flaws);
        if idle_seconds.take_if(|seconds| !IDLE_SECONDS_RANGE.contains(seconds)).is_some() {
            flaws.push("[display] `idle_seconds` is out of range".to_owned());
        }
        let lanes = self.lanes.usable_value_or_report_flaw("`lanes`", flaws).unwrap_or_default();
        let lane_number =
            |name: &str, key: &ParsedSetting<u32>, range: RangeInclusive<u32>, flaws: &mut Vec<String>| {
                let mut number = key.usable_value_or_report_flaw(&format!("[lanes] `{name}`"), flaws);
                if number.take_if(|number| !range.contains(number)).is_some() {
                    flaws.push(format!("[lanes] `{name}` is out of range ({} to {})", range.start(), range.end()));
                }
                number
            };
        let texts = |name: &str, key: &ParsedSetting<TextByLanguageToml>, flaws: &mut Vec<String>| {
            let texts = key.usable_value_or_report_flaw(&format!("[display] `{name}`"), flaws);
            texts.map(|texts| texts.usable_texts_and_report_flaws(name, flaws)).unwrap_or_default()
        };
        // In the order in which the flaws are reported.
        let language = display.language.usable_value_or_report_flaw("[display] `language`", flaws);
        let attract_text = texts("attract_text", &display.attract_text, flaws);
        let consent = texts("consent", &display.consent, flaws);
        let machine = self.machine.usable_value_or_report_flaw("`machine`", flaws).unwrap_or_default();
        let opening_hours = machine.opening_hours.usable_value_or_report_flaw("[machine] `opening_hours`", flaws);
        let opening_hours = opening_hours.and_then(|text| {
            let parsed = text.parse::<OpeningHours>();
            parsed.map_err(|error| flaws.push(format!("[machine] `opening_hours` cannot be used ({error})"))).ok()
        });
        let metrics = self.metrics.usable_value_or_report_flaw("`metrics`", flaws).unwrap_or_default();
        UsableSettingsValues {
            pin_hash,
            failed_pin_attempts: pin.wrong.usable_value_or_report_flaw("[pin] `wrong`", flaws),
            profile: self.profile.usable_value_or_report_flaw("`profile`", flaws),
            phone_access: self.phones.usable_value_or_report_flaw("`phones`", flaws),
            keep_hours: self.keep_hours.usable_value_or_report_flaw("`keep_hours`", flaws),
            kiosk_mode: display.kiosk_mode.usable_value_or_report_flaw("[display] `kiosk_mode`", flaws),
            monitor: display.monitor.usable_value_or_report_flaw("[display] `monitor`", flaws),
            language,
            idle_seconds,
            attract_text,
            consent,
            voice: display.voice.usable_value_or_report_flaw("[display] `voice`", flaws),
            sounds: display.sounds.usable_value_or_report_flaw("[display] `sounds`", flaws),
            lane_count: lane_number("count", &lanes.count, LANE_COUNT_RANGE, flaws),
            automatic_hand_over_seconds: lane_number(
                "automatic_seconds",
                &lanes.automatic_seconds,
                AUTOMATIC_HAND_OVER_SECONDS_RANGE,
                flaws,
            ),
            ticket_minutes: lane_number("ticket_minutes", &lanes.ticket_minutes, TICKET_MINUTES_RANGE, flaws),
            opening_hours,
            keep_awake: machine.keep_awake.usable_value_or_report_flaw("[machine] `keep_awake`", flaws),
            metrics_listen: metrics.listen.usable_value_or_report_flaw("[metrics] `listen`", flaws),
            metrics_token_file: metrics.token_file.usable_value_or_report_flaw("[metrics] `token_file`", flaws),
        }
    }

    /// Sets every known key. Unknown keys stay.
    pub fn set_known_keys(&mut self, values: UsableSettingsValues) {
        self.profile = values.profile.into();
        self.phones = values.phone_access.into();
        self.keep_hours = values.keep_hours.into();
        let pin = self.pin.replace_unusable_by_default();
        pin.hash = values.pin_hash.into();
        pin.wrong = values.failed_pin_attempts.into();
        let display = self.display.replace_unusable_by_default();
        display.kiosk_mode = values.kiosk_mode.into();
        display.monitor = values.monitor.into();
        display.language = values.language.into();
        display.idle_seconds = values.idle_seconds.into();
        display.voice = values.voice.into();
        display.sounds = values.sounds.into();
        set_known_language_texts(&mut display.attract_text, &values.attract_text);
        set_known_language_texts(&mut display.consent, &values.consent);
        let lanes = self.lanes.replace_unusable_by_default();
        lanes.count = values.lane_count.into();
        lanes.automatic_seconds = values.automatic_hand_over_seconds.into();
        lanes.ticket_minutes = values.ticket_minutes.into();
        if values.opening_hours.is_some()
            || values.keep_awake.is_some()
            || !matches!(self.machine, ParsedSetting::Absent)
        {
            let machine = self.machine.replace_unusable_by_default();
            machine.opening_hours = values.opening_hours.map(|hours| hours.to_string()).into();
            machine.keep_awake = values.keep_awake.into();
        }
        if values.metrics_listen.is_some() || !matches!(self.metrics, ParsedSetting::Absent) {
            let metrics = self.metrics.replace_unusable_by_default();
            metrics.listen = values.metrics_listen.into();
            metrics.token_file = values.metrics_token_file.into();
        }
    }

    /// Keys that this version does not know, as in `display.shape`.
    pub fn unknown_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.unknown.keys().cloned().collect();
        if let ParsedSetting::Usable(pin) = &self.pin {
            keys.extend(pin.unknown.keys().map(|key| format!("pin.{key}")));
        }
        if let ParsedSetting::Usable(display) = &self.display {
            keys.extend(display.unknown.keys().map(|key| format!("display.{key}")));
        }
        if let ParsedSetting::Usable(lanes) = &self.lanes {
            keys.extend(lanes.unknown.keys().map(|key| format!("lanes.{key}")));
        }
        if let ParsedSetting::Usable(machine) = &self.machine {
            keys.extend(machine.unknown.keys().map(|key| format!("machine.{key}")));
        }
        if let ParsedSetting::Usable(metrics) = &self.metrics {
            keys.extend(metrics.unknown.keys().map(|key| format!("metrics.{key}")));
        }
        keys
    }

    /// Serializes the settings to the text of the settings file.
    pub fn to_toml(&self) -> String {
        // Not `Table::try_from`, which turns dates into tables.
        toml::to_string(self).unwrap_or_else(|error| unreachable!("strings, numbers and tables are TOML: {error}"))
    }
}

impl TextByLanguageToml {
    /// The texts that can be used. Appends one message to `flaws` for each that cannot.
    fn usable_texts_and_report_flaws(self, name: &str, flaws: &mut Vec<String>) -> LocalizedText {
        match self {
            Self::Single(text) => LocalizedText { without_language: Some(text), by_language: Vec::new() },
            Self::ByLanguage(table) => {
                let text = |language| {
                    let key = ParsedSetting::<String>::setting_from_toml_value(table.get(language)?.clone());
                    Some((
                        language,
                        key.usable_value_or_report_flaw(&format!("[display] [{name}] `{language}`"), flaws)?,
                    ))
                };
                let by_language = LANGUAGES.into_iter().filter_map(text).collect();
                LocalizedText { without_language: None, by_language }
            }
        }
    }
}

/// Sets the texts in known languages in a key of the settings file. Texts in other languages stay. Removes the key
/// if no text is left.
fn set_known_language_texts(key: &mut ParsedSetting<TextByLanguageToml>, texts: &LocalizedText) {
    let mut table = match std::mem::take(key) {
        ParsedSetting::Usable(TextByLanguageToml::ByLanguage(table)) => table,
        _ => Table::new(),
    };
    for language in LANGUAGES {
        match texts.by_language.iter().find(|(tag, _)| *tag == language) {
            Some((_, text)) => table.insert(language.to_owned(), text.as_str().into()),
            None => table.remove(language),
        };
    }
    if !table.is_empty() {
        *key = ParsedSetting::Usable(TextByLanguageToml::ByLanguage(table));
    }
}

/// Whether a text is a PHC string with an argon2id hash.
pub fn is_argon2id_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn languages_match_the_catalogues() {
        let locales = concat!(env!("CARGO_MANIFEST_DIR"), "/../../locales");
        let names = std::fs::read_dir(locales).expect("there").map(|entry| entry.expect("entry").file_name());
        let names = names.filter_map(|name| Some(name.to_str()?.strip_suffix(".ftl")?.to_owned()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        assert_eq!(names, LANGUAGES);
    }

    #[test]
    fn only_complete_argon2id_hashes_are_accepted() {
        let hash = "v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA";
        assert!(is_argon2id_hash(&format!("$argon2id${hash}")));
        for broken in ["", "1234", "$argon2id$", &format!("$argon2d${hash}")] {
            assert!(!is_argon2id_hash(broken), "{broken}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn any_toml_can_be_read(
            text in "(profile|phones|\\[pin\\]|hash|\\[display(\\.consent)?\\]|voice|sounds|consent|de|=|\n| |1|'x'|true){0,30}",
        ) {
            if text.parse::<Table>().is_ok() {
                SettingsToml::parse_settings_toml(&text).expect("each key is lenient").usable_values_and_report_flaws(&mut Vec::new());
            }
        }
    }
}
