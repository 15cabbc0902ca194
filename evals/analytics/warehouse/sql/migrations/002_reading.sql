-- Version 2: prompts, reward components and keyword hits as tables of their own; runs, checkpoints and groups; what is read in a response.
-- What version 1 held is kept in old_rollouts and old_samples, from which it is read again.

ALTER TABLE rollouts RENAME TO old_rollouts;
ALTER TABLE samples RENAME TO old_samples;
DROP TABLE keyword_patterns;

CREATE TABLE runs (
    run VARCHAR PRIMARY KEY,
    experiment VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    started TIMESTAMP,
    finished TIMESTAMP,
    recipe VARCHAR NOT NULL,
    stage_runs VARCHAR[] NOT NULL
);
COMMENT ON TABLE runs IS 'Runs of the experiments, also those that failed.';
COMMENT ON COLUMN runs.run IS 'experiment/time of the start: the record below the workspace.';
COMMENT ON COLUMN runs.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN runs.state IS 'running, done, failed or stopped.';
COMMENT ON COLUMN runs.started IS 'Start, UTC.';
COMMENT ON COLUMN runs.finished IS 'End, UTC; null while it runs.';
COMMENT ON COLUMN runs.recipe IS 'The resolved recipe, JSON.';
COMMENT ON COLUMN runs.stage_runs IS 'Stage runs that it made or reused: keys of stages.';

ALTER TABLE stages ADD COLUMN seconds DOUBLE;
ALTER TABLE stages ADD COLUMN devices INTEGER;
COMMENT ON COLUMN stages.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN stages.stage IS 'Stage of the recipe.';
COMMENT ON COLUMN stages.fingerprint IS 'sha256 of what makes the stage what it is.';
COMMENT ON COLUMN stages.directory IS 'Where its files are.';
COMMENT ON COLUMN stages.seconds IS 'Time that making it took, s; null until it is done, or if it is not known.';
COMMENT ON COLUMN stages.devices IS 'Training and rollout workers at once.';

CREATE TABLE checkpoints (
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    step INTEGER NOT NULL,
    directory VARCHAR NOT NULL,
    bytes BIGINT NOT NULL
);
COMMENT ON TABLE checkpoints IS 'Checkpoints that lie in the directories of the stages.';
COMMENT ON COLUMN checkpoints.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN checkpoints.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN checkpoints.stage IS 'Stage of the recipe.';
COMMENT ON COLUMN checkpoints.step IS 'Optimizer step of the stage after which it was saved.';
COMMENT ON COLUMN checkpoints.directory IS 'Where it is.';
COMMENT ON COLUMN checkpoints.bytes IS 'Size of its files, bytes.';

CREATE TABLE prompts (
    prompt_key UBIGINT PRIMARY KEY,
    prompt_id VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    difficulty VARCHAR,
    prompt VARCHAR NOT NULL,
    gold VARCHAR NOT NULL
);
COMMENT ON TABLE prompts IS 'Every prompt as a model saw it, once.';
COMMENT ON COLUMN prompts.prompt_key IS 'Digest of the other columns.';
COMMENT ON COLUMN prompts.prompt_id IS 'Digest of the question: the same problem has the same id everywhere.';
COMMENT ON COLUMN prompts.task IS 'knights_knaves, gsm8k, countdown, math, …';
COMMENT ON COLUMN prompts.difficulty IS 'Number of people, level, …; null where the data has none.';
COMMENT ON COLUMN prompts.prompt IS 'Exactly as the model saw it, without the assistant''s prefill.';
COMMENT ON COLUMN prompts.gold IS 'The right answer as the verifier reads it.';

