//! The redeem journal: what was begun, and what came of it, durable before the next step is taken.
//!
//! `SQLite` in WAL mode with `synchronous = FULL`: a call that returns has been fsynced. Other processes may read and
//! write the same journal meanwhile. The guards are checked in the transaction that writes, and the two that matter
//! most (one open intent, one delivery) are unique indexes as well.
//!
//! # The order of calls
//! ```text
//! begin → token_issued → { redeem_intent → [request] → redeem_never_sent
//!                                                    | redeem_unanswered → [look into what came] → redeem_read
//!                                                    | redeem_answered → [parse] → redeem_read }*
//!       → (redeem_salvaged) → files_planned → { file_requested → [GET] → file_progress* → file_whole | file_failed }*
//!       → [AvatarFolder::publish] → ended
//! ```
//!
//! # What the guards refuse ([`StoreError::Guard`])
//! | call | refused |
//! |---|---|
//! | `redeem_intent` | without a token; while an intent is open; while an answer is unread; after an answer with URLs; after the end |
//! | `redeem_never_sent`, `redeem_unanswered`, `redeem_answered` | when that redeem is not open |
//! | `redeem_read` | when that redeem has no unread answer, and nothing unread came of it |
//! | `redeem_salvaged` | when nothing is kept of that redeem's answer; after an answer with URLs; after the end |
//! | `files_planned` | before an answer with URLs; a second time; after the end |
//! | `file_…` | for a file that is not planned, or is whole; after the end |
//! | `token_issued` | a second time; after the end |
//! | `ended` | a second time |
//! | `reopen` | when the ending kept nothing |
//!
//! An answer to an intent that is still open is taken also after the end if the ending kept something: it is worth
//! more than the order of calls.
//!
//! # What an ending keeps
//! | exit code | token and link | raw answer, URLs | evidence, file table |
//! |---|---|---|---|
//! | 0 saved | forgotten | forgotten | kept |
//! | 4 token refused, 5 avatar failed | forgotten | forgotten | kept |
//! | 9 protocol broken | **kept** unless spent or refused: the backend may mend | kept if it names files | kept |
//! | 7 not every file, what came has its folder | forgotten | forgotten | kept, with the reason of each file |
//! | 7 not every file, no folder could be made | forgotten | **kept** | kept |
//! | 10 possibly consumed | forgotten | forgotten | kept: it is the operator's proof |
//! | 2 disk, 3 credentials, 6 unreachable, 8 nobody came, 130 interrupted | **kept** unless spent | **kept** if unread or with URLs | kept |
//! | 1 and any other | forgotten | forgotten | kept |
//! | none (crash) | kept | kept | kept |
//!
//! A visit whose backend died with the process (`ephemeral`) keeps nothing at any ending. What is kept is what
//! [`Journal::unfinished`] gives. Forgotten means: overwritten in the database (`secure_delete`), and the WAL
//! truncated. A body of an answer without URLs goes as soon as it was read. Of a lost or broken answer whatever came is
//! kept if it names files: until an answer says that the token lives, or as long as the token itself.

mod column;
mod files;
mod forget;
mod read;
mod record;
mod redeem;

pub use record::{
    Ending, FileProgress, FileRecord, FileState, Forgotten, Fragment, Kept, Phase, PlannedFile, Reading,
    RedeemNo, RedeemOutcome, RedeemRecord, RedeemState, Unfinished, UnfinishedFile, UnfinishedRedeem,
    VisitDetail, VisitLimits, VisitRecord, VisitRecordStart,
};

use crate::crash::{self, Point, Step};
use crate::data_dir::DataDir;
use crate::disk;
use crate::error::{At, StoreError};
use crate::visit_id::VisitId;
use jiff::Timestamp;
use protocol::ExportToken;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The journal. Clones share one connection; calls block until what they write is durable.
#[derive(Clone)]
pub struct Journal {
    connection: Arc<Mutex<Connection>>,
    path: PathBuf,
    data: DataDir,
}

/// The form of the database that this version writes.
const FORM: i64 = 2;
/// How long another program's write is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

