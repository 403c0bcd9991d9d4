-- The last tree on which a worker's gates were green in its own worktree. It spares that worker to run them again, and says
-- nothing of what lands.

CREATE TABLE worker_gates (
    attempt INTEGER PRIMARY KEY REFERENCES attempts (id),
    tree TEXT NOT NULL,
    gates_hash TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
