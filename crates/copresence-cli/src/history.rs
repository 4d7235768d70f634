//! `copresence history`: lists, shows and forgets past visits.

mod receipt;
mod tickets_and_tokens;

use crate::args::HistoryCommand;
use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::{context, output};
use copresence_engine::events::format_rfc3339;
use copresence_engine::history::{
    DetailedVisitRecord, FileDownloadState, ForgetResult, IssuedTokenOutcome, MissingDiskPolicy, RedeemState,
    TicketRecord, VisitId, VisitRecord, forget_matching_visits_with_policy,
};
use copresence_engine::setup::DataStore;
use jiff::Timestamp;
use serde_json::json;

/// Runs `copresence history`: lists, shows or forgets visits. Returns the exit code.
pub(crate) async fn run_history_command(common: &CommonOptions, command: HistoryCommand) -> Result<u8, CommandFailure> {
    let data_store = context::open_data_store(common)?;
    match command {
        HistoryCommand::List => print_visit_list(common, &data_store).await?,
        HistoryCommand::Show { id } => print_visit_details(common, &data_store, &id).await?,
        HistoryCommand::Tokens => tickets_and_tokens::print_export_token_outcome_counts(common, &data_store).await?,
        HistoryCommand::Receipt { id } => receipt::print_receipts(common, &data_store, id.as_deref()).await?,
        HistoryCommand::Forget { receipts: true, .. } => receipt::remove_receipts(common, &data_store).await?,
        HistoryCommand::Forget { id, older_than, without_files, .. } => {
            let id = match id {
                Some(id) => Some(find_visit_id(&data_store, &id).await?),
                None => None,
            };
            let before = older_than
                .map(|age| Timestamp::now().checked_sub(age))
                .transpose()
                .map_err(|error| CommandFailure::usage_error(format!("--older-than: {error}")))?;
            let is_chosen = |visit: &VisitRecord| {
                id.is_none_or(|id| visit.start.id == id) && before.is_none_or(|before| visit.start.started_at < before)
            };
            let policy =
                if without_files { MissingDiskPolicy::ForgetWithoutFiles } else { MissingDiskPolicy::KeepVisit };
            print_forget_result(common, &forget_matching_visits_with_policy(&data_store, policy, is_chosen).await?);
        }
    }
    Ok(0)
}

/// Prints all visits of the journal as a table, or with `--json` one object per line.
async fn print_visit_list(common: &CommonOptions, data_store: &DataStore) -> Result<(), CommandFailure> {
    let visits = data_store.journal.load_all_visits().await?;
    let tickets = tickets_and_tokens::load_tickets_by_visit(data_store).await?;
    if common.json {
        for visit in &visits {
            output::print_json_line(&visit_to_json(visit, tickets.get(&visit.start.id)));
        }
        return Ok(());
    }
    if visits.is_empty() {
        output::eprint_sanitized_line(format_args!("No visits yet."));
        return Ok(());
    }
    output::print_stdout_line(format_args!(
        "{:<36}  {:<20}  {:<12}  {:<18}  FILES",
        "VISIT", "BEGAN (UTC)", "PROFILE", "ENDED"
    ));
    for visit in &visits {
        let ended = visit.ending.as_ref().map_or("-", |ending| ending.code.as_str());
        let row = format!(
            "{:<36}  {:<20}  {:<12}  {:<18}  {}",
            visit.start.id,
            visit.start.started_at.strftime("%F %T"),
            visit.start.profile,
            ended,
            saved_directory_or_dash(visit)
        );
        output::print_stdout_line(format_args!("{}", output::sanitize_for_terminal(&row)));
    }
    tickets_and_tokens::print_token_and_ticket_counts(data_store, &tickets).await
}

