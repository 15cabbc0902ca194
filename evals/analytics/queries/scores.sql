-- How good is each checkpoint? Main scores in percent with their 95 % intervals.
-- run = %: an experiment
SELECT
    experiment, benchmark, subset, checkpoint, metric, round(100 * value, 1) AS score,
    round(100 * low, 1) AS low, round(100 * high, 1) AS high, problems
FROM scores
WHERE experiment LIKE $run AND metric NOT LIKE 'pass@%' AND metric NOT LIKE 'maj@%'
ORDER BY experiment, stage_run, benchmark, subset NULLS FIRST, metric, scores.rowid;
