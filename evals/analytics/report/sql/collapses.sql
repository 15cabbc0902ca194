SELECT stage, onset, count(no_end) AS no_end, count(errors) AS errors
FROM collapse JOIN collapse_by_step USING (stage_run, experiment, stage, position)
GROUP BY stage_run, stage, position, onset ORDER BY position
