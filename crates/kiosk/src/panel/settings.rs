//! What the operator set, in one file of the data folder: `settings.toml`.
//!
//! It outlives programs of both directions. A key that this program does not know is kept when the file is written
//! anew; a value that it cannot use is left out and said, and the file as it was is kept beside it; nothing of it
//! keeps the program from starting.

use super::pin::PinHash;
use crate::language::{self, LANGUAGES};
use crate::view::Texts;
use crate::view::panel::DisplaySettings;
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{DataDir, HostFile, StoreError};
use toml::{Table, Value};

/// What [`DisplaySettings::idle_seconds`] may be.
pub const IDLE_SECONDS: RangeInclusive<u32> = 15..=3600;

/// What the operator set. Each has a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The PIN, when one is set.
    pub pin: Option<PinHash>,
    /// PINs tried wrong since the last right one.
    pub wrong_pins: u32,
    /// The profile chosen last.
    pub profile: Option<String>,
    /// Whether phones on this network are let in to the embedded sandbox.
    pub phones: bool,
    /// Hours that the files of a visit are kept: 0 until the visitor leaves, none for ever.
    pub keep_hours: Option<u32>,
    /// Whether the program starts in kiosk mode. The command line may want it beside.
    pub kiosk_mode: bool,
    /// How the window looks and speaks. Its `logo` says nothing here: the file does.
    pub display: DisplaySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pin: None,
            wrong_pins: 0,
            profile: None,
            phones: false,
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

/// The file. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct SettingsFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    data: Arc<DataDir>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    /// The file as it is written, with what only other programs know.
    written: Table,
    /// What is wrong with the file, and what to do.
    flaw: Option<String>,
    /// The file is there and could not be read: nobody knows what is in it, so it is not written over.
    unread: bool,
}

impl SettingsFile {
    /// Reads the file; what is wrong with it is in [`flaw`](Self::flaw). Blocks on the disk.
    pub fn open(data: Arc<DataDir>) -> Self {
        let state = read(&data);
        Self(Arc::new(Inner { data, state: Mutex::new(state) }))
    }

    /// What is set now.
    pub fn get(&self) -> Settings {
        self.state().settings.clone()
    }

    /// What is wrong with the file, and what was done about it.
    pub fn flaw(&self) -> Option<String> {
        self.state().flaw.clone()
    }

    /// Whether the file is there and could not be read: then nobody can tell whether there is a PIN.
    pub fn is_unread(&self) -> bool {
        self.state().unread
    }

    /// Changes something: durable when this returns, as before when it fails. Blocks on the disk.
    ///
    /// # Errors
    /// Those of the disk; of a file that could not be read at the start, why it still cannot.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, StoreError> {
        let mut state = self.state();
        if state.unread {
            self.0.data.read_host(HostFile::Settings)?;
            *state = read(&self.0.data);
        }
        let mut settings = state.settings.clone();
        change(&mut settings);
        let mut written = state.written.clone();
        write(&settings, &mut written);
        self.0.data.write_host(HostFile::Settings, written.to_string().as_bytes())?;
        state.settings = settings.clone();
        state.written = written;
        Ok(settings)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A change is taken over whole, after it was written.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(data: &DataDir) -> State {
    let bytes = match data.read_host(HostFile::Settings) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return State::default(),
        Err(error) => {
            tracing::error!(%error, "the settings cannot be read: the defaults are used");
            let flaw = format!("the settings cannot be read, so the panel stays closed: {error}");
            return State { flaw: Some(flaw), unread: true, ..State::default() };
        }
    };
    let table = String::from_utf8(bytes.clone()).ok().and_then(|text| text.parse::<Table>().ok());
    let mut reader = Reader { flaws: Vec::new(), table: table.clone().unwrap_or_default() };
    let settings = if table.is_some() { reader.settings() } else { Settings::default() };
    if table.is_none() {
        reader.flaws.push("it is not TOML".to_owned());
    }
    let unknown: Vec<&String> = reader.table.keys().collect();
    if !unknown.is_empty() {
        tracing::warn!(?unknown, "settings that this version does not know are kept as they are");
    }
    let flaw = (!reader.flaws.is_empty()).then(|| kept_aside(data, &bytes, &reader.flaws.join("; ")));
    State { settings, written: table.unwrap_or_default(), flaw, unread: false }
}

