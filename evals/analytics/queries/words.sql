-- Which words go with right answers? Share of responses with each keyword family, in percent, among the right ones and the others.
-- run = %: an experiment
-- part = %: train or test
SELECT
    part, family, sum(responses)::BIGINT AS responses, round(sum(per_response * responses) / sum(responses), 2) AS per_response,
    round(100 * sum(responses_with * responses) FILTER (outcome = 'correct') / sum(responses) FILTER (outcome = 'correct'), 1) AS of_the_right,
    round(100 * sum(responses_with * responses) FILTER (outcome <> 'correct') / sum(responses) FILTER (outcome <> 'correct'), 1) AS of_the_others
FROM families_by_outcome
WHERE experiment LIKE $run AND part LIKE $part
GROUP BY part, family
ORDER BY part DESC, per_response DESC, family;
