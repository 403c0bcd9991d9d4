-- Convoys of which a bead, or the list of beads, has changed since their own state was worked out. Each operation works
-- them out before it commits; what is left here, the deacon does.
CREATE TABLE unsettled_convoys (convoy TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
INSERT INTO unsettled_convoys
    SELECT id FROM beads WHERE issue_type = 'convoy' AND status NOT IN ('closed', 'tombstone');