/// Keeps a file that is in part unusable, before it is written anew; in words.
fn kept_aside(data: &DataDir, bytes: &[u8], what: &str) -> String {
    let mark = store::Sha256::of(bytes).to_string();
    let path = data.host_path(HostFile::Settings);
    let flaw = match data.keep_broken(HostFile::Settings, bytes, &mark[..8]) {
        Ok(kept) => {
            format!("{}: {what}. Set it again; the file as it was is {}", path.display(), kept.display())
        }
        Err(error) => format!("{}: {what}. Set it again ({error})", path.display()),
    };
    tracing::error!(%flaw, "settings were left out");
    flaw
}

/// Takes known keys out of a table, and notes what cannot be used.
struct Reader {
    table: Table,
    flaws: Vec<String>,
}

impl Reader {
    fn settings(&mut self) -> Settings {
        let defaults = Settings::default();
        let pin = self.below("pin", |pin| {
            let hash = pin.take::<String>("hash").and_then(|text| {
                let hash = PinHash::read(&text);
                if hash.is_none() {
                    pin.flaws.push("`hash` is not an argon2id hash, so there is no PIN".to_owned());
                }
                hash
            });
            (hash, pin.take("wrong"))
        });
        let (pin, wrong_pins) = pin.unwrap_or_default();
        let display = self.below("display", |display| {
            let kiosk_mode = display.take("kiosk_mode").unwrap_or(defaults.kiosk_mode);
            let language = display.take::<String>("language");
            let settings = DisplaySettings {
                monitor: display.take("monitor"),
                idle_seconds: display
                    .take_if("idle_seconds", |seconds| IDLE_SECONDS.contains(seconds))
                    .unwrap_or(defaults.display.idle_seconds),
                attract_text: display.texts("attract_text", language.as_deref()),
                consent: display.texts("consent", language.as_deref()),
                language,
                voice: display.take("voice").unwrap_or(defaults.display.voice),
                logo: false,
            };
            (kiosk_mode, settings)
        });
        let (kiosk_mode, display) = display.unwrap_or((defaults.kiosk_mode, defaults.display));
        Settings {
            pin,
            wrong_pins: wrong_pins.unwrap_or(0),
            profile: self.take("profile"),
            phones: self.take("phones").unwrap_or(defaults.phones),
            keep_hours: self.take("keep_hours"),
            kiosk_mode,
            display,
        }
    }

    /// A text by language; or one alone, as the first versions wrote it: it is in the language that visitors are met
    /// in.
    fn texts(&mut self, key: &str, met_in: Option<&str>) -> Texts {
        if self.table.get(key).is_some_and(Value::is_str) {
            return self
                .take::<String>(key)
                .map(|text| (language::first(met_in), text))
                .into_iter()
                .collect();
        }
        let texts = self.below(key, |texts| {
            let written = |language| Some((language, texts.take::<String>(language)?));
            LANGUAGES.into_iter().filter_map(written).collect()
        });
        texts.unwrap_or_default()
    }

    fn take<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.take_if(key, |_| true)
    }

    fn take_if<T: DeserializeOwned>(&mut self, key: &str, usable: impl FnOnce(&T) -> bool) -> Option<T> {
        match self.table.remove(key)?.try_into::<T>() {
            Ok(value) if usable(&value) => return Some(value),
            Ok(_) => self.flaws.push(format!("`{key}` is out of bounds")),
            Err(error) => self.flaws.push(format!("`{key}` cannot be used ({})", error.message())),
        }
        None
    }

    fn below<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let table = self.take::<Table>(key)?;
        let mut below = Self { table, flaws: Vec::new() };
        let value = read(&mut below);
        self.flaws.extend(below.flaws.into_iter().map(|flaw| format!("[{key}] {flaw}")));
        if !below.table.is_empty() {
            self.table.insert(key.to_owned(), Value::Table(below.table));
        }
        Some(value)
    }
}

/// Writes the known keys over those that are there.
fn write(settings: &Settings, table: &mut Table) {
    let text = |text: &Option<String>| text.clone().map(Value::String);
    put(table, "profile", text(&settings.profile));
    put(table, "phones", Some(settings.phones.into()));
    put(table, "keep_hours", settings.keep_hours.map(|hours| i64::from(hours).into()));
    let pin = sub_table(table, "pin");
    put(pin, "hash", settings.pin.as_ref().map(|pin| pin.as_str().into()));
    put(pin, "wrong", Some(i64::from(settings.wrong_pins).into()));
    let display = sub_table(table, "display");
    put(display, "kiosk_mode", Some(settings.kiosk_mode.into()));
    put(display, "monitor", text(&settings.display.monitor));
    put(display, "language", text(&settings.display.language));
    put(display, "idle_seconds", Some(i64::from(settings.display.idle_seconds).into()));
    put_texts(display, "attract_text", &settings.display.attract_text);
    put_texts(display, "consent", &settings.display.consent);
    put(display, "voice", Some(settings.display.voice.into()));
}