CREATE TABLE rollouts (
    response_id UBIGINT NOT NULL,
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    step INTEGER NOT NULL,
    group_index INTEGER NOT NULL,
    prompt_id VARCHAR NOT NULL,
    prompt_key UBIGINT NOT NULL,
    task VARCHAR NOT NULL,
    difficulty VARCHAR,
    sample INTEGER NOT NULL,
    response VARCHAR NOT NULL,
    think_start INTEGER,
    think_end INTEGER,
    answer_start INTEGER,
    answer_end INTEGER,
    prompt_tokens INTEGER NOT NULL,
    response_tokens INTEGER NOT NULL,
    think_tokens INTEGER,
    answer_tokens INTEGER,
    finish_reason VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    extracted VARCHAR,
    temperature DOUBLE NOT NULL,
    policy_version INTEGER NOT NULL,
    reward DOUBLE NOT NULL,
    advantage DOUBLE NOT NULL,
    logprob DOUBLE NOT NULL,
    step_wise INTEGER NOT NULL,
    reflection INTEGER NOT NULL,
    turns INTEGER NOT NULL,
    reflection_effect VARCHAR,
    code_blocks INTEGER NOT NULL,
    code_characters INTEGER NOT NULL,
    output_characters INTEGER NOT NULL,
    outside_characters INTEGER NOT NULL,
    answer_leaked BOOLEAN,
    words INTEGER NOT NULL,
    repetition DOUBLE NOT NULL,
    longest_repeat INTEGER NOT NULL,
    prompt_copied DOUBLE NOT NULL,
    think VARCHAR GENERATED ALWAYS AS (substr(response, think_start + 1, think_end - think_start)) VIRTUAL,
    answer VARCHAR GENERATED ALWAYS AS (substr(response, answer_start + 1, answer_end - answer_start)) VIRTUAL
);
COMMENT ON TABLE rollouts IS 'Every response of the RL stages, as it was scored.';
COMMENT ON COLUMN rollouts.response_id IS 'Key of the response in keyword_hits and reward_components: a digest of where it stands, the same at every ingest.';
COMMENT ON COLUMN rollouts.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN rollouts.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN rollouts.stage IS 'The RL stage.';
COMMENT ON COLUMN rollouts.step IS 'Optimizer step of the stage that consumed the rollout, from 1.';
COMMENT ON COLUMN rollouts.group_index IS 'Index of the prompt within the step; the responses of a group share it.';
COMMENT ON COLUMN rollouts.prompt_id IS 'Digest of the question: the same problem has the same id everywhere.';
COMMENT ON COLUMN rollouts.prompt_key IS 'Prompt as the model saw it, with its gold answer: key of prompts.';
COMMENT ON COLUMN rollouts.task IS 'knights_knaves, gsm8k, countdown, math, …';
COMMENT ON COLUMN rollouts.difficulty IS 'Number of people, level, …; null where the data has none.';
COMMENT ON COLUMN rollouts.sample IS 'Index of the response within its group.';
COMMENT ON COLUMN rollouts.response IS 'The assistant''s turn: prefill of the template and generated text.';
COMMENT ON COLUMN rollouts.think_start IS 'Character offset in the response, from 0; null without thinking tags.';
COMMENT ON COLUMN rollouts.think_end IS 'Character offset after the last character of the thinking.';
COMMENT ON COLUMN rollouts.answer_start IS 'Character offset of the answer, from 0; null without answer tags.';
COMMENT ON COLUMN rollouts.answer_end IS 'Character offset after the last character of the answer.';
COMMENT ON COLUMN rollouts.prompt_tokens IS 'Tokens of the prompt.';
COMMENT ON COLUMN rollouts.response_tokens IS 'Tokens of the response.';
COMMENT ON COLUMN rollouts.think_tokens IS 'Tokens inside the thinking tags; null without them.';
COMMENT ON COLUMN rollouts.answer_tokens IS 'Tokens inside the answer tags; null without them.';
COMMENT ON COLUMN rollouts.finish_reason IS 'stop: an end token; length: the token limit.';
COMMENT ON COLUMN rollouts.outcome IS 'correct, wrong, unparseable, format_error, truncated or timeout.';
COMMENT ON COLUMN rollouts.extracted IS 'The answer as the verifier read it; null if it could not.';
COMMENT ON COLUMN rollouts.temperature IS 'Sampling temperature; 0: greedy.';
COMMENT ON COLUMN rollouts.policy_version IS 'Step of the weights that wrote the response.';
COMMENT ON COLUMN rollouts.reward IS 'Sum of the weighted components and penalties.';
COMMENT ON COLUMN rollouts.advantage IS 'Advantage that the update used, mean over the tokens where it differs by token.';
COMMENT ON COLUMN rollouts.logprob IS 'Mean log-probability of the response tokens at the sampling temperature, nats.';
COMMENT ON COLUMN rollouts.step_wise IS 'Step-wise keywords in the prose of the thinking (of the response where there are no thinking tags).';
COMMENT ON COLUMN rollouts.reflection IS 'Reflection keywords in the prose of the thinking (of the response where there are no thinking tags).';
COMMENT ON COLUMN rollouts.turns IS 'Words that turn the reasoning round: those of the families with turn = true in keyword_patterns.';
COMMENT ON COLUMN rollouts.reflection_effect IS 'helps: the last answer candidate before the first turn is wrong, the outcome correct; harms: the other way round; nothing: both right or both wrong; no candidate: none before the first turn; null without turns.';
COMMENT ON COLUMN rollouts.code_blocks IS 'Blocks in ``` fences, simulated output not counted.';
COMMENT ON COLUMN rollouts.code_characters IS 'Characters of those blocks, fences included.';
COMMENT ON COLUMN rollouts.output_characters IS 'Characters of blocks that show what code would print (```output).';
COMMENT ON COLUMN rollouts.outside_characters IS 'Characters outside thinking, answer and their tags, a run of white space counted as one.';
COMMENT ON COLUMN rollouts.answer_leaked IS 'The answer, or a \boxed{}, also stands outside the tags, or the answer tags stand inside the thinking; null without answer tags.';
COMMENT ON COLUMN rollouts.words IS 'Words between white space.';
COMMENT ON COLUMN rollouts.repetition IS 'Share of the 4-grams of words that have occurred before in the response, from 0 to 1.';
COMMENT ON COLUMN rollouts.longest_repeat IS 'Words of the longest block that occurs twice, to the next lower of 8, 16, 32, 64, 128, 256; 0: none of 8.';
COMMENT ON COLUMN rollouts.prompt_copied IS 'Share of the response''s different 4-grams of words that stand in the prompt, too, from 0 to 1.';
COMMENT ON COLUMN rollouts.think IS 'Text inside the thinking tags.';
COMMENT ON COLUMN rollouts.answer IS 'Text inside the answer tags.';

