//! Forgetting: secrets at an ending, whole visits when a person or the retention asks for it.

use super::record::{Forgotten, VisitRecord};
use super::{Fault, Journal, column, read};
use crate::crash::{Point, Step};
use crate::data_dir::Claim;
use crate::error::StoreError;
use crate::visit_id::VisitId;
use jiff::Timestamp;
use rusqlite::{Transaction, params};

/// Overwrites what is secret of a visit.
pub(super) fn secrets(tx: &Transaction<'_>, id: &VisitId) -> Result<(), Fault> {
    let id = id.to_string();
    tx.execute("UPDATE visits SET token = NULL, link = NULL WHERE id = ?1", [&id])?;
    tx.execute("UPDATE redeems SET body = NULL WHERE visit = ?1", [&id])?;
    tx.execute("UPDATE files SET url = NULL, validator = NULL WHERE visit = ?1", [&id])?;
    Ok(())
}

impl Journal {
    /// Removes the visit of a claim from the journal, and gives what it was; `None` when there is no such visit. Its
    /// folder is the caller's to remove ([`crate::Avatars::remove`], and [`crate::AvatarFolder::reopen`] for a partial
    /// one): before this call and under the same claim, so that nothing is left that nobody knows of, and nobody goes
    /// on with it meanwhile.
    pub fn forget(&self, claim: &Claim) -> Result<Option<VisitRecord>, StoreError> {
        let id = claim.visit();
        let gone = self.write(Step(Point::ForgetWriting, Point::ForgetWritten), |tx| {
            let record = read::record(tx, id)?;
            tx.execute("DELETE FROM visits WHERE id = ?1", [id.to_string()])?;
            Ok(record)
        })?;
        self.truncate_wal();
        Ok(gone)
    }

    /// Forgets every visit that began before a moment, but for those that a program has in hand.
    pub fn forget_older_than(&self, moment: Timestamp) -> Result<Forgotten, StoreError> {
        let ids = self.read(|tx| read::ids(tx, Some(column::time(moment))))?;
        self.forget_each(&ids)
    }

    /// Forgets every visit, but for those that a program has in hand.
    pub fn forget_all(&self) -> Result<Forgotten, StoreError> {
        let ids = self.read(|tx| read::ids(tx, None))?;
        self.forget_each(&ids)
    }

    fn forget_each(&self, ids: &[VisitId]) -> Result<Forgotten, StoreError> {
        let mut forgotten = Forgotten::default();
        let mut claims = Vec::new();
        for id in ids {
            match self.data.claim(id) {
                Ok(claim) => claims.push(claim),
                Err(StoreError::Held { visit }) => forgotten.held.push(visit),
                Err(error) => return Err(error),
            }
        }
        forgotten.visits = self.write(Step(Point::ForgetWriting, Point::ForgetWritten), |tx| {
            let mut gone = Vec::new();
            for claim in &claims {
                gone.extend(read::record(tx, claim.visit())?);
                tx.execute("DELETE FROM visits WHERE id = ?1", params![claim.visit().to_string()])?;
            }
            Ok(gone)
        })?;
        drop(claims);
        self.truncate_wal();
        Ok(forgotten)
    }
}