impl Journal {
    pub(crate) fn open(path: &Path, data: DataDir) -> Result<Self, StoreError> {
        create_private(path)?;
        let open = || -> rusqlite::Result<(Connection, i64)> {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(PATIENCE)?;
            let mode: String =
                connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
            if mode != "wal" {
                // Some network disks cannot: as durable, but others wait while one writes.
                tracing::warn!(%mode, path = %path.display(), "the journal's disk allows no WAL");
            }
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
            let form = lay_out(&mut connection)?;
            Ok((connection, form))
        };
        let (connection, found) = open().map_err(|error| StoreError::journal(path, error))?;
        if found > FORM {
            return Err(StoreError::JournalTooNew { path: path.to_owned(), found, known: FORM });
        }
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path: path.to_owned(), data })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that a visit began.
    pub fn begin(&self, start: &VisitRecordStart) -> Result<(), StoreError> {
        let out_dir = column::path(&start.out_dir)?;
        let required: Vec<&str> = start.required_exports.iter().map(protocol::ExportType::as_str).collect();
        let required = serde_json::to_string(&required).unwrap_or_default();
        let limits = start.limits;
        self.write(Step(Point::BeginWriting, Point::BeginWritten), |tx| {
            let made = tx.execute(
                "INSERT INTO visits (id, profile, api_url, backend_host, ephemeral, out_dir, required_exports,
                     started_at, parallel_downloads, max_file_size, patience_ms, min_free_space)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
                params![
                    start.id.to_string(),
                    start.profile,
                    start.api_url,
                    start.backend_host,
                    start.ephemeral,
                    out_dir,
                    required,
                    column::time(start.started_at),
                    limits.map(|limits| column::size(limits.parallel_downloads as u64)),
                    limits.map(|limits| column::size(limits.max_file_size)),
                    limits.map(|limits| column::millis(limits.patience)),
                    limits.map(|limits| column::size(limits.min_free_space))
                ],
            )?;
            guard(made == 1, start.id, "it began already")
        })
    }

    /// Notes the token that was issued, with the link that shows it.
    pub fn token_issued(
        &self,
        id: &VisitId,
        token: &ExportToken,
        link: &str,
        expires_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(Step(Point::TokenWriting, Point::TokenWritten), |tx| {
            let visit = Standing::of(tx, id)?;
            visit.goes_on()?;
            guard(!visit.issued, *id, "it has a token already")?;
            tx.execute(
                "UPDATE visits SET token = ?2, link = ?3, expires_at = ?4, issued_at = ?5 WHERE id = ?1",
                params![id.to_string(), token.expose(), link, expires_at.map(column::time), column::time(at)],
            )?;
            Ok(())
        })
    }

    /// Notes when a phase was first seen; a second time changes nothing.
    pub fn phase_reached(&self, id: &VisitId, phase: Phase, at: Timestamp) -> Result<(), StoreError> {
        let column = match phase {
            Phase::Associated => "associated_at",
            Phase::Queued => "queued_at",
            Phase::Processing => "processing_at",
            Phase::Ready => "ready_at",
            Phase::Saved => "saved_at",
        };
        self.write(Step(Point::PhaseWriting, Point::PhaseWritten), |tx| {
            Standing::of(tx, id)?;
            let sql = format!("UPDATE visits SET {column} = ?2 WHERE id = ?1 AND {column} IS NULL");
            tx.execute(&sql, params![id.to_string(), column::time(at)])?;
            Ok(())
        })
    }

    /// Notes the end, and forgets every secret that `recover` has no use for (the table above). The folder with the
    /// avatar is on disk before this is called.
    pub fn ended(&self, id: &VisitId, ending: &Ending) -> Result<Kept, StoreError> {
        let directory = ending.directory.as_deref().map(column::path).transpose()?;
        let kept = self.write(Step(Point::EndWriting, Point::EndWritten), |tx| {
            let visit = Standing::of(tx, id)?;
            guard(!visit.ended, *id, "it ended already")?;
            let open = may_recover(ending) || ending.exit == 9 && visit.token_may_live(tx, id)?;
            let kept = if open { visit.worth_keeping(tx, id)? } else { Kept::Nothing };
            tx.execute(
                "UPDATE visits SET ended_at = ?2, ended_code = ?3, ended_exit = ?4, ended_message = ?5,
                     ended_state = ?6, directory = ?7, recoverable = ?8
                 WHERE id = ?1",
                params![
                    id.to_string(),
                    column::time(ending.at),
                    ending.code,
                    ending.exit,
                    ending.message,
                    ending.visit_state,
                    directory,
                    kept != Kept::Nothing
                ],
            )?;
            if kept == Kept::Nothing {
                forget::secrets(tx, id)?;
            }
            Ok(kept)
        })?;
        self.truncate_wal();
        Ok(kept)
    }

    /// Takes a visit up again that a crash cut short, or whose ending kept something. Its claim is the caller's to
    /// hold ([`DataDir::claim`]).
    pub fn reopen(&self, id: &VisitId) -> Result<(), StoreError> {
        self.write(Step(Point::ReopenWriting, Point::ReopenWritten), |tx| {
            let visit = Standing::of(tx, id)?;
            guard(!visit.ended || visit.recoverable, *id, "it ended, and nothing was kept of it")?;
            tx.execute(
                "UPDATE visits SET reopened = reopened + 1, recoverable = 0, ended_at = NULL, ended_code = NULL,
                     ended_exit = NULL, ended_message = NULL, ended_state = NULL, directory = NULL
                 WHERE id = ?1",
                params![id.to_string()],
            )?;
            Ok(())
        })
    }

    /// Runs a guarded, durable transaction: all of it or nothing.
    fn write<T>(
        &self,
        step: Step,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let run = || -> Result<T, Fault> {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = act(&tx)?;
            crash::reached(step.0);
            tx.commit()?;
            crash::reached(step.1);
            Ok(value)
        };
        run().map_err(|fault| self.name(fault))
    }

    /// Reads one consistent state.
    fn read<T>(&self, act: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let run = || -> Result<T, Fault> { act(&connection.transaction()?) };
        run().map_err(|fault| self.name(fault))
    }

    /// Writes the WAL back and cuts it to nothing, so that no forgotten secret stays in it. While another program
    /// reads, it is left to the next time.
    fn truncate_wal(&self) {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        if !matches!(busy, Ok(false)) {
            tracing::debug!(?busy, "the journal's WAL is truncated next time");
        }
        crash::reached(Point::WalTruncated);
    }

    fn name(&self, fault: Fault) -> StoreError {
        match fault {
            Fault::Store(error) => error,
            Fault::Database(error) => StoreError::journal(&self.path, error),
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What ends a transaction without a commit.
enum Fault {
    Store(StoreError),
    Database(rusqlite::Error),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// How a visit stands, for the guards.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of a row, and all combinations occur")]
struct Standing {
    id: VisitId,
    ephemeral: bool,
    issued: bool,
    ended: bool,
    recoverable: bool,
    /// Whether the token is still in the journal.
    has_token: bool,
    delivered: bool,
    unread: bool,
}

impl Standing {
    fn of(tx: &Transaction<'_>, id: &VisitId) -> Result<Self, Fault> {
        let standing = tx
            .query_row(
                "SELECT ephemeral, issued_at IS NOT NULL, ended_at IS NOT NULL, recoverable, token IS NOT NULL,
                     EXISTS (SELECT 1 FROM redeems WHERE visit = id AND delivered = 1),
                     EXISTS (SELECT 1 FROM redeems WHERE visit = id AND state = 'answered' AND delivered IS NULL)
                 FROM visits WHERE id = ?1",
                [id.to_string()],
                |row| {
                    Ok(Self {
                        id: *id,
                        ephemeral: row.get(0)?,
                        issued: row.get(1)?,
                        ended: row.get(2)?,
                        recoverable: row.get(3)?,
                        has_token: row.get(4)?,
                        delivered: row.get(5)?,
                        unread: row.get(6)?,
                    })
                },
            )
            .optional()?;
        Ok(standing.ok_or(StoreError::UnknownVisit { visit: *id })?)
    }

    fn goes_on(&self) -> Result<(), Fault> {
        guard(!self.ended, self.id, "it ended")
    }

    /// Whether nothing says that its token is spent, or refused by its last answer.
    fn token_may_live(&self, tx: &Transaction<'_>, id: &VisitId) -> Result<bool, Fault> {
        let last: Option<Option<u16>> = tx
            .query_row(
                "SELECT status FROM redeems WHERE visit = ?1 ORDER BY no DESC LIMIT 1",
                [id.to_string()],
                |row| row.get(0),
            )
            .optional()?;
        Ok(self.has_token && !self.delivered && last.flatten() != Some(400))
    }

    /// What `recover` could make something of.
    fn worth_keeping(&self, tx: &Transaction<'_>, id: &VisitId) -> Result<Kept, Fault> {
        if self.ephemeral {
            return Ok(Kept::Nothing);
        }
        if self.unread {
            return Ok(Kept::Answer);
        }
        if !self.delivered {
            return Ok(if self.has_token { Kept::Token } else { Kept::Nothing });
        }
        // A delivery without a plan was not looked at yet; of a planned one, what is left to fetch or to publish counts.
        let (planned, open): (i64, i64) = tx.query_row(
            "SELECT count(*), count(*) FILTER (WHERE state <> 'failed' OR NOT spent) FROM files WHERE visit = ?1",
            [id.to_string()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(if planned == 0 || open > 0 { Kept::Answer } else { Kept::Nothing })
    }
}

fn guard(holds: bool, visit: VisitId, why: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(StoreError::Guard { visit, why }.into()) }
}

/// Whether a visit that ended so may have something left to fetch.
fn may_recover(ending: &Ending) -> bool {
    // Without a folder of what came, nothing was put in order yet: a full disk may have room tomorrow.
    matches!(ending.exit, 2 | 3 | 6 | 8 | 130) || (ending.exit == 7 && ending.directory.is_none())
}

/// Makes the file before `SQLite` does, so that it (and the WAL, which takes its mode) is private.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).at("make", path),
    }
    // Also when it was there: a crash may have come between its making and its flush.
    path.parent().map_or(Ok(()), disk::sync_path)
}

/// Makes the tables in a new journal, and brings those of an earlier version to this one's form, all of it or nothing;
/// gives the form found or made.
fn lay_out(connection: &mut Connection) -> rusqlite::Result<i64> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let form: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match form {
        0 => tx.execute_batch(include_str!("schema.sql"))?,
        1 => tx.execute_batch(include_str!("from-1-to-2.sql"))?,
        _ => return Ok(form),
    }
    tx.pragma_update(None, "user_version", FORM)?;
    tx.commit()?;
    Ok(FORM)
}
