-- Each index is one more page that every new bead changes. An id begins with its prefix, so the ids lead to the beads of one;
-- what was not changed for long is looked for among what is not over.

DROP INDEX beads_by_prefix;
DROP INDEX beads_not_over;
