-- Form 5. Times are microseconds since 1970 (UTC). Secrets (token, link, url, redirected_to, body) are NULL once they are erased.
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
    -- Limits of its downloads. NULL for a visit that began with form 1.
    parallel_downloads INTEGER,
    max_file_size    INTEGER,
    patience_ms      INTEGER,
    min_free_space   INTEGER,
    -- `completion_status` of the last answer that was "not ready".
    last_status      TEXT,
    -- Plain polls of a finished visit, folded (src/journal/polls.rs), and their number.
    polls            TEXT,
    poll_count       INTEGER NOT NULL DEFAULT 0,
    -- Back-off of `recover`.
    recovery_attempts INTEGER NOT NULL DEFAULT 0,
    recovery_next_attempt_at INTEGER,
    -- How long after the delivery missing files are requested again. NULL for a visit that began before form 4.
    keep_trying_ms   INTEGER
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
    -- NULL until the answer was read, then whether it carried URLs (for a lost answer: whether its beginning was used as the
    -- delivery).
    delivered INTEGER,
    -- What kind of answer it was ('progress', 'refused', 'failed', 'unreadable', 'truncated', 'delivery'). NULL until it was
    -- read, or if it was read before form 3.
    answer_kind TEXT,
    PRIMARY KEY (visit, no)
) STRICT, WITHOUT ROWID;

-- The most important guards, also enforced by the database.
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
    -- The boot of the system in which it was last requested: bytes that were not flushed are right within that boot only.
    boot_id     TEXT,
    -- `Content-Encoding` of the response, if the server stated one.
    content_encoding TEXT,
    -- Notes about the file, as JSON.
    notes       TEXT,
    -- Where the URL last redirected. A redirect may spend a one-time URL, and the file may still be there.
    redirected_to TEXT,
    PRIMARY KEY (visit, idx)
) STRICT, WITHOUT ROWID;
