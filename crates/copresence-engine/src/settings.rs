//! The operator's settings, in `settings.toml` in the data folder.
//!
//! The file can come from an older or a newer version. Unknown keys are kept when it is written. An unusable value is
//! reported and replaced by its default, and the original file is copied aside. No content of the file prevents a
//! start.

use crate::language::{self, LANGUAGES};
use crate::pin::PinHash;
use crate::view::Texts;
use crate::view::panel::DisplaySettings;
use copresence_store::{DataDir, OperatorFile, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use toml::{Table, Value};

/// Allowed values of [`DisplaySettings::idle_seconds`].
pub const IDLE_SECONDS_RANGE: RangeInclusive<u32> = 15..=3600;

/// The operator's settings.
///
/// # Defaults
/// No PIN, no profile, no phone access, files kept for ever, kiosk mode off, 90 idle seconds, no texts, no voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Hash of the PIN, if one is set.
    pub pin: Option<PinHash>,
    /// Wrong PINs since the last correct one.
    pub failed_pin_attempts: u32,
    /// The profile chosen last.
    pub profile: Option<String>,
    /// Whether phones on this network can reach the embedded sandbox.
    pub phone_access: bool,
    /// Hours that a visit's files are kept; 0 means until the visitor leaves, `None` means for ever.
    pub keep_hours: Option<u32>,
    /// Whether the program starts in kiosk mode. `--kiosk` also does that.
    pub kiosk_mode: bool,
    /// Appearance and language of the window. `logo` is always false here: the logo is a file of its own.
    pub display: DisplaySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pin: None,
            failed_pin_attempts: 0,
            profile: None,
            phone_access: false,
            keep_hours: None,
            kiosk_mode: false,
            display: DisplaySettings {
                monitor: None,
                language: None,
                idle_seconds: 90,
                attract_text: Texts::default(),
                consent: Texts::default(),
                voice: false,
                logo: false,
            },
        }
    }
}

/// Handle of the settings file. Clones share it.
#[derive(Debug, Clone)]
pub struct SettingsFile(Arc<SettingsFileInner>);

#[derive(Debug)]
struct SettingsFileInner {
    data: Arc<DataDir>,
    state: Mutex<SettingsFileState>,
}

#[derive(Debug, Default)]
struct SettingsFileState {
    settings: Settings,
    /// The file as written last, including unknown keys.
    file: SettingsToml,
    /// What is wrong with the file, and what to do.
    load_error: Option<String>,
    /// Whether the file exists but could not be read. It is not overwritten then, because its content is unknown.
    unreadable: bool,
}

impl SettingsFile {
    /// Reads the file. Problems are reported by [`load_error`](Self::load_error). Blocks on the disk.
    pub fn open(data: Arc<DataDir>) -> Self {
        let state = read_settings(&data);
        Self(Arc::new(SettingsFileInner { data, state: Mutex::new(state) }))
    }

    /// The current settings.
    pub fn current(&self) -> Settings {
        self.lock_state().settings.clone()
    }

    /// What is wrong with the file, and what was done about it.
    pub fn load_error(&self) -> Option<String> {
        self.lock_state().load_error.clone()
    }

    /// Whether the file exists but could not be read. It is unknown then whether a PIN is set.
    pub fn is_unreadable(&self) -> bool {
        self.lock_state().unreadable
    }

