SELECT stage, arg_min(value, step) AS first, arg_max(value, step) AS last
FROM metrics JOIN stages USING (stage_run, experiment, stage)
WHERE kind IN ('rl', 'command') AND name = 'entropy' AND isfinite(value) GROUP BY stage, position ORDER BY position
