//! Failures in words: for each stable code one sentence for the visitor, one for the operator, and what to do.
//!
//! The codes of a visit's endings and faults are `visit`'s; a test holds this table to cover them all.

use crate::view::Problem;
use client::SetupError;
use vault::VaultError;
use visit::Outcome;

struct Words {
    code: &'static str,
    visitor: &'static str,
    operator: &'static str,
    hint: &'static str,
    retry_helps: bool,
}

const fn words(
    code: &'static str,
    visitor: &'static str,
    operator: &'static str,
    hint: &'static str,
    retry_helps: bool,
) -> Words {
    Words { code, visitor, operator, hint, retry_helps }
}

const TABLE: &[Words] = &[
    words("saved", "Your avatar is here.", "The avatar is saved, whole.", "", false),
    words(
        "saved_in_part",
        "Your avatar arrived, but a part of it is missing.",
        "The token was redeemed, but not every file could be saved.",
        "What came is kept as incomplete; a one-time URL cannot be asked again, so the visitor needs a new code for a whole avatar",
        true,
    ),
    words(
        "credentials_refused",
        "This console is not set up yet. Please tell the staff.",
        "The backend refused the credentials.",
        "Check the API key and the login with `copresence credentials status`, set them again with `copresence credentials set`",
        false,
    ),
    words(
        "credentials_missing",
        "This console is not set up yet. Please tell the staff.",
        "Credentials are missing.",
        "Set them with `copresence credentials set`, or in the environment for CI",
        false,
    ),
    words(
        "token_refused",
        "This code did not work. Let's try a new one.",
        "The backend refused the Export Token at the first redeem.",
        "If it happens again, the API URL and the source of the tokens may belong to different backends",
        true,
    ),
    words(
        "token_expired",
        "This code ran out of time. Let's try a new one.",
        "The Export Token expired before an avatar arrived.",
        "Start again for a new code",
        true,
    ),
    words(
        "avatar_failed",
        "Your avatar could not be made this time. Better light often helps.",
        "The backend reported that making the avatar failed.",
        "Record again with even light and the face in the frame",
        true,
    ),
    words(
        "backend_unreachable",
        "We cannot reach the avatar service right now.",
        "The backend cannot be reached.",
        "Check the network, the proxy and the profile's `api_url`",
        true,
    ),
    words(
        "answer_lost",
        "The connection dropped. Trying again.",
        "A request was sent, but its answer never arrived complete.",
        "The next answer tells whether the token was spent; check the network",
        true,
    ),
    words(
        "download_interrupted",
        "The download paused. It goes on by itself.",
        "A download was interrupted and is being resumed.",
        "Nothing to do while it resumes; check the network",
        true,
    ),
    words(
        "backend_busy",
        "The avatar service is busy. Just a moment.",
        "The backend asks for fewer requests (429).",
        "Wait; if it persists, raise `polling.fastest` in the profile",
        true,
    ),
    words(
        "backend_failing",
        "The avatar service has a problem right now.",
        "The backend keeps failing.",
        "Wait and try again; if it persists, tell the backend's operators",
        true,
    ),
    words(
        "protocol_broken",
        "The avatar service gave an answer that we do not understand.",
        "The backend broke the protocol.",
        "Report it to the backend's makers; `--har FILE` records the exchange",
        false,
    ),
    words(
        "possibly_consumed",
        "The connection dropped at the wrong moment. Please start again.",
        "A redeem was sent, its answer never arrived complete, and the token is now refused: the avatar may have been consumed.",
        "The evidence is in `copresence history show`; the visitor needs a new code",
        true,
    ),
    words(
        "timed_out",
        "Nobody finished in time. You can start again.",
        "No avatar arrived in the time allowed.",
        "Start again, or raise `timeout`",
        true,
    ),
    words(
        "storage_failed",
        "This console cannot save anything right now. Please tell the staff.",
        "The data folder cannot be written.",
        "Check the disk and the folder's access rights, or choose another folder with `--data-dir`",
        true,
    ),
    words(
        "disk_full",
        "This console has no room left. Please tell the staff.",
        "The disk is full.",
        "Free some space; `copresence recover` then finishes what was begun",
        true,
    ),
    words(
        "token_abandoned",
        "This code is too old. Let's try a new one.",
        "The Export Token was kept for a week and has been given up.",
        "Start again for a new code",
        true,
    ),
    words(
        "forget_incomplete",
        "Not everything could be removed. Please tell the staff.",
        "Not everything of the visit could be removed.",
        "Fix what is named, then `copresence history forget` or *Wipe now* removes the rest",
        true,
    ),
    words("interrupted", "See you!", "Interrupted.", "`copresence recover` finishes what was redeemed", true),
    words(
        "checks_running",
        STAFF,
        "A run of checks is already in progress.",
        "Wait for it to end, or stop it",
        true,
    ),
    words(
        "checks_disturb",
        STAFF,
        "A visit is in progress at this sandbox, and the checks move its clock forward.",
        "Wait for it to end, or start the checks anyway: its code may expire",
        true,
    ),
    words(
        "checks_stopped",
        STAFF,
        "The run was stopped early.",
        "What was judged by then is kept; start again for the rest",
        true,
    ),
    words("checks_none", STAFF, "No run of checks has ended since the program started.", "Start one", false),
    words(
        "not_recorded",
        STAFF,
        "The exchanges of this visit are no longer in memory.",
        "Only the latest visits since the program started are; begin another one and look again",
        false,
    ),
    words(
        "configuration",
        "This console is not set up yet. Please tell the staff.",
        "The configuration is wrong.",
        "Fix what is named and start again",
        false,
    ),
    words(
        "panel_locked",
        STAFF,
        "The panel is locked.",
        "Enter the PIN; `copresence-kiosk --forget-pin` removes one that nobody remembers",
        false,
    ),
    words("pin_set", STAFF, "A PIN is already set.", "Enter it", false),
    words(
        "pin_wrong",
        STAFF,
        "That is not the current PIN.",
        "Enter the current PIN, then the new one",
        true,
    ),
    words("pin_wait", STAFF, "Too many wrong PINs: the next try has to wait.", "Wait, then try again", true),
    words("pin_length", STAFF, "A PIN must have 4 to 32 digits.", "Choose another one", true),
    words(
        "settings_failed",
        STAFF,
        "The settings cannot be read or saved.",
        "Check the data folder's disk and access rights",
        true,
    ),
    words("setting_unfit", STAFF, "That cannot be set.", "Choose a value that fits", false),
    words(
        "logo_unfit",
        STAFF,
        "That file cannot be the logo.",
        "Choose a PNG of at most 2 MiB and 4096 pixels a side",
        false,
    ),
    words(
        "not_the_sandbox",
        STAFF,
        "The backend in use is not the sandbox.",
        "Choose its profile first",
        false,
    ),
    words(
        "sandbox_failed",
        STAFF,
        "The embedded sandbox cannot do that.",
        "Fix what is named, then try again",
        true,
    ),
    words(
        "display_failed",
        STAFF,
        "The window could not be changed.",
        "Check the monitor and its cable",
        true,
    ),
    words("visit_unknown", STAFF, "There is no such visit.", "Refresh the history", false),
    words(
        "visit_goes_on",
        STAFF,
        "That visit is still in progress.",
        "Wait for it to end, then forget it",
        true,
    ),
];