    /// Changes the settings and writes the file. The change is durable when this returns. Blocks on the disk.
    ///
    /// # Errors
    /// The file cannot be written, or it was unreadable at the start and still is. The settings are unchanged then.
    pub fn update(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, StoreError> {
        let mut state = self.lock_state();
        if state.unreadable {
            self.0.data.read_operator_file(OperatorFile::Settings)?;
            *state = read_settings(&self.0.data);
        }
        let mut settings = state.settings.clone();
        change(&mut settings);
        let mut file = state.file.clone();
        file.update(&settings);
        self.0.data.write_operator_file(OperatorFile::Settings, file.to_toml().as_bytes())?;
        state.settings = settings.clone();
        state.file = file;
        Ok(settings)
    }

    fn lock_state(&self) -> MutexGuard<'_, SettingsFileState> {
        // A panic leaves no partial change: the state is replaced after the file was written.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads and parses the file. Logs what is wrong with it.
fn read_settings(data: &DataDir) -> SettingsFileState {
    let bytes = match data.read_operator_file(OperatorFile::Settings) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return SettingsFileState::default(),
        Err(error) => {
            tracing::error!(%error, "the settings cannot be read: the defaults are used");
            let flaw = format!("the settings cannot be read, so the panel stays closed: {error}");
            return SettingsFileState {
                load_error: Some(flaw),
                unreadable: true,
                ..SettingsFileState::default()
            };
        }
    };
    let parsed = str::from_utf8(&bytes).ok().and_then(|text| toml::from_str::<SettingsToml>(text).ok());
    let (file, settings, flaws) = match parsed {
        Some(file) => {
            let mut flaws = Vec::new();
            let settings = file.to_settings(&mut flaws);
            (file, settings, flaws)
        }
        None => (SettingsToml::default(), Settings::default(), vec!["it is not TOML".to_owned()]),
    };
    let unknown = file.unknown_keys();
    if !unknown.is_empty() {
        tracing::warn!(?unknown, "unknown settings are kept unchanged");
    }
    let flaw = (!flaws.is_empty()).then(|| back_up_settings(data, &bytes, &flaws.join("; ")));
    SettingsFileState { settings, file, load_error: flaw, unreadable: false }
}

/// Copies a partly unusable file aside before it is overwritten. Returns a message for the operator.
fn back_up_settings(data: &DataDir, bytes: &[u8], what: &str) -> String {
    let mark = copresence_store::Sha256::compute(bytes).to_string();
    let path = data.operator_file_path(OperatorFile::Settings);
    let flaw = match data.keep_invalid_copy(OperatorFile::Settings, bytes, &mark[..8]) {
        Ok(kept) => {
            format!("{}: {what}. Set it again; the original file is {}", path.display(), kept.display())
        }
        Err(error) => format!("{}: {what}. Set it again ({error})", path.display()),
    };
    tracing::error!(%flaw, "some settings cannot be used");
    flaw
}

/// The file's tables and keys. Each key may be absent or unusable; unknown keys are kept and written back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct SettingsToml {
    profile: Key<String>,
    phones: Key<bool>,
    keep_hours: Key<u32>,
    pin: Key<PinToml>,
    display: Key<DisplayToml>,
    #[serde(flatten)]
    unknown: Table,
}

/// The table `[pin]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct PinToml {
    hash: Key<String>,
    wrong: Key<u32>,
    #[serde(flatten)]
    unknown: Table,
}

/// The table `[display]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct DisplayToml {
    kiosk_mode: Key<bool>,
    monitor: Key<String>,
    language: Key<String>,
    idle_seconds: Key<u32>,
    attract_text: Key<TextsToml>,
    consent: Key<TextsToml>,
    voice: Key<bool>,
    #[serde(flatten)]
    unknown: Table,
}

/// A text by language.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a table of texts by language")]
enum TextsToml {
    /// One text without a language, as the first versions wrote it.
    Single(String),
    /// Includes languages that this version does not know.
    ByLanguage(Table),
}

/// One key of the file. An unusable value does not make the rest of the file unusable.
#[derive(Debug, Clone, Default)]
enum Key<T> {
    #[default]
    Absent,
    Usable(T),
    /// The value has the wrong type or is out of range, with the reason. It is left out when the file is written.
    Unusable(String),
}

impl<T: DeserializeOwned + Clone> Key<T> {
    fn from_value(value: Value) -> Self {
        value
            .try_into()
            .map_or_else(|error: toml::de::Error| Self::Unusable(error.message().to_owned()), Self::Usable)
    }