CREATE TABLE eval_samples (
    response_id UBIGINT NOT NULL,
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    checkpoint VARCHAR NOT NULL,
    benchmark VARCHAR NOT NULL,
    mode VARCHAR NOT NULL,
    prompt_id VARCHAR NOT NULL,
    prompt_key UBIGINT NOT NULL,
    task VARCHAR NOT NULL,
    difficulty VARCHAR,
    sample INTEGER NOT NULL,
    response VARCHAR NOT NULL,
    think_start INTEGER,
    think_end INTEGER,
    answer_start INTEGER,
    answer_end INTEGER,
    prompt_tokens INTEGER NOT NULL,
    response_tokens INTEGER NOT NULL,
    think_tokens INTEGER,
    answer_tokens INTEGER,
    finish_reason VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    extracted VARCHAR,
    temperature DOUBLE NOT NULL,
    correct BOOLEAN NOT NULL,
    seed BIGINT NOT NULL,
    step_wise INTEGER NOT NULL,
    reflection INTEGER NOT NULL,
    turns INTEGER NOT NULL,
    reflection_effect VARCHAR,
    code_blocks INTEGER NOT NULL,
    code_characters INTEGER NOT NULL,
    output_characters INTEGER NOT NULL,
    outside_characters INTEGER NOT NULL,
    answer_leaked BOOLEAN,
    words INTEGER NOT NULL,
    repetition DOUBLE NOT NULL,
    longest_repeat INTEGER NOT NULL,
    prompt_copied DOUBLE NOT NULL,
    think VARCHAR GENERATED ALWAYS AS (substr(response, think_start + 1, think_end - think_start)) VIRTUAL,
    answer VARCHAR GENERATED ALWAYS AS (substr(response, answer_start + 1, answer_end - answer_start)) VIRTUAL
);
COMMENT ON TABLE eval_samples IS 'Every response of the evaluations.';
COMMENT ON COLUMN eval_samples.response_id IS 'Key of the response in keyword_hits and reward_components: a digest of where it stands, the same at every ingest.';
COMMENT ON COLUMN eval_samples.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN eval_samples.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN eval_samples.stage IS 'The evaluation stage; the evaluated one is the checkpoint.';
COMMENT ON COLUMN eval_samples.checkpoint IS 'Stage whose last checkpoint answered, or `model`: the one the recipe starts from.';
COMMENT ON COLUMN eval_samples.benchmark IS 'Name in the registry of benchmarks.';
COMMENT ON COLUMN eval_samples.mode IS 'greedy or sampled.';
COMMENT ON COLUMN eval_samples.prompt_id IS 'Digest of the question: the same problem has the same id everywhere.';
COMMENT ON COLUMN eval_samples.prompt_key IS 'Prompt as the model saw it, with its gold answer: key of prompts.';
COMMENT ON COLUMN eval_samples.task IS 'knights_knaves, gsm8k, countdown, math, …';
COMMENT ON COLUMN eval_samples.difficulty IS 'Number of people, level, …; null where the data has none.';
COMMENT ON COLUMN eval_samples.sample IS 'Index of the response among those to the same problem.';
COMMENT ON COLUMN eval_samples.response IS 'The assistant''s turn: prefill of the template and generated text.';
COMMENT ON COLUMN eval_samples.think_start IS 'Character offset in the response, from 0; null without thinking tags.';
COMMENT ON COLUMN eval_samples.think_end IS 'Character offset after the last character of the thinking.';
COMMENT ON COLUMN eval_samples.answer_start IS 'Character offset of the answer, from 0; null without answer tags.';
COMMENT ON COLUMN eval_samples.answer_end IS 'Character offset after the last character of the answer.';
COMMENT ON COLUMN eval_samples.prompt_tokens IS 'Tokens of the prompt.';
COMMENT ON COLUMN eval_samples.response_tokens IS 'Tokens of the response.';
COMMENT ON COLUMN eval_samples.think_tokens IS 'Tokens inside the thinking tags; null without them.';
COMMENT ON COLUMN eval_samples.answer_tokens IS 'Tokens inside the answer tags; null without them.';
COMMENT ON COLUMN eval_samples.finish_reason IS 'stop: an end token; length: the token limit.';
COMMENT ON COLUMN eval_samples.outcome IS 'correct, wrong, unparseable, format_error, truncated or timeout.';
COMMENT ON COLUMN eval_samples.extracted IS 'The answer as the verifier read it; null if it could not.';
COMMENT ON COLUMN eval_samples.temperature IS 'Sampling temperature; 0: greedy.';
COMMENT ON COLUMN eval_samples.correct IS 'The verifier''s verdict.';
COMMENT ON COLUMN eval_samples.seed IS 'Seed of the sample.';
COMMENT ON COLUMN eval_samples.step_wise IS 'Step-wise keywords in the prose of the thinking (of the response where there are no thinking tags).';
COMMENT ON COLUMN eval_samples.reflection IS 'Reflection keywords in the prose of the thinking (of the response where there are no thinking tags).';
COMMENT ON COLUMN eval_samples.turns IS 'Words that turn the reasoning round: those of the families with turn = true in keyword_patterns.';
COMMENT ON COLUMN eval_samples.reflection_effect IS 'helps: the last answer candidate before the first turn is wrong, the outcome correct; harms: the other way round; nothing: both right or both wrong; no candidate: none before the first turn; null without turns.';
COMMENT ON COLUMN eval_samples.code_blocks IS 'Blocks in ``` fences, simulated output not counted.';
COMMENT ON COLUMN eval_samples.code_characters IS 'Characters of those blocks, fences included.';
COMMENT ON COLUMN eval_samples.output_characters IS 'Characters of blocks that show what code would print (```output).';
COMMENT ON COLUMN eval_samples.outside_characters IS 'Characters outside thinking, answer and their tags, a run of white space counted as one.';
COMMENT ON COLUMN eval_samples.answer_leaked IS 'The answer, or a \boxed{}, also stands outside the tags, or the answer tags stand inside the thinking; null without answer tags.';
COMMENT ON COLUMN eval_samples.words IS 'Words between white space.';
COMMENT ON COLUMN eval_samples.repetition IS 'Share of the 4-grams of words that have occurred before in the response, from 0 to 1.';
COMMENT ON COLUMN eval_samples.longest_repeat IS 'Words of the longest block that occurs twice, to the next lower of 8, 16, 32, 64, 128, 256; 0: none of 8.';
COMMENT ON COLUMN eval_samples.prompt_copied IS 'Share of the response''s different 4-grams of words that stand in the prompt, too, from 0 to 1.';
COMMENT ON COLUMN eval_samples.think IS 'Text inside the thinking tags.';
COMMENT ON COLUMN eval_samples.answer IS 'Text inside the answer tags.';

