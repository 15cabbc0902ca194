-- Hits of the keyword families ($families, with hits as `n`) in a batch of responses, by place ($place).
INSERT INTO family_counts BY NAME
SELECT stage_run, $place, task, difficulty, outcome, entry.f AS family, count(*) AS responses,
    if(count(response_tokens) < count(*), NULL, sum(coalesce(think_tokens, response_tokens))) AS tokens,
    sum(entry.n) AS hits, count(*) FILTER (entry.n > 0) AS responses_with
FROM (SELECT *, unnest([$families]) AS entry FROM batch) GROUP BY ALL