/// What only an operator meets.
const STAFF: &str = "Please tell the staff.";

/// The words for a code; `detail` (an operator's) says what and where.
pub fn problem(code: &str, detail: Option<&str>) -> Problem {
    let words = TABLE.iter().find(|row| row.code == code);
    let (visitor, operator, hint, retry_helps) = words
        .map_or(("Something went wrong. Please tell the staff.", "Something went wrong.", "", true), |row| {
            (row.visitor, row.operator, row.hint, row.retry_helps)
        });
    let operator = match detail {
        Some(detail) if !detail.is_empty() => format!("{} ({detail})", operator.trim_end_matches('.')),
        _ => operator.to_owned(),
    };
    Problem {
        code: code.to_owned(),
        visitor: visitor.to_owned(),
        operator,
        hint: hint.to_owned(),
        retry_helps,
    }
}

/// The words for an ending.
pub fn of_outcome(outcome: &Outcome) -> Problem {
    problem(outcome.code(), outcome.detail())
}

/// The word for what keeps a backend from being asked.
pub(crate) fn setup_code(error: &SetupError) -> &'static str {
    match error {
        SetupError::MissingApiKey { .. }
        | SetupError::MissingSession
        | SetupError::IncompleteLogin
        | SetupError::MissingPartnerKey { .. } => "credentials_missing",
        _ => "configuration",
    }
}

/// The words for what keeps a backend from being asked.
pub fn of_setup(error: &SetupError) -> Problem {
    problem(setup_code(error), Some(&error.to_string()))
}

/// The keychain's failure, in its own words.
pub fn of_vault(error: &VaultError) -> Problem {
    Problem {
        code: error.code().replace('-', "_"),
        visitor: STAFF.to_owned(),
        operator: sentence(&error.to_string()),
        hint: error.remedy().trim_end_matches('.').to_owned(),
        retry_helps: true,
    }
}

/// Words as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// One message for an operator: what happened, and what to do.
pub fn message(problem: &Problem) -> String {
    let end = if problem.operator.ends_with(['.', '!', '?']) { "" } else { "." };
    if problem.hint.is_empty() {
        format!("{}{end}", problem.operator)
    } else {
        format!("{}{end} {}.", problem.operator, problem.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use visit::FaultKind;

    #[test]
    fn every_code_has_words_and_stands_once() {
        let mut codes: Vec<&str> = Outcome::each().iter().map(Outcome::code).collect();
        codes.extend(FaultKind::ALL.map(FaultKind::code));
        for code in codes {
            assert!(TABLE.iter().any(|row| row.code == code), "{code}");
        }
        let unique: HashSet<_> = TABLE.iter().map(|row| row.code).collect();
        assert_eq!(unique.len(), TABLE.len());
    }

    #[test]
    fn the_keychain_is_told_in_its_own_words() {
        let problem = of_vault(&VaultError::Locked);
        assert_eq!(problem.code, "keychain_locked");
        assert_eq!(problem.operator, "The system's keychain is locked.");
        assert!(problem.retry_helps && !problem.hint.is_empty() && !problem.hint.ends_with('.'));
    }

    #[test]
    fn the_detail_stands_in_the_operators_sentence() {
        let outcome = Outcome::Unreachable("connection refused".into());
        let problem = of_outcome(&outcome);
        assert_eq!(problem.operator, "The backend cannot be reached (connection refused)");
        assert!(message(&problem).starts_with("The backend cannot be reached (connection refused). Check"));
    }
}
