-- What moments, nudges and limits leave in the ledger. Signs of life are files, never rows.

-- At which moment a mail's text went into the recipient's context.
ALTER TABLE deliveries ADD COLUMN delivered_by TEXT;

-- When a condition is expected to end by itself.
ALTER TABLE conditions ADD COLUMN until TEXT;

-- What was done about something that an incarnation's moments showed, so that it is done once; and why its end counts
-- against nobody (`spared:…`).
CREATE TABLE reactions (
    incarnation TEXT NOT NULL,      -- one of `incarnations`
    fact TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (incarnation, fact)
) STRICT, WITHOUT ROWID;
