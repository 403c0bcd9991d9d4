-- Landed must mean a bead's own work.

-- Who made what was submitted: made | unclear. Nothing: submitted to an older gt.
ALTER TABLE merge_requests ADD COLUMN origin TEXT;
-- JSON: why it can't land as its bead's own work, so that a person has to decide.
ALTER TABLE merge_requests ADD COLUMN doubt TEXT;
-- What its worker says of its own work that is not in what it submitted.
ALTER TABLE merge_requests ADD COLUMN dropped TEXT;

-- The worktree's commit, and the trunk as it was known, when a step was closed.
ALTER TABLE steps ADD COLUMN head TEXT;
ALTER TABLE steps ADD COLUMN trunk TEXT;