/// Prints one visit with its redeems and files.
async fn print_visit_details(common: &CommonOptions, data_store: &DataStore, id: &str) -> Result<(), CommandFailure> {
    let id = find_visit_id(data_store, id).await?;
    let Some(detail) = data_store.journal.load_detailed_visit_record(&id).await? else {
        return Err(CommandFailure::usage_error(format!("there is no visit {id} in the history")));
    };
    let ticket = tickets_and_tokens::load_tickets_by_visit(data_store).await?.remove(&id);
    if common.json {
        let mut whole = visit_to_json(&detail.visit, ticket.as_ref());
        whole["redeems"] = detail.redeems.iter().map(|r| redeem_to_json(&r.outcome, r.intent_at)).collect();
        whole["files"] = files_to_json(&detail);
        output::print_json_line(&whole);
        return Ok(());
    }
    let visit = &detail.visit;
    let row = |name: &str, value: String| {
        output::print_stdout_line(format_args!("{name:<10} {}", output::sanitize_for_terminal(&value)));
    };
    row("visit", visit.start.id.to_string());
    row("began", format_rfc3339(visit.start.started_at));
    row("profile", format!("{} at {}", visit.start.profile, visit.start.api_url));
    if let Some(ending) = &visit.ending {
        row("ended", format!("{} {} (exit {})", format_rfc3339(ending.at), ending.code, ending.exit));
        row("", ending.message.clone());
    }
    if let Some(token_use) = visit.token_use() {
        row("token", tickets_and_tokens::describe_export_token_outcome(token_use).to_owned());
    }
    if let Some(ticket) = &ticket {
        row("ticket", tickets_and_tokens::describe_ticket(ticket));
    }
    row("files in", saved_directory_or_dash(visit));
    for redeem in &detail.redeems {
        row("redeem", format!("{} {}", format_rfc3339(redeem.intent_at), describe_redeem_outcome(&redeem.outcome)));
    }
    for file in &detail.files {
        row("file", format!("{} ({}) {}", file.name, file.export_type, describe_file_state(&file.state)));
    }
    Ok(())
}

/// Finds a visit in the history by its whole id, by a unique prefix, or by a unique suffix of at least 4 characters.
async fn find_visit_id(data_store: &DataStore, text: &str) -> Result<VisitId, CommandFailure> {
    let all = data_store.journal.load_all_visits().await?;
    find_matching_visit_id(all.iter().map(|visit| visit.start.id), text)
}

/// Finds an id among others by its whole text, by a unique prefix, or by a unique suffix of at least 4 characters.
fn find_matching_visit_id(all: impl Iterator<Item = VisitId>, text: &str) -> Result<VisitId, CommandFailure> {
    let wanted = text.to_ascii_lowercase();
    let mut matching = all.filter(|id| {
        let id = id.to_string();
        id.starts_with(&wanted) || (wanted.len() >= 4 && id.ends_with(&wanted))
    });
    match (matching.next(), matching.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => {
            Err(CommandFailure::usage_error(format!("`{text}` matches several visits: give more of the id")))
        }
        (None, _) => {
            Err(CommandFailure::usage_error(format!("there is no visit `{text}`; `copresence history` lists them")))
        }
    }
}

