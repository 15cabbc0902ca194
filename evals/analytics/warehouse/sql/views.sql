-- Views of the warehouse, defined anew at every publish. Shares run from 0 to 1, among the responses of which it is known; null: of none.
-- total_step counts through the stages of a curriculum.

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
    stage_run, experiment, stage, position, step, steps_before + step AS total_step, component,
    avg(reward_components.reward) AS reward
FROM reward_components JOIN rollouts USING (stage_run, response_id) JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW reward_components_by_step IS 'Mean weighted reward of each component by step.';

CREATE OR REPLACE VIEW groups_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    count(*) AS groups,
    avg((solved = 1)::INTEGER) AS all_correct,
    avg((solved = 0)::INTEGER) AS none_correct,
    avg((reward_spread > 0)::INTEGER) AS informative,
    avg(distinct_answers) AS distinct_answers,
    avg(distinct_4grams) AS distinct_4grams
FROM groups JOIN stages USING (stage_run, experiment, stage)
WHERE checkpoint IS NULL
GROUP BY ALL;
COMMENT ON VIEW groups_by_step IS 'Share of groups that are solved wholly, not at all, and that carry a gradient (rewards differ); diversity within a group.';

CREATE OR REPLACE VIEW length_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    avg(response_tokens) AS response_tokens,
    avg(think_tokens) AS think_tokens,
    avg(answer_tokens) AS answer_tokens,
    quantile_cont(response_tokens, 0.9) AS response_tokens_p90,
    avg(response_tokens) FILTER (outcome = 'correct') AS response_tokens_correct,
    avg(response_tokens) FILTER (outcome <> 'correct') AS response_tokens_not_correct,
    avg((finish_reason = 'length')::INTEGER) AS at_limit,
    avg(characters) AS characters,
    avg(think_end - think_start) AS think_characters,
    avg(answer_end - answer_start) AS answer_characters
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW length_by_step IS 'Response, thinking and answer length in tokens and in characters by step.';

CREATE OR REPLACE VIEW errors_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    avg((outcome = 'correct')::INTEGER) AS correct,
    avg((outcome = 'wrong')::INTEGER) AS wrong,
    if(bool_or(external), NULL, avg((outcome = 'unparseable')::INTEGER)) AS unparseable,
    if(bool_or(external), NULL, avg((outcome = 'format_error')::INTEGER)) AS format_error,
    if(count(finish_reason) < count(*), NULL, avg((outcome = 'truncated')::INTEGER)) AS truncated,
    if(bool_or(external), NULL, avg((outcome = 'timeout')::INTEGER)) AS timeout
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW errors_by_step IS 'Share of each outcome by step; those that are known add up to 1.';

CREATE OR REPLACE VIEW keywords_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    avg(step_wise) AS step_wise,
    avg(reflection) AS reflection,
    avg((step_wise > 0)::INTEGER) AS with_step_wise,
    avg((reflection > 0)::INTEGER) AS with_reflection,
    avg((turns > 0)::INTEGER) AS with_turn,
    1000 * sum(step_wise) FILTER (response_tokens IS NOT NULL) / nullif(sum(coalesce(think_tokens, response_tokens)), 0) AS step_wise_per_1000_tokens,
    1000 * sum(reflection) FILTER (response_tokens IS NOT NULL) / nullif(sum(coalesce(think_tokens, response_tokens)), 0) AS reflection_per_1000_tokens
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW keywords_by_step IS 'Step-wise and reflection keywords per response, share of responses with any, and per 1000 tokens of thinking, by step.';

CREATE OR REPLACE VIEW keyword_use AS
SELECT
    stage_run, experiment, stage, position, step, family, keyword,
    sum(hits)::BIGINT AS occurrences,
    count(*) AS responses_with,
    avg((outcome = 'correct')::INTEGER) AS correct
FROM keyword_hits JOIN rollouts USING (stage_run, response_id) JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW keyword_use IS 'Each keyword by step: occurrences, responses that use it, and how many of those are correct.';