CREATE TABLE reward_components (
    stage_run VARCHAR NOT NULL,
    response_id UBIGINT NOT NULL,
    component VARCHAR NOT NULL,
    reward DOUBLE NOT NULL
);
COMMENT ON TABLE reward_components IS 'Weighted reward of each rollout by component.';
COMMENT ON COLUMN reward_components.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN reward_components.response_id IS 'Key of the response in rollouts or eval_samples.';
COMMENT ON COLUMN reward_components.component IS 'Name of the component or penalty.';
COMMENT ON COLUMN reward_components.reward IS 'Its weighted part of the reward.';

CREATE TABLE keyword_hits (
    stage_run VARCHAR NOT NULL,
    response_id UBIGINT NOT NULL,
    family VARCHAR NOT NULL,
    keyword VARCHAR NOT NULL,
    hits INTEGER NOT NULL
);
COMMENT ON TABLE keyword_hits IS 'Keywords that occur in a response, in the prose of its thinking (of the whole response without thinking tags).';
COMMENT ON COLUMN keyword_hits.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN keyword_hits.response_id IS 'Key of the response in rollouts or eval_samples.';
COMMENT ON COLUMN keyword_hits.family IS 'Keyword family.';
COMMENT ON COLUMN keyword_hits.keyword IS 'Keyword: its pattern is in keyword_patterns.';
COMMENT ON COLUMN keyword_hits.hits IS 'Occurrences, at least 1.';

