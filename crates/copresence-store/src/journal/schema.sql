-- Form 7. Times are microseconds since 1970 (UTC). Secrets (token, link, url, redirected_to, body) are NULL once they are erased.
--
-- SQLite stores the text of each statement. Comments are therefore outside of the statements: the text of all of them fits into
-- the first page of the database, which a repair replaces if it is damaged.

-- parallel_downloads … min_free_space: limits of its downloads. NULL for a visit that began with form 1.
-- last_status: `completion_status` of the last answer that was "not ready".
-- polls, poll_count: plain polls of a finished visit, folded (src/journal/polls.rs), and their number.
-- recovery_…: back-off of `recover`.
-- keep_trying_ms: how long after the delivery missing files are requested again. NULL for a visit that began before form 4.
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
    recoverable      INTEGER NOT NULL DEFAULT 0,
    parallel_downloads INTEGER,
    max_file_size    INTEGER,
    patience_ms      INTEGER,
    min_free_space   INTEGER,
    last_status      TEXT,
    polls            TEXT,
    poll_count       INTEGER NOT NULL DEFAULT 0,
    recovery_attempts INTEGER NOT NULL DEFAULT 0,
    recovery_next_attempt_at INTEGER,
    keep_trying_ms   INTEGER
) STRICT, WITHOUT ROWID;

-- delivered: NULL until the answer was read, then whether it carried URLs (for a lost answer: whether its beginning was used as
-- the delivery).
-- answer_kind: what kind of answer it was ('progress', 'refused', 'failed', 'unreadable', 'truncated', 'delivery'). NULL until
-- it was read, or if it was read before form 3.
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
    delivered INTEGER,
    answer_kind TEXT,
    PRIMARY KEY (visit, no)
) STRICT, WITHOUT ROWID;

-- The most important guards, also enforced by the database.
CREATE UNIQUE INDEX one_open_intent ON redeems (visit) WHERE state = 'intent';
CREATE UNIQUE INDEX one_delivery ON redeems (visit) WHERE delivered = 1;

-- sha256: of the whole file, or of its first `bytes` bytes while it is downloaded.
-- boot_id: the boot of the system in which it was last requested. Bytes that were not flushed are right within that boot only.
-- content_encoding: `Content-Encoding` of the response, if the server stated one.
-- notes: notes about the file, as JSON.
-- redirected_to: the URLs to which the URL redirected, one per line. A redirect may spend a one-time URL, and the file may still
-- be at one of them.
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
    boot_id     TEXT,
    content_encoding TEXT,
    notes       TEXT,
    redirected_to TEXT,
    PRIMARY KEY (visit, idx)
) STRICT, WITHOUT ROWID;

-- Tickets of visits that were handed over to the next visitor of the window.
-- colour, symbol: the two words of its name.
-- code_hash: argon2id hash of the pickup code, as a PHC string. NULL once it is closed.
-- place: its place on the strip, in ascending order.
-- closed_at, closed_how: NULL while it is live.
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

-- Number of issued Export Tokens of visits that were deleted.
CREATE TABLE deleted_tokens (
    token_use TEXT PRIMARY KEY CHECK (token_use IN ('spent', 'abandoned')),
    count     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was deleted of forgotten visits, and when (src/journal/deletions.rs).
CREATE TABLE deletions (
    visit TEXT PRIMARY KEY, started_at INTEGER NOT NULL, ended_at INTEGER, ended_code TEXT, deleted_at INTEGER NOT NULL,
    items TEXT NOT NULL
) STRICT, WITHOUT ROWID;