CREATE OR REPLACE VIEW evaluated_checkpoints AS
SELECT DISTINCT eval_samples.stage_run, eval_samples.experiment, eval_samples.stage, checkpoint, coalesce(trained.position, -1) AS checkpoint_position
FROM eval_samples
JOIN stages AS evaluation USING (stage_run)
LEFT JOIN (SELECT experiment, stage, min(position) AS position FROM stages WHERE kind IN ('sft', 'rl', 'command') GROUP BY ALL) AS trained
    ON trained.experiment = eval_samples.experiment AND trained.stage = eval_samples.checkpoint;
COMMENT ON VIEW evaluated_checkpoints IS 'Evaluated checkpoints in the order of the recipe; the model it starts from comes first.';

CREATE OR REPLACE VIEW length_by_checkpoint AS
SELECT
    stage_run, experiment, stage, checkpoint, checkpoint_position, benchmark, difficulty, mode,
    count(*) AS responses,
    avg(response_tokens) AS response_tokens,
    avg(think_tokens) AS think_tokens,
    avg(answer_tokens) AS answer_tokens,
    avg(response_tokens) FILTER (correct) AS response_tokens_correct,
    avg(response_tokens) FILTER (NOT correct) AS response_tokens_not_correct,
    avg((finish_reason = 'length')::INTEGER) AS at_limit,
    avg(characters) AS characters,
    avg(think_end - think_start) AS think_characters,
    avg(answer_end - answer_start) AS answer_characters
FROM eval_samples JOIN evaluated_checkpoints USING (stage_run, experiment, stage, checkpoint)
GROUP BY ALL;
COMMENT ON VIEW length_by_checkpoint IS 'Response, thinking and answer length in tokens and in characters by evaluated checkpoint.';

CREATE OR REPLACE VIEW errors_by_checkpoint AS
SELECT
    stage_run, experiment, stage, checkpoint, checkpoint_position, benchmark, difficulty, mode,
    count(*) AS responses,
    count(outcome) AS judged,
    avg((outcome = 'correct')::INTEGER) AS correct,
    avg((outcome = 'wrong')::INTEGER) AS wrong,
    if(bool_or(external), NULL, avg((outcome = 'unparseable')::INTEGER)) AS unparseable,
    if(bool_or(external), NULL, avg((outcome = 'format_error')::INTEGER)) AS format_error,
    if(count(finish_reason) < count(*), NULL, avg((outcome = 'truncated')::INTEGER)) AS truncated,
    if(bool_or(external), NULL, avg((outcome = 'timeout')::INTEGER)) AS timeout
FROM eval_samples JOIN evaluated_checkpoints USING (stage_run, experiment, stage, checkpoint) JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW errors_by_checkpoint IS 'Share of each outcome by evaluated checkpoint; those that are known add up to 1.';

CREATE OR REPLACE VIEW keywords_by_checkpoint AS
SELECT
    stage_run, experiment, stage, checkpoint, checkpoint_position, benchmark, difficulty, mode,
    count(*) AS responses,
    avg(step_wise) AS step_wise,
    avg(reflection) AS reflection,
    avg((reflection > 0)::INTEGER) AS with_reflection,
    avg(reflection) FILTER (correct) AS reflection_correct,
    avg(reflection) FILTER (NOT correct) AS reflection_not_correct,
    1000 * sum(step_wise) FILTER (response_tokens IS NOT NULL) / nullif(sum(coalesce(think_tokens, response_tokens)), 0) AS step_wise_per_1000_tokens,
    1000 * sum(reflection) FILTER (response_tokens IS NOT NULL) / nullif(sum(coalesce(think_tokens, response_tokens)), 0) AS reflection_per_1000_tokens
FROM eval_samples JOIN evaluated_checkpoints USING (stage_run, experiment, stage, checkpoint)
GROUP BY ALL;
COMMENT ON VIEW keywords_by_checkpoint IS 'Step-wise and reflection keywords per response by evaluated checkpoint, also by correctness.';

