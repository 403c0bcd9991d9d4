-- The ledger's kernel. Migrations are append-only: a table that exists is changed by a later file, never here.
-- Times are RFC 3339 texts; *_ns columns hold the same instant in nanoseconds, for comparing.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE beads (
    id TEXT PRIMARY KEY,
    prefix TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    design TEXT NOT NULL,
    acceptance_criteria TEXT NOT NULL,
    notes TEXT NOT NULL,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL,
    issue_type TEXT NOT NULL,
    assignee TEXT,
    created_at TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    created_by TEXT,
    updated_at TEXT NOT NULL,
    updated_ns INTEGER NOT NULL,
    closed_at TEXT,
    close_reason TEXT,
    defer_until TEXT,
    defer_ns INTEGER,
    pinned INTEGER NOT NULL,
    is_template INTEGER NOT NULL,
    ephemeral INTEGER NOT NULL,
    rest TEXT NOT NULL              -- JSON array of [key, raw JSON text]: every key without a column, as it came
) STRICT;
CREATE INDEX beads_by_prefix ON beads (prefix);
CREATE INDEX beads_open ON beads (priority, created_ns) WHERE status = 'open';
CREATE INDEX beads_by_type ON beads (issue_type, status);

CREATE TABLE dependencies (
    issue_id TEXT NOT NULL REFERENCES beads (id) ON DELETE CASCADE,
    depends_on_id TEXT NOT NULL,    -- need not exist
    type TEXT NOT NULL,
    position INTEGER NOT NULL,
    created_at TEXT,
    rest TEXT NOT NULL,
    PRIMARY KEY (issue_id, depends_on_id, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependents ON dependencies (depends_on_id, type);

CREATE TABLE labels (
    issue_id TEXT NOT NULL REFERENCES beads (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (issue_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX labelled ON labels (label);

CREATE TABLE comments (
    issue_id TEXT NOT NULL REFERENCES beads (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,               -- JSON: an integer or a string
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    rest TEXT NOT NULL,
    PRIMARY KEY (issue_id, position)
) STRICT, WITHOUT ROWID;

-- Lines of an imported file that are no beads (`_type` records), kept and written back.
CREATE TABLE foreign_records (prefix TEXT NOT NULL, position INTEGER NOT NULL, line TEXT NOT NULL) STRICT;

CREATE TABLE rigs (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    prefix TEXT NOT NULL UNIQUE,
    remote TEXT NOT NULL,
    trunk TEXT NOT NULL,
    added_at TEXT NOT NULL
) STRICT;

-- Where each branch of a rig's remote was when we last asked, and what the refinery made it since.
CREATE TABLE remote_refs (
    rig TEXT NOT NULL REFERENCES rigs (name) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    sha TEXT NOT NULL,
    PRIMARY KEY (rig, branch)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bead TEXT NOT NULL,
    number INTEGER NOT NULL,        -- 1 for a bead's first
    rig TEXT NOT NULL,
    worker TEXT NOT NULL,           -- the polecat's name
    agent TEXT NOT NULL,            -- its kind
    formula TEXT NOT NULL,
    branch TEXT NOT NULL,
    convoy TEXT,
    swarm INTEGER,
    started_from TEXT,              -- the head of the attempt before, where there was one
    why TEXT,                       -- what ended the attempt before, for the worker to read
    base TEXT,                      -- the trunk's commit that it is based on, once fetched
    opened_at TEXT NOT NULL,
    submitted_at TEXT,
    head TEXT,                      -- what was submitted
    ended_at TEXT,
    outcome TEXT,                   -- landed | rework | released | recovered | parked
    snapshot TEXT,                  -- the last snapshot's commit
    archived_at TEXT,               -- when its worktree had gone into the archive
    UNIQUE (bead, number)
) STRICT;
-- F4: one live attempt a bead, whatever races.
CREATE UNIQUE INDEX one_live_attempt ON attempts (bead) WHERE ended_at IS NULL;
CREATE INDEX attempts_with_worktree ON attempts (rig, worker) WHERE archived_at IS NULL;

CREATE TABLE incarnations (
    id TEXT PRIMARY KEY,
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    number INTEGER NOT NULL,
    secret_hash TEXT,               -- SHA-256 of the secret, once a session is to be started with it
    opened_at TEXT NOT NULL,
    process TEXT,                   -- JSON: shim and agent as (boot id, pid, start ticks)
    started_at TEXT,
    ended_at TEXT,
    exit TEXT,                      -- JSON
    UNIQUE (attempt, number)
) STRICT;
CREATE INDEX live_incarnations ON incarnations (attempt) WHERE ended_at IS NULL;

CREATE TABLE steps (
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    position INTEGER NOT NULL,
    step TEXT NOT NULL,             -- JSON: the poured step
    id TEXT NOT NULL,
    done_at TEXT,
    note TEXT,
    PRIMARY KEY (attempt, position),
    UNIQUE (attempt, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE effects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    effect TEXT NOT NULL,           -- JSON
    kind TEXT NOT NULL,
    rig TEXT,
    bead TEXT,
    decided_at TEXT NOT NULL,
    delay_ms INTEGER NOT NULL,      -- observed time that must pass before it is run
    run INTEGER NOT NULL DEFAULT 0, -- the fence: results of an older run are not taken
    tries INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    done_at TEXT,
    gave_up_at TEXT
) STRICT;
CREATE INDEX effects_to_do ON effects (id) WHERE done_at IS NULL;

CREATE TABLE merge_requests (
    id TEXT PRIMARY KEY,
    bead TEXT NOT NULL,
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    rig TEXT NOT NULL,
    target TEXT NOT NULL,
    branch TEXT NOT NULL,
    head TEXT NOT NULL,
    base TEXT NOT NULL,
    submitted_at TEXT NOT NULL,
    approved_by TEXT,
    held TEXT,                      -- why it is held
    candidate_tree TEXT,            -- the tree that it would land, last time it was tried
    landing INTEGER,                -- the landing that contains it, from its decision on
    commit_landed TEXT,             -- its own commit in that landing
    ended_at TEXT,
    outcome TEXT,                   -- merged | rework | superseded | rejected
    failure TEXT
) STRICT;
CREATE UNIQUE INDEX one_live_mr ON merge_requests (bead) WHERE ended_at IS NULL;
CREATE INDEX queue ON merge_requests (rig) WHERE ended_at IS NULL;

-- What the gates said of a tree: never run again for the same tree and the same gates.
CREATE TABLE verdicts (
    rig TEXT NOT NULL,
    tree TEXT NOT NULL,
    gates_hash TEXT NOT NULL,
    passed INTEGER NOT NULL,
    failure TEXT,                   -- the failing gate and its last lines
    log TEXT NOT NULL,
    took_ms INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (rig, tree, gates_hash)
) STRICT;

CREATE TABLE landings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rig TEXT NOT NULL,
    target TEXT NOT NULL,
    onto TEXT NOT NULL,             -- where the trunk must be
    tip TEXT NOT NULL,              -- where it goes
    tree TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    landed_at TEXT,
    abandoned_at TEXT,
    why TEXT
) STRICT;
CREATE UNIQUE INDEX one_landing ON landings (rig, target) WHERE landed_at IS NULL AND abandoned_at IS NULL;

CREATE TABLE swarms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    convoy TEXT NOT NULL,
    rig TEXT NOT NULL,
    dispatched_by TEXT NOT NULL,
    started_at TEXT NOT NULL,
    completed_at TEXT
) STRICT;
CREATE TABLE swarm_members (
    swarm INTEGER NOT NULL REFERENCES swarms (id),
    bead TEXT NOT NULL,
    outcome TEXT,                   -- merged | failed, once finished
    PRIMARY KEY (swarm, bead)
) STRICT, WITHOUT ROWID;
CREATE INDEX swarms_of ON swarm_members (bead);

-- Mail is a bead of type `message`; a row here is one recipient's copy.
CREATE TABLE deliveries (
    mail TEXT NOT NULL REFERENCES beads (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    sent_at TEXT NOT NULL,
    delivered_at TEXT,
    delivered_to TEXT,              -- the incarnation whose context got it
    read_at TEXT,
    acted_at TEXT,
    PRIMARY KEY (mail, recipient)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox ON deliveries (recipient, sent_at) WHERE acted_at IS NULL;

-- Something that is wrong now: one row a key, one notice a transition.
CREATE TABLE conditions (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    since TEXT NOT NULL,
    cleared_at TEXT
) STRICT, WITHOUT ROWID;

-- The audit: every change, by whom, when, in which operation, before and after.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    bead TEXT,
    before TEXT,
    after TEXT
) STRICT;
CREATE INDEX events_of ON events (bead, seq) WHERE bead IS NOT NULL;
