SELECT benchmark, mode, story, count(*) AS problems FROM solve_history_by_checkpoint
GROUP BY ALL ORDER BY benchmark, mode, problems DESC, story
