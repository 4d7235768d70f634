-- What kind of answer each redeem had, and the last completion status: `recover` rebuilds a visit's state from them.
ALTER TABLE redeems ADD COLUMN answer_kind TEXT;
ALTER TABLE visits ADD COLUMN last_status TEXT;
-- The plain polls of a finished visit (src/journal/polls.rs). Visits that finished before keep a row for each poll.
ALTER TABLE visits ADD COLUMN polls TEXT;
ALTER TABLE visits ADD COLUMN poll_count INTEGER NOT NULL DEFAULT 0;
-- Back-off of `recover`.
ALTER TABLE visits ADD COLUMN recovery_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE visits ADD COLUMN recovery_next_attempt_at INTEGER;