/// Prints how many visits were removed, and which were kept because they are in use.
fn print_forget_result(common: &CommonOptions, forgotten: &ForgetResult) {
    if common.json {
        let ids = |ids: &[VisitId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        output::print_json_line(&json!({"forgotten": ids(&forgotten.visits), "held": ids(&forgotten.locked),
            "unfinished": ids(&forgotten.unfinished)}));
    }
    match forgotten.visits.len() {
        0 => output::eprint_sanitized_line(format_args!("No visit was forgotten.")),
        1 => output::eprint_sanitized_line(format_args!("Forgotten: 1 visit with its files.")),
        more => output::eprint_sanitized_line(format_args!("Forgotten: {more} visits with their files.")),
    }
    for id in &forgotten.unfinished {
        output::eprint_sanitized_line(format_args!(
            "Visit {id} was unfinished: `copresence recover` can no longer save its avatar."
        ));
    }
    for id in &forgotten.locked {
        output::eprint_sanitized_line(format_args!("Visit {id} was not removed: another process is using it."));
    }
    for (folder, names) in &forgotten.foreign_files {
        let (folder, names) = (folder.display(), names.join(", "));
        output::eprint_sanitized_line(format_args!(
            "{folder} was not removed: it contains files that this program did not create ({names})."
        ));
    }
}

/// The directory with the visit's files, or `-` if nothing was saved.
fn saved_directory_or_dash(visit: &VisitRecord) -> String {
    let directory = visit.ending.as_ref().and_then(|ending| ending.directory.as_ref());
    directory.map_or_else(|| "-".to_owned(), |directory| directory.display().to_string())
}

/// Converts a visit of the journal, and its ticket if it was handed over, to JSON.
fn visit_to_json(visit: &VisitRecord, ticket: Option<&TicketRecord>) -> serde_json::Value {
    let ending = visit.ending.as_ref().map(|ending| {
        json!({"at": format_rfc3339(ending.at), "code": ending.code, "exit": ending.exit, "message": ending.message,
            "visit_state": ending.visit_state, "directory": ending.directory})
    });
    json!({"visit": visit.start.id.to_string(), "started_at": format_rfc3339(visit.start.started_at),
        "profile": visit.start.profile, "api_url": visit.start.api_url, "ended": ending,
        "token": visit.token_use().map(IssuedTokenOutcome::as_stable_word), "ticket": ticket.map(tickets_and_tokens::ticket_to_json)})
}

/// One redeem of a visit as JSON: when it was sent, and its outcome in words.
fn redeem_to_json(outcome: &RedeemState, at: Timestamp) -> serde_json::Value {
    json!({"at": format_rfc3339(at), "outcome": describe_redeem_outcome(outcome)})
}

/// How a redeem ended, in words: never sent, unanswered, or the status and size of the response.
fn describe_redeem_outcome(outcome: &RedeemState) -> String {
    match outcome {
        RedeemState::InFlight => "begun, and never heard of again".to_owned(),
        RedeemState::NeverSent { why } => format!("never sent: {why}"),
        RedeemState::Unanswered { evidence, salvaged: false, .. } => {
            format!("sent, unanswered: {evidence}")
        }
        RedeemState::Unanswered { evidence, salvaged: true, .. } => {
            format!("sent, not answered whole, and what came was taken for the answer: {evidence}")
        }
        RedeemState::Answered { status, body_size, delivered, .. } => {
            let what = if *delivered == Some(true) { ", with URLs" } else { "" };
            format!("answered {status}, {body_size} bytes{what}")
        }
    }
}

/// The files of a visit as a JSON list: path, export type and state in words.
fn files_to_json(detail: &DetailedVisitRecord) -> serde_json::Value {
    let file = |file: &copresence_engine::history::FileRecord| json!({"path": file.name, "export_type": file.export_type.as_str(), "state": describe_file_state(&file.state), "notes": notes_of_complete_file(&file.state)});
    detail.files.iter().map(file).collect()
}

/// The notes about a file that is complete; empty for any other state.
fn notes_of_complete_file(state: &FileDownloadState) -> &[copresence_engine::history::SavedFileNote] {
    if let FileDownloadState::Complete { notes, .. } = state { notes } else { &[] }
}

/// Describes the state of a file, for the history.
fn describe_file_state(state: &FileDownloadState) -> String {
    match state {
        FileDownloadState::Planned => "not asked for".to_owned(),
        FileDownloadState::Requested(progress) => format!("asked for, {} bytes came", progress.bytes),
        FileDownloadState::Complete { bytes, sha256, notes, .. } => {
            let notes = notes.iter().fold(String::new(), |text, note| text + "; note: " + &note.message);
            format!("whole, {bytes} bytes, sha256 {sha256}{notes}")
        }
        FileDownloadState::Failed { why, .. } => format!("failed: {why}"),
    }
}
