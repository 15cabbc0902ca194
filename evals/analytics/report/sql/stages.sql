-- Stages in order, with what they made.
SELECT stage, kind, start, steps, stage_run, external,
    (SELECT count(*) FROM rollouts WHERE rollouts.stage_run = stages.stage_run)
        + (SELECT count(*) FROM eval_samples WHERE eval_samples.stage_run = stages.stage_run) AS responses,
    (SELECT response_tokens FROM cost WHERE cost.stage_run = stages.stage_run) AS tokens
FROM stages ORDER BY position, stage
