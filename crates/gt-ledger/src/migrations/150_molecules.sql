-- A molecule is a formula that was poured: for an attempt, whose worker follows it, or on its own, for the engine to run.
-- Each attempt that has steps gets a molecule of the same number.
CREATE TABLE molecules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    formula TEXT NOT NULL,
    hash TEXT NOT NULL,             -- SHA-256 of the formula as it was resolved; empty where an older gt poured it
    vars TEXT NOT NULL,             -- JSON: the values that it was poured with
    rig TEXT,
    bead TEXT,                      -- bead that it was poured for
    attempt INTEGER UNIQUE REFERENCES attempts (id),
    convoy TEXT,                    -- convoy of the beads that its steps are handed out as
    parent INTEGER REFERENCES molecules (id), -- molecule whose step poured it
    parent_step TEXT,
    is_ephemeral INTEGER NOT NULL DEFAULT 0,
    poured_at TEXT NOT NULL,
    poured_by TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT,                   -- done | failed | burned | dropped
    digest TEXT                     -- what is left of a squashed molecule's steps
) STRICT;
CREATE INDEX live_molecules ON molecules (id) WHERE ended_at IS NULL;
CREATE INDEX molecules_of ON molecules (bead);
CREATE INDEX molecules_below ON molecules (parent, parent_step) WHERE parent IS NOT NULL;

INSERT INTO molecules (id, formula, hash, vars, rig, bead, attempt, poured_at, poured_by, ended_at, outcome)
SELECT id, formula, '', '{}', rig, bead, id, opened_at, '', ended_at, CASE WHEN ended_at IS NOT NULL THEN 'dropped' END
FROM attempts WHERE EXISTS (SELECT 1 FROM steps WHERE steps.attempt = attempts.id);

CREATE TABLE molecule_steps (
    molecule INTEGER NOT NULL REFERENCES molecules (id),
    position INTEGER NOT NULL,
    step TEXT NOT NULL,             -- JSON: the poured step
    id TEXT NOT NULL,
    waits INTEGER NOT NULL,         -- number of its needs that are not over
    state TEXT NOT NULL,            -- open | waiting | running | done | failed | skipped
    started_at TEXT,                -- when the engine first found it ready
    opened_at TEXT,                 -- when its gate opened
    done_at TEXT,                   -- when it was over: done, failed or skipped
    note TEXT,
    output TEXT,                    -- last lines of what a command printed
    tries INTEGER NOT NULL DEFAULT 0,
    bead TEXT,                      -- bead that it was handed out as
    head TEXT,                      -- the worktree's commit, and the trunk as it was known, when it was over
    trunk TEXT,
    PRIMARY KEY (molecule, position),
    UNIQUE (molecule, id)
) STRICT, WITHOUT ROWID;
INSERT INTO molecule_steps (molecule, position, step, id, waits, state, done_at, note, head, trunk)
SELECT attempt, position, step, id,
       (SELECT count(*) FROM json_each(s.step, '$.needs') need JOIN steps before
        ON before.attempt = s.attempt AND before.id = need.value WHERE before.done_at IS NULL),
       CASE WHEN done_at IS NULL THEN 'open' ELSE 'done' END, done_at, note, head, trunk
FROM steps s;
DROP TABLE steps;
ALTER TABLE molecule_steps RENAME TO steps;
CREATE INDEX steps_ready ON steps (molecule, position) WHERE waits = 0 AND state IN ('open', 'waiting', 'running');
CREATE INDEX steps_as_beads ON steps (bead) WHERE bead IS NOT NULL;

-- Which steps wait for a step.
CREATE TABLE step_needs (
    molecule INTEGER NOT NULL,
    need TEXT NOT NULL,
    position INTEGER NOT NULL,      -- of the step that waits
    PRIMARY KEY (molecule, need, position)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO step_needs (molecule, need, position)
SELECT s.molecule, need.value, s.position FROM steps s, json_each(s.step, '$.needs') need;
