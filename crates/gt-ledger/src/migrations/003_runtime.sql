-- What a person said the sessions of an attempt are to run in: auto | tmux | headless. NULL: as rig and town say.
ALTER TABLE attempts ADD COLUMN runtime TEXT;
