//! Gathers what the panel shows.

use super::backend_sources::ProfileAndCredentialSources;
use crate::app::BackendConfig;
use crate::view::panel::{AppearanceAndLanguageSettings, CredentialView, PastVisit, ProfileChoice};
use crate::view::{
    ExportTokenOutcomeCountsView, IssuedTokenOutcome, LaneSettings, PastTicketView, Problem, TicketClosing,
    TicketColour, TicketName, TicketSymbol,
};
use copresence_engine::credentials::{self, CredentialKind, CredentialOrigin, FoundCredentials};
use copresence_engine::history::FileDownloadState;
use copresence_engine::home_path::{abbreviate_home, abbreviate_home_in_text};
use copresence_engine::opening_hours::OpeningHours;
use copresence_engine::problem::{problem_for_code, problem_for_keychain_error};
use copresence_engine::profile::Profiles;
use copresence_engine::settings_toml::{
    AUTOMATIC_HAND_OVER_SECONDS_RANGE, IDLE_SECONDS_RANGE, LANE_COUNT_RANGE, LANGUAGES, TICKET_MINUTES_RANGE,
};
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend};
use copresence_store::{DetailedVisitRecord, StoreError, TicketRecord, TokenCounts, VisitId, VisitRecord};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Maximum number of visits in the history.
const MAX_PAST_VISITS: u32 = 500;
const MAX_ATTRACT_CHARS: usize = 120;
const MAX_CONSENT_CHARS: usize = 10_000;

/// Every profile with its problem, if it has one, and the path of the file.
pub(super) fn load_profile_choices_and_path(
    sources: &ProfileAndCredentialSources,
    in_use: &str,
) -> (Vec<ProfileChoice>, String) {
    match Profiles::load_profiles(sources.config.as_deref()) {
        Ok(profiles) => {
            let choices = profiles
                .profile_names()
                .into_iter()
                .map(|name| build_profile_choice_with_host_or_flaw(&profiles, name))
                .collect();
            (
                choices,
                abbreviate_home(&profiles.loaded_profiles_path().display().to_string(), dirs::home_dir().as_deref()),
            )
        }
        Err(error) => {
            let name = in_use.to_owned();
            let path = sources.config.clone().unwrap_or_else(copresence_engine::profile::default_profiles_path);
            let home = dirs::home_dir();
            let flaw = Some(abbreviate_home_in_text(&error.to_string(), home.as_deref()));
            let path = abbreviate_home(&path.display().to_string(), home.as_deref());
            (vec![ProfileChoice { name, host: None, flaw }], path)
        }
    }
}

/// A profile with its host, or with the reason why it cannot be used.
fn build_profile_choice_with_host_or_flaw(profiles: &Profiles, name: String) -> ProfileChoice {
    let target = profiles.build_profile_by_name(&name).map_err(|error| error.to_string()).and_then(|profile| {
        if profile.uses_embedded_sandbox() {
            return Ok(None);
        }
        ProfileOrSandboxBackend::backend_target_without_credentials(&profile)
            .map(Some)
            .map_err(|error| error.to_string())
    });
    match target {
        Ok(target) => ProfileChoice { name, host: target.map(|target| target.host_and_port()), flaw: None },
        Err(flaw) => {
            let flaw = Some(abbreviate_home_in_text(&flaw, dirs::home_dir().as_deref()));
            ProfileChoice { name, host: None, flaw }
        }
    }
}

/// Loads the views of the credentials that the profile in use can need, without values, and the reason why the keychain
/// cannot be used. Blocks on it.
pub(super) fn load_credential_views_and_keychain_problem(
    sources: &ProfileAndCredentialSources,
    backend_config: &BackendConfig,
) -> (Vec<CredentialView>, Option<Problem>) {
    let profile = &backend_config.profile;
    if profile.uses_embedded_sandbox() {
        return (Vec::new(), None);
    }
    let (found, trouble) = match credentials::find_credentials(profile, &sources.credential_store, &*sources.env) {
        Ok(found) => {
            let note = found.keychain_error.as_ref().map(problem_for_keychain_error);
            (found, note)
        }
        Err(error) => (FoundCredentials::default(), Some(problem_for_keychain_error(&error))),
    };
    let view = |slot: CredentialKind| {
        let origin = found.origin_of_credential(slot).map(|origin| match origin {
            CredentialOrigin::Environment => "environment",
            CredentialOrigin::ThisRun => "this run",
            CredentialOrigin::Keychain => "keychain",
        });
        let ends_in = found.masked_credential(slot).map(|masked| masked.trim_start_matches('…').to_owned());
        CredentialView {
            slot: slot.as_str().to_owned(),
            ends_in: ends_in.filter(|end| !end.is_empty()),
            set: origin.is_some(),
            origin: origin.map(str::to_owned),
        }
    };
    (credentials::credential_kinds_usable_by_profile(profile).into_iter().map(view).collect(), trouble)
}

