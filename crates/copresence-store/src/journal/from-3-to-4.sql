-- How long the files of a visit are requested again; NULL for a visit that began before.
ALTER TABLE visits ADD COLUMN keep_trying_ms INTEGER;
-- The boot of the system in which the file was last requested; NULL for a file that was requested before.
ALTER TABLE files ADD COLUMN boot_id TEXT;
-- The content encoding of a file's response, and the notes about the file as JSON.
ALTER TABLE files ADD COLUMN content_encoding TEXT;
ALTER TABLE files ADD COLUMN notes TEXT;
