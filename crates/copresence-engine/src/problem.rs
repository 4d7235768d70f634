//! Messages for people: for each stable error code one sentence for the visitor, one for the operator, and what to do.
//!
//! The codes of outcomes and failures come from `copresence_visit`; a test checks that this table has them all.

use copresence_client::{ApiClient, SetupError};
use copresence_credentials::KeychainError;
use copresence_visit::Outcome;
use serde::Serialize;

/// A failure for people: a stable code, and a sentence for each audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable code, as in `backend_unreachable`.
    pub code: String,
    /// Sentence for the visitor.
    pub visitor: String,
    /// Sentence for the operator, with details.
    pub operator: String,
    /// What to do about it.
    pub hint: String,
    /// Whether trying again can help.
    pub retry_helps: bool,
}

/// The messages for one problem code: for the visitor, for the operator, a hint, and whether a retry helps.
struct ProblemMessages {
    code: &'static str,
    visitor: &'static str,
    operator: &'static str,
    hint: &'static str,
    retry_helps: bool,
}

/// Builds a row of the table of messages.
const fn build_problem_messages(
    code: &'static str,
    visitor: &'static str,
    operator: &'static str,
    hint: &'static str,
    retry_helps: bool,
) -> ProblemMessages {
    ProblemMessages { code, visitor, operator, hint, retry_helps }
}

