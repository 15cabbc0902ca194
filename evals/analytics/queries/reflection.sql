-- Does reflection help? Responses that stated an answer and turned round: right before, right after?
-- run = %: an experiment
SELECT experiment, part, checkpoint, responses, turned, helps, harms, nothing, no_candidate
FROM reflection_effects AS found
WHERE experiment LIKE $run
ORDER BY
    experiment, part DESC, position,
    (SELECT min(trained.position) FROM stages AS trained WHERE trained.experiment = found.experiment AND trained.stage = found.checkpoint)
    NULLS FIRST;  -- what training started from has no stage