CREATE OR REPLACE VIEW families_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step, family,
    sum(hits)::DOUBLE / sum(family_counts.responses) AS per_response,
    sum(family_counts.responses_with)::DOUBLE / sum(family_counts.responses) AS responses_with,
    1000 * sum(hits) FILTER (tokens IS NOT NULL)::DOUBLE / nullif(sum(tokens), 0) AS per_1000_tokens
FROM family_counts JOIN stages USING (stage_run)
WHERE checkpoint IS NULL
GROUP BY ALL;
COMMENT ON VIEW families_by_step IS 'Every keyword family by step: words per response, share of responses with any, words per 1000 tokens of thinking.';

CREATE OR REPLACE VIEW families_by_checkpoint AS
SELECT
    stage_run, experiment, stage, checkpoint, checkpoint_position, benchmark, difficulty, mode, family,
    sum(family_counts.responses)::BIGINT AS responses,
    sum(hits)::DOUBLE / sum(family_counts.responses) AS per_response,
    sum(family_counts.responses_with)::DOUBLE / sum(family_counts.responses) AS responses_with,
    1000 * sum(hits) FILTER (tokens IS NOT NULL)::DOUBLE / nullif(sum(tokens), 0) AS per_1000_tokens
FROM family_counts JOIN evaluated_checkpoints USING (stage_run, checkpoint)
GROUP BY ALL;
COMMENT ON VIEW families_by_checkpoint IS 'Every keyword family by evaluated checkpoint, benchmark and difficulty.';

CREATE OR REPLACE VIEW families_by_outcome AS
SELECT
    stage_run, experiment, stage, position, if(checkpoint IS NULL, 'train', 'test') AS part, outcome, difficulty, family,
    sum(family_counts.responses)::BIGINT AS responses,
    sum(hits)::DOUBLE / sum(family_counts.responses) AS per_response,
    sum(family_counts.responses_with)::DOUBLE / sum(family_counts.responses) AS responses_with,
    1000 * sum(hits) FILTER (tokens IS NOT NULL)::DOUBLE / nullif(sum(tokens), 0) AS per_1000_tokens
FROM family_counts JOIN stages USING (stage_run)
GROUP BY ALL;
COMMENT ON VIEW families_by_outcome IS 'Every keyword family by outcome and difficulty, in training and in evaluation.';

CREATE OR REPLACE VIEW families_by_difficulty AS
SELECT
    stage_run, experiment, stage, position, if(checkpoint IS NULL, 'train', 'test') AS part, coalesce(benchmark, task) AS source, difficulty, family,
    sum(family_counts.responses)::BIGINT AS responses,
    sum(hits)::DOUBLE / sum(family_counts.responses) AS per_response,
    sum(family_counts.responses_with)::DOUBLE / sum(family_counts.responses) AS responses_with,
    sum(family_counts.responses_with) FILTER (outcome = 'correct')::DOUBLE
        / sum(family_counts.responses) FILTER (outcome = 'correct') AS of_the_right,
    sum(family_counts.responses_with) FILTER (outcome <> 'correct')::DOUBLE
        / sum(family_counts.responses) FILTER (outcome <> 'correct') AS of_the_others,
    1000 * sum(hits) FILTER (tokens IS NOT NULL)::DOUBLE / nullif(sum(tokens), 0) AS per_1000_tokens
FROM family_counts JOIN stages USING (stage_run)
GROUP BY ALL;
COMMENT ON VIEW families_by_difficulty IS
    'Every keyword family by difficulty, for each task in training and each benchmark; share with any also among the right ones and the others.';

CREATE OR REPLACE VIEW reflection_effects AS
WITH responses AS (
    SELECT stage_run, experiment, stage, 'train' AS part, stage AS checkpoint, turns, reflection_effect FROM rollouts
    UNION ALL
    SELECT stage_run, experiment, stage, 'test', checkpoint, turns, reflection_effect FROM eval_samples
)
SELECT
    stage_run, experiment, stage, position, part, checkpoint,
    count(*) AS responses,
    count(*) FILTER (turns > 0) AS turned,
    if(turned > count(reflection_effect), NULL, count(*) FILTER (reflection_effect = 'helps')) AS helps,
    if(turned > count(reflection_effect), NULL, count(*) FILTER (reflection_effect = 'harms')) AS harms,
    if(turned > count(reflection_effect), NULL, count(*) FILTER (reflection_effect = 'nothing')) AS nothing,
    if(turned > count(reflection_effect), NULL, count(*) FILTER (reflection_effect = 'no candidate')) AS no_candidate
