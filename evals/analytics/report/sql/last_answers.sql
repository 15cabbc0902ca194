-- The share of right answers to each problem by the last checkpoints of the runs $1 and $2.
WITH answers AS (
    SELECT run, benchmark, mode, prompt_id, difficulty, checkpoint_position, avg(correct::INTEGER) AS value
    FROM eval_samples JOIN evaluated_checkpoints USING (stage_run, experiment, stage, checkpoint)
    JOIN (SELECT run, unnest(stage_runs) AS stage_run FROM runs) USING (stage_run)
    WHERE run IN ($1, $2) GROUP BY ALL
), last AS (
    SELECT * FROM answers QUALIFY checkpoint_position = max(checkpoint_position) OVER (PARTITION BY run, benchmark, mode)
)
SELECT a.benchmark, a.mode, a.difficulty, a.value AS before, b.value AS after
FROM last AS a JOIN last AS b USING (benchmark, mode, prompt_id) WHERE a.run = $1 AND b.run = $2
ORDER BY a.benchmark, a.mode DESC, try_cast(a.difficulty AS DOUBLE), a.difficulty, prompt_id
