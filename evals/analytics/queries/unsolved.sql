-- Which held-out problems does no checkpoint solve? With what it wanted and what was tried most.
-- run = %: an experiment
-- limit = 5: rows
SELECT
    prompt_id, benchmark, eval_samples.difficulty, count(*) AS tries, count(DISTINCT extracted) AS different_answers,
    mode(extracted) AS most_frequent, any_value(gold) AS gold
FROM eval_samples JOIN prompts USING (prompt_key, prompt_id)
WHERE experiment LIKE $run
GROUP BY prompt_id, benchmark, eval_samples.difficulty
HAVING count(correct) = count(*) AND NOT bool_or(correct)
ORDER BY tries DESC, prompt_id
LIMIT $limit;
