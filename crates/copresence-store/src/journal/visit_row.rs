//! The state of a visit's row, by which the guards refuse steps.

use super::database::{JournalTransaction, TransactionError};
use super::visit_record::DataRetainedForRecovery;
use crate::error::StoreError;
use crate::visit_id::VisitId;
use rusqlite::OptionalExtension as _;

/// The state of a visit's row, as far as the guards depend on it that refuse steps of the visit in a wrong order.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of a row, and all combinations occur")]
pub(super) struct VisitStateForStepGuards {
    id: VisitId,
    is_ephemeral: bool,
    pub(super) has_been_issued: bool,
    pub(super) has_ended: bool,
    pub(super) is_recoverable: bool,
    /// Whether the token is still in the journal.
    pub(super) has_token: bool,
    pub(super) has_delivery: bool,
    pub(super) has_unread_answer: bool,
}

impl VisitStateForStepGuards {
    /// Loads the state of a visit's row. An unknown visit is an error.
    pub(super) fn load_row_state(tx: &JournalTransaction<'_>, id: &VisitId) -> Result<Self, TransactionError> {
        let state = tx
            .query_row(
                "SELECT ephemeral, issued_at IS NOT NULL, ended_at IS NOT NULL, recoverable, token IS NOT NULL,
                     EXISTS (SELECT 1 FROM redeems WHERE visit = id AND delivered = 1),
                     EXISTS (SELECT 1 FROM redeems WHERE visit = id AND state = 'answered' AND delivered IS NULL)
                 FROM visits WHERE id = ?1",
                [id.to_string()],
                |row| {
                    Ok(Self {
                        id: *id,
                        is_ephemeral: row.get(0)?,
                        has_been_issued: row.get(1)?,
                        has_ended: row.get(2)?,
                        is_recoverable: row.get(3)?,
                        has_token: row.get(4)?,
                        has_delivery: row.get(5)?,
                        has_unread_answer: row.get(6)?,
                    })
                },
            )
            .optional()?;
        Ok(state.ok_or(StoreError::UnknownVisit { visit: *id })?)
    }

    /// Refuses a step if the visit has ended.
    pub(super) fn refuse_step_if_visit_ended(&self) -> Result<(), TransactionError> {
        refuse_step_unless(!self.has_ended, self.id, "it ended")
    }

    /// Whether the token may be active: it is kept, was not spent, and was not refused twice since the last answer that
    /// showed it active. A second refusal confirms the first.
    pub(super) fn may_token_be_active(
        &self,
        tx: &JournalTransaction<'_>,
        id: &VisitId,
    ) -> Result<bool, TransactionError> {
        let refusals: i64 = tx.query_row(
            "SELECT count(*) FROM redeems WHERE visit = ?1 AND answer_kind = 'refused' AND no >
                 (SELECT coalesce(max(no), 0) FROM redeems WHERE visit = ?1 AND answer_kind = 'progress')",
            [id.to_string()],
            |row| row.get(0),
        )?;
        Ok(self.has_token && !self.has_delivery && refusals < 2)
    }

    /// Determines which data of an ended visit to retain, because `recover` could use it.
    pub(super) fn find_data_to_retain_for_recovery(
        &self,
        tx: &JournalTransaction<'_>,
        id: &VisitId,
    ) -> Result<DataRetainedForRecovery, TransactionError> {
        if self.is_ephemeral {
            return Ok(DataRetainedForRecovery::Nothing);
        }
        if self.has_unread_answer {
            return Ok(DataRetainedForRecovery::Answer);
        }
        if !self.has_delivery {
            return Ok(if self.has_token { DataRetainedForRecovery::Token } else { DataRetainedForRecovery::Nothing });
        }
        // A response without planned files was not processed yet. Otherwise, files that are left to fetch or publish
        // count.
        let is_usable = tx.query_row(
            "SELECT CASE count(*)
                 WHEN 0 THEN EXISTS (SELECT 1 FROM redeems WHERE visit = ?1 AND delivered = 1 AND body IS NOT NULL)
                 ELSE count(*) FILTER (WHERE state <> 'failed' OR NOT spent) > 0 END
             FROM files WHERE visit = ?1",
            [id.to_string()],
            |row| row.get(0),
        )?;
        Ok(if is_usable { DataRetainedForRecovery::Answer } else { DataRetainedForRecovery::Nothing })
    }
}

/// Returns [`StoreError::StepRefused`] with the reason `why` unless `holds` is true.
pub(super) fn refuse_step_unless(holds: bool, visit: VisitId, why: &'static str) -> Result<(), TransactionError> {
    if holds { Ok(()) } else { Err(StoreError::StepRefused { visit, why }.into()) }
}