/// Validates display settings, and trims their texts.
///
/// # Errors
/// `setting_unfit` names the setting and its allowed values.
pub(super) fn validate_and_trim_display_settings(
    display: AppearanceAndLanguageSettings,
) -> Result<AppearanceAndLanguageSettings, Problem> {
    let unfit = |words: String| Err(problem_for_code("setting_unfit", Some(&words)));
    let tidy = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let one_of = |language: &str| format!("one of {}, not {language}", LANGUAGES.join(", "));
    let (attract_text, consent) = (display.attract_text.trim_and_drop_empty(), display.consent.trim_and_drop_empty());
    for (what, texts, most) in
        [("attract_text", &attract_text, MAX_ATTRACT_CHARS), ("consent", &consent, MAX_CONSENT_CHARS)]
    {
        for (language, text) in texts.iter_texts_by_language() {
            if !LANGUAGES.contains(&language) {
                return unfit(format!("the language of `{what}` must be {}", one_of(language)));
            }
            if text.chars().count() > most {
                return unfit(format!("`{what}` in `{language}` may have at most {most} characters"));
            }
        }
    }
    if !IDLE_SECONDS_RANGE.contains(&display.idle_seconds) {
        let (least, most) = (IDLE_SECONDS_RANGE.start(), IDLE_SECONDS_RANGE.end());
        return unfit(format!("`idle_seconds` must be {least} to {most}, not {}", display.idle_seconds));
    }
    let language = tidy(display.language);
    if let Some(language) = language.as_deref().filter(|language| !LANGUAGES.contains(language)) {
        return unfit(format!("`language` must be {}", one_of(language)));
    }
    let opening_hours = tidy(display.opening_hours);
    if let Some(Err(error)) = opening_hours.as_deref().map(str::parse::<OpeningHours>) {
        return unfit(format!("`opening_hours`: {error}"));
    }
    let monitor = tidy(display.monitor);
    Ok(AppearanceAndLanguageSettings { monitor, language, attract_text, consent, opening_hours, ..display })
}

/// Returns the settings of the lanes, or a problem if one of them is outside its range.
pub(super) fn validate_lane_settings(lanes: LaneSettings) -> Result<LaneSettings, Problem> {
    let check = |name: &str, value: u32, range: RangeInclusive<u32>| {
        if range.contains(&value) {
            return Ok(());
        }
        let (least, most) = (range.start(), range.end());
        Err(problem_for_code("setting_unfit", Some(&format!("`{name}` must be {least} to {most}, not {value}"))))
    };
    check("count", lanes.count, LANE_COUNT_RANGE)?;
    if let Some(seconds) = lanes.automatic_seconds {
        check("automatic_seconds", seconds, AUTOMATIC_HAND_OVER_SECONDS_RANGE)?;
    }
    check("ticket_minutes", lanes.ticket_minutes, TICKET_MINUTES_RANGE)?;
    Ok(lanes)
}

/// The numbers of Export Tokens as the operator sees them.
pub(super) fn to_token_counts_view(counts: TokenCounts) -> ExportTokenOutcomeCountsView {
    let TokenCounts { active, spent, abandoned } = counts;
    ExportTokenOutcomeCountsView { issued: counts.issued_token_count(), active, spent, abandoned }
}

/// The ticket of a visit for the history; `None` if this version does not know its words.
fn to_past_ticket_view(record: &TicketRecord) -> Option<PastTicketView> {
    let colour = TicketColour::parse_stable_word(&record.colour)?;
    let symbol = TicketSymbol::parse_stable_word(&record.symbol)?;
    let closed = record.closure.as_ref().and_then(|closure| TicketClosing::parse_stable_word(&closure.how));
    Some(PastTicketView { name: TicketName { colour, symbol }, closed })
}

/// The latest visits of the journal, newest first, running ones included.
pub(super) async fn load_latest_visits_for_history(
    data_store: &DataStore,
    live: &[VisitId],
    asset_base: &str,
) -> Result<Vec<PastVisit>, StoreError> {
    let mut past = Vec::new();
    let tickets = data_store.journal.load_tickets().await?;
    for record in data_store.journal.load_latest_visits(MAX_PAST_VISITS).await? {
        let id = record.start.id;
        // A visit that was deleted in the meantime is skipped.
        if let Some(detail) = data_store.journal.load_detailed_visit_record(&id).await? {
            let ticket = tickets.iter().find(|ticket| ticket.visit == id).and_then(to_past_ticket_view);
            past.push(to_past_visit(&detail, live.contains(&id), asset_base, ticket));
        }
    }
    Ok(past)
}