fn put(table: &mut Table, key: &str, value: Option<Value>) {
    match value {
        Some(value) => table.insert(key.to_owned(), value),
        None => table.remove(key),
    };
}

fn put_texts(table: &mut Table, key: &str, texts: &Texts) {
    let by_language = sub_table(table, key);
    for language in LANGUAGES {
        put(by_language, language, texts.get(language).map(Into::into));
    }
    if by_language.is_empty() {
        table.remove(key);
    }
}

fn sub_table<'a>(table: &'a mut Table, key: &str) -> &'a mut Table {
    let entry = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
    if !entry.is_table() {
        *entry = Value::Table(Table::new());
    }
    match entry {
        Value::Table(table) => table,
        _ => unreachable!("made one just now"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data() -> (tempfile::TempDir, Arc<DataDir>) {
        let root = tempfile::tempdir().expect("a folder");
        let data = Arc::new(DataDir::open(root.path()).expect("a data folder"));
        (root, data)
    }

    fn with(text: &str) -> (tempfile::TempDir, SettingsFile) {
        let (root, data) = data();
        data.write_host(HostFile::Settings, text.as_bytes()).expect("written");
        (root, SettingsFile::open(data))
    }

    fn broken(root: &tempfile::TempDir) -> Vec<String> {
        let names = std::fs::read_dir(root.path()).expect("lists");
        let names = names.map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"));
        names.filter(|name| name.starts_with("settings.broken-")).collect()
    }

    #[test]
    fn no_file_is_no_flaw() {
        let (_root, data) = data();
        let file = SettingsFile::open(data);
        assert_eq!((file.get(), file.flaw(), file.is_unread()), (Settings::default(), None, false));
    }

    #[test]
    fn what_a_newer_program_set_is_kept() {
        let (root, file) =
            with("lights = 3\n[display]\nvoice = true\nshape = 'round'\n[fleet]\nname = 'a'\n");
        assert!(file.get().display.voice && file.flaw().is_none());
        file.change(|settings| settings.keep_hours = Some(24)).expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        for kept in ["lights = 3", "shape = \"round\"", "[fleet]", "keep_hours = 24", "voice = true"] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
    }

    #[test]
    fn a_wrong_value_costs_that_value_alone_and_the_file_is_kept() {
        let text = "keep_hours = -1\nprofile = 'live'\n[display]\nidle_seconds = 2\nvoice = true\n[pin]\nwrong = 4\n";
        let (root, file) = with(text);
        let settings = file.get();
        assert_eq!((settings.keep_hours, settings.profile.as_deref()), (None, Some("live")));
        assert_eq!(
            (settings.display.idle_seconds, settings.display.voice, settings.wrong_pins),
            (90, true, 4)
        );
        let flaw = file.flaw().expect("two");
        assert!(flaw.contains("`keep_hours`") && flaw.contains("[display] `idle_seconds`"), "{flaw}");
        let [kept] = broken(&root).try_into().expect("one");
        assert_eq!(std::fs::read_to_string(root.path().join(kept)).expect("there"), text);
    }

    #[test]
    fn a_file_that_is_none_is_set_aside_once() {
        let (root, file) = with("[display\nvoice");
        assert_eq!(file.get(), Settings::default());
        assert!(file.flaw().is_some_and(|flaw| flaw.contains("not TOML") && flaw.contains("broken-")));
        SettingsFile::open(file.0.data.clone());
        assert_eq!(broken(&root).len(), 1, "not once a start");
        file.change(|settings| settings.phones = true).expect("written");
        assert_eq!(SettingsFile::open(file.0.data.clone()).flaw(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_cannot_be_read_is_not_written_over() {
        let (root, data) = data();
        let elsewhere = root.path().join("elsewhere.toml");
        std::fs::write(&elsewhere, "keep_hours = 5\n").expect("written");
        std::os::unix::fs::symlink(&elsewhere, root.path().join("settings.toml")).expect("linked");
        let file = SettingsFile::open(data);
        assert!(file.is_unread() && file.flaw().is_some());
        file.change(|settings| settings.phones = true).expect_err("refused");
        std::fs::remove_file(root.path().join("settings.toml")).expect("removed");
        std::fs::rename(&elsewhere, root.path().join("settings.toml")).expect("mended");
        let settings = file.change(|settings| settings.phones = true).expect("written");
        assert_eq!((settings.keep_hours, file.is_unread()), (Some(5), false), "what it held is there again");
    }

    #[test]
    fn a_change_that_cannot_be_written_is_none() {
        let (root, data) = data();
        let file = SettingsFile::open(data);
        // A folder in the place of the file cannot be replaced by renaming.
        std::fs::create_dir(root.path().join("settings.toml")).expect("made");
        file.change(|settings| settings.phones = true).expect_err("refused");
        assert!(!file.get().phones);
    }

    #[test]
    fn a_text_of_before_there_were_languages_is_in_the_first_and_written_anew_among_them() {
        let (root, file) =
            with("[display]\nlanguage = 'fr'\nattract_text = ' Entrez '\nconsent = 'Nous filmons.'\n");
        let display = file.get().display;
        assert_eq!(display.attract_text, Texts::from_iter([("fr", "Entrez")]));
        assert_eq!(display.consent, Texts::from_iter([("fr", "Nous filmons.")]));
        assert_eq!(file.flaw(), None);
        file.change(|settings| settings.display.language = Some("de".into())).expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        assert!(text.contains("[display.consent]\nfr = \"Nous filmons.\""), "{text}");
        let again = SettingsFile::open(file.0.data.clone()).get().display;
        assert_eq!((again.attract_text, again.consent), (display.attract_text, display.consent));
    }

    #[test]
    fn a_text_of_before_is_not_lost_where_no_language_is_set() {
        let (_root, file) = with("[display]\nconsent = 'We film.'\n");
        let consent = file.get().display.consent;
        assert_eq!(consent.iter().map(|(_, text)| text).collect::<Vec<_>>(), ["We film."]);
    }

    #[test]
    fn a_text_that_cannot_be_used_costs_that_language_alone() {
        let (root, file) =
            with("[display.consent]\nde = 'Wir filmen.'\nfr = 3\nit = 'Filmiamo.'\nja = ' '\n");
        assert_eq!(file.get().display.consent, Texts::from_iter([("de", "Wir filmen.")]));
        let flaw = file.flaw().expect("one");
        assert!(flaw.contains("[display] [consent] `fr`") && !flaw.contains("`ja`"), "{flaw}");
        file.change(|settings| settings.display.consent = Texts::default()).expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        assert!(text.contains("it = \"Filmiamo.\"") && !text.contains("Wir filmen"), "{text}");
    }

    #[test]
    fn without_texts_the_file_says_nothing_of_them() {
        let (root, file) = with("[display]\nconsent = 'We film.'\n");
        file.change(|settings| settings.display.consent = Texts::default()).expect("written");
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
        let display = (text(), text(), IDLE_SECONDS, some_texts(), some_texts(), any::<bool>()).prop_map(
            |(monitor, language, idle_seconds, attract_text, consent, voice)| DisplaySettings {
                monitor,
                language,
                idle_seconds,
                attract_text,
                consent,
                voice,
                logo: false,
            },
        );
        let whole = (any::<u32>(), text(), any::<bool>(), any::<Option<u32>>(), any::<bool>(), display);
        whole.prop_map(|(wrong_pins, profile, phones, keep_hours, kiosk_mode, display)| Settings {
            pin: None,
            wrong_pins,
            profile,
            phones,
            keep_hours,
            kiosk_mode,
            display,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(settings in some_settings()) {
            let mut table = Table::new();
            write(&settings, &mut table);
            let table: Table = table.to_string().parse().expect("TOML");
            let mut reader = Reader { table, flaws: Vec::new() };
            prop_assert_eq!(reader.settings(), settings);
            prop_assert!(reader.flaws.is_empty() && reader.table.is_empty());
        }

        #[test]
        fn one_text_alone_is_read_as_one_of_a_language(
            language in proptest::sample::select(&LANGUAGES[..]),
            text in "[ -~äß好\n\"']{0,40}",
        ) {
            let mut table = Table::new();
            let display = sub_table(&mut table, "display");
            put(display, "language", Some(language.into()));
            put(display, "consent", Some(text.as_str().into()));
            let mut reader = Reader { table: table.clone(), flaws: Vec::new() };
            let settings = reader.settings();
            prop_assert_eq!(&settings.display.consent, &Texts::from_iter([(language, &text)]));
            prop_assert!(reader.flaws.is_empty() && reader.table.is_empty());
            write(&settings, &mut table);
            prop_assert_eq!(Reader { table, flaws: Vec::new() }.settings(), settings);
        }

        #[test]
        fn no_text_stops_the_reading(
            text in "(profile|phones|\\[pin\\]|hash|\\[display(\\.consent)?\\]|voice|consent|de|=|\n| |1|'x'|true){0,30}",
        ) {
            if let Ok(table) = text.parse::<Table>() {
                Reader { table, flaws: Vec::new() }.settings();
            }
        }
    }
}
