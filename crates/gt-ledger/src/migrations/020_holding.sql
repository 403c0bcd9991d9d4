-- What is needed to answer in the same time at a hundred beads and at a hundred thousand. Run with foreign keys off,
-- since tables are made anew.

-- `n` is a number that lasts (a row's own may change when the file is rebuilt); `wake_ns` is when nothing holds the bead
-- back any more, as far as time alone decides it: 0 now, the greatest number never. Whatever changes it mends it in the
-- same transaction (ledger/holding.rs).
CREATE TABLE new_beads (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
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
    closed_ns INTEGER,
    close_reason TEXT,
    defer_until TEXT,
    defer_ns INTEGER,
    pinned INTEGER NOT NULL,
    is_template INTEGER NOT NULL,
    ephemeral INTEGER NOT NULL,
    rest TEXT NOT NULL,             -- JSON array of [key, raw JSON text]: every key without a column, as it came
    wake_ns INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO new_beads
    SELECT NULL, id, prefix, title, description, design, acceptance_criteria, notes, status, priority, issue_type,
           assignee, created_at, created_ns, created_by, updated_at, updated_ns, closed_at,
           CAST(strftime('%s', closed_at) AS INTEGER) * 1000000000, close_reason, defer_until, defer_ns, pinned,
           is_template, ephemeral, rest, 0
    FROM beads;
DROP TABLE beads;
ALTER TABLE new_beads RENAME TO beads;
CREATE INDEX beads_by_prefix ON beads (prefix);
CREATE INDEX beads_by_type ON beads (issue_type, status);
CREATE INDEX beads_by_status ON beads (status, priority, created_ns);
CREATE INDEX beads_not_over ON beads (updated_ns) WHERE status NOT IN ('closed', 'tombstone');
CREATE INDEX beads_listed ON beads (priority, created_ns, id) WHERE status NOT IN ('closed', 'tombstone');
CREATE INDEX beads_ready ON beads (priority, created_ns, id)
    WHERE status = 'open' AND NOT pinned AND NOT is_template AND NOT ephemeral AND wake_ns < 9223372036854775807;
CREATE INDEX beads_ready_of ON beads (prefix, priority, created_ns, id)
    WHERE status = 'open' AND NOT pinned AND NOT is_template AND NOT ephemeral AND wake_ns < 9223372036854775807;
CREATE INDEX beads_blocked ON beads (priority, created_ns, id) WHERE wake_ns = 9223372036854775807;

-- An edge that occurs twice is kept twice. `holds` says how it holds back, for SQL: see holding.rs.
CREATE TABLE new_dependencies (
    issue_id TEXT NOT NULL REFERENCES beads (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    depends_on_id TEXT NOT NULL,    -- need not exist
    type TEXT NOT NULL,
    holds INTEGER NOT NULL,
    owner TEXT,                     -- whose it says it is, where that is not the bead that has it
    created_at TEXT,
    rest TEXT NOT NULL,
    PRIMARY KEY (issue_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO new_dependencies
    SELECT issue_id, position, depends_on_id, type,
           CASE type WHEN 'blocks' THEN 1 WHEN 'merge-blocks' THEN 1 WHEN 'conditional-blocks' THEN 2
                     WHEN 'waits-for' THEN 3 WHEN 'parent-child' THEN 5 ELSE 0 END,
           NULL, created_at, rest
    FROM dependencies;
DROP TABLE dependencies;
ALTER TABLE new_dependencies RENAME TO dependencies;
CREATE INDEX dependents ON dependencies (depends_on_id, holds, issue_id);

-- How many beads each prefix has, for the length of new ids.
CREATE TABLE prefixes (prefix TEXT PRIMARY KEY, beads INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO prefixes SELECT prefix, count(*) FROM beads GROUP BY prefix;
-- No trigger counts new ones: with one, SQLite copies aside each page that an insertion changes.
CREATE TRIGGER bead_uncounted AFTER DELETE ON beads BEGIN
    UPDATE prefixes SET beads = beads - 1 WHERE prefix = old.prefix;
END;

-- The words of each bead, by its `n`; the texts themselves stay where they are.
CREATE VIRTUAL TABLE bead_text USING fts5(
    title, body, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2"
);
-- How many bytes of new words are gathered before they are written: the default is for devices with little memory.
INSERT INTO bead_text (bead_text, rank) VALUES ('hashsize', 33554432);
INSERT INTO bead_text (rowid, title, body)
    SELECT n, title, concat_ws(char(10), description, design, acceptance_criteria, notes,
                               (SELECT group_concat(c.text, char(10)) FROM comments c WHERE c.issue_id = b.id))
    FROM beads b;
CREATE TRIGGER bead_text_gone AFTER DELETE ON beads BEGIN
    DELETE FROM bead_text WHERE rowid = old.n;
END;
