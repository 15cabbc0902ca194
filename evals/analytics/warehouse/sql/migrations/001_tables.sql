-- Version 1: one row per response, two keyword families.

CREATE TABLE schema_version (version INTEGER NOT NULL);
COMMENT ON TABLE schema_version IS 'Version of these tables; a database of another version is refused.';

CREATE TABLE stages (
    stage_run VARCHAR PRIMARY KEY,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    start VARCHAR,
    steps INTEGER,
    steps_before INTEGER,
    directory VARCHAR NOT NULL
);
COMMENT ON TABLE stages IS 'Finished stages whose rows are here.';
COMMENT ON COLUMN stages.stage_run IS 'experiment/stage-fingerprint: the stage directory below the workspace.';
COMMENT ON COLUMN stages.kind IS 'data, sft, rl, eval or command.';
COMMENT ON COLUMN stages.position IS 'Topological position in the recipe: the order of curves and tables.';
COMMENT ON COLUMN stages.start IS 'Stage whose checkpoint this one continues.';
COMMENT ON COLUMN stages.steps IS 'Optimizer steps of an sft or rl stage.';
COMMENT ON COLUMN stages.steps_before IS 'Steps of the same kind that earlier stages in the chain of starts have done.';

CREATE TABLE rollouts (
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    step INTEGER NOT NULL,
    group_index INTEGER NOT NULL,
    prompt_id VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    difficulty VARCHAR,
    sample INTEGER NOT NULL,
    prompt VARCHAR NOT NULL,
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
    gold VARCHAR NOT NULL,
    temperature DOUBLE NOT NULL,
    policy_version INTEGER NOT NULL,
    reward DOUBLE NOT NULL,
    components MAP(VARCHAR, DOUBLE) NOT NULL,
    advantage DOUBLE NOT NULL,
    logprob DOUBLE NOT NULL,
    step_wise INTEGER NOT NULL,
    reflection INTEGER NOT NULL,
    keywords MAP(VARCHAR, INTEGER) NOT NULL,
    think VARCHAR GENERATED ALWAYS AS (substr(response, think_start + 1, think_end - think_start)) VIRTUAL,
    answer VARCHAR GENERATED ALWAYS AS (substr(response, answer_start + 1, answer_end - answer_start)) VIRTUAL
);
COMMENT ON TABLE rollouts IS 'Every response of the RL stages, as it was scored.';
COMMENT ON COLUMN rollouts.step IS 'Optimizer step of the stage that consumed the rollout, from 1.';
COMMENT ON COLUMN rollouts.group_index IS 'Index of the prompt within the step; the responses of a group share it.';
COMMENT ON COLUMN rollouts.prompt_id IS 'Digest of the question: the same problem has the same id everywhere.';
COMMENT ON COLUMN rollouts.difficulty IS 'Number of people, level, ...';
COMMENT ON COLUMN rollouts.sample IS 'Index of the response within its group.';
COMMENT ON COLUMN rollouts.response IS 'The assistant''s turn: prefill of the template and generated text.';
COMMENT ON COLUMN rollouts.think_start IS 'Character offset in the response, from 0; null without thinking tags.';
COMMENT ON COLUMN rollouts.finish_reason IS 'stop or length.';
COMMENT ON COLUMN rollouts.outcome IS 'correct, wrong, unparseable, format_error, truncated or timeout.';
COMMENT ON COLUMN rollouts.extracted IS 'The answer as the verifier read it.';
COMMENT ON COLUMN rollouts.policy_version IS 'Step of the weights that wrote the response.';
COMMENT ON COLUMN rollouts.components IS 'Weighted reward by component.';
COMMENT ON COLUMN rollouts.logprob IS 'Mean over the response tokens, at the sampling temperature.';
COMMENT ON COLUMN rollouts.step_wise IS 'Step-wise keywords in the thinking (in the response where there are no thinking tags).';
COMMENT ON COLUMN rollouts.reflection IS 'Reflection keywords in the thinking (in the response where there are no thinking tags).';
COMMENT ON COLUMN rollouts.keywords IS 'Occurrences by keyword, those that occur; patterns in keyword_patterns.';
COMMENT ON COLUMN rollouts.think IS 'Text inside the thinking tags.';
COMMENT ON COLUMN rollouts.answer IS 'Text inside <answer>.';

