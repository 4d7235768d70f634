//! The operator's settings, in `settings.toml` in the data folder. [`copresence_engine::settings_toml`]
//! has the format of the file.

use crate::language;
use crate::pin::PinHash;
use crate::view::panel::AppearanceAndLanguageSettings;
use crate::view::{LaneSettings, LocalizedTextView};
use copresence_engine::settings_toml::{
    self, LANGUAGES, LoadedSettingsFile, LocalizedText, SettingsToml, UsableSettingsValues,
};
use copresence_store::{DataDir, SettingsOrLogoFile, StoreError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The operator's settings.
///
/// # Defaults
/// No PIN, no profile, no phone access, files kept for ever, kiosk mode off, 90 idle seconds, no texts, no voice, no
/// sounds, always open, kept awake, no metrics endpoint, and the default lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorSettings {
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
    pub display: AppearanceAndLanguageSettings,
    /// Settings of the lanes.
    pub lanes: LaneSettings,
    /// Address and port of the metrics endpoint; `None` for no endpoint.
    pub metrics_listen: Option<SocketAddr>,
    /// The file with the bearer token of the metrics endpoint.
    pub metrics_token_file: Option<PathBuf>,
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self {
            pin: None,
            failed_pin_attempts: 0,
            profile: None,
            phone_access: false,
            keep_hours: None,
            kiosk_mode: false,
            display: AppearanceAndLanguageSettings {
                monitor: None,
                language: None,
                idle_seconds: 90,
                attract_text: LocalizedTextView::default(),
                consent: LocalizedTextView::default(),
                voice: false,
                sounds: false,
                opening_hours: None,
                keep_awake: true,
                logo: false,
            },
            lanes: LaneSettings::default(),
            metrics_listen: None,
            metrics_token_file: None,
        }
    }
}

/// The settings file, as a handle that its clones share.
#[derive(Debug, Clone)]
pub struct SettingsFileHandle(Arc<SharedSettingsFile>);

/// What the clones of a settings file share: its folder, and its state under a lock.
#[derive(Debug)]
struct SharedSettingsFile {
    data: Arc<DataDir>,
    state: Mutex<SettingsAndFileState>,
}

/// State of the settings file: the settings, the file as it was written last, and what is wrong with it.
#[derive(Debug, Default)]
struct SettingsAndFileState {
    settings: OperatorSettings,
    /// The file as written last, including unknown keys.
    file: SettingsToml,
    /// What is wrong with the file, and what to do.
    load_error: Option<String>,
    /// Whether the file exists and does not tell whether it has a PIN. It is not overwritten then.
    is_pin_unknown: bool,
}

impl SettingsFileHandle {
    /// Reads the settings file. Problems are reported by [`settings_file_problem`](Self::settings_file_problem). Blocks on the
    /// disk.
    pub fn read_settings_file(data: Arc<DataDir>) -> Self {
        let state = read_settings_state(&data);
        Self(Arc::new(SharedSettingsFile { data, state: Mutex::new(state) }))
    }

    /// The current settings.
    pub fn current_settings(&self) -> OperatorSettings {
        self.lock_settings_state().settings.clone()
    }

    /// What is wrong with the settings file, and what was done about it; `None` if nothing is.
    pub fn settings_file_problem(&self) -> Option<String> {
        self.lock_settings_state().load_error.clone()
    }

    /// Whether the file exists, and it is unknown whether it has a PIN: it could not be read, it is not TOML, or its PIN
    /// cannot be used.
    pub fn is_pin_unknown(&self) -> bool {
        self.lock_settings_state().is_pin_unknown
    }

