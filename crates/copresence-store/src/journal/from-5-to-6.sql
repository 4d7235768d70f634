-- The tickets of visits that were handed over, and the tokens of visits that were deleted.
CREATE TABLE tickets (
    visit          TEXT PRIMARY KEY REFERENCES visits (id) ON DELETE CASCADE,
    colour         TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    code_hash      TEXT,
    place          INTEGER NOT NULL,
    handed_over_at INTEGER NOT NULL,
    wrong_codes    INTEGER NOT NULL DEFAULT 0,
    closed_at      INTEGER,
    closed_how     TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE deleted_tokens (
    token_use TEXT PRIMARY KEY CHECK (token_use IN ('spent', 'abandoned')),
    count     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
