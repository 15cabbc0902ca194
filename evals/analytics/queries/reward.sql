-- Is it learning? Reward and share of right answers in the first and the last tenth of each stage.
-- run = %: an experiment
SELECT
    experiment, stage, max(step) AS steps,
    round(avg(reward) FILTER (step <= greatest(1, 0.1 * last)), 3) AS reward_first,
    round(avg(reward) FILTER (step > least(last - 1, 0.9 * last)), 3) AS reward_last,
    round(100 * avg(correct) FILTER (step <= greatest(1, 0.1 * last)), 1) AS correct_first,
    round(100 * avg(correct) FILTER (step > least(last - 1, 0.9 * last)), 1) AS correct_last
FROM (SELECT *, max(step) OVER (PARTITION BY stage_run) AS last FROM reward_by_step)
WHERE experiment LIKE $run
GROUP BY stage_run, experiment, stage, position
ORDER BY experiment, position;
