-- What a rig's gates are doing now. A row counts only while the refinery's lock is held: a killed one leaves it behind.

CREATE TABLE gating (
    rig TEXT PRIMARY KEY,
    label TEXT NOT NULL,            -- how the logs' names begin
    commit_tested TEXT NOT NULL,
    batch TEXT NOT NULL,            -- ids of merge requests, as JSON; empty: of the trunk itself
    gate TEXT,                      -- NULL: the worktree is being set up
    place INTEGER NOT NULL,         -- 1 for the first gate
    gates INTEGER NOT NULL,
    begun_at TEXT NOT NULL,
    gate_begun_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX verdicts_of ON verdicts (rig, at);