FROM responses JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW reflection_effects IS
    'What turning round did to the answer, in responses: see rollouts.reflection_effect; null where that of any is not known. For rollouts the checkpoint is the stage in training.';

CREATE OR REPLACE VIEW reflection_onset AS
SELECT stage_run, experiment, stage, position, min(step) AS step, min(total_step) AS total_step
FROM (
    SELECT *, min(with_turn) OVER ahead AS least, count(*) OVER ahead AS steps
    FROM keywords_by_step WHERE step IS NOT NULL
    WINDOW ahead AS (PARTITION BY stage_run ORDER BY step ROWS BETWEEN CURRENT ROW AND 4 FOLLOWING)
)
WHERE least >= 0.1 AND steps = 5
GROUP BY ALL;
COMMENT ON VIEW reflection_onset IS 'First step of sustained reflection: from there at least 10% of the rollouts turn round (reflection, backtracking, aha) in five steps in a row.';

CREATE OR REPLACE VIEW degeneration_by_step AS
SELECT
    stage_run, experiment, stage, position, step, steps_before + step AS total_step,
    avg(repetition) AS repetition,
    avg(character_repetition) AS character_repetition,
    avg((longest_repeat >= 32)::INTEGER) AS long_repeats,
    avg((finish_reason = 'length')::INTEGER) AS no_end,
    avg(prompt_copied) AS prompt_copied,
    avg(answer_leaked::INTEGER) AS answer_leaked,
    avg((code_blocks > 0)::INTEGER) AS with_code,
    avg((output_characters > 0)::INTEGER) AS with_simulated_output
FROM rollouts JOIN stages USING (stage_run, experiment, stage)
GROUP BY ALL;
COMMENT ON VIEW degeneration_by_step IS
    'Repetition, blocks of 32 words and more that occur twice, responses without an end token, copies of the prompt, leaks and code, by step.';

CREATE OR REPLACE VIEW degeneration_by_checkpoint AS
SELECT
    stage_run, experiment, stage, checkpoint, checkpoint_position, benchmark, difficulty, mode,
    count(*) AS responses,
    avg(repetition) AS repetition,
    avg(character_repetition) AS character_repetition,
    avg((longest_repeat >= 32)::INTEGER) AS long_repeats,
    avg((finish_reason = 'length')::INTEGER) AS no_end,
    avg(prompt_copied) AS prompt_copied,
    avg(answer_leaked::INTEGER) AS answer_leaked,
    avg((code_blocks > 0)::INTEGER) AS with_code,
    avg((output_characters > 0)::INTEGER) AS with_simulated_output
FROM eval_samples JOIN evaluated_checkpoints USING (stage_run, experiment, stage, checkpoint)
GROUP BY ALL;
COMMENT ON VIEW degeneration_by_checkpoint IS 'The same by evaluated checkpoint.';

CREATE OR REPLACE VIEW collapse_by_step AS
WITH marks AS (
    SELECT
        stage_run, experiment, stage, position, step, total_step, no_end, repetition, character_repetition, 1 - correct AS errors,
        row_number() OVER (PARTITION BY stage_run ORDER BY step) AS nth
    FROM degeneration_by_step JOIN errors_by_step USING (stage_run, experiment, stage, position, step, total_step)
    WHERE step IS NOT NULL
), sound AS (
    SELECT
        stage_run, median(no_end) AS no_end, median(repetition) AS repetition, median(character_repetition) AS character_repetition,
        median(errors) AS errors
    FROM marks WHERE nth <= 10 GROUP BY stage_run
)
SELECT
    marks.* EXCLUDE (nth),
    coalesce(marks.no_end >= sound.no_end + 0.25, true) AND coalesce(marks.errors >= least(0.95, sound.errors + 0.1), true)
        AND greatest(marks.repetition - sound.repetition, marks.character_repetition - sound.character_repetition)
            >= if(marks.no_end IS NULL AND marks.errors IS NULL, 0.5, 0.15) AS collapsed
