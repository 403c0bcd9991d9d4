-- The id that an attempt's branch, snapshots and archive are named after, where its bead has got another one since.
ALTER TABLE attempts ADD COLUMN named TEXT;
