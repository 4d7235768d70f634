//! The outcomes of the Export Tokens, each of which is paid for.

use super::Journal;
use super::database::{JournalTransaction, TransactionError};
use super::token_counts::{IssuedTokenOutcome, TokenCounts};
use super::visit_record::VisitRecord;
use crate::error::StoreError;
use rusqlite::params;

impl Journal {
    /// Counts the issued Export Tokens by what became of them, including those of visits that were deleted.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn count_issued_tokens_by_outcome(&self) -> Result<TokenCounts, StoreError> {
        self.queue_read_transaction(|tx| {
            let mut counts = tx.query_row(
                "SELECT count(*) FILTER (WHERE redeemed_at IS NULL AND (ended_at IS NULL OR recoverable)),
                     count(*) FILTER (WHERE redeemed_at IS NOT NULL),
                     count(*) FILTER (WHERE redeemed_at IS NULL AND ended_at IS NOT NULL AND NOT recoverable)
                 FROM visits WHERE issued_at IS NOT NULL",
                [],
                |row| Ok(TokenCounts { active: row.get(0)?, spent: row.get(1)?, abandoned: row.get(2)? }),
            )?;
            let mut query = tx.prepare_statement("SELECT token_use, count FROM deleted_tokens")?;
            for row in query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)))? {
                let (token_use, count) = row?;
                let is_spent = token_use == IssuedTokenOutcome::Spent.as_stable_word();
                let total = if is_spent { &mut counts.spent } else { &mut counts.abandoned };
                *total = total.saturating_add(count);
            }
            Ok(counts)
        })
        .await
    }
}

/// Counts the token of a visit that is being deleted. One that was still active is abandoned with it.
pub(super) fn count_token_of_deleted_visit(
    tx: &JournalTransaction<'_>,
    record: &VisitRecord,
) -> Result<(), TransactionError> {
    if let Some(token_use) = record.token_use() {
        let token_use = if token_use == IssuedTokenOutcome::Spent { token_use } else { IssuedTokenOutcome::Abandoned };
        tx.execute_statement(
            "INSERT INTO deleted_tokens (token_use, count) VALUES (?1, 1)
             ON CONFLICT (token_use) DO UPDATE SET count = count + 1",
            params![token_use.as_stable_word()],
        )?;
    }
    Ok(())
}