const MESSAGES: &[ProblemMessages] = &[
    build_problem_messages("saved", "Your avatar is here.", "The avatar is saved, whole.", "", false),
    build_problem_messages(
        "saved_in_part",
        "Your avatar arrived, but a part of it is missing.",
        "The token was redeemed, but a file is missing, or the response could not be read to its end.",
        "Every file that came is kept, marked as incomplete; what is named here cannot be requested again. If a file is missing, the visitor needs a new code for a whole avatar",
        true,
    ),
    build_problem_messages(
        "credentials_refused",
        "This console is not set up yet. Please tell the staff.",
        "The backend refused the credentials.",
        "Check them with `copresence credentials status --profile NAME`, and set them again with `copresence credentials set --profile NAME`",
        false,
    ),
    build_problem_messages(
        "credentials_missing",
        "This console is not set up yet. Please tell the staff.",
        "Credentials are missing.",
        "Set them with `copresence credentials set --profile NAME`, or in the environment for CI",
        false,
    ),
    build_problem_messages(
        "token_refused",
        "This code did not work. Let's try a new one.",
        "The backend refused the Export Token, and no answer before had shown that it was active.",
        "If it happens again, the API URL and the source of the tokens may belong to different backends",
        true,
    ),
    build_problem_messages(
        "token_expired",
        "This code ran out of time. Let's try a new one.",
        "The Export Token expired before an avatar arrived.",
        "Start again for a new code",
        true,
    ),
    build_problem_messages(
        "avatar_failed",
        "Your avatar could not be made this time. Better light often helps.",
        "The backend reported that making the avatar failed.",
        "Record again with even light and the face in the frame",
        true,
    ),
    build_problem_messages(
        "backend_unreachable",
        "We cannot reach the avatar service right now.",
        "The backend cannot be reached.",
        "Check the network, the proxy and the profile's `api_url`",
        true,
    ),
    build_problem_messages(
        "answer_lost",
        "The connection dropped. Trying again.",
        "A request was sent, but its answer never arrived complete.",
        "The next answer tells whether the token was spent; check the network",
        true,
    ),
    build_problem_messages(
        "download_interrupted",
        "The download paused. Your avatar is kept, and comes as soon as the connection is back.",
        "A download is interrupted.",
        "Everything is kept and tried again by itself, at the next start and by `copresence recover`; check the network and the file server",
        true,
    ),
    build_problem_messages(
        "backend_busy",
        "The avatar service is busy. Just a moment.",
        "The backend asks for fewer requests (429).",
        "Wait; if it persists, raise `polling.fastest` in the profile",
        true,
    ),
    build_problem_messages(
        "backend_failing",
        "The avatar service has a problem right now.",
        "The backend keeps failing.",
        "Wait and try again; if it persists, tell the backend's operators",
        true,
    ),
    build_problem_messages(
        "gate",
        "This network does not let us through to the avatar service. Please tell the staff.",
        "Something between this machine and the backend answers in its place.",
        "Open the profile's `api_url` in a browser on this machine: log in if the network or proxy asks for it, or have the host allowed in the proxy or firewall",
        true,
    ),
    build_problem_messages(
        "no_api",
        "This console is not set up yet. Please tell the staff.",
        "There is no API at this address.",
        "Check the path of the profile's `api_url` (or the partner's URLs); `copresence doctor` tries them",
        true,
    ),
    build_problem_messages(
        "protocol_broken",
        "The avatar service gave an answer that we do not understand.",
        "The backend broke the protocol.",
        "Report it to the backend's makers; `--har FILE` records the exchange",
        false,
    ),
    build_problem_messages(
        "possibly_consumed",
        "The connection dropped at the wrong moment. Please start again.",
        "A redeem was sent, no response showed whether it succeeded, and the token is now refused or given up: the avatar may have been consumed.",
        "The evidence is in `copresence history show`; the visitor needs a new code",
        true,
    ),
    build_problem_messages(
        "timed_out",
        "Nobody finished in time. You can start again.",
        "No avatar arrived in the time allowed.",
        "Start again, or raise `timeout`",
        true,
    ),
    build_problem_messages(
        "storage_failed",
        "This console cannot save anything right now. Please tell the staff.",
        "A folder cannot be used.",
        "Check that the disk of the named folder is mounted, and that the folder exists and may be written; what was received is kept, and `copresence recover` then finishes it",
        true,
    ),
    build_problem_messages(
        "disk_full",
        "This console has no room left. Please tell the staff.",
        "The disk is full.",
        "Free some space; `copresence recover` then finishes what was begun",
        true,
    ),
    build_problem_messages(
        "token_abandoned",
        "This code is too old. Let's try a new one.",
        "The Export Token was kept for a week and has been given up.",
        "Start again for a new code",
        true,
    ),
    build_problem_messages(
        "forget_incomplete",
        "Not everything could be removed. Please tell the staff.",
        "Not everything of the visit could be removed.",
        "Fix what is named, then `copresence history forget` or *Wipe now* removes the rest",
        true,
    ),
    build_problem_messages(
        "interrupted",
        "See you!",
        "Interrupted.",
        "`copresence recover` finishes what was redeemed",
        true,
    ),
    build_problem_messages(
        "outside_hours",
        "We are closed right now.",
        "The booth is closed: it is outside of its opening hours.",
        "Change `opening_hours` below [machine] in settings.toml if that is wrong",
        false,
    ),
    build_problem_messages(
        "checks_running",
        TELL_STAFF,
        "A run of checks is already in progress.",
        "Wait for it to end, or stop it",
        true,
    ),
    build_problem_messages(
        "checks_disturb",
        TELL_STAFF,
        "A visit is in progress at this sandbox, and the checks move its clock forward.",
        "Wait for it to end, or start the checks anyway: its code may expire",
        true,
    ),
    build_problem_messages(
        "checks_stopped",
        TELL_STAFF,
        "The run was stopped early.",
        "What was judged by then is kept; start again for the rest",
        true,
    ),
    build_problem_messages(
        "checks_none",
        TELL_STAFF,
        "No run of checks has ended since the program started.",
        "Start one",
        false,
    ),
    build_problem_messages(
        "not_recorded",
        TELL_STAFF,
        "The exchanges of this visit are no longer in memory.",
        "Only the latest visits since the program started are; begin another one and look again",
        false,
    ),
    build_problem_messages(
        "configuration",
        "This console is not set up yet. Please tell the staff.",
        "The configuration is wrong.",
        "Fix what is named and start again",
        false,
    ),
    build_problem_messages(
        "panel_locked",
        TELL_STAFF,
        "The panel is locked.",
        "Enter the PIN; `copresence-kiosk --forget-pin` removes one that nobody remembers",
        false,
    ),
    build_problem_messages("pin_set", TELL_STAFF, "A PIN is already set.", "Enter it", false),
    build_problem_messages(
        "first_pin_late",
        TELL_STAFF,
        "In kiosk mode, the first PIN can be chosen at the screen only within ten minutes of the start.",
        "Restart the program, or stop it and run `copresence-kiosk --set-pin`",
        false,
    ),
    build_problem_messages(
        "pin_wrong",
        TELL_STAFF,
        "That is not the current PIN.",
        "Enter the current PIN, then the new one",
        true,
    ),
    build_problem_messages(
        "pin_wait",
        TELL_STAFF,
        "Too many wrong PINs: the next try has to wait.",
        "Wait, then try again",
        true,
    ),
    build_problem_messages("pin_length", TELL_STAFF, "A PIN must have 4 to 32 digits.", "Choose another one", true),
    build_problem_messages(
        "settings_failed",
        TELL_STAFF,
        "The settings cannot be read or saved.",
        "Check the data folder's disk and access rights",
        true,
    ),
    build_problem_messages("setting_unfit", TELL_STAFF, "That cannot be set.", "Choose a value that fits", false),
    build_problem_messages(
        "logo_unfit",
        TELL_STAFF,
        "That file cannot be the logo.",
        "Choose a PNG of at most 2 MiB and 4096 pixels a side",
        false,
    ),
    build_problem_messages(
        "not_the_sandbox",
        TELL_STAFF,
        "The backend in use is not the sandbox.",
        "Choose its profile first",
        false,
    ),
    build_problem_messages(
        "sandbox_failed",
        TELL_STAFF,
        "The embedded sandbox cannot do that.",
        "Fix what is named, then try again",
        true,
    ),
    build_problem_messages(
        "display_failed",
        TELL_STAFF,
        "The window could not be changed.",
        "Check the monitor and its cable",
        true,
    ),
    build_problem_messages("visit_unknown", TELL_STAFF, "There is no such visit.", "Refresh the history", false),
    build_problem_messages(
        "visit_goes_on",
        TELL_STAFF,
        "That visit is still in progress.",
        "Wait for it to end, then forget it",
        true,
    ),
    build_problem_messages(
        "ticket_unknown",
        TELL_STAFF,
        "There is no such ticket: it was opened, expired or deleted.",
        "Look for its visit in the history",
        false,
    ),
    build_problem_messages(
        "screen_in_use",
        TELL_STAFF,
        "A visit is on the screen, and the ticket would take its place.",
        "Let the visitor finish or leave, then open the ticket",
        true,
    ),
];