    /// Changes the settings and writes the file. The change is durable when this returns. Blocks on the disk.
    ///
    /// # Errors
    /// The file cannot be written, or it did not tell at the start whether it has a PIN and still does not. The settings
    /// are unchanged then.
    pub fn update_and_save_settings(
        &self,
        change: impl FnOnce(&mut OperatorSettings),
    ) -> Result<OperatorSettings, StoreError> {
        let mut state = self.lock_settings_state();
        self.reread_if_pin_is_unknown(&mut state)?;
        if state.is_pin_unknown {
            let source = std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                state.load_error.clone().unwrap_or_else(|| "it is unknown whether it has a PIN".to_owned()),
            );
            let path = self.0.data.operator_file_path(SettingsOrLogoFile::Settings);
            return Err(StoreError::Io { doing: "change", path, source });
        }
        self.change_settings_and_write_file(&mut state, change)
    }

    /// Sets or removes the PIN. Unlike [`update_and_save_settings`](Self::update_and_save_settings), replaces a file that does
    /// not tell whether it has a PIN. Blocks on the disk.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(crate) fn change_pin_despite_unusable_file(&self, pin: Option<PinHash>) -> Result<(), StoreError> {
        let mut state = self.lock_settings_state();
        self.reread_if_pin_is_unknown(&mut state)?;
        self.change_settings_and_write_file(&mut state, |settings| {
            settings.pin = pin;
            settings.failed_pin_attempts = 0;
        })?;
        state.is_pin_unknown = false;
        Ok(())
    }

    /// Reads a file again that did not tell whether it has a PIN: it may be repaired.
    fn reread_if_pin_is_unknown(&self, state: &mut SettingsAndFileState) -> Result<(), StoreError> {
        if state.is_pin_unknown {
            self.0.data.read_operator_file(SettingsOrLogoFile::Settings)?;
            *state = read_settings_state(&self.0.data);
        }
        Ok(())
    }

    /// Changes the settings and writes the file.
    fn change_settings_and_write_file(
        &self,
        state: &mut SettingsAndFileState,
        change: impl FnOnce(&mut OperatorSettings),
    ) -> Result<OperatorSettings, StoreError> {
        let mut settings = state.settings.clone();
        change(&mut settings);
        let mut file = state.file.clone();
        file.set_known_keys(settings_to_toml_values(&settings));
        self.0.data.write_operator_file(SettingsOrLogoFile::Settings, file.to_toml().as_bytes())?;
        state.settings = settings.clone();
        state.file = file;
        Ok(settings)
    }

    /// Locks the mutex of the settings and the last written file.
    fn lock_settings_state(&self) -> MutexGuard<'_, SettingsAndFileState> {
        // A panic leaves no partial change: the state is replaced after the file was written.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the settings file into the settings and their state. An unusable file is backed up, and reported in the state.
fn read_settings_state(data: &DataDir) -> SettingsAndFileState {
    let LoadedSettingsFile { file, values, load_error, is_pin_unknown, is_kiosk_mode_unknown } =
        settings_toml::read_settings_backing_up_unusable(data);
    let mut settings = convert_file_values_to_settings(values);
    settings.kiosk_mode |= is_kiosk_mode_unknown;
    SettingsAndFileState { settings, file, load_error, is_pin_unknown }
}

/// Converts the usable values of the settings file to settings. Absent values have their defaults.
fn convert_file_values_to_settings(values: UsableSettingsValues) -> OperatorSettings {
    let defaults = OperatorSettings::default();
    let language = values.language;
    let texts = |texts| convert_settings_texts_to_view(texts, language.as_deref());
    OperatorSettings {
        pin: values.pin_hash.as_deref().and_then(PinHash::parse_phc_string),
        failed_pin_attempts: values.failed_pin_attempts.unwrap_or(defaults.failed_pin_attempts),
        profile: values.profile,
        phone_access: values.phone_access.unwrap_or(defaults.phone_access),
        keep_hours: values.keep_hours,
        kiosk_mode: values.kiosk_mode.unwrap_or(defaults.kiosk_mode),
        display: AppearanceAndLanguageSettings {
            monitor: values.monitor,
            idle_seconds: values.idle_seconds.unwrap_or(defaults.display.idle_seconds),
            attract_text: texts(values.attract_text),
            consent: texts(values.consent),
            voice: values.voice.unwrap_or(defaults.display.voice),
            sounds: values.sounds.unwrap_or(defaults.display.sounds),
            language,
            opening_hours: values.opening_hours.map(|hours| hours.to_string()),
            keep_awake: values.keep_awake.unwrap_or(defaults.display.keep_awake),
            logo: false,
        },
        lanes: LaneSettings {
            count: values.lane_count.unwrap_or(defaults.lanes.count),
            automatic_seconds: values.automatic_hand_over_seconds,
            ticket_minutes: values.ticket_minutes.unwrap_or(defaults.lanes.ticket_minutes),
        },
        metrics_listen: values.metrics_listen,
        metrics_token_file: values.metrics_token_file,
    }
}