FROM marks JOIN sound USING (stage_run);
COMMENT ON VIEW collapse_by_step IS
    'The signature of a collapse: many more responses without an end token, repetition (of words or characters) and errors than in the median of the first ten steps. What is not known of endings and errors is left out; where neither is known, repetition must rise by half of the text.';

CREATE OR REPLACE VIEW collapse AS
SELECT stage_run, experiment, stage, position, min(step) AS onset, min(total_step) AS total_step
FROM (
    SELECT *, bool_and(collapsed) OVER ahead AS stays, count(*) OVER ahead AS steps
    FROM collapse_by_step
    WINDOW ahead AS (PARTITION BY stage_run ORDER BY step ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING)
)
WHERE stays AND steps = 3
GROUP BY ALL;
COMMENT ON VIEW collapse IS 'Stages that collapsed, with the first of at least three steps in a row that bear the signature.';

-- What became of a problem, from the shares of right answers at its visits in their order.
CREATE OR REPLACE MACRO story_of(solved) AS
    CASE WHEN list_max(solved) = 0 THEN 'never solved'
        WHEN list_min(solved) = 1 THEN 'always solved'
        WHEN len(solved) > 1 AND solved[-1] = 0 THEN 'forgotten'
        WHEN len(solved) > 1 AND solved[1] = 0 THEN 'learned'
        ELSE 'sometimes solved' END;

CREATE OR REPLACE VIEW solve_history AS
WITH visits AS (
    SELECT stage_run, experiment, stage, prompt_id, difficulty, list(solved ORDER BY step, group_index) AS solved, sum(responses) AS responses
    FROM groups WHERE checkpoint IS NULL AND solved IS NOT NULL GROUP BY ALL
)
SELECT
    *,
    story_of(solved) AS story
FROM visits;
COMMENT ON VIEW solve_history IS 'Share of correct rollouts of every training prompt at each of its visits in a stage, and how that went.';

CREATE OR REPLACE VIEW solve_history_by_checkpoint AS
WITH visits AS (
    SELECT
        groups.stage_run, groups.experiment, groups.stage, benchmark, mode, prompt_id, difficulty,
        list(groups.checkpoint ORDER BY checkpoint_position, groups.checkpoint) AS checkpoints,
        list(solved ORDER BY checkpoint_position, groups.checkpoint) AS solved
    FROM groups JOIN evaluated_checkpoints AS evaluated
        ON evaluated.stage_run = groups.stage_run AND evaluated.checkpoint = groups.checkpoint
    WHERE solved IS NOT NULL GROUP BY ALL
)
SELECT
    *,
    story_of(solved) AS story
FROM visits;
COMMENT ON VIEW solve_history_by_checkpoint IS 'Share of correct responses to every held-out problem by checkpoint, and how that went.';

CREATE OR REPLACE VIEW cost AS
WITH written AS (
    SELECT
        stage_run, count(*) AS responses,
        if(count(prompt_tokens) < count(*), NULL, sum(prompt_tokens)) AS prompt_tokens,
        if(count(response_tokens) < count(*), NULL, sum(response_tokens)) AS response_tokens
    FROM (
        SELECT stage_run, prompt_tokens, response_tokens FROM rollouts
        UNION ALL SELECT stage_run, prompt_tokens, response_tokens FROM eval_samples
    ) GROUP BY ALL
)
SELECT
    stage_run, experiment, stage, position, kind, steps,
    coalesce(responses, 0) AS responses,
    if(responses IS NULL, 0, prompt_tokens)::BIGINT AS prompt_tokens,
    if(responses IS NULL, 0, response_tokens)::BIGINT AS response_tokens,
    seconds, devices,
    seconds * devices / 3600 AS device_hours
FROM stages LEFT JOIN written USING (stage_run);
COMMENT ON VIEW cost IS 'What each stage read and wrote (tokens; null if those of any response are not known), and how long it kept how many devices.';
