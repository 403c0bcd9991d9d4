-- What retention lets go of, and what a fresh attempt takes over from an older one.

-- When the pin of its head was given up; until then it must be there.
ALTER TABLE merge_requests ADD COLUMN unpinned_at TEXT;

-- The snapshot of which the worktree gets the files, where the attempt goes on from what was not committed.
ALTER TABLE attempts ADD COLUMN restores TEXT;
