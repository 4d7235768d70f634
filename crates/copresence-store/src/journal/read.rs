//! Reading the journal: the history, one visit, and what is left to recover.

use super::database::{JournalTransaction, TransactionError};
use super::file_record::{DurableFileProgress, FileDownloadState, FileRecord, FileRecordWithUrl};
use super::redeem_record::{
    AnswerKind, PartialResponseBody, RedeemNumber, RedeemRecord, RedeemState, UnfinishedVisitRedeemAndResponse,
    UnfinishedVisitRedeemState,
};
use super::visit_record::{
    DetailedVisitRecord, UnfinishedVisit, UnfinishedVisitSummary, VisitDownloadLimits, VisitEnding, VisitRecord,
    VisitStart,
};
use super::{Journal, column, polls};
use crate::boot_id::current_boot_id;
use crate::error::StoreError;
use crate::file_note::SavedFileNote;
use crate::format::FileFormat;
use crate::manifest::PhaseTimestamps;
use crate::visit_id::VisitId;
use copresence_protocol::{DownloadUrl, ExportToken, ExportType};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row};
use std::time::Duration;

impl Journal {
    /// Every visit, the newest first.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn load_all_visits(&self) -> Result<Vec<VisitRecord>, StoreError> {
        self.load_latest_visits(u32::MAX).await
    }

    /// The latest visits, at most `most`, the newest first.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn load_latest_visits(&self, most: u32) -> Result<Vec<VisitRecord>, StoreError> {
        self.queue_read_transaction(move |tx| {
            let mut query = tx.prepare_statement(&format!("{SELECT_VISIT} ORDER BY id DESC LIMIT ?1"))?;
            Ok(query.query_map([most], visit_record_from_row)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The number of visits.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn count_visits(&self) -> Result<u32, StoreError> {
        self.queue_read_transaction(|tx| Ok(tx.query_row("SELECT count(*) FROM visits", [], |row| row.get(0))?)).await
    }

    /// One visit with its redeems and files, without secrets; `None` when there is none of that id.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn load_detailed_visit_record(&self, id: &VisitId) -> Result<Option<DetailedVisitRecord>, StoreError> {
        let id = *id;
        self.queue_read_transaction(move |tx| {
            let Some(visit) = load_visit_record(tx, &id)? else { return Ok(None) };
            Ok(Some(DetailedVisitRecord {
                visit,
                redeems: load_redeem_records(tx, &id)?,
                files: load_file_records(tx, &id)?,
            }))
        })
        .await
    }

    /// Loads the visits that never ended and those whose ending retained data, oldest first. The result includes
    /// visits that a running process has locked, so lock each visit before changing it
    /// ([`crate::DataDir::lock_visit`]).
    ///
    /// # Errors
    /// An I/O or database failure.
    pub async fn load_recoverable_visits(&self) -> Result<Vec<UnfinishedVisit>, StoreError> {
        self.queue_read_transaction(|tx| {
            let mut query =
                tx.prepare_statement(&format!("{SELECT_VISIT} WHERE {UNFINISHED_CONDITION} ORDER BY id"))?;
            let visits = query.query_map([], visit_record_from_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
            visits.into_iter().map(|visit| load_token_redeems_and_files_of_unfinished_visit(tx, visit)).collect()
        })
        .await
    }

    /// Loads a summary of each unfinished visit, oldest first. It contains what is needed to choose which visits to
    /// recover.
    ///
    /// # Errors
    /// An I/O or database failure.
    pub async fn load_unfinished_visit_summaries(&self) -> Result<Vec<UnfinishedVisitSummary>, StoreError> {
        self.queue_read_transaction(|tx| {
            let mut query = tx.prepare_statement(&format!(
                "SELECT id, api_url, started_at, issued_at, expires_at, token IS NOT NULL,
                     EXISTS (SELECT 1 FROM redeems WHERE visit = id
                             AND (delivered = 1 OR (state = 'answered' AND delivered IS NULL))),
                     ephemeral, recovery_attempts, recovery_next_attempt_at
                 FROM visits WHERE {UNFINISHED_CONDITION} ORDER BY id"
            ))?;
            let list = query.query_map([], unfinished_visit_summary_from_row)?;
            Ok(list.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Loads one unfinished visit. Returns `None` if the visit does not exist or is finished.
    ///
    /// # Errors
    /// An I/O or database failure.
    pub async fn load_unfinished_visit(&self, id: &VisitId) -> Result<Option<UnfinishedVisit>, StoreError> {
        let id = *id;
        self.queue_read_transaction(move |tx| {
            let query = format!("{SELECT_VISIT} WHERE id = ?1 AND ({UNFINISHED_CONDITION})");
            let visit = tx.query_row(&query, [id.to_string()], visit_record_from_row).optional()?;
            visit.map(|visit| load_token_redeems_and_files_of_unfinished_visit(tx, visit)).transpose()
        })
        .await
    }

    /// When each phase of a visit was reached, for its manifest.
    ///
    /// # Errors
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn load_phase_timestamps(&self, id: &VisitId) -> Result<PhaseTimestamps, StoreError> {
        let id = *id;
        self.queue_read_transaction(move |tx| {
            Ok(load_visit_record(tx, &id)?.ok_or(StoreError::UnknownVisit { visit: id })?.times)
        })
        .await
    }
}

/// Loads one visit's record.
pub(super) fn load_visit_record(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
) -> Result<Option<VisitRecord>, TransactionError> {
    Ok(tx.query_row(&format!("{SELECT_VISIT} WHERE id = ?1"), [id.to_string()], visit_record_from_row).optional()?)
}

const UNFINISHED_CONDITION: &str = "ended_at IS NULL OR recoverable";

const SELECT_VISIT: &str =
    "SELECT id, profile, api_url, backend_host, ephemeral, out_dir, required_exports, started_at,
    issued_at, associated_at, queued_at, processing_at, ready_at, redeemed_at, saved_at, expires_at,
    ended_at, ended_code, ended_exit, ended_message, ended_state, directory, recoverable, reopened,
    (SELECT count(*) FROM redeems WHERE visit = id) + poll_count,
    (SELECT count(*) FROM files WHERE visit = id AND state = 'whole'),
    (SELECT count(*) FROM files WHERE visit = id),
    parallel_downloads, max_file_size, patience_ms, min_free_space,
    recovery_attempts, recovery_next_attempt_at, last_status, keep_trying_ms
    FROM visits";

/// Builds the record of a visit from a row of the query [`SELECT_VISIT`].
fn visit_record_from_row(row: &Row<'_>) -> rusqlite::Result<VisitRecord> {
    let required: Vec<String> = serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default();
    let started_at = column::timestamp_from_micros_or_epoch(row.get(7)?);
    let start = VisitStart {
        id: read_visit_id_from_row(row, 0)?,
        profile: row.get(1)?,
        api_url: row.get(2)?,
        backend_host: row.get(3)?,
        ephemeral: row.get(4)?,
        out_dir: column::path_from_value_or_empty(row.get::<_, Value>(5)?),
        required_exports: required.into_iter().map(ExportType::new).collect(),
        started_at,
        limits: visit_limits_from_row(row)?,
    };
    let times = PhaseTimestamps {
        started: started_at,
        issued: optional_timestamp_from_micros_column(row, 8)?,
        associated: optional_timestamp_from_micros_column(row, 9)?,
        queued: optional_timestamp_from_micros_column(row, 10)?,
        processing: optional_timestamp_from_micros_column(row, 11)?,
        ready: optional_timestamp_from_micros_column(row, 12)?,
        redeemed: optional_timestamp_from_micros_column(row, 13)?,
        saved: optional_timestamp_from_micros_column(row, 14)?,
    };
    let ending = match optional_timestamp_from_micros_column(row, 16)? {
        None => None,
        Some(at) => Some(VisitEnding {
            code: row.get(17)?,
            exit: row.get(18)?,
            message: row.get(19)?,
            visit_state: row.get(20)?,
            directory: row.get::<_, Option<Value>>(21)?.map(column::path_from_value_or_empty),
            at,
        }),
    };
    Ok(VisitRecord {
        is_unfinished: ending.is_none() || row.get(22)?,
        start,
        times,
        token_expires_at: optional_timestamp_from_micros_column(row, 15)?,
        ending,
        reopened_count: row.get(23)?,
        redeems: row.get(24)?,
        complete_files: row.get(25)?,
        planned_files: row.get(26)?,
        last_status: row.get(33)?,
        recovery_attempts: row.get(31)?,
        recovery_next_attempt_at: optional_timestamp_from_micros_column(row, 32)?,
    })
}

/// Builds the summary of an unfinished visit from a row of its query.
fn unfinished_visit_summary_from_row(row: &Row<'_>) -> rusqlite::Result<UnfinishedVisitSummary> {
    Ok(UnfinishedVisitSummary {
        id: read_visit_id_from_row(row, 0)?,
        api_url: row.get(1)?,
        started_at: column::timestamp_from_micros_or_epoch(row.get(2)?),
        issued_at: optional_timestamp_from_micros_column(row, 3)?,
        token_expires_at: optional_timestamp_from_micros_column(row, 4)?,
        has_token: row.get(5)?,
        has_answer: row.get(6)?,
        ephemeral: row.get(7)?,
        attempts: row.get(8)?,
        next_attempt_at: optional_timestamp_from_micros_column(row, 9)?,
    })
}

/// The limits of a visit; `None` if the row of an earlier version lacks one.
fn visit_limits_from_row(row: &Row<'_>) -> rusqlite::Result<Option<VisitDownloadLimits>> {
    let figure =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(column::integer_to_size_or_zero));
    let (Some(parallel), Some(max_file_size), Some(patience), Some(min_free_space)) =
        (figure(27)?, figure(28)?, figure(29)?, figure(30)?)
    else {
        return Ok(None);
    };
    Ok(Some(VisitDownloadLimits {
        parallel_downloads: usize::try_from(parallel).unwrap_or(usize::MAX),
        max_file_size,
        patience: Duration::from_millis(patience),
        // NULL for a visit that began before schema 4.
        keep_trying: figure(34)?.map_or(VisitDownloadLimits::default().keep_trying, Duration::from_millis),
        min_free_space,
    }))
}

/// The record of a redeem from its row.
fn redeem_record_from_row(row: &Row<'_>) -> rusqlite::Result<RedeemRecord> {
    let kind = row.get::<_, Option<String>>(8)?.as_deref().and_then(AnswerKind::answer_kind_from_word);
    let evidence = |row: &Row<'_>| row.get::<_, Option<String>>(4).map(Option::unwrap_or_default);
    let outcome = match row.get::<_, String>(1)?.as_str() {
        "never_sent" => RedeemState::NeverSent { why: evidence(row)? },
        "unanswered" => RedeemState::Unanswered {
            evidence: evidence(row)?,
            salvaged: row.get::<_, Option<bool>>(7)? == Some(true),
            kind,
        },
        "answered" => RedeemState::Answered {
            status: row.get(5)?,
            body_size: column::integer_to_size_or_zero(row.get(6)?),
            delivered: row.get(7)?,
            kind,
        },
        _ => RedeemState::InFlight,
    };
    Ok(RedeemRecord {
        no: RedeemNumber(row.get(0)?),
        outcome,
        intent_at: column::timestamp_from_micros_or_epoch(row.get(2)?),
        ended_at: optional_timestamp_from_micros_column(row, 3)?,
    })
}

/// Loads the token, redeems, partial bodies and files of an unfinished visit, and returns them with its record.
fn load_token_redeems_and_files_of_unfinished_visit(
    tx: &JournalTransaction<'_>,
    visit: VisitRecord,
) -> Result<UnfinishedVisit, TransactionError> {
    let id = visit.start.id;
    let (token, link): (Option<String>, Option<String>) =
        tx.query_row("SELECT token, link FROM visits WHERE id = ?1", [id.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let redeem = tx
        .query_row(
            "SELECT no, intent_at, state, status, body, delivered FROM redeems WHERE visit = ?1
             ORDER BY coalesce(delivered, 0) DESC, no DESC LIMIT 1",
            [id.to_string()],
            |row| {
                let state = match row.get::<_, String>(2)?.as_str() {
                    "never_sent" => UnfinishedVisitRedeemState::NeverSent,
                    "unanswered" => UnfinishedVisitRedeemState::Unanswered,
                    "answered" => UnfinishedVisitRedeemState::Answered {
                        status: row.get(3)?,
                        body: row.get(4)?,
                        delivered: row.get(5)?,
                    },
                    _ => UnfinishedVisitRedeemState::InFlight,
                };
                let intent_at = column::timestamp_from_micros_or_epoch(row.get(1)?);
                Ok(UnfinishedVisitRedeemAndResponse { no: RedeemNumber(row.get(0)?), intent_at, state })
            },
        )
        .optional()?;
    let files = load_file_records_with_urls(tx, &id)?;
    let token = token.and_then(|token| ExportToken::new(token).ok());
    let (redeems, fragments) = (load_redeem_records(tx, &id)?, load_partial_bodies(tx, &id)?);
    Ok(UnfinishedVisit { visit, token, link, redeem, redeems, truncated_bodies: fragments, files })
}

/// The partial bodies of answers that were lost or unreadable.
fn load_partial_bodies(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
) -> Result<Vec<PartialResponseBody>, TransactionError> {
    let mut query = tx.prepare_statement(
        "SELECT no, body, delivered, evidence FROM redeems
         WHERE visit = ?1 AND body IS NOT NULL AND (state = 'unanswered' OR delivered IS NOT NULL)
         ORDER BY coalesce(delivered, 0) DESC, no DESC",
    )?;
    let fragments = query.query_map([id.to_string()], |row| {
        let delivered: Option<bool> = row.get(2)?;
        Ok(PartialResponseBody {
            no: RedeemNumber(row.get(0)?),
            body: row.get(1)?,
            is_read: delivered.is_some(),
            is_used_as_delivery: delivered == Some(true),
            evidence: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
        })
    })?;
    Ok(fragments.collect::<rusqlite::Result<_>>()?)
}

/// Loads the redeems of a visit by number, including the polls that were folded into its row.
fn load_redeem_records(tx: &JournalTransaction<'_>, id: &VisitId) -> Result<Vec<RedeemRecord>, TransactionError> {
    let folded: Option<String> =
        tx.query_row("SELECT polls FROM visits WHERE id = ?1", [id.to_string()], |row| row.get(0))?;
    let mut query = tx.prepare_statement(
        "SELECT no, state, intent_at, ended_at, evidence, status, body_size, delivered, answer_kind
         FROM redeems WHERE visit = ?1",
    )?;
    let rows = query.query_map([id.to_string()], redeem_record_from_row)?;
    let mut redeems = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    redeems.extend(folded.as_deref().map(polls::expand_compacted_polls).unwrap_or_default());
    redeems.sort_by_key(|redeem| redeem.no);
    Ok(redeems)
}

/// Loads all files of a visit, without their URLs.
fn load_file_records(tx: &JournalTransaction<'_>, id: &VisitId) -> Result<Vec<FileRecord>, TransactionError> {
    let files = load_file_records_with_urls(tx, id)?;
    Ok(files.into_iter().map(|file| FileRecord { redirect_targets: Vec::new(), ..file.record }).collect())
}

/// Loads all files of a visit with their URLs, complete ones too.
fn load_file_records_with_urls(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
) -> Result<Vec<FileRecordWithUrl>, TransactionError> {
    let mut query = tx.prepare_statement(
        "SELECT idx, name, export_type, url, state, bytes, total, validator, sha256, format, reason, spent, boot_id,
             content_encoding, notes, redirected_to
         FROM files WHERE visit = ?1 ORDER BY idx",
    )?;
    let files = query.query_map([id.to_string()], file_with_url_from_row)?;
    Ok(files.collect::<rusqlite::Result<_>>()?)
}

/// Builds the record of a file, with its URL if the journal still has it.
fn file_with_url_from_row(row: &Row<'_>) -> rusqlite::Result<FileRecordWithUrl> {
    let bytes = column::integer_to_size_or_zero(row.get(5)?);
    let notes: Option<String> = row.get(14)?;
    // Notes never prevent that a visit is read.
    let notes: Vec<SavedFileNote> = notes.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let digest: Option<String> = row.get(8)?;
    let progress = DurableFileProgress {
        bytes,
        sha256: digest.and_then(|digest| digest.parse().ok()),
        total: row.get::<_, Option<i64>>(6)?.map(column::integer_to_size_or_zero),
        validator: row.get(7)?,
        content_encoding: row.get(13)?,
        notes: notes.clone(),
    };
    let state = match row.get::<_, String>(4)?.as_str() {
        "whole" => FileDownloadState::Complete {
            bytes,
            sha256: column::parse_text_column(8, &row.get::<_, String>(8)?)?,
            format: FileFormat::parse_format_name(&row.get::<_, String>(9)?),
            notes,
        },
        "failed" => FileDownloadState::Failed { why: row.get(10)?, spent: row.get(11)?, progress },
        "requested" => FileDownloadState::Requested(progress),
        _ => FileDownloadState::Planned,
    };
    let url: Option<String> = row.get(3)?;
    let boot_id: Option<String> = row.get(12)?;
    let redirected_to: Option<String> = row.get(15)?;
    let record = FileRecord {
        index: usize::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        name: row.get(1)?,
        export_type: ExportType::new(row.get::<_, String>(2)?),
        state,
        is_from_this_boot: boot_id.is_some() && boot_id.as_deref() == current_boot_id(),
        redirect_targets: redirected_to.iter().flat_map(|urls| urls.lines()).filter_map(DownloadUrl::new).collect(),
    };
    Ok(FileRecordWithUrl { record, url: url.as_deref().and_then(DownloadUrl::new) })
}

/// Reads a visit's id from a column.
pub(super) fn read_visit_id_from_row(row: &Row<'_>, column: usize) -> rusqlite::Result<VisitId> {
    column::parse_text_column(column, &row.get::<_, String>(column)?)
}

/// The time in a column of microseconds; `None` for NULL.
fn optional_timestamp_from_micros_column(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(column::timestamp_from_micros_or_epoch))
}
