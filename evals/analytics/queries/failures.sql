-- How do rollouts fail? Share of each outcome by stage, in percent.
-- run = %: an experiment
SELECT
    experiment, stage, count(*) AS rollouts,
    round(100 * avg((outcome = 'correct')::INTEGER), 1) AS correct,
    round(100 * avg((outcome = 'wrong')::INTEGER), 1) AS wrong,
    if(external, NULL, round(100 * avg((outcome = 'format_error')::INTEGER), 1)) AS format_error,
    if(external, NULL, round(100 * avg((outcome = 'unparseable')::INTEGER), 1)) AS unparseable,
    if(count(finish_reason) < count(*), NULL, round(100 * avg((outcome = 'truncated')::INTEGER), 1)) AS truncated
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
WHERE experiment LIKE $run
GROUP BY stage_run, experiment, stage, position, external
ORDER BY experiment, position;