    /// The value, if it is usable. Otherwise appends the reason to `flaws`, unless the key is absent.
    fn read(&self, name: &str, flaws: &mut Vec<String>) -> Option<T> {
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

impl<T: Default> Key<T> {
    /// The value, after an absent or unusable one was replaced by the default.
    fn get_or_default(&mut self) -> &mut T {
        if !matches!(self, Self::Usable(_)) {
            *self = Self::Usable(T::default());
        }
        match self {
            Self::Usable(value) => value,
            _ => unreachable!("assigned above"),
        }
    }
}

impl<T> From<Option<T>> for Key<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Usable)
    }
}

impl<'de, T: DeserializeOwned + Clone> Deserialize<'de> for Key<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_value)
    }
}

impl<T: Serialize> Serialize for Key<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Usable(value) => value.serialize(serializer),
            Self::Absent | Self::Unusable(_) => serializer.serialize_none(),
        }
    }
}

impl SettingsToml {
    /// The settings. Appends one message to `flaws` for each value that cannot be used.
    fn to_settings(&self, flaws: &mut Vec<String>) -> Settings {
        let defaults = Settings::default();
        let pin = self.pin.read("`pin`", flaws).unwrap_or_default();
        let hash_text = pin.hash.read("[pin] `hash`", flaws);
        let hash = hash_text.as_deref().and_then(PinHash::parse);
        if hash_text.is_some() && hash.is_none() {
            flaws.push("[pin] `hash` is not an argon2id hash, so there is no PIN".to_owned());
        }
        let display = self.display.read("`display`", flaws).unwrap_or_default();
        let mut idle_seconds = display.idle_seconds.read("[display] `idle_seconds`", flaws);
        if idle_seconds.take_if(|seconds| !IDLE_SECONDS_RANGE.contains(seconds)).is_some() {
            flaws.push("[display] `idle_seconds` is out of range".to_owned());
        }
        let language = display.language.read("[display] `language`", flaws);
        let texts = |name: &str, key: &Key<TextsToml>, flaws: &mut Vec<String>| {
            let texts = key.read(&format!("[display] `{name}`"), flaws);
            texts.map(|texts| texts.texts(name, language.as_deref(), flaws)).unwrap_or_default()
        };
        let attract_text = texts("attract_text", &display.attract_text, flaws);
        let consent = texts("consent", &display.consent, flaws);
        Settings {
            pin: hash,
            failed_pin_attempts: pin
                .wrong
                .read("[pin] `wrong`", flaws)
                .unwrap_or(defaults.failed_pin_attempts),
            profile: self.profile.read("`profile`", flaws),
            phone_access: self.phones.read("`phones`", flaws).unwrap_or(defaults.phone_access),
            keep_hours: self.keep_hours.read("`keep_hours`", flaws),
            kiosk_mode: display
                .kiosk_mode
                .read("[display] `kiosk_mode`", flaws)
                .unwrap_or(defaults.kiosk_mode),
            display: DisplaySettings {
                monitor: display.monitor.read("[display] `monitor`", flaws),
                idle_seconds: idle_seconds.unwrap_or(defaults.display.idle_seconds),
                attract_text,
                consent,
                voice: display.voice.read("[display] `voice`", flaws).unwrap_or(defaults.display.voice),
                language,
                logo: false,
            },
        }
    }

    /// Sets every known key. Unknown keys stay.
    fn update(&mut self, settings: &Settings) {
        self.profile = settings.profile.clone().into();
        self.phones = Key::Usable(settings.phone_access);
        self.keep_hours = settings.keep_hours.into();
        let pin = self.pin.get_or_default();
        pin.hash = settings.pin.as_ref().map(|pin| pin.as_str().to_owned()).into();
        pin.wrong = Key::Usable(settings.failed_pin_attempts);
        let display = self.display.get_or_default();
        display.kiosk_mode = Key::Usable(settings.kiosk_mode);
        display.monitor = settings.display.monitor.clone().into();
        display.language = settings.display.language.clone().into();
        display.idle_seconds = Key::Usable(settings.display.idle_seconds);
        display.voice = Key::Usable(settings.display.voice);
        update_texts(&mut display.attract_text, &settings.display.attract_text);
        update_texts(&mut display.consent, &settings.display.consent);
    }

