-- Why a person has to look at a merge request before it lands, in words. Empty: for nothing; no value: not looked at yet.
ALTER TABLE merge_requests ADD COLUMN review TEXT;
