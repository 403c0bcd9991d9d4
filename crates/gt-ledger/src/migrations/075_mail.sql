-- Mail to a worker is for the attempt that it works on: workers' names are used again.

ALTER TABLE deliveries ADD COLUMN attempt INTEGER;   -- one of `attempts`, where the recipient is a worker
UPDATE deliveries SET attempt = (
    SELECT max(id) FROM attempts
    WHERE rig = substr(recipient, 1, instr(recipient, '/polecats/') - 1)
      AND worker = substr(recipient, instr(recipient, '/polecats/') + 10)
      AND opened_at <= sent_at
) WHERE recipient LIKE '%/polecats/%';

-- What was wrong with a rig that was removed is wrong no more.
DELETE FROM conditions
WHERE kind IN ('rig-held', 'ungated', 'trunk-red', 'refinery', 'clean-red', 'remote', 'set-up', 'feed')
  AND subject NOT IN (SELECT name FROM rigs);
DELETE FROM conditions WHERE kind = 'foreign-ref' AND substr(subject, 1, instr(subject, ':') - 1) NOT IN (SELECT name FROM rigs);