CREATE TABLE keyword_patterns (
    stage_run VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    keyword VARCHAR NOT NULL,
    pattern VARCHAR NOT NULL,
    turn BOOLEAN NOT NULL
);
COMMENT ON TABLE keyword_patterns IS 'The patterns each stage run was read with.';
COMMENT ON COLUMN keyword_patterns.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN keyword_patterns.family IS 'Keyword family.';
COMMENT ON COLUMN keyword_patterns.version IS 'Version of the family.';
COMMENT ON COLUMN keyword_patterns.keyword IS 'Name of the keyword.';
COMMENT ON COLUMN keyword_patterns.pattern IS 'RE2.';
COMMENT ON COLUMN keyword_patterns.turn IS 'Its words turn the reasoning round.';

CREATE TABLE family_counts (
    stage_run VARCHAR NOT NULL,
    step INTEGER,
    checkpoint VARCHAR,
    benchmark VARCHAR,
    mode VARCHAR,
    difficulty VARCHAR,
    outcome VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
    responses BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    responses_with BIGINT NOT NULL
);
COMMENT ON TABLE family_counts IS 'Sums of keyword_hits by what they are asked for: what the views of families add up.';
COMMENT ON COLUMN family_counts.stage_run IS 'Stage run that wrote the responses: key of stages.';
COMMENT ON COLUMN family_counts.step IS 'Step of the rollouts; null for samples.';
COMMENT ON COLUMN family_counts.checkpoint IS 'Checkpoint of the samples; null for rollouts.';
COMMENT ON COLUMN family_counts.benchmark IS 'Benchmark of the samples; null for rollouts.';
COMMENT ON COLUMN family_counts.mode IS 'greedy or sampled; null for rollouts.';
COMMENT ON COLUMN family_counts.difficulty IS 'Number of people, level, …; null where the data has none.';
COMMENT ON COLUMN family_counts.outcome IS 'correct, wrong, unparseable, format_error, truncated or timeout.';
COMMENT ON COLUMN family_counts.family IS 'Keyword family.';
COMMENT ON COLUMN family_counts.responses IS 'Responses of this kind.';
COMMENT ON COLUMN family_counts.tokens IS 'Their tokens of thinking (of the response without thinking tags).';
COMMENT ON COLUMN family_counts.hits IS 'Words of the family in them.';
COMMENT ON COLUMN family_counts.responses_with IS 'Those of them that have any.';

