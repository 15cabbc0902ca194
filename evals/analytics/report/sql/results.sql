-- Main scores of the checkpoints $2 and $3 of an evaluation stage, and whether they differ. A benchmark with parts is shown by its parts.
SELECT a.benchmark, a.subset, a.mode, a.metric, a.problems, a.value AS before, b.value AS after, c.low, c.high, c.noise
FROM scores AS a
JOIN scores AS b ON b.stage_run = a.stage_run AND b.benchmark = a.benchmark AND b.subset IS NOT DISTINCT FROM a.subset
    AND b.mode = a.mode AND b.metric = a.metric AND b.checkpoint = $3
LEFT JOIN comparisons AS c ON c.stage_run = a.stage_run AND c.benchmark = a.benchmark
    AND c.subset IS NOT DISTINCT FROM a.subset AND c.mode = a.mode AND c.metric = a.metric
    AND c.first = a.checkpoint AND c.second = b.checkpoint
WHERE a.stage_run = $1 AND a.checkpoint = $2 AND a.metric NOT LIKE 'pass@%' AND a.metric NOT LIKE 'maj@%'
    AND (a.subset IS NOT NULL OR a.benchmark NOT IN (
        SELECT benchmark FROM scores WHERE stage_run = $1 AND subset IS NOT NULL
    ))
ORDER BY a.mode = 'greedy', a.benchmark, a.subset
