//! What stands in the journal, read as a stranger would: from a copy, with its own queries.

use crate::Trouble;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// What a journal says. Without a file, or without tables, it says nothing.
#[derive(Debug, Default, Clone)]
pub(crate) struct View {
    pub(crate) visits: Vec<Visit>,
    pub(crate) redeems: Vec<Redeem>,
    /// Redeems of finished visits that have no row of their own any more.
    pub(crate) folded: usize,
    pub(crate) files: Vec<File>,
    /// What is wrong with the database itself.
    pub(crate) damage: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) id: String,
    pub(crate) token: Option<String>,
    pub(crate) issued: bool,
    pub(crate) ended: Option<(String, i64)>,
    /// Never ended, or something is kept for `recover`.
    pub(crate) unfinished: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Redeem {
    pub(crate) visit: String,
    /// Its raw answer carries URLs, or carried them when it was read.
    pub(crate) delivered: bool,
    pub(crate) has_body: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) visit: String,
    pub(crate) index: usize,
    /// All of it is durable, as the journal has it.
    pub(crate) safe: bool,
    pub(crate) has_url: bool,
}

impl View {
    /// Reads a copy: looking at the journal itself would already recover it.
    pub(crate) fn read(data: &Path) -> Result<Self, Trouble> {
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
        match Self::query(&journal) {
            Ok(view) => Ok(view),
            Err(error) => Ok(Self { damage: vec![error.to_string()], ..Self::default() }),
        }
    }

    fn query(journal: &Connection) -> rusqlite::Result<Self> {
        let all = |sql: &str| -> rusqlite::Result<Vec<String>> {
            journal.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        };
        let mut damage = all("PRAGMA integrity_check")?;
        damage.retain(|word| word != "ok");
        if all("SELECT name FROM sqlite_master WHERE name = 'visits'")?.is_empty() {
            return Ok(Self { damage, ..Self::default() });
        }
        let mut visits = journal.prepare(
            "SELECT id, token, issued_at IS NOT NULL, ended_code, ended_exit, ended_at IS NULL OR recoverable
             FROM visits ORDER BY id",
        )?;
        let visits = visits.query_map([], |row| {
            let code: Option<String> = row.get(3)?;
            let exit: Option<i64> = row.get(4)?;
            Ok(Visit {
                id: row.get(0)?,
                token: row.get(1)?,
                issued: row.get(2)?,
                ended: code.zip(exit),
                unfinished: row.get(5)?,
            })
        })?;
        let mut redeems = journal.prepare(
            "SELECT visit, coalesce(delivered, status = 200 AND instr(body, 'download_URL') > 0, 0),
                 body IS NOT NULL
             FROM redeems ORDER BY visit, no",
        )?;
        let redeems = redeems.query_map([], |row| {
            Ok(Redeem { visit: row.get(0)?, delivered: row.get(1)?, has_body: row.get(2)? })
        })?;
        let folded: i64 =
            journal.query_row("SELECT coalesce(sum(poll_count), 0) FROM visits", [], |row| row.get(0))?;
        let mut files = journal.prepare(
            "SELECT visit, idx, state = 'whole' OR coalesce(bytes = total, 0), url IS NOT NULL
             FROM files ORDER BY visit, idx",
        )?;
        let files = files.query_map([], |row| {
            Ok(File {
                visit: row.get(0)?,
                index: usize::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
                safe: row.get(2)?,
                has_url: row.get(3)?,
            })
        })?;
        Ok(Self {
            visits: visits.collect::<rusqlite::Result<_>>()?,
            redeems: redeems.collect::<rusqlite::Result<_>>()?,
            folded: usize::try_from(folded).unwrap_or_default(),
            files: files.collect::<rusqlite::Result<_>>()?,
            damage,
        })
    }

    /// How many redeems were begun.
    pub(crate) fn intents(&self) -> usize {
        self.redeems.len() + self.folded
    }

    /// Whether the answer that carries a visit's URLs is on the disk.
    pub(crate) fn has_answer(&self, visit: &str) -> bool {
        self.redeems.iter().any(|redeem| redeem.visit == visit && redeem.delivered)
    }
}
