-- Shares of correct rollouts of the run $2 less those of $1, step by step. A group is the unit: the responses to one prompt are no
-- independent draws.
WITH steps AS (
    SELECT run, steps_before + step AS total_step, avg(solved) AS mean, var_samp(solved) / count(*) AS variance
    FROM groups JOIN stages USING (stage_run) JOIN (SELECT run, unnest(stage_runs) AS stage_run FROM runs) USING (stage_run)
    WHERE step IS NOT NULL AND solved IS NOT NULL AND run IN ($1, $2) GROUP BY ALL
)
SELECT a.total_step, b.mean - a.mean AS difference, sqrt(a.variance + b.variance) AS error
FROM steps AS a JOIN steps AS b USING (total_step) WHERE a.run = $1 AND b.run = $2 ORDER BY total_step
