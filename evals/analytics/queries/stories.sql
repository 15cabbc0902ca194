-- What was learned and what forgotten? Held-out problems by how their solving went from the first checkpoint to the last.
-- run = %: an experiment
SELECT experiment, benchmark, difficulty, mode, story, count(*) AS problems
FROM solve_history_by_checkpoint
WHERE experiment LIKE $run
GROUP BY ALL
ORDER BY ALL;
