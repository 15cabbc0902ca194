-- How long are right and wrong answers? Tokens of response and thinking by outcome.
-- run = %: an experiment
SELECT
    experiment, stage, outcome, count(*) AS rollouts, round(avg(response_tokens)) AS response_tokens, round(avg(think_tokens)) AS think_tokens,
    quantile_cont(response_tokens, 0.9) AS response_p90
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
WHERE experiment LIKE $run
GROUP BY stage_run, experiment, stage, position, outcome
ORDER BY experiment, position, rollouts DESC, outcome;