/// For problems that only operators see.
const TELL_STAFF: &str = "Please tell the staff.";

/// The problem of an error code; `detail` tells operators what and where.
pub fn problem_for_code(code: &str, detail: Option<&str>) -> Problem {
    let message = MESSAGES.iter().find(|row| row.code == code);
    let (visitor, operator, hint, retry_helps) = message
        .map_or(("Something went wrong. Please tell the staff.", "Something went wrong.", "", true), |row| {
            (row.visitor, row.operator, row.hint, row.retry_helps)
        });
    let operator = match detail {
        Some(detail) if !detail.is_empty() => format!("{} ({detail})", operator.trim_end_matches('.')),
        _ => operator.to_owned(),
    };
    Problem { code: code.to_owned(), visitor: visitor.to_owned(), operator, hint: hint.to_owned(), retry_helps }
}

/// The problem to report when a visit ends with this outcome.
pub fn problem_for_outcome(outcome: &Outcome) -> Problem {
    problem_for_code(outcome.error_code(), outcome.detail_for_operator())
}

/// The problem of an outcome, with what can be done about the credentials in use if the backend refused them.
pub fn outcome_problem_with_credentials_remedy(outcome: &Outcome, api: &ApiClient) -> Problem {
    let problem = problem_for_outcome(outcome);
    match (outcome, api.remedy_if_credentials_refused()) {
        (Outcome::CredentialsRefused(_), Some(remedy)) => Problem { hint: remedy.to_owned(), ..problem },
        _ => problem,
    }
}

/// The error code of a client that cannot be made.
pub fn code_for_client_setup_error(error: &SetupError) -> &'static str {
    match error {
        SetupError::MissingApiKey { .. }
        | SetupError::MissingSession
        | SetupError::IncompleteLogin
        | SetupError::MissingPartnerKey { .. } => "credentials_missing",
        _ => "configuration",
    }
}

/// The problem for a setup error: the client cannot be made.
pub fn problem_for_setup_error(error: &SetupError) -> Problem {
    problem_for_code(code_for_client_setup_error(error), Some(&error.to_string()))
}

/// The problem of a keychain error, with the keychain's own message.
pub fn problem_for_keychain_error(error: &KeychainError) -> Problem {
    Problem {
        code: error.error_code().replace('-', "_"),
        visitor: TELL_STAFF.to_owned(),
        operator: capitalize_and_end_sentence(&error.to_string()),
        hint: error.remedy().trim_end_matches('.').to_owned(),
        retry_helps: true,
    }
}

/// A text with a capital letter and a full stop.
fn capitalize_and_end_sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// A message for operators: what happened, and what to do.
pub fn operator_message_with_hint(problem: &Problem) -> String {
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
    use copresence_visit::VisitStepFailureKind;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_one_message() {
        let mut codes: Vec<&str> = Outcome::example_of_each_outcome().iter().map(Outcome::error_code).collect();
        codes.extend(VisitStepFailureKind::ALL.map(VisitStepFailureKind::failure_code));
        for code in codes {
            assert!(MESSAGES.iter().any(|row| row.code == code), "{code}");
        }
        let unique: HashSet<_> = MESSAGES.iter().map(|row| row.code).collect();
        assert_eq!(unique.len(), MESSAGES.len());
    }

    #[test]
    fn a_keychain_error_keeps_its_own_message() {
        let problem = problem_for_keychain_error(&KeychainError::Locked);
        assert_eq!(problem.code, "keychain_locked");
        assert_eq!(problem.operator, "The system's keychain is locked.");
        assert!(problem.retry_helps && !problem.hint.is_empty() && !problem.hint.ends_with('.'));
    }

    #[test]
    fn the_detail_is_in_the_operators_message() {
        let outcome = Outcome::Unreachable("connection refused".into());
        let problem = problem_for_outcome(&outcome);
        assert_eq!(problem.operator, "The backend cannot be reached (connection refused)");
        assert!(
            operator_message_with_hint(&problem)
                .starts_with("The backend cannot be reached (connection refused). Check")
        );
    }
}
