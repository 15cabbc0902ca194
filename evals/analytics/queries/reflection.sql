-- Does reflection help? Responses that stated an answer and turned round: right before, right after?
-- run = %: an experiment
SELECT experiment, part, checkpoint, responses, turned, helps, harms, nothing, no_candidate
FROM reflection_effects LEFT JOIN evaluated_checkpoints USING (stage_run, experiment, stage, checkpoint)
WHERE experiment LIKE $run
ORDER BY experiment, part DESC, position, checkpoint_position;
