//! `copresence history receipt`: what is or was stored of a visit, where, and when each thing was deleted.

use super::find_matching_visit_id;
use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::output;
use copresence_engine::events::format_rfc3339;
use copresence_engine::history::{
    StoredVisitDataReceipt, StoredVisitItem, StoredVisitItemKind, load_receipts_of_deleted_visits, load_visit_receipt,
};
use copresence_engine::setup::DataStore;
use serde_json::json;

/// Prints the receipt of one visit, or those of all forgotten visits.
pub(super) async fn print_receipts(
    common: &CommonOptions,
    data_store: &DataStore,
    id: Option<&str>,
) -> Result<(), CommandFailure> {
    let deleted = load_receipts_of_deleted_visits(data_store).await?;
    let Some(id) = id else {
        if deleted.is_empty() && !common.json {
            output::eprint_sanitized_line(format_args!("No visit was forgotten yet."));
        }
        for receipt in &deleted {
            print_receipt(common, receipt);
        }
        return Ok(());
    };
    let stored = data_store.journal.load_all_visits().await?;
    let ids = stored.iter().map(|visit| visit.start.id).chain(deleted.iter().map(|receipt| receipt.visit));
    let id = find_matching_visit_id(ids, id)?;
    let Some(receipt) = load_visit_receipt(data_store, &id).await? else {
        return Err(CommandFailure::usage_error(format!("there is no receipt of a visit {id}")));
    };
    print_receipt(common, &receipt);
    Ok(())
}

/// Removes the receipts of all forgotten visits.
pub(super) async fn remove_receipts(common: &CommonOptions, data_store: &DataStore) -> Result<(), CommandFailure> {
    let removed = data_store.journal.remove_all_visit_deletions().await?;
    if common.json {
        output::print_json_line(&json!({"removed_receipts": removed}));
    }
    output::eprint_sanitized_line(format_args!("Removed receipts of forgotten visits: {removed}."));
    Ok(())
}

/// Prints the receipt of one visit, as text or with `--json` as one line of JSON.
fn print_receipt(common: &CommonOptions, receipt: &StoredVisitDataReceipt) {
    if common.json {
        return output::print_json_line(&receipt_to_json(receipt));
    }
    let line = |text: String| output::print_stdout_line(format_args!("{}", output::sanitize_for_terminal(&text)));
    line(format!("Receipt of visit {}", receipt.visit));
    line(format!("  began     {}", format_rfc3339(receipt.started_at)));
    match (receipt.ended_at, &receipt.ended_code) {
        (Some(at), Some(code)) => line(format!("  ended     {} ({code})", format_rfc3339(at))),
        _ => line("  ended     not recorded".to_owned()),
    }
    match receipt.deleted_at {
        Some(at) => line(format!("  deleted   {}", format_rfc3339(at))),
        None => line("  deleted   no: it is in the history".to_owned()),
    }
    for item in &receipt.items {
        let note = item.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
        line(format!("{}: {}{note}", describe_receipt_item_kind(item.kind), item.place));
        line(format!("  {}", describe_item_storage_and_deletion(item)));
    }
    for path in &receipt.damaged_journals {
        line(format!("Damaged journal that was set aside: {}", path.display()));
        line("  stored: it may contain rows of this visit until you remove it".to_owned());
    }
}

/// What an item is, for people.
fn describe_receipt_item_kind(kind: StoredVisitItemKind) -> &'static str {
    match kind {
        StoredVisitItemKind::AvatarFile => "File of the avatar",
        StoredVisitItemKind::Manifest => "Manifest of the files",
        StoredVisitItemKind::Exchanges => "Exchanges that the operator saved",
        StoredVisitItemKind::Token => "Export Token and its link",
        StoredVisitItemKind::Responses => "Responses and download URLs",
        StoredVisitItemKind::Journal => "Record in the journal",
        StoredVisitItemKind::Ticket => "Ticket for the pickup",
        StoredVisitItemKind::ForeignFile => "File of another program in the visit's folder",
        StoredVisitItemKind::Other => "Something that a newer version recorded",
    }
}

/// Whether an item is stored, and when it was deleted.
fn describe_item_storage_and_deletion(item: &StoredVisitItem) -> String {
    match (item.deleted_at, item.kind) {
        (Some(at), _) => format!("deleted {}", format_rfc3339(at)),
        (None, StoredVisitItemKind::ForeignFile) => "not deleted: this program did not make it".to_owned(),
        (None, _) => "stored".to_owned(),
    }
}

/// Converts the receipt of a deleted or stored visit to JSON.
fn receipt_to_json(receipt: &StoredVisitDataReceipt) -> serde_json::Value {
    let item = |item: &StoredVisitItem| {
        json!({"kind": item.kind, "place": item.place, "deleted_at": item.deleted_at.map(format_rfc3339),
            "note": item.note})
    };
    json!({
        "visit": receipt.visit.to_string(), "started_at": format_rfc3339(receipt.started_at),
        "ended_at": receipt.ended_at.map(format_rfc3339), "ended_code": receipt.ended_code,
        "deleted_at": receipt.deleted_at.map(format_rfc3339),
        "items": receipt.items.iter().map(item).collect::<Vec<_>>(),
        "damaged_journals": receipt.damaged_journals,
    })
}
