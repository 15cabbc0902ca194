-- Of how many responses each fact is known.
SELECT count(*) AS responses, count(reward) AS reward, count(step) AS step, count(outcome) AS outcome,
    count(finish_reason) AS finish_reason, count(response_tokens) AS response_tokens, count(*) FILTER (trained) AS rollouts
FROM (
    SELECT true AS trained, reward, step, outcome, finish_reason, response_tokens FROM rollouts
    UNION ALL SELECT false, NULL, NULL, outcome, finish_reason, response_tokens FROM eval_samples
)
