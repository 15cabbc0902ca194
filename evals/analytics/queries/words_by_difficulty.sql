-- Which words at which difficulty? As @words, by number of people, level or what else the data names, for each task and benchmark.
-- run = %: an experiment
-- part = %: train or test
-- family = %: a keyword family, such as reflection
SELECT
    if(checkpoint IS NULL, 'train', 'test') AS part, coalesce(benchmark, task) AS source, difficulty, family, sum(responses)::BIGINT AS responses,
    round(sum(hits) / sum(responses), 2) AS per_response,
    round(100 * sum(responses_with) FILTER (outcome = 'correct') / sum(responses) FILTER (outcome = 'correct'), 1) AS of_the_right,
    round(100 * sum(responses_with) FILTER (outcome <> 'correct') / sum(responses) FILTER (outcome <> 'correct'), 1) AS of_the_others
FROM (SELECT family_counts.*, experiment FROM family_counts JOIN stages USING (stage_run))
WHERE experiment LIKE $run AND part LIKE $part AND family LIKE $family
GROUP BY part, source, difficulty, family
ORDER BY part DESC, source, try_cast(difficulty AS DOUBLE), difficulty, family;
