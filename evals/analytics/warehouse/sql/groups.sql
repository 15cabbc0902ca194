-- A row for each prompt that was answered in one place ($place): how its responses differ.
SELECT stage_run, experiment, stage, $place, prompt_id, any_value(difficulty) AS difficulty, count(*)::INTEGER AS responses,
    avg((outcome = 'correct')::INTEGER) AS solved, $reward_spread AS reward_spread,
    if(
        count(extracted) = 0 AND NOT bool_and(coalesce(outcome, '') IN ('unparseable', 'format_error', 'truncated', 'timeout')),
        NULL, count(DISTINCT extracted)  -- where no answer could be read there is none, else it is not known
    )::INTEGER AS distinct_answers,
    list_unique(flatten(list(distinct_grams))) / nullif(sum(len(grams)), 0) AS distinct_4grams
FROM being_read GROUP BY stage_run, experiment, stage, $place, prompt_id
