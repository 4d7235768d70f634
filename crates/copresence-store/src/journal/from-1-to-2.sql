-- What a visit's downloads keep to; of visits that began before, nobody knows.
ALTER TABLE visits ADD COLUMN parallel_downloads INTEGER;
ALTER TABLE visits ADD COLUMN max_file_size INTEGER;
ALTER TABLE visits ADD COLUMN patience_ms INTEGER;
ALTER TABLE visits ADD COLUMN min_free_space INTEGER;
