SELECT part, family, sum(responses)::BIGINT AS responses, sum(responses_with * responses) / sum(responses) AS responses_with,
    sum(per_response * responses) / sum(responses) AS per_response,
    sum(responses_with * responses) FILTER (outcome = 'correct') / sum(responses) FILTER (outcome = 'correct') AS correct,
    sum(responses_with * responses) FILTER (outcome <> 'correct') / sum(responses) FILTER (outcome <> 'correct') AS not_correct
FROM families_by_outcome GROUP BY part, family ORDER BY part DESC, responses_with DESC, family
