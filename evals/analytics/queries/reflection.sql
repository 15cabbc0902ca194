-- Does reflection help? Responses that stated an answer and turned round: right before, right after?
-- run = %: an experiment
SELECT experiment, part, checkpoint, responses, turned, helps, harms, nothing, no_candidate
FROM reflection_effects
WHERE experiment LIKE $run
ORDER BY experiment, part DESC, position, checkpoint;
