-- Views of the warehouse, replaced at every publish. Shares run from 0 to 1; total_step counts through the stages of a curriculum.

CREATE OR REPLACE VIEW reward_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    count(*) AS responses,
    avg(reward) AS reward,
    stddev_pop(reward) AS reward_std,
    avg((outcome = 'correct')::INTEGER) AS correct
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW reward_by_step IS 'Training reward and share of correct responses by step.';

CREATE OR REPLACE VIEW reward_components_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    entry.key AS component,
    avg(entry.value) AS reward
FROM (SELECT *, unnest(map_entries(components)) AS entry FROM rollouts) JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW reward_components_by_step IS 'Mean weighted reward of each component by step.';

CREATE OR REPLACE VIEW groups_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    count(*) AS groups,
    avg((solved = 1)::INTEGER) AS all_correct,
    avg((solved = 0)::INTEGER) AS none_correct,
    avg((spread > 0)::INTEGER) AS informative
FROM (
    SELECT stage_run, experiment, stage, step, group_index, avg((outcome = 'correct')::INTEGER) AS solved, max(reward) - min(reward) AS spread
    FROM rollouts
    GROUP BY ALL
) JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW groups_by_step IS 'Share of groups that are solved wholly, not at all, and that carry a gradient (rewards differ).';

CREATE OR REPLACE VIEW length_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    avg(response_tokens) AS response_tokens,
    avg(think_tokens) AS think_tokens,
    avg(answer_tokens) AS answer_tokens,
    quantile_cont(response_tokens, 0.9) AS response_tokens_p90,
    avg(response_tokens) FILTER (outcome = 'correct') AS response_tokens_correct,
    avg(response_tokens) FILTER (outcome <> 'correct') AS response_tokens_not_correct,
    avg((finish_reason = 'length')::INTEGER) AS at_limit
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW length_by_step IS 'Response, thinking and answer length in tokens by step.';

CREATE OR REPLACE VIEW errors_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    avg((outcome = 'correct')::INTEGER) AS correct,
    avg((outcome = 'wrong')::INTEGER) AS wrong,
    avg((outcome = 'unparseable')::INTEGER) AS unparseable,
    avg((outcome = 'format_error')::INTEGER) AS format_error,
    avg((outcome = 'truncated')::INTEGER) AS truncated,
    avg((outcome = 'timeout')::INTEGER) AS timeout
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW errors_by_step IS 'Share of each outcome by step; the outcomes add up to 1.';

CREATE OR REPLACE VIEW keywords_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    avg(step_wise) AS step_wise,
    avg(reflection) AS reflection,
    avg((step_wise > 0)::INTEGER) AS with_step_wise,
    avg((reflection > 0)::INTEGER) AS with_reflection,
    1000 * sum(step_wise) / nullif(sum(coalesce(think_tokens, response_tokens)), 0) AS step_wise_per_1000_tokens,
    1000 * sum(reflection) / nullif(sum(coalesce(think_tokens, response_tokens)), 0) AS reflection_per_1000_tokens
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW keywords_by_step IS 'Step-wise and reflection keywords per response, share of responses with any, and per 1000 tokens of thinking, by step.';

CREATE OR REPLACE VIEW keyword_use AS
SELECT
    stage_run, experiment, stage, position, step, family, keyword,
    sum(keywords[keyword])::BIGINT AS occurrences,
    count(*) AS responses_with,
    avg((outcome = 'correct')::INTEGER) AS correct
FROM (SELECT *, unnest(map_keys(keywords)) AS keyword FROM rollouts)
JOIN keyword_patterns USING (keyword)
JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW keyword_use IS 'Each keyword by step: occurrences, responses that use it, and how many of those are correct.';

CREATE OR REPLACE VIEW checkpoints AS
SELECT DISTINCT samples.stage_run, samples.experiment, samples.stage, checkpoint, coalesce(trained.position, -1) AS checkpoint_position
FROM samples
JOIN stages AS evaluation USING (stage_run)
LEFT JOIN (SELECT experiment, stage, min(position) AS position FROM stages WHERE kind IN ('sft', 'rl') GROUP BY ALL) AS trained
    ON trained.experiment = samples.experiment AND trained.stage = samples.checkpoint;
COMMENT ON VIEW checkpoints IS 'Evaluated checkpoints in the order of the recipe; the model it starts from comes first.';

CREATE OR REPLACE VIEW length_by_checkpoint AS
SELECT
    stage_run, experiment, stage, checkpoint, checkpoint_position, benchmark, difficulty, mode,
    count(*) AS responses,
    avg(response_tokens) AS response_tokens,
    avg(think_tokens) AS think_tokens,
    avg(answer_tokens) AS answer_tokens,
    avg(response_tokens) FILTER (correct) AS response_tokens_correct,
    avg(response_tokens) FILTER (NOT correct) AS response_tokens_not_correct,
    avg((finish_reason = 'length')::INTEGER) AS at_limit
FROM samples JOIN checkpoints USING (stage_run, experiment, stage, checkpoint)
GROUP BY ALL;
COMMENT ON VIEW length_by_checkpoint IS 'Response, thinking and answer length in tokens by evaluated checkpoint.';

CREATE OR REPLACE VIEW errors_by_checkpoint AS
SELECT
    stage_run, experiment, stage, checkpoint, checkpoint_position, benchmark, difficulty, mode,
    count(*) AS responses,
    avg((outcome = 'correct')::INTEGER) AS correct,
    avg((outcome = 'wrong')::INTEGER) AS wrong,
    avg((outcome = 'unparseable')::INTEGER) AS unparseable,
    avg((outcome = 'format_error')::INTEGER) AS format_error,
    avg((outcome = 'truncated')::INTEGER) AS truncated,
    avg((outcome = 'timeout')::INTEGER) AS timeout
FROM samples JOIN checkpoints USING (stage_run, experiment, stage, checkpoint)
GROUP BY ALL;
COMMENT ON VIEW errors_by_checkpoint IS 'Share of each outcome by evaluated checkpoint; the outcomes add up to 1.';

CREATE OR REPLACE VIEW keywords_by_checkpoint AS
SELECT
    stage_run, experiment, stage, checkpoint, checkpoint_position, benchmark, difficulty, mode,
    count(*) AS responses,
    avg(step_wise) AS step_wise,
    avg(reflection) AS reflection,
    avg((reflection > 0)::INTEGER) AS with_reflection,
    avg(reflection) FILTER (correct) AS reflection_correct,
    avg(reflection) FILTER (NOT correct) AS reflection_not_correct,
    1000 * sum(step_wise) / nullif(sum(coalesce(think_tokens, response_tokens)), 0) AS step_wise_per_1000_tokens,
    1000 * sum(reflection) / nullif(sum(coalesce(think_tokens, response_tokens)), 0) AS reflection_per_1000_tokens
FROM samples JOIN checkpoints USING (stage_run, experiment, stage, checkpoint)
GROUP BY ALL;
COMMENT ON VIEW keywords_by_checkpoint IS 'Step-wise and reflection keywords per response by evaluated checkpoint, also by correctness.';
