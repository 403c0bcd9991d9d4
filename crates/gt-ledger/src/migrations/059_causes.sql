-- What one run of an agent's came to, in one line for people and for the run after it.
ALTER TABLE incarnations ADD COLUMN cause TEXT;