    fn unknown_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.unknown.keys().cloned().collect();
        if let Key::Usable(pin) = &self.pin {
            keys.extend(pin.unknown.keys().map(|key| format!("pin.{key}")));
        }
        if let Key::Usable(display) = &self.display {
            keys.extend(display.unknown.keys().map(|key| format!("display.{key}")));
        }
        keys
    }

    fn to_toml(&self) -> String {
        // Not `Table::try_from`, which turns dates into tables.
        toml::to_string(self)
            .unwrap_or_else(|error| unreachable!("strings, numbers and tables are TOML: {error}"))
    }
}

impl TextsToml {
    /// The texts in known languages. A single text is in the language in which visitors are met.
    fn texts(&self, name: &str, language: Option<&str>, flaws: &mut Vec<String>) -> Texts {
        match self {
            Self::Single(text) => Texts::from_iter([(language::default_language(language), text)]),
            Self::ByLanguage(table) => {
                let text = |language| {
                    let key = Key::<String>::from_value(table.get(language)?.clone());
                    Some((language, key.read(&format!("[display] [{name}] `{language}`"), flaws)?))
                };
                LANGUAGES.into_iter().filter_map(text).collect()
            }
        }
    }
}

/// Sets the texts in known languages. Removes the key if no text is left.
fn update_texts(key: &mut Key<TextsToml>, texts: &Texts) {
    let mut table = match std::mem::take(key) {
        Key::Usable(TextsToml::ByLanguage(table)) => table,
        _ => Table::new(),
    };
    for language in LANGUAGES {
        match texts.get(language) {
            Some(text) => table.insert(language.to_owned(), text.into()),
            None => table.remove(language),
        };
    }
    if !table.is_empty() {
        *key = Key::Usable(TextsToml::ByLanguage(table));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open_data_dir() -> (tempfile::TempDir, Arc<DataDir>) {
        let root = tempfile::tempdir().expect("a folder");
        let data = Arc::new(DataDir::open(root.path()).expect("a data folder"));
        (root, data)
    }

    fn open_settings(text: &str) -> (tempfile::TempDir, SettingsFile) {
        let (root, data) = open_data_dir();
        data.write_operator_file(OperatorFile::Settings, text.as_bytes()).expect("written");
        (root, SettingsFile::open(data))
    }

    fn backup_names(root: &tempfile::TempDir) -> Vec<String> {
        let names = std::fs::read_dir(root.path()).expect("lists");
        let names = names.map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"));
        names.filter(|name| name.starts_with("settings.broken-")).collect()
    }

    #[test]
    fn a_missing_file_is_no_error() {
        let (_root, data) = open_data_dir();
        let file = SettingsFile::open(data);
        assert_eq!(
            (file.current(), file.load_error(), file.is_unreadable()),
            (Settings::default(), None, false)
        );
    }

    #[test]
    fn unknown_keys_are_kept() {
        let text = "lights = 3\nsince = 2026-11-22T10:00:00Z\n[display]\nvoice = true\nshape = 'round'\n\
                    days = [2026-11-22]\n[fleet]\nname = 'a'\n[[lamps]]\nat = 10:00:00\n";
        let (root, file) = open_settings(text);
        assert!(file.current().display.voice && file.load_error().is_none());
        file.update(|settings| settings.keep_hours = Some(24)).expect("written");
        let written = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        let written: Table = written.parse().expect("TOML");
        assert_eq!(written["keep_hours"].as_integer(), Some(24));
        let original: Table = text.parse().expect("TOML");
        for key in ["voice", "shape", "days"] {
            assert_eq!(written["display"][key], original["display"][key]);
        }
        for key in ["lights", "since", "fleet", "lamps"] {
            assert_eq!(written[key], original[key]);
        }
    }

    #[test]
    fn an_unusable_value_is_ignored_and_the_file_is_backed_up() {
        let text = "keep_hours = -1\nprofile = 'live'\n[display]\nidle_seconds = 2\nvoice = true\n[pin]\nwrong = 4\n";
        let (root, file) = open_settings(text);
        let settings = file.current();
        assert_eq!((settings.keep_hours, settings.profile.as_deref()), (None, Some("live")));
        assert_eq!(
            (settings.display.idle_seconds, settings.display.voice, settings.failed_pin_attempts),
            (90, true, 4)
        );
        let flaw = file.load_error().expect("two");
        assert!(flaw.contains("`keep_hours`") && flaw.contains("[display] `idle_seconds`"), "{flaw}");
        let [kept] = backup_names(&root).try_into().expect("one");
        assert_eq!(std::fs::read_to_string(root.path().join(kept)).expect("there"), text);
    }

    #[test]
    fn an_invalid_file_is_backed_up_once() {
        let (root, file) = open_settings("[display\nvoice");
        assert_eq!(file.current(), Settings::default());
        assert!(file.load_error().is_some_and(|flaw| flaw.contains("not TOML") && flaw.contains("broken-")));
        SettingsFile::open(file.0.data.clone());
        assert_eq!(backup_names(&root).len(), 1, "not once a start");
        file.update(|settings| settings.phone_access = true).expect("written");
        assert_eq!(SettingsFile::open(file.0.data.clone()).load_error(), None);
    }

    #[cfg(unix)]
    #[test]
    fn an_unreadable_file_is_not_overwritten() {
        let (root, data) = open_data_dir();
        let elsewhere = root.path().join("elsewhere.toml");
        std::fs::write(&elsewhere, "keep_hours = 5\n").expect("written");
        std::os::unix::fs::symlink(&elsewhere, root.path().join("settings.toml")).expect("linked");
        let file = SettingsFile::open(data);
        assert!(file.is_unreadable() && file.load_error().is_some());
        file.update(|settings| settings.phone_access = true).expect_err("refused");
        std::fs::remove_file(root.path().join("settings.toml")).expect("removed");
        std::fs::rename(&elsewhere, root.path().join("settings.toml")).expect("renamed");
        let settings = file.update(|settings| settings.phone_access = true).expect("written");
        assert_eq!(
            (settings.keep_hours, file.is_unreadable()),
            (Some(5), false),
            "what it held is there again"
        );
    }

    #[test]
    fn a_change_that_cannot_be_written_is_not_applied() {
        let (root, data) = open_data_dir();
        let file = SettingsFile::open(data);
        // A rename cannot replace a folder.
        std::fs::create_dir(root.path().join("settings.toml")).expect("made");
        file.update(|settings| settings.phone_access = true).expect_err("refused");
        assert!(!file.current().phone_access);
    }

    #[test]
    fn a_single_text_is_read_in_the_set_language_and_written_by_language() {
        let (root, file) = open_settings(
            "[display]\nlanguage = 'fr'\nattract_text = ' Entrez '\nconsent = 'Nous filmons.'\n",
        );
        let display = file.current().display;
        assert_eq!(display.attract_text, Texts::from_iter([("fr", "Entrez")]));
        assert_eq!(display.consent, Texts::from_iter([("fr", "Nous filmons.")]));
        assert_eq!(file.load_error(), None);
        file.update(|settings| settings.display.language = Some("de".into())).expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        assert!(text.contains("[display.consent]\nfr = \"Nous filmons.\""), "{text}");
        let again = SettingsFile::open(file.0.data.clone()).current().display;
        assert_eq!((again.attract_text, again.consent), (display.attract_text, display.consent));
    }

    #[test]
    fn a_single_text_is_kept_if_no_language_is_set() {
        let (_root, file) = open_settings("[display]\nconsent = 'We film.'\n");
        let consent = file.current().display.consent;
        assert_eq!(consent.iter().map(|(_, text)| text).collect::<Vec<_>>(), ["We film."]);
    }

    #[test]
    fn an_unusable_text_is_ignored_for_its_language_only() {
        let (root, file) =
            open_settings("[display.consent]\nde = 'Wir filmen.'\nfr = 3\nit = 'Filmiamo.'\nja = ' '\n");
        assert_eq!(file.current().display.consent, Texts::from_iter([("de", "Wir filmen.")]));
        let flaw = file.load_error().expect("one");
        assert!(flaw.contains("[display] [consent] `fr`") && !flaw.contains("`ja`"), "{flaw}");
        file.update(|settings| settings.display.consent = Texts::default()).expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        assert!(text.contains("it = \"Filmiamo.\"") && !text.contains("Wir filmen"), "{text}");
    }

    #[test]
    fn empty_texts_are_not_written() {
        let (root, file) = open_settings("[display]\nconsent = 'We film.'\n");
        file.update(|settings| settings.display.consent = Texts::default()).expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        assert!(!text.contains("consent") && !text.contains("attract_text"), "{text}");
    }

    fn some_texts() -> impl Strategy<Value = Texts> {
        let text = "[ -~äß好\n\"']{0,40}";
        proptest::collection::vec((proptest::sample::select(&LANGUAGES[..]), text), 0..=LANGUAGES.len())
            .prop_map(Texts::from_iter)
    }

    fn some_settings() -> impl Strategy<Value = Settings> {
        let text = || proptest::option::of("[ -~äß\n\"']{0,40}");
        let display = (text(), text(), IDLE_SECONDS_RANGE, some_texts(), some_texts(), any::<bool>())
            .prop_map(|(monitor, language, idle_seconds, attract_text, consent, voice)| DisplaySettings {
                monitor,
                language,
                idle_seconds,
                attract_text,
                consent,
                voice,
                logo: false,
            });
        let whole = (any::<u32>(), text(), any::<bool>(), any::<Option<u32>>(), any::<bool>(), display);
        whole.prop_map(|(wrong_pins, profile, phones, keep_hours, kiosk_mode, display)| Settings {
            pin: None,
            failed_pin_attempts: wrong_pins,
            profile,
            phone_access: phones,
            keep_hours,
            kiosk_mode,
            display,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn written_settings_are_read_back(settings in some_settings()) {
            let mut file = SettingsToml::default();
            file.update(&settings);
            let file: SettingsToml = toml::from_str(&file.to_toml()).expect("TOML");
            let mut flaws = Vec::new();
            prop_assert_eq!(file.to_settings(&mut flaws), settings);
            prop_assert!(flaws.is_empty() && file.unknown_keys().is_empty());
        }

        #[test]
        fn a_single_text_is_read_as_the_text_of_the_set_language(
            language in proptest::sample::select(&LANGUAGES[..]),
            text in "[ -~äß好\n\"']{0,40}",
        ) {
            let display = DisplayToml {
                language: Key::Usable(language.to_owned()),
                consent: Key::Usable(TextsToml::Single(text.clone())),
                ..DisplayToml::default()
            };
            let mut file = SettingsToml { display: Key::Usable(display), ..SettingsToml::default() };
            let mut flaws = Vec::new();
            let settings = file.to_settings(&mut flaws);
            prop_assert_eq!(&settings.display.consent, &Texts::from_iter([(language, &text)]));
            prop_assert!(flaws.is_empty() && file.unknown_keys().is_empty());
            file.update(&settings);
            prop_assert_eq!(file.to_settings(&mut flaws), settings);
        }

        #[test]
        fn any_toml_can_be_read(
            text in "(profile|phones|\\[pin\\]|hash|\\[display(\\.consent)?\\]|voice|consent|de|=|\n| |1|'x'|true){0,30}",
        ) {
            if text.parse::<Table>().is_ok() {
                toml::from_str::<SettingsToml>(&text).expect("each key is lenient").to_settings(&mut Vec::new());
            }
        }
    }
}
