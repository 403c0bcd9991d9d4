-- What other towns say of the state of a bead that is being worked on here: it holds once that work is over.
CREATE TABLE elsewhere (
  bead TEXT PRIMARY KEY REFERENCES beads (id),
  state TEXT NOT NULL
) STRICT;