CREATE TABLE samples (
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    checkpoint VARCHAR NOT NULL,
    benchmark VARCHAR NOT NULL,
    mode VARCHAR NOT NULL,
    prompt_id VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    difficulty VARCHAR,
    sample INTEGER NOT NULL,
    prompt VARCHAR NOT NULL,
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
    gold VARCHAR NOT NULL,
    temperature DOUBLE NOT NULL,
    correct BOOLEAN NOT NULL,
    seed BIGINT NOT NULL,
    step_wise INTEGER NOT NULL,
    reflection INTEGER NOT NULL,
    keywords MAP(VARCHAR, INTEGER) NOT NULL,
    think VARCHAR GENERATED ALWAYS AS (substr(response, think_start + 1, think_end - think_start)) VIRTUAL,
    answer VARCHAR GENERATED ALWAYS AS (substr(response, answer_start + 1, answer_end - answer_start)) VIRTUAL
);
COMMENT ON TABLE samples IS 'Every response of the evaluations.';
COMMENT ON COLUMN samples.stage IS 'The evaluation stage; the evaluated one is the checkpoint.';
COMMENT ON COLUMN samples.checkpoint IS 'Stage whose last checkpoint answered, or `model`: the one the recipe starts from.';
COMMENT ON COLUMN samples.mode IS 'greedy or sampled.';
COMMENT ON COLUMN samples.prompt_id IS 'Digest of the question: the same problem has the same id everywhere.';
COMMENT ON COLUMN samples.sample IS 'Index of the response among those to the same problem.';
COMMENT ON COLUMN samples.response IS 'The assistant''s turn: prefill of the template and generated text.';
COMMENT ON COLUMN samples.outcome IS 'correct, wrong, unparseable, format_error, truncated or timeout.';
COMMENT ON COLUMN samples.extracted IS 'The answer as the verifier read it.';
COMMENT ON COLUMN samples.temperature IS '0: greedy.';
COMMENT ON COLUMN samples.step_wise IS 'Step-wise keywords in the thinking (in the response where there are no thinking tags).';
COMMENT ON COLUMN samples.reflection IS 'Reflection keywords in the thinking (in the response where there are no thinking tags).';
COMMENT ON COLUMN samples.keywords IS 'Occurrences by keyword, those that occur; patterns in keyword_patterns.';
COMMENT ON COLUMN samples.think IS 'Text inside the thinking tags.';
COMMENT ON COLUMN samples.answer IS 'Text inside <answer>.';

CREATE TABLE metrics (
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    step INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    value DOUBLE NOT NULL
);
COMMENT ON TABLE metrics IS 'What the trainers logged, one row per step and metric.';

CREATE TABLE scores (
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    checkpoint VARCHAR NOT NULL,
    benchmark VARCHAR NOT NULL,
    subset VARCHAR,
    mode VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    low DOUBLE,
    high DOUBLE,
    problems INTEGER NOT NULL,
    samples INTEGER NOT NULL
);
COMMENT ON TABLE scores IS 'Scores of the evaluations, shares from 0 to 1.';
COMMENT ON COLUMN scores.subset IS 'Part of the benchmark, such as `3 people`; null: all of it.';
COMMENT ON COLUMN scores.metric IS 'accuracy, avg@k, pass@k or maj@k.';
COMMENT ON COLUMN scores.low IS 'Lower end of the 95% interval.';
COMMENT ON COLUMN scores.high IS 'Upper end of the 95% interval.';
COMMENT ON COLUMN scores.samples IS 'Responses per problem.';

CREATE TABLE comparisons (
    stage_run VARCHAR NOT NULL,
    experiment VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    benchmark VARCHAR NOT NULL,
    subset VARCHAR,
    mode VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    first VARCHAR NOT NULL,
    second VARCHAR NOT NULL,
    difference DOUBLE NOT NULL,
    low DOUBLE,
    high DOUBLE,
    noise BOOLEAN NOT NULL
);
COMMENT ON TABLE comparisons IS 'Checkpoint against checkpoint on the same problems (paired bootstrap).';
COMMENT ON COLUMN comparisons.difference IS 'Score of `second` minus score of `first`.';
COMMENT ON COLUMN comparisons.low IS 'Lower end of the 95% interval of the difference.';
COMMENT ON COLUMN comparisons.high IS 'Upper end of the 95% interval of the difference.';
COMMENT ON COLUMN comparisons.noise IS 'The interval of the difference contains zero.';

CREATE TABLE keyword_patterns (family VARCHAR NOT NULL, keyword VARCHAR NOT NULL, pattern VARCHAR NOT NULL);
COMMENT ON TABLE keyword_patterns IS 'The RE2 patterns behind step_wise, reflection and keywords.';
