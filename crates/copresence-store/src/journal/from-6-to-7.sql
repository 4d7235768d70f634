-- What was deleted of forgotten visits, and when (src/journal/deletions.rs).
CREATE TABLE deletions (
    visit TEXT PRIMARY KEY, started_at INTEGER NOT NULL, ended_at INTEGER, ended_code TEXT, deleted_at INTEGER NOT NULL,
    items TEXT NOT NULL
) STRICT, WITHOUT ROWID;
