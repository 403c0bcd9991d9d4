-- Whether caches of earlier runs were there when the gates gave a verdict. All before this may have had such.
ALTER TABLE verdicts ADD COLUMN warm INTEGER NOT NULL DEFAULT 1;

-- Whether a landing's verdict was given so: then a clean run is to confirm it.
ALTER TABLE landings ADD COLUMN warm INTEGER NOT NULL DEFAULT 0;
CREATE INDEX landings_warm ON landings (rig, id, landed_at) WHERE warm AND landed_at IS NOT NULL;

-- Runs of the gates without any cache, which confirm what landed up to there.
CREATE TABLE clean_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rig TEXT NOT NULL,
    landing INTEGER NOT NULL,       -- the last landing that it looks at; 0: none was there
    commit_tested TEXT NOT NULL,
    tree TEXT NOT NULL,
    passed INTEGER NOT NULL,
    failure TEXT,
    log TEXT NOT NULL,
    took_ms INTEGER NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX clean_runs_of ON clean_runs (rig, id);
