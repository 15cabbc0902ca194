-- Problems that all of $2 checkpoints of an evaluation stage answered: the first answer of each, greedy where there is one.
WITH first_answers AS (
    SELECT * FROM eval_samples WHERE stage_run = $1 AND sample = 0
    QUALIFY mode = min(mode) OVER (PARTITION BY benchmark)
)
SELECT benchmark, difficulty, mode, prompt_id, list(checkpoint) AS checkpoints, list(correct) AS right
FROM first_answers
GROUP BY ALL
HAVING count(*) = $2 AND count(DISTINCT checkpoint) = $2
ORDER BY benchmark, difficulty, prompt_id
