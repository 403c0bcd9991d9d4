-- Standing agents (the mayor, and crew): an incarnation is one of an attempt, or one of a standing agent.

CREATE TABLE agents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL UNIQUE,
    kind TEXT,                      -- which kind of agent, where a person said so
    runtime TEXT,                   -- what its sessions run in, where a person said so: auto | tmux | headless
    made_at TEXT NOT NULL,
    wanted_at TEXT,                 -- when a person started it; NULL: it is to stay stopped
    counted_from INTEGER NOT NULL DEFAULT 0, -- incarnations up to this one count against it no more
    removed_at TEXT                 -- of crew: when its workspace was put into the archive
) STRICT;

-- SQLite can't make a column nullable: the table is made anew, with what was in it.
CREATE TABLE incarnations_anew (
    id TEXT PRIMARY KEY,
    attempt INTEGER REFERENCES attempts (id),
    agent TEXT REFERENCES agents (address),
    number INTEGER NOT NULL,
    secret_hash TEXT,               -- SHA-256 of the secret, once a session is to be started with it
    opened_at TEXT NOT NULL,
    process TEXT,                   -- JSON: shim and agent as (boot id, pid, start ticks)
    started_at TEXT,
    ended_at TEXT,
    exit TEXT,                      -- JSON
    UNIQUE (attempt, number),
    UNIQUE (agent, number),
    CHECK ((attempt IS NULL) != (agent IS NULL))
) STRICT;
INSERT INTO incarnations_anew (id, attempt, number, secret_hash, opened_at, process, started_at, ended_at, exit)
    SELECT id, attempt, number, secret_hash, opened_at, process, started_at, ended_at, exit FROM incarnations;
DROP TABLE incarnations;
ALTER TABLE incarnations_anew RENAME TO incarnations;
CREATE INDEX live_incarnations ON incarnations (id) WHERE ended_at IS NULL;