/// A visit of the journal as a row of the history; `live` says that it still runs.
fn to_past_visit(
    detail: &DetailedVisitRecord,
    live: bool,
    asset_base: &str,
    ticket: Option<PastTicketView>,
) -> PastVisit {
    let VisitRecord { start, ending, .. } = &detail.visit;
    let directory = ending.as_ref().and_then(|ending| ending.directory.as_ref());
    let whole = || {
        detail.files.iter().filter_map(|file| match &file.state {
            FileDownloadState::Complete { bytes, .. } => Some((file.name.as_str(), *bytes)),
            _ => None,
        })
    };
    let portrait = whole().map(|(name, _)| name).find(|name| may_be_portrait_file(name));
    let portrait = portrait.filter(|_| directory.is_some());
    let words = match ending {
        Some(ending) => problem_for_code(&ending.code, None).operator,
        None if live => "In progress.".to_owned(),
        None => "It was cut short, and has not been finished yet.".to_owned(),
    };
    let notes = detail.files.iter().filter_map(|file| match &file.state {
        FileDownloadState::Complete { notes, .. } => {
            Some(notes.iter().map(|note| format!(" {}: {}.", file.name, note.message)))
        }
        _ => None,
    });
    let words = notes.flatten().fold(words, |words, note| words + &note);
    let home = dirs::home_dir();
    PastVisit {
        visit: start.id.to_string(),
        started_at: start.started_at.to_string(),
        profile: start.profile.clone(),
        ended: ending.as_ref().map(|ending| ending.code.clone()),
        words,
        directory: directory.map(|path| abbreviate_home(&path.display().to_string(), home.as_deref())),
        bytes: whole().map(|(_, bytes)| bytes).sum(),
        portrait: portrait.map(|name| format!("{asset_base}/past/{}/{name}", start.id)),
        live,
        token: detail.visit.token_use().map(IssuedTokenOutcome::from),
        ticket,
    }
}

/// Whether a file can be a portrait: a PNG by its extension.
fn may_be_portrait_file(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "png")
}

/// Path of a past visit's portrait by its name in the journal. No other file of the folder is available.
pub(super) async fn find_portrait_path_in_journal(data_store: &DataStore, visit: &str, name: &str) -> Option<PathBuf> {
    let detail = data_store.journal.load_detailed_visit_record(&visit.parse().ok()?).await.ok()??;
    let is_whole = |file: &copresence_store::FileRecord| matches!(file.state, FileDownloadState::Complete { .. });
    detail.files.iter().find(|file| file.name == name && may_be_portrait_file(name) && is_whole(file))?;
    Some(detail.visit.ending?.directory?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::OperatorSettings;
    use crate::view::LocalizedTextView;

    #[test]
    fn display_settings_are_trimmed_and_validated() {
        let base = || OperatorSettings::default().display;
        let text = |text: &str| Some(text.to_owned());
        let texts = |language: &str, text: &str| LocalizedTextView::from_iter([(language, text)]);
        let sent = |json: &str| serde_json::from_str::<LocalizedTextView>(json).expect("texts");
        let (attract_text, consent) = (sent(r#"{"en":"  Hello ","ja":""}"#), sent(r#"{"de":" "}"#));
        let fitted =
            validate_and_trim_display_settings(AppearanceAndLanguageSettings { attract_text, consent, ..base() })
                .expect("it fits");
        assert_eq!((fitted.attract_text, fitted.consent), (texts("en", "Hello"), LocalizedTextView::default()));
        for (unfit, says) in [
            (AppearanceAndLanguageSettings { idle_seconds: 14, ..base() }, "idle_seconds"),
            (AppearanceAndLanguageSettings { idle_seconds: 3601, ..base() }, "idle_seconds"),
            (AppearanceAndLanguageSettings { opening_hours: Some("9 to 5".to_owned()), ..base() }, "opening_hours"),
            (AppearanceAndLanguageSettings { language: text("xx"), ..base() }, "zh-Hans"),
            (
                AppearanceAndLanguageSettings { attract_text: texts("de", &"ä".repeat(121)), ..base() },
                "`attract_text` in `de`",
            ),
            (
                AppearanceAndLanguageSettings { consent: texts("zh-Hans", &"好".repeat(10_001)), ..base() },
                "`consent` in `zh-Hans`",
            ),
            (
                AppearanceAndLanguageSettings { consent: texts("it", "Sì"), ..base() },
                "the language of `consent` must be one of de",
            ),
        ] {
            let refused = validate_and_trim_display_settings(unfit).expect_err("refused");
            assert!(refused.code == "setting_unfit" && refused.operator.contains(says), "{refused:?}");
        }
        assert!(
            validate_and_trim_display_settings(AppearanceAndLanguageSettings {
                attract_text: texts("de", &"ä".repeat(120)),
                consent: texts("zh-Hans", &"好".repeat(10_000)),
                ..base()
            })
            .is_ok()
        );
    }
}
