-- Schema 1. Times are microseconds since 1970 (UTC). Secrets (token, link, url, body) are NULL once they are erased.
CREATE TABLE visits (
    id               TEXT PRIMARY KEY,
    profile          TEXT NOT NULL,
    api_url          TEXT NOT NULL,
    backend_host     TEXT NOT NULL,
    ephemeral        INTEGER NOT NULL,
    out_dir          ANY NOT NULL,
    required_exports TEXT NOT NULL,
    started_at       INTEGER NOT NULL,
    issued_at        INTEGER,
    token            TEXT,
    link             TEXT,
    expires_at       INTEGER,
    associated_at    INTEGER,
    queued_at        INTEGER,
    processing_at    INTEGER,
    ready_at         INTEGER,
    redeemed_at      INTEGER,
    saved_at         INTEGER,
    reopened         INTEGER NOT NULL DEFAULT 0,
    ended_at         INTEGER,
    ended_code       TEXT,
    ended_exit       INTEGER,
    ended_message    TEXT,
    ended_state      TEXT,
    directory        ANY,
    recoverable      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE redeems (
    visit     TEXT NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    no        INTEGER NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('intent', 'never_sent', 'unanswered', 'answered')),
    intent_at INTEGER NOT NULL,
    ended_at  INTEGER,
    evidence  TEXT,
    status    INTEGER,
    body      BLOB,
    body_size INTEGER,
    -- NULL until the response was parsed, then whether it has URLs.
    delivered INTEGER,
    PRIMARY KEY (visit, no)
) STRICT, WITHOUT ROWID;

-- The database refuses a second open intent too.
CREATE UNIQUE INDEX one_open_intent ON redeems (visit) WHERE state = 'intent';
CREATE UNIQUE INDEX one_delivery ON redeems (visit) WHERE delivered = 1;

CREATE TABLE files (
    visit       TEXT NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    idx         INTEGER NOT NULL,
    name        TEXT NOT NULL,
    export_type TEXT NOT NULL,
    url         TEXT,
    state       TEXT NOT NULL CHECK (state IN ('planned', 'requested', 'whole', 'failed')),
    bytes       INTEGER NOT NULL DEFAULT 0,
    total       INTEGER,
    validator   TEXT,
    sha256      TEXT,
    format      TEXT,
    reason      TEXT,
    spent       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (visit, idx)
) STRICT, WITHOUT ROWID;
