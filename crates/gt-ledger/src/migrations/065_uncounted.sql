-- The kind of agent whose usage is unknown in this incarnation; none where it is counted.
ALTER TABLE incarnations ADD COLUMN uncounted TEXT;
CREATE INDEX uncounted_incarnations ON incarnations (attempt) WHERE uncounted IS NOT NULL;
