-- Where the URL of a file last redirected; NULL for a file that was requested before.
ALTER TABLE files ADD COLUMN redirected_to TEXT;
