//! The content of the journal, read from a copy, with queries that share no code with the product.

use crate::HarnessError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// The rows of a journal. Empty without a file or without tables.
#[derive(Debug, Default, Clone)]
pub(crate) struct JournalContent {
    pub(crate) visits: Vec<VisitRow>,
    pub(crate) redeems: Vec<RedeemRow>,
    /// Redeems of finished visits whose rows were folded into a count.
    pub(crate) folded_redeems: usize,
    pub(crate) files: Vec<FileRow>,
    /// Errors of `SQLite`'s integrity check, or the error that prevented it.
    pub(crate) damage: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct VisitRow {
    pub(crate) id: String,
    pub(crate) token: Option<String>,
    pub(crate) was_issued: bool,
    pub(crate) ended: Option<(String, i64)>,
    /// Whether the visit did not end, or `recover` can continue it.
    pub(crate) is_unfinished: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct RedeemRow {
    pub(crate) visit: String,
    /// Whether its raw response has URLs, or had them when it was parsed.
    pub(crate) delivered: bool,
    pub(crate) has_body: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct FileRow {
    pub(crate) visit: String,
    pub(crate) index: usize,
    /// Whether all of the file is durable according to the journal.
    pub(crate) is_durable: bool,
    pub(crate) has_url: bool,
}

impl JournalContent {
    /// Reads a copy of the journal: opening the journal itself would already recover it.
    pub(crate) fn read_copy(data: &Path) -> Result<Self, HarnessError> {
        let copy = tempfile::Builder::new().prefix("copresence-matrix-journal-").tempdir()?;
        for name in ["journal.sqlite", "journal.sqlite-wal"] {
            let from = data.join(name);
            if from.exists() {
                std::fs::copy(from, copy.path().join(name))?;
            }
        }
        let path = copy.path().join("journal.sqlite");
        if !path.exists() {
            return Ok(Self::default());
        }
        let journal = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        match Self::query_tables(&journal) {
            Ok(view) => Ok(view),
            Err(error) => Ok(Self { damage: vec![error.to_string()], ..Self::default() }),
        }
    }

    fn query_tables(journal: &Connection) -> rusqlite::Result<Self> {
        let query_strings = |sql: &str| -> rusqlite::Result<Vec<String>> {
            journal.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        };
        let mut damage = query_strings("PRAGMA integrity_check")?;
        damage.retain(|line| line != "ok");
        if query_strings("SELECT name FROM sqlite_master WHERE name = 'visits'")?.is_empty() {
            return Ok(Self { damage, ..Self::default() });
        }
        let mut visits = journal.prepare(
            "SELECT id, token, issued_at IS NOT NULL, ended_code, ended_exit, ended_at IS NULL OR recoverable
             FROM visits ORDER BY id",
        )?;
        let visits = visits.query_map([], |row| {
            let code: Option<String> = row.get(3)?;
            let exit: Option<i64> = row.get(4)?;
            Ok(VisitRow {
                id: row.get(0)?,
                token: row.get(1)?,
                was_issued: row.get(2)?,
                ended: code.zip(exit),
                is_unfinished: row.get(5)?,
            })
        })?;
        let mut redeems = journal.prepare(
            "SELECT visit, coalesce(delivered, status = 200 AND instr(body, 'download_URL') > 0, 0),
                 body IS NOT NULL
             FROM redeems ORDER BY visit, no",
        )?;
        let redeems = redeems
            .query_map([], |row| Ok(RedeemRow { visit: row.get(0)?, delivered: row.get(1)?, has_body: row.get(2)? }))?;
        let folded_redeems: i64 =
            journal.query_row("SELECT coalesce(sum(poll_count), 0) FROM visits", [], |row| row.get(0))?;
        let mut files = journal.prepare(
            "SELECT visit, idx, state = 'whole' OR coalesce(bytes = total, 0), url IS NOT NULL
             FROM files ORDER BY visit, idx",
        )?;
        let files = files.query_map([], |row| {
            Ok(FileRow {
                visit: row.get(0)?,
                index: usize::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
                is_durable: row.get(2)?,
                has_url: row.get(3)?,
            })
        })?;
        Ok(Self {
            visits: visits.collect::<rusqlite::Result<_>>()?,
            redeems: redeems.collect::<rusqlite::Result<_>>()?,
            folded_redeems: usize::try_from(folded_redeems).unwrap_or_default(),
            files: files.collect::<rusqlite::Result<_>>()?,
            damage,
        })
    }

    /// Number of redeems that were intended, folded ones included.
    pub(crate) fn redeem_intents(&self) -> usize {
        self.redeems.len() + self.folded_redeems
    }

    /// Whether the response with a visit's URLs is in the journal.
    pub(crate) fn has_delivered_response(&self, visit: &str) -> bool {
        self.redeems.iter().any(|redeem| redeem.visit == visit && redeem.delivered)
    }
}
