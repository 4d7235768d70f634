//! Tickets and Export Tokens in `copresence history`: the ticket of a visit that was handed over to the next visitor, and what
//! became of each token. Each token is paid for.

use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::output;
use copresence_engine::events::format_rfc3339;
use copresence_engine::history::{IssuedTokenOutcome, TicketRecord, TokenCounts, VisitId};
use copresence_engine::setup::DataStore;
use serde_json::json;
use std::collections::HashMap;

/// Prints the numbers of Export Tokens by what became of them.
pub(super) async fn print_export_token_outcome_counts(
    common: &CommonOptions,
    data_store: &DataStore,
) -> Result<(), CommandFailure> {
    let counts = data_store.journal.count_issued_tokens_by_outcome().await?;
    let TokenCounts { active, spent, abandoned } = counts;
    if common.json {
        let line =
            json!({"issued": counts.issued_token_count(), "active": active, "spent": spent, "abandoned": abandoned});
        output::print_json_line(&line);
        return Ok(());
    }
    output::print_stdout_line(format_args!(
        "{:>7}  Export Tokens issued, those of forgotten visits included",
        counts.issued_token_count()
    ));
    for (count, token_use) in [
        (spent, IssuedTokenOutcome::Spent),
        (active, IssuedTokenOutcome::Active),
        (abandoned, IssuedTokenOutcome::Abandoned),
    ] {
        output::print_stdout_line(format_args!("{count:>7}  {}", describe_export_token_outcome(token_use)));
    }
    Ok(())
}

/// The tickets of the journal, live and closed.
pub(super) async fn load_tickets_by_visit(
    data_store: &DataStore,
) -> Result<HashMap<VisitId, TicketRecord>, CommandFailure> {
    let tickets = data_store.journal.load_tickets().await?;
    Ok(tickets.into_iter().map(|ticket| (ticket.visit, ticket)).collect())
}

/// Prints the numbers of tokens and tickets below the list of visits, on standard error, because the list may be a script's
/// input.
pub(super) async fn print_token_and_ticket_counts(
    data_store: &DataStore,
    tickets: &HashMap<VisitId, TicketRecord>,
) -> Result<(), CommandFailure> {
    let counts = data_store.journal.count_issued_tokens_by_outcome().await?;
    let TokenCounts { active, spent, abandoned } = counts;
    output::eprint_sanitized_line(format_args!(
        "Export Tokens: {} issued; {spent} spent, {active} active, {abandoned} abandoned.",
        counts.issued_token_count()
    ));
    let live = tickets.values().filter(|ticket| ticket.closure.is_none()).count();
    if !tickets.is_empty() {
        output::eprint_sanitized_line(format_args!(
            "Tickets: {} given; {live} of them can be picked up or are being made. `copresence history show ID` shows them.",
            tickets.len()
        ));
    }
    Ok(())
}

/// The outcome of a token, for people: the word that the desk uses, and what it means.
pub(super) fn describe_export_token_outcome(token_use: IssuedTokenOutcome) -> &'static str {
    match token_use {
        IssuedTokenOutcome::Active => "active: it may still deliver an avatar",
        IssuedTokenOutcome::Spent => "spent: it delivered an avatar",
        IssuedTokenOutcome::Abandoned => "abandoned: it ended without an avatar",
    }
}

/// Describes a ticket in one line. Its code is not known here: the journal has only a hash.
pub(super) fn describe_ticket(ticket: &TicketRecord) -> String {
    let given = format!("{}, given {}", ticket.english_name(), format_rfc3339(ticket.handed_over_at));
    let state = match &ticket.closure {
        None => "not picked up yet".to_owned(),
        Some(closure) => format!("{} {}", describe_ticket_closing(&closure.how), format_rfc3339(closure.at)),
    };
    let wrong = match ticket.wrong_codes {
        0 => String::new(),
        1 => ", 1 wrong code".to_owned(),
        more => format!(", {more} wrong codes"),
    };
    format!("{given}, {state}{wrong}")
}

/// How a ticket was closed, for people. A word of a newer version is shown as it is.
fn describe_ticket_closing(how: &str) -> String {
    how.replace('_', " ")
}

/// A ticket as JSON, without the hash of its code.
pub(super) fn ticket_to_json(ticket: &TicketRecord) -> serde_json::Value {
    let closed = ticket.closure.as_ref().map(|closure| json!({"how": closure.how, "at": format_rfc3339(closure.at)}));
    json!({"name": ticket.english_name(), "colour": ticket.colour, "symbol": ticket.symbol,
        "handed_over_at": format_rfc3339(ticket.handed_over_at), "wrong_codes": ticket.wrong_codes, "closed": closed})
}
