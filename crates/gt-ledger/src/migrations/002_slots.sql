-- Which of the town's worker slots an attempt has: a small number for ports and database names.
ALTER TABLE attempts ADD COLUMN slot INTEGER;
