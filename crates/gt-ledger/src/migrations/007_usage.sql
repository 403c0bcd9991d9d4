-- Tokens that models' answers took: of one incarnation (of `incarnations`), one model, one day (a local date). Counted from
-- the client's own record, all of it each time: rows are replaced, never added to.
CREATE TABLE usage (
    incarnation TEXT NOT NULL,
    model TEXT NOT NULL,
    day TEXT NOT NULL,
    answers INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    PRIMARY KEY (incarnation, model, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_day ON usage (day);