/// The settings as the values of the TOML file.
fn settings_to_toml_values(settings: &OperatorSettings) -> UsableSettingsValues {
    let display = &settings.display;
    UsableSettingsValues {
        pin_hash: settings.pin.as_ref().map(|pin| pin.as_str().to_owned()),
        failed_pin_attempts: Some(settings.failed_pin_attempts),
        profile: settings.profile.clone(),
        phone_access: Some(settings.phone_access),
        keep_hours: settings.keep_hours,
        kiosk_mode: Some(settings.kiosk_mode),
        monitor: display.monitor.clone(),
        language: display.language.clone(),
        idle_seconds: Some(display.idle_seconds),
        attract_text: texts_by_language_to_toml(&display.attract_text),
        consent: texts_by_language_to_toml(&display.consent),
        voice: Some(display.voice),
        sounds: Some(display.sounds),
        lane_count: Some(settings.lanes.count),
        automatic_hand_over_seconds: settings.lanes.automatic_seconds,
        ticket_minutes: Some(settings.lanes.ticket_minutes),
        // Only usable hours become a setting.
        opening_hours: display.opening_hours.as_ref().and_then(|hours| hours.parse().ok()),
        // Written only if it is not the default, so that older versions' files stay as they are.
        keep_awake: (!display.keep_awake).then_some(false),
        metrics_listen: settings.metrics_listen,
        metrics_token_file: settings.metrics_token_file.clone(),
    }
}

/// Converts a text of the settings file to the view. A text without a language gets the initial language of a new
/// visitor.
fn convert_settings_texts_to_view(values: LocalizedText, language: Option<&str>) -> LocalizedTextView {
    let single = values.without_language.map(|text| (language::initial_language_for_visitor(language), text));
    single.into_iter().chain(values.by_language).collect()
}

