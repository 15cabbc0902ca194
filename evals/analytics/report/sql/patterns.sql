SELECT family, bool_or(turn) AS turn, string_agg(keyword, ', ' ORDER BY nth) AS words
FROM (SELECT family, turn, keyword, min(rowid) AS nth FROM keyword_patterns GROUP BY ALL)
GROUP BY family ORDER BY family = 'step_wise' DESC, turn DESC, family
