//! The tickets of visits that were handed over to the next visitor.
//!
//! A row disappears with its visit. The hash of the pickup code is erased when the ticket is closed.

use super::database::{JournalTransaction, TransactionError};
use super::ticket_record::{TicketClosure, TicketRecord};
use super::{Journal, column};
use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::error::StoreError;
use crate::visit_id::VisitId;
use rusqlite::{Row, params};

/// Tickets are written by the window only, whose crashes its own tests cover. Therefore they share the crash points of
/// the phases.
const TICKET_CRASH_POINTS: CommitCrashPoints = CommitCrashPoints(CrashPoint::PhaseWriting, CrashPoint::PhaseWritten);

impl Journal {
    /// Records a live ticket, in place of an earlier ticket of the same visit.
    ///
    /// # Errors
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_ticket(&self, ticket: &TicketRecord) -> Result<(), StoreError> {
        let ticket = ticket.clone();
        self.queue_write_transaction(TICKET_CRASH_POINTS, move |tx| {
            super::visit_row::VisitStateForStepGuards::load_row_state(tx, &ticket.visit)?;
            tx.execute_statement(
                "INSERT OR REPLACE INTO tickets (visit, colour, symbol, code_hash, place, handed_over_at, wrong_codes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    ticket.visit.to_string(),
                    ticket.colour,
                    ticket.symbol,
                    ticket.code_hash,
                    ticket.place,
                    column::timestamp_to_micros(ticket.handed_over_at),
                    ticket.wrong_codes
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Records the number of wrong codes of a live ticket. Without such a ticket nothing changes.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn record_wrong_ticket_code_count(&self, visit: &VisitId, wrong_codes: u32) -> Result<(), StoreError> {
        let visit = visit.to_string();
        self.queue_write_transaction(TICKET_CRASH_POINTS, move |tx| {
            tx.execute_statement(
                "UPDATE tickets SET wrong_codes = ?2 WHERE visit = ?1 AND closed_at IS NULL",
                params![visit, wrong_codes],
            )?;
            Ok(())
        })
        .await
    }

    /// Records the order of the live tickets on the strip.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn record_ticket_order(&self, visits: &[VisitId]) -> Result<(), StoreError> {
        let visits = visits.to_vec();
        self.queue_write_transaction(TICKET_CRASH_POINTS, move |tx| {
            for (visit, place) in visits.iter().zip(0_u32..) {
                tx.execute_statement(
                    "UPDATE tickets SET place = ?2 WHERE visit = ?1 AND closed_at IS NULL",
                    params![visit.to_string(), place],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Closes a live ticket and erases the hash of its code. Without such a ticket nothing changes.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn close_ticket_and_erase_code(
        &self,
        visit: &VisitId,
        closure: &TicketClosure,
    ) -> Result<(), StoreError> {
        let (visit, closure) = (visit.to_string(), closure.clone());
        self.queue_write_and_truncate_wal(TICKET_CRASH_POINTS, move |tx| {
            tx.execute_statement(
                "UPDATE tickets SET code_hash = NULL, closed_at = ?2, closed_how = ?3
                 WHERE visit = ?1 AND closed_at IS NULL",
                params![visit, column::timestamp_to_micros(closure.at), closure.how],
            )?;
            Ok(())
        })
        .await
    }

    /// Removes the ticket of a visit that was not handed over after all.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn remove_ticket_not_handed_over(&self, visit: &VisitId) -> Result<(), StoreError> {
        let visit = visit.to_string();
        self.queue_write_and_truncate_wal(TICKET_CRASH_POINTS, move |tx| {
            tx.execute_statement("DELETE FROM tickets WHERE visit = ?1", [visit])?;
            Ok(())
        })
        .await
    }

    /// Every ticket, live and closed, in the order of the strip.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn load_tickets(&self) -> Result<Vec<TicketRecord>, StoreError> {
        self.queue_read_transaction(query_all_tickets).await
    }
}

/// Reads every ticket in the order of the strip.
fn query_all_tickets(tx: &JournalTransaction<'_>) -> Result<Vec<TicketRecord>, TransactionError> {
    let mut query = tx.prepare_statement(
        "SELECT visit, colour, symbol, code_hash, place, handed_over_at, wrong_codes, closed_at, closed_how
         FROM tickets ORDER BY place, handed_over_at, visit",
    )?;
    Ok(query.query_map([], read_ticket_record_from_row)?.collect::<rusqlite::Result<_>>()?)
}

/// Reads a ticket from a row of the query in `query_all_tickets`.
fn read_ticket_record_from_row(row: &Row<'_>) -> rusqlite::Result<TicketRecord> {
    let closed_at: Option<i64> = row.get(7)?;
    let how: Option<String> = row.get(8)?;
    Ok(TicketRecord {
        visit: super::read::read_visit_id_from_row(row, 0)?,
        colour: row.get(1)?,
        symbol: row.get(2)?,
        code_hash: row.get(3)?,
        place: row.get(4)?,
        handed_over_at: column::timestamp_from_micros_or_epoch(row.get(5)?),
        wrong_codes: row.get(6)?,
        closure: closed_at
            .map(|at| TicketClosure { how: how.unwrap_or_default(), at: column::timestamp_from_micros_or_epoch(at) }),
    })
}
