-- What is asked all the time is found without reading what is long over.

-- An agent's mail, archived or not: what it left for its successor is asked for at each start.
DROP INDEX inbox;
CREATE INDEX mail_of ON deliveries (recipient, acted_at, sent_at);
CREATE INDEX mail_told ON deliveries (delivered_to) WHERE delivered_to IS NOT NULL;

CREATE INDEX attempts_of ON attempts (rig, worker, id);
CREATE INDEX requests_of ON merge_requests (bead, submitted_at);
CREATE INDEX requests_of_landing ON merge_requests (landing) WHERE landing IS NOT NULL;
CREATE INDEX swarms_of_convoy ON swarms (convoy);
CREATE INDEX open_convoys ON beads (id) WHERE issue_type = 'convoy' AND status NOT IN ('closed', 'tombstone');

-- What is no longer wrong is told by the events.
DELETE FROM conditions WHERE cleared_at IS NOT NULL;
ALTER TABLE conditions DROP COLUMN cleared_at;