/// The texts as the settings file has them, by language.
fn texts_by_language_to_toml(texts: &LocalizedTextView) -> LocalizedText {
    let text = |language| Some((language, texts.text_in_exact_language(language)?.to_owned()));
    LocalizedText { without_language: None, by_language: LANGUAGES.into_iter().filter_map(text).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use copresence_engine::settings_toml::IDLE_SECONDS_RANGE;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use toml::Table;

    fn open_data_dir() -> (tempfile::TempDir, Arc<DataDir>) {
        let root = tempfile::tempdir().expect("a folder");
        let data = Arc::new(DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder"));
        (root, data)
    }

    fn open_settings(text: &str) -> (tempfile::TempDir, SettingsFileHandle) {
        let (root, data) = open_data_dir();
        data.write_operator_file(SettingsOrLogoFile::Settings, text.as_bytes()).expect("written");
        (root, SettingsFileHandle::read_settings_file(data))
    }

    fn backup_names(root: &tempfile::TempDir) -> Vec<String> {
        let names = std::fs::read_dir(root.path()).expect("lists");
        let names = names.map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"));
        names.filter(|name| name.starts_with("settings.broken-")).collect()
    }

    #[test]
    fn a_missing_file_is_no_error() {
        let (_root, data) = open_data_dir();
        let file = SettingsFileHandle::read_settings_file(data);
        assert_eq!(
            (file.current_settings(), file.settings_file_problem(), file.is_pin_unknown()),
            (OperatorSettings::default(), None, false)
        );
    }

    #[test]
    fn unknown_keys_are_kept() {
        let text = "lights = 3\nsince = 2026-11-22T10:00:00Z\n[display]\nvoice = true\nshape = 'round'\n\
                    days = [2026-11-22]\n[fleet]\nname = 'a'\n[[lamps]]\nat = 10:00:00\n";
        let (root, file) = open_settings(text);
        assert!(file.current_settings().display.voice && file.settings_file_problem().is_none());
        file.update_and_save_settings(|settings| settings.keep_hours = Some(24)).expect("written");
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
        let settings = file.current_settings();
        assert_eq!((settings.keep_hours, settings.profile.as_deref()), (None, Some("live")));
        assert_eq!(
            (settings.display.idle_seconds, settings.display.voice, settings.failed_pin_attempts),
            (90, true, 4)
        );
        let load_error = file.settings_file_problem().expect("two");
        assert!(load_error.contains("`keep_hours`") && load_error.contains("[display] `idle_seconds`"), "{load_error}");
        let [kept] = backup_names(&root).try_into().expect("one");
        assert_eq!(std::fs::read_to_string(root.path().join(kept)).expect("there"), text);
    }

    #[test]
    fn an_invalid_file_is_backed_up_once() {
        let (root, file) = open_settings("[display\nvoice");
        assert_eq!(file.current_settings(), OperatorSettings { kiosk_mode: true, ..OperatorSettings::default() });
        assert!(
            file.settings_file_problem()
                .is_some_and(|load_error| load_error.contains("not TOML") && load_error.contains("broken-"))
        );
        SettingsFileHandle::read_settings_file(file.0.data.clone());
        assert_eq!(backup_names(&root).len(), 1, "not once a start");
        file.change_pin_despite_unusable_file(None).expect("written");
        assert_eq!(SettingsFileHandle::read_settings_file(file.0.data.clone()).settings_file_problem(), None);
    }

    #[test]
    fn a_file_that_does_not_tell_its_pin_is_not_overwritten_and_keeps_kiosk_mode_on() {
        let hash = "hash = '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA'";
        for (text, kiosk_mode) in [
            (format!("idle_seconds = 90 typo\n[pin]\n{hash}\n[display]\nkiosk_mode = true\n"), true),
            ("[pin]\nhash = 'no hash'\n[display]\nkiosk_mode = false\n".to_owned(), false),
            ("[pin]\nhash = 3\n".to_owned(), false),
            ("pin = 4711\n".to_owned(), false),
        ] {
            let (root, file) = open_settings(&text);
            assert!(file.is_pin_unknown() && file.current_settings().pin.is_none(), "{text}");
            assert_eq!(file.current_settings().kiosk_mode, kiosk_mode, "{text}");
            let refused = file.update_and_save_settings(|settings| settings.phone_access = true).expect_err("refused");
            assert!(refused.to_string().contains("--forget-pin"), "{refused}");
            assert_eq!(std::fs::read_to_string(root.path().join("settings.toml")).expect("there"), text);
            // Repaired by hand.
            std::fs::write(root.path().join("settings.toml"), format!("[pin]\n{hash}\n")).expect("written");
            let settings = file.update_and_save_settings(|settings| settings.phone_access = true).expect("written");
            assert!(settings.pin.is_some() && !file.is_pin_unknown(), "{text}");
        }
    }

    #[test]
    fn an_unusable_value_of_kiosk_mode_keeps_it_on() {
        for text in ["[display]\nkiosk_mode = 'yes'\n", "display = 'bright'\n"] {
            let (_root, file) = open_settings(text);
            assert!(file.current_settings().kiosk_mode && !file.is_pin_unknown(), "{text}");
            file.update_and_save_settings(|settings| settings.kiosk_mode = false).expect("written");
            assert!(
                !SettingsFileHandle::read_settings_file(file.0.data.clone()).current_settings().kiosk_mode,
                "{text}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn an_unreadable_file_is_not_overwritten() {
        let (root, data) = open_data_dir();
        let elsewhere = root.path().join("elsewhere.toml");
        std::fs::write(&elsewhere, "keep_hours = 5\n").expect("written");
        std::os::unix::fs::symlink(&elsewhere, root.path().join("settings.toml")).expect("linked");
        let file = SettingsFileHandle::read_settings_file(data);
        assert!(file.is_pin_unknown() && file.settings_file_problem().is_some());
        assert!(file.current_settings().kiosk_mode, "it may have been on");
        file.update_and_save_settings(|settings| settings.phone_access = true).expect_err("refused");
        std::fs::remove_file(root.path().join("settings.toml")).expect("removed");
        std::fs::rename(&elsewhere, root.path().join("settings.toml")).expect("renamed");
        let settings = file.update_and_save_settings(|settings| settings.phone_access = true).expect("written");
        assert_eq!((settings.keep_hours, file.is_pin_unknown()), (Some(5), false), "what it held is there again");
    }

    #[test]
    fn a_change_that_cannot_be_written_is_not_applied() {
        let (root, data) = open_data_dir();
        let file = SettingsFileHandle::read_settings_file(data);
        // A rename cannot replace a folder.
        std::fs::create_dir(root.path().join("settings.toml")).expect("made");
        file.update_and_save_settings(|settings| settings.phone_access = true).expect_err("refused");
        assert!(!file.current_settings().phone_access);
    }

    #[test]
    fn a_single_text_is_read_in_the_set_language_and_written_by_language() {
        let (root, file) =
            open_settings("[display]\nlanguage = 'fr'\nattract_text = ' Entrez '\nconsent = 'Nous filmons.'\n");
        let display = file.current_settings().display;
        assert_eq!(display.attract_text, LocalizedTextView::from_iter([("fr", "Entrez")]));
        assert_eq!(display.consent, LocalizedTextView::from_iter([("fr", "Nous filmons.")]));
        assert_eq!(file.settings_file_problem(), None);
        file.update_and_save_settings(|settings| settings.display.language = Some("de".into())).expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        assert!(text.contains("[display.consent]\nfr = \"Nous filmons.\""), "{text}");
        let again = SettingsFileHandle::read_settings_file(file.0.data.clone()).current_settings().display;
        assert_eq!((again.attract_text, again.consent), (display.attract_text, display.consent));
    }

    #[test]
    fn a_single_text_is_kept_if_no_language_is_set() {
        let (_root, file) = open_settings("[display]\nconsent = 'We film.'\n");
        let consent = file.current_settings().display.consent;
        assert_eq!(consent.iter_texts_by_language().map(|(_, text)| text).collect::<Vec<_>>(), ["We film."]);
    }

    #[test]
    fn an_unusable_text_is_ignored_for_its_language_only() {
        let (root, file) = open_settings("[display.consent]\nde = 'Wir filmen.'\nfr = 3\nit = 'Filmiamo.'\nja = ' '\n");
        assert_eq!(file.current_settings().display.consent, LocalizedTextView::from_iter([("de", "Wir filmen.")]));
        let load_error = file.settings_file_problem().expect("one");
        assert!(load_error.contains("[display] [consent] `fr`") && !load_error.contains("`ja`"), "{load_error}");
        file.update_and_save_settings(|settings| settings.display.consent = LocalizedTextView::default())
            .expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        assert!(text.contains("it = \"Filmiamo.\"") && !text.contains("Wir filmen"), "{text}");
    }

    #[test]
    fn empty_texts_are_not_written() {
        let (root, file) = open_settings("[display]\nconsent = 'We film.'\n");
        file.update_and_save_settings(|settings| settings.display.consent = LocalizedTextView::default())
            .expect("written");
        let text = std::fs::read_to_string(root.path().join("settings.toml")).expect("there");
        assert!(!text.contains("consent") && !text.contains("attract_text"), "{text}");
    }

    fn some_texts() -> impl Strategy<Value = LocalizedTextView> {
        let text = "[ -~äß好\n\"']{0,40}";
        proptest::collection::vec((proptest::sample::select(&LANGUAGES[..]), text), 0..=LANGUAGES.len())
            .prop_map(LocalizedTextView::from_iter)
    }

    fn some_settings() -> impl Strategy<Value = OperatorSettings> {
        let text = || proptest::option::of("[ -~äß\n\"']{0,40}");
        let display =
            (text(), text(), IDLE_SECONDS_RANGE, some_texts(), some_texts(), any::<bool>(), any::<[bool; 3]>())
                .prop_map(
                    |(monitor, language, idle_seconds, attract_text, consent, voice, [sounds, keep_awake, hours])| {
                        AppearanceAndLanguageSettings {
                            monitor,
                            language,
                            idle_seconds,
                            attract_text,
                            consent,
                            voice,
                            sounds,
                            opening_hours: hours.then(|| "Mon-Fri 09:00-18:00".to_owned()),
                            keep_awake,
                            logo: false,
                        }
                    },
                );
        let whole =
            (any::<u32>(), text(), any::<bool>(), any::<Option<u32>>(), any::<bool>(), display, any::<Option<u16>>());
        whole.prop_map(|(wrong_pins, profile, phones, keep_hours, kiosk_mode, display, port)| OperatorSettings {
            metrics_listen: port.map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
            metrics_token_file: port.map(|_| PathBuf::from("/etc/token")),
            pin: None,
            failed_pin_attempts: wrong_pins,
            profile,
            phone_access: phones,
            keep_hours,
            kiosk_mode,
            display,
            lanes: LaneSettings {
                count: wrong_pins % 9,
                automatic_seconds: None,
                ticket_minutes: 1 + wrong_pins % 1440,
            },
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn written_settings_are_read_back(settings in some_settings()) {
            let mut file = SettingsToml::default();
            file.set_known_keys(settings_to_toml_values(&settings));
            let file = SettingsToml::parse_settings_toml(&file.to_toml()).expect("TOML");
            let mut flaws = Vec::new();
            prop_assert_eq!(convert_file_values_to_settings(file.usable_values_and_report_flaws(&mut flaws)), settings);
            prop_assert!(flaws.is_empty() && file.unknown_keys().is_empty());
        }

        #[test]
        fn a_single_text_is_read_as_the_text_of_the_set_language(
            language in proptest::sample::select(&LANGUAGES[..]),
            text in "[ -~äß好\n\"']{0,40}",
        ) {
            let display = [("language", language), ("consent", &text)].map(|(key, value)| (key, value.to_owned()));
            let written = toml::to_string(&HashMap::from([("display", HashMap::from(display))])).expect("TOML");
            let mut file = SettingsToml::parse_settings_toml(&written).expect("TOML");
            let mut flaws = Vec::new();
            let settings = convert_file_values_to_settings(file.usable_values_and_report_flaws(&mut flaws));
            prop_assert_eq!(&settings.display.consent, &LocalizedTextView::from_iter([(language, &text)]));
            prop_assert!(flaws.is_empty() && file.unknown_keys().is_empty());
            file.set_known_keys(settings_to_toml_values(&settings));
            prop_assert_eq!(convert_file_values_to_settings(file.usable_values_and_report_flaws(&mut flaws)), settings);
        }
    }
}
