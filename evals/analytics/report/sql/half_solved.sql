-- The $1 training prompts of each stage that are solved closest to half of the time, with right and wrong responses over the steps.
WITH chosen AS (
    SELECT stage_run, prompt_id, avg((outcome = 'correct')::INTEGER) AS solved FROM rollouts
    GROUP BY stage_run, prompt_id QUALIFY row_number() OVER (PARTITION BY stage_run ORDER BY abs(solved - 0.5), prompt_id) <= $1
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY stage_run, prompt_id, outcome = 'correct' ORDER BY step, group_index, sample) AS nth
    FROM rollouts JOIN chosen USING (stage_run, prompt_id)
)
SELECT * FROM numbered JOIN (SELECT prompt_key, prompt, gold FROM prompts) USING (prompt_key)
QUALIFY row_number() OVER (PARTITION BY stage_run, prompt_id ORDER BY nth, outcome = 'correct') <= 4
ORDER BY stage_run, abs(solved - 0.5), prompt_id, step, sample
