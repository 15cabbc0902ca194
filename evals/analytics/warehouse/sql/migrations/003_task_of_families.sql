-- Version 3: keyword families by task, so that the levels of one benchmark are not taken for those of another.
-- Families of version 2 do not know their task: their stages are read again at the next ingest.

ALTER TABLE family_counts ADD COLUMN task VARCHAR;
COMMENT ON COLUMN family_counts.task IS 'knights_knaves, gsm8k, countdown, math, …; null until a stage read by an earlier version is read again.';
UPDATE stages SET reading = NULL;