CREATE TABLE groups (
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    step INTEGER,
    group_index INTEGER,
    checkpoint VARCHAR,
    benchmark VARCHAR,
    mode VARCHAR,
    prompt_id VARCHAR NOT NULL,
    difficulty VARCHAR,
    responses INTEGER NOT NULL,
    solved DOUBLE NOT NULL,
    reward_spread DOUBLE,
    distinct_answers INTEGER NOT NULL,
    distinct_4grams DOUBLE
);
COMMENT ON TABLE groups IS 'Responses to one prompt together: a group of a step, or the samples of a checkpoint.';
COMMENT ON COLUMN groups.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN groups.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN groups.stage IS 'Stage of the recipe.';
COMMENT ON COLUMN groups.step IS 'Step of a group of rollouts; null for samples.';
COMMENT ON COLUMN groups.group_index IS 'Index of the prompt within the step; null for samples.';
COMMENT ON COLUMN groups.checkpoint IS 'Checkpoint of samples; null for rollouts.';
COMMENT ON COLUMN groups.benchmark IS 'Benchmark of samples; null for rollouts.';
COMMENT ON COLUMN groups.mode IS 'greedy or sampled; null for rollouts.';
COMMENT ON COLUMN groups.prompt_id IS 'Digest of the question: the same problem has the same id everywhere.';
COMMENT ON COLUMN groups.difficulty IS 'Number of people, level, …; null where the data has none.';
COMMENT ON COLUMN groups.responses IS 'Responses in the group.';
COMMENT ON COLUMN groups.solved IS 'Share of correct responses, from 0 to 1.';
COMMENT ON COLUMN groups.reward_spread IS 'Highest less lowest reward; 0: the group teaches nothing.';
COMMENT ON COLUMN groups.distinct_answers IS 'Different answers among those that could be read.';
COMMENT ON COLUMN groups.distinct_4grams IS 'Different 4-grams of words of all responses over all of them, from 0 to 1: low means that the responses are alike; null below 4 words.';

CREATE TABLE files (
    stage_run VARCHAR NOT NULL,
    file VARCHAR NOT NULL,
    bytes BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
COMMENT ON TABLE files IS 'Files that are in the database, so that only new ones are read again.';
COMMENT ON COLUMN files.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN files.file IS 'Name below the directory of the stage.';
COMMENT ON COLUMN files.bytes IS 'Size when it was read.';
COMMENT ON COLUMN files.modified IS 'Time of its last change when it was read, ns.';

ALTER TABLE stages ADD COLUMN reading VARCHAR;
COMMENT ON COLUMN stages.reading IS 'Digest of the keyword patterns it was read with.';
COMMENT ON COLUMN metrics.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN metrics.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN metrics.stage IS 'Stage of the recipe.';
COMMENT ON COLUMN metrics.step IS 'Optimizer step of the stage, from 1.';
COMMENT ON COLUMN metrics.name IS 'Name of the metric, such as entropy (nats per token), kl (nats), grad_norm.';
COMMENT ON COLUMN metrics.value IS 'Its value; NaN where training was skipped.';
COMMENT ON COLUMN scores.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN scores.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN scores.stage IS 'Stage of the recipe.';
COMMENT ON COLUMN scores.checkpoint IS 'Evaluated checkpoint.';
COMMENT ON COLUMN scores.benchmark IS 'Name in the registry of benchmarks.';
COMMENT ON COLUMN scores.mode IS 'greedy or sampled.';
COMMENT ON COLUMN scores.value IS 'The score, a share from 0 to 1.';
COMMENT ON COLUMN scores.problems IS 'Problems that were asked.';
COMMENT ON COLUMN comparisons.stage_run IS 'Stage run that wrote the row: key of stages.';
COMMENT ON COLUMN comparisons.experiment IS 'Name of the recipe.';
COMMENT ON COLUMN comparisons.stage IS 'Stage of the recipe.';
COMMENT ON COLUMN comparisons.benchmark IS 'Name in the registry of benchmarks.';
COMMENT ON COLUMN comparisons.subset IS 'Part of the benchmark; null: all of it.';
COMMENT ON COLUMN comparisons.mode IS 'greedy or sampled.';
COMMENT ON COLUMN comparisons.metric IS 'accuracy, avg@k, pass@k or maj@k.';
COMMENT ON COLUMN comparisons.first IS 'Checkpoint that is compared with.';
COMMENT ON COLUMN comparisons.second IS 'Checkpoint that is compared.';
COMMENT ON COLUMN schema_version.version IS 'Number of the last migration.';
