-- Did a stage collapse, and when? The worst step of each, and the onset where one did.
-- run = %: an experiment
SELECT
    experiment, stage, collapse.onset, round(100 * max(no_end), 1) AS no_end_most, round(100 * max(repetition), 1) AS repetition_most,
    round(100 * max(character_repetition), 1) AS characters_most, round(100 * max(errors), 1) AS errors_most
FROM collapse_by_step LEFT JOIN collapse USING (stage_run, experiment, stage, position)
WHERE experiment LIKE $run
GROUP BY stage_run, experiment, stage, position, collapse.onset
ORDER BY experiment, position;
