//! Reading the journal: history, one visit, and what is left to recover.

use super::record::{
    Ending, FileProgress, FileRecord, FileState, Fragment, RedeemNo, RedeemOutcome, RedeemRecord,
    RedeemState, Unfinished, UnfinishedFile, UnfinishedRedeem, VisitDetail, VisitLimits, VisitRecord,
    VisitRecordStart,
};
use super::{Fault, Journal, column};
use crate::error::StoreError;
use crate::format::Format;
use crate::manifest::Times;
use crate::visit_id::VisitId;
use jiff::Timestamp;
use protocol::{DownloadUrl, ExportToken, ExportType};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, Transaction};
use std::time::Duration;

impl Journal {
    /// Every visit, the newest first.
    pub fn history(&self) -> Result<Vec<VisitRecord>, StoreError> {
        self.latest(u32::MAX)
    }

    /// The latest visits, the newest first, `most` of them.
    pub fn latest(&self, most: u32) -> Result<Vec<VisitRecord>, StoreError> {
        self.read(|tx| {
            let mut query = tx.prepare(&format!("{VISIT} ORDER BY id DESC LIMIT ?1"))?;
            Ok(query.query_map([most], visit)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many visits it knows.
    pub fn count(&self) -> Result<u32, StoreError> {
        self.read(|tx| Ok(tx.query_row("SELECT count(*) FROM visits", [], |row| row.get(0))?))
    }

    /// One visit with its redeems and files, without secrets; `None` when there is none of that id.
    pub fn visit(&self, id: &VisitId) -> Result<Option<VisitDetail>, StoreError> {
        self.read(|tx| {
            let Some(visit) = record(tx, id)? else { return Ok(None) };
            let mut query = tx.prepare(
                "SELECT no, state, intent_at, ended_at, evidence, status, body_size, delivered
                 FROM redeems WHERE visit = ?1 ORDER BY no",
            )?;
            let redeems = query.query_map([id.to_string()], redeem)?.collect::<rusqlite::Result<_>>()?;
            let files = files(tx, id)?.into_iter().map(|file| file.record).collect();
            Ok(Some(VisitDetail { visit, redeems, files }))
        })
    }

    /// The visits that never ended, and those whose ending kept something; the oldest first. Those that a program
    /// has in hand are among them: claim each before touching it ([`crate::DataDir::claim`]).
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
        self.read(|tx| {
            let mut query =
                tx.prepare(&format!("{VISIT} WHERE ended_at IS NULL OR recoverable ORDER BY id"))?;
            let visits = query.query_map([], visit)?.collect::<rusqlite::Result<Vec<_>>>()?;
            visits.into_iter().map(|visit| unfinished(tx, visit)).collect()
        })
    }

    /// When each phase of a visit was reached, for its manifest.
    pub fn times(&self, id: &VisitId) -> Result<Times, StoreError> {
        self.read(|tx| Ok(record(tx, id)?.ok_or(StoreError::UnknownVisit { visit: *id })?.times))
    }
}

/// One visit's record.
pub(super) fn record(tx: &Transaction<'_>, id: &VisitId) -> Result<Option<VisitRecord>, Fault> {
    Ok(tx.query_row(&format!("{VISIT} WHERE id = ?1"), [id.to_string()], visit).optional()?)
}

/// The ids of all visits, or of those that began before a moment.
pub(super) fn ids(tx: &Transaction<'_>, before: Option<i64>) -> Result<Vec<VisitId>, Fault> {
    let mut query = tx.prepare("SELECT id FROM visits WHERE started_at < ?1 ORDER BY id")?;
    let ids = query.query_map([before.unwrap_or(i64::MAX)], |row| id(row, 0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

const VISIT: &str =
    "SELECT id, profile, api_url, backend_host, ephemeral, out_dir, required_exports, started_at,
    issued_at, associated_at, queued_at, processing_at, ready_at, redeemed_at, saved_at, expires_at,
    ended_at, ended_code, ended_exit, ended_message, ended_state, directory, recoverable, reopened,
    (SELECT count(*) FROM redeems WHERE visit = id),
    (SELECT count(*) FROM files WHERE visit = id AND state = 'whole'),
    (SELECT count(*) FROM files WHERE visit = id),
    parallel_downloads, max_file_size, patience_ms, min_free_space
    FROM visits";

fn visit(row: &Row<'_>) -> rusqlite::Result<VisitRecord> {
    let required: Vec<String> = serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default();
    let started_at = column::read_time(row.get(7)?);
    let start = VisitRecordStart {
        id: id(row, 0)?,
        profile: row.get(1)?,
        api_url: row.get(2)?,
        backend_host: row.get(3)?,
        ephemeral: row.get(4)?,
        out_dir: column::read_path(row.get::<_, Value>(5)?),
        required_exports: required.into_iter().map(ExportType::new).collect(),
        started_at,
        limits: limits(row)?,
    };
    let times = Times {
        started: started_at,
        issued: time(row, 8)?,
        associated: time(row, 9)?,
        queued: time(row, 10)?,
        processing: time(row, 11)?,
        ready: time(row, 12)?,
        redeemed: time(row, 13)?,
        saved: time(row, 14)?,
    };
    let ending = match time(row, 16)? {
        None => None,
        Some(at) => Some(Ending {
            code: row.get(17)?,
            exit: row.get(18)?,
            message: row.get(19)?,
            visit_state: row.get(20)?,
            directory: row.get::<_, Option<Value>>(21)?.map(column::read_path),
            at,
        }),
    };
    Ok(VisitRecord {
        unfinished: ending.is_none() || row.get(22)?,
        start,
        times,
        token_expires_at: time(row, 15)?,
        ending,
        reopened: row.get(23)?,
        redeems: row.get(24)?,
        files_whole: row.get(25)?,
        files_planned: row.get(26)?,
    })
}

fn limits(row: &Row<'_>) -> rusqlite::Result<Option<VisitLimits>> {
    let figure = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(column::read_size));
    let (Some(parallel), Some(max_file_size), Some(patience), Some(min_free_space)) =
        (figure(27)?, figure(28)?, figure(29)?, figure(30)?)
    else {
        return Ok(None);
    };
    Ok(Some(VisitLimits {
        parallel_downloads: usize::try_from(parallel).unwrap_or(usize::MAX),
        max_file_size,
        patience: Duration::from_millis(patience),
        min_free_space,
    }))
}

fn redeem(row: &Row<'_>) -> rusqlite::Result<RedeemRecord> {
    let evidence = |row: &Row<'_>| row.get::<_, Option<String>>(4).map(Option::unwrap_or_default);
    let outcome = match row.get::<_, String>(1)?.as_str() {
        "never_sent" => RedeemOutcome::NeverSent { why: evidence(row)? },
        "unanswered" => RedeemOutcome::Unanswered {
            evidence: evidence(row)?,
            salvaged: row.get::<_, Option<bool>>(7)? == Some(true),
        },
        "answered" => RedeemOutcome::Answered {
            status: row.get(5)?,
            body_size: column::read_size(row.get(6)?),
            delivered: row.get(7)?,
        },
        _ => RedeemOutcome::Open,
    };
    Ok(RedeemRecord {
        no: RedeemNo(row.get(0)?),
        outcome,
        intent_at: column::read_time(row.get(2)?),
        ended_at: time(row, 3)?,
    })
}

fn unfinished(tx: &Transaction<'_>, visit: VisitRecord) -> Result<Unfinished, Fault> {
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
                    "never_sent" => RedeemState::NeverSent,
                    "unanswered" => RedeemState::Unanswered,
                    "answered" => RedeemState::Answered {
                        status: row.get(3)?,
                        body: row.get(4)?,
                        delivered: row.get(5)?,
                    },
                    _ => RedeemState::Intent,
                };
                let intent_at = column::read_time(row.get(1)?);
                Ok(UnfinishedRedeem { no: RedeemNo(row.get(0)?), intent_at, state })
            },
        )
        .optional()?;
    let files = files(tx, &id)?;
    let token = token.and_then(|token| ExportToken::new(token).ok());
    Ok(Unfinished { visit, token, link, redeem, fragments: fragments(tx, &id)?, files })
}

/// What is kept of answers that were lost or broken.
fn fragments(tx: &Transaction<'_>, id: &VisitId) -> Result<Vec<Fragment>, Fault> {
    let mut query = tx.prepare(
        "SELECT no, body, delivered, evidence FROM redeems
         WHERE visit = ?1 AND body IS NOT NULL AND (state = 'unanswered' OR delivered IS NOT NULL)
         ORDER BY coalesce(delivered, 0) DESC, no DESC",
    )?;
    let fragments = query.query_map([id.to_string()], |row| {
        let delivered: Option<bool> = row.get(2)?;
        Ok(Fragment {
            no: RedeemNo(row.get(0)?),
            body: row.get(1)?,
            read: delivered.is_some(),
            salvaged: delivered == Some(true),
            evidence: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
        })
    })?;
    Ok(fragments.collect::<rusqlite::Result<_>>()?)
}

fn files(tx: &Transaction<'_>, id: &VisitId) -> Result<Vec<UnfinishedFile>, Fault> {
    let mut query = tx.prepare(
        "SELECT idx, name, export_type, url, state, bytes, total, validator, sha256, format, reason, spent
         FROM files WHERE visit = ?1 ORDER BY idx",
    )?;
    let files = query.query_map([id.to_string()], file)?;
    Ok(files.collect::<rusqlite::Result<_>>()?)
}

fn file(row: &Row<'_>) -> rusqlite::Result<UnfinishedFile> {
    let bytes = column::read_size(row.get(5)?);
    let state = match row.get::<_, String>(4)?.as_str() {
        "whole" => FileState::Whole {
            bytes,
            sha256: column::parsed(8, &row.get::<_, String>(8)?)?,
            format: Format::from_word(&row.get::<_, String>(9)?),
        },
        "failed" => FileState::Failed { why: row.get(10)?, spent: row.get(11)? },
        "requested" => FileState::Requested(FileProgress {
            bytes,
            total: row.get::<_, Option<i64>>(6)?.map(column::read_size),
            validator: row.get(7)?,
        }),
        _ => FileState::Planned,
    };
    let url: Option<String> = row.get(3)?;
    let record = FileRecord {
        index: usize::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        name: row.get(1)?,
        export_type: ExportType::new(row.get::<_, String>(2)?),
        state,
    };
    Ok(UnfinishedFile { record, url: url.as_deref().and_then(DownloadUrl::new) })
}

fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<VisitId> {
    column::parsed(column, &row.get::<_, String>(column)?)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(column::read_time))
}
