-- What is read in each response of a relation: segments, keywords, turns and their effect, repetition, copying, leaks.
-- Names with a dollar sign are filled in by response_features.py.
-- Steps are MATERIALIZED where the optimizer would else write them into every use of their columns.
WITH segments AS (  -- thinking, what stands outside of thinking and answer, blocks of code
    SELECT *,
        CASE WHEN think_start IS NULL THEN response ELSE substr(response, think_start + 1, think_end - think_start) END AS reasoning,
        trim(regexp_replace(regexp_replace(
            left(response, least(coalesce(think_start, answer_start, length(response)), coalesce(answer_start, length(response)))) || ' '
            || CASE WHEN think_start IS NOT NULL AND answer_start > think_end
                THEN substr(response, think_end + 1, answer_start - think_end) ELSE '' END || ' '
            || CASE WHEN coalesce(answer_end, think_end) IS NULL THEN ''
                ELSE substr(response, greatest(coalesce(answer_end, 0), coalesce(think_end, 0)) + 1) END,
            '</?\w+>', ' ', 'g'), '\s+', ' ', 'g')) AS outside,
        trim(substr(response, answer_start + 1, answer_end - answer_start), E' \n\t\r') AS answer_text,
        CASE WHEN contains(response, '```') THEN regexp_extract_all(response, $code) ELSE [] END AS blocks
    FROM $source
), prose AS MATERIALIZED (  -- the thinking without code; words
    SELECT * EXCLUDE (reasoning),
        CASE WHEN contains(reasoning, '```') THEN regexp_replace(reasoning, $code, E'\n', 'g') ELSE reasoning END AS prose,
        list_filter(blocks, lambda block: regexp_matches(block, $output)) AS outputs,
        words_of(response) AS words, words_of(coalesce(prompt, '')) AS prompt_words
    FROM segments
), lowered AS MATERIALIZED (  -- what keywords and repetition are counted in
    SELECT * EXCLUDE (words, prompt_words), lower(prose) AS lowered, len(words)::INTEGER AS words,
        four_grams_of(words) AS grams, four_grams_of(prompt_words) AS prompt_grams
    FROM prose
), counted AS MATERIALIZED (  -- how often each keyword occurs
    SELECT * EXCLUDE (lowered, prompt_grams), list_distinct(grams) AS distinct_grams, list_distinct(prompt_grams) AS prompt_distinct,
        $keyword_counts
    FROM lowered
), turned AS (  -- families that the report asks for; words with which a thought turns round
    SELECT *, $step_wise AS step_wise, $reflection AS reflection, $turns AS turns
    FROM counted
), before AS MATERIALIZED (  -- the thinking up to the first of those words
    SELECT *, CASE WHEN turns > 0 THEN regexp_extract(prose, $before_turn, 1) END AS before_turn
    FROM turned
), candidates AS MATERIALIZED (  -- whether the last answer before it is right
    SELECT *, CASE WHEN turns > 0 AND before_turn <> '' THEN last_answer_is_right(before_turn, gold) END AS right_before
    FROM before
), -- Blocks of 8, 16, … words: whether one of them occurs twice, in those responses in which one of half the size does.
blocks_8 AS MATERIALIZED (  -- a block of 8 that occurs twice is five 4-grams that do
    SELECT *, list_unique(grams) < len(grams) AS twice
    FROM (SELECT response_id, doubled(grams, 4) AS grams FROM candidates WHERE len(grams) - len(distinct_grams) >= 5)
), blocks_16 AS MATERIALIZED (
    SELECT *, list_unique(grams) < len(grams) AS twice FROM (SELECT response_id, doubled(grams, 8) AS grams FROM blocks_8 WHERE twice)
), blocks_32 AS MATERIALIZED (
    SELECT *, list_unique(grams) < len(grams) AS twice FROM (SELECT response_id, doubled(grams, 16) AS grams FROM blocks_16 WHERE twice)
), blocks_64 AS MATERIALIZED (
    SELECT *, list_unique(grams) < len(grams) AS twice FROM (SELECT response_id, doubled(grams, 32) AS grams FROM blocks_32 WHERE twice)
), blocks_128 AS MATERIALIZED (
    SELECT *, list_unique(grams) < len(grams) AS twice FROM (SELECT response_id, doubled(grams, 64) AS grams FROM blocks_64 WHERE twice)
), blocks_256 AS MATERIALIZED (
    SELECT *, list_unique(grams) < len(grams) AS twice FROM (SELECT response_id, doubled(grams, 128) AS grams FROM blocks_128 WHERE twice)
), longest AS (  -- the size of the longest block that occurs twice
    SELECT response_id, max(size) AS size
    FROM (
        SELECT response_id, 8 AS size FROM blocks_8 WHERE twice
        UNION ALL SELECT response_id, 16 FROM blocks_16 WHERE twice
        UNION ALL SELECT response_id, 32 FROM blocks_32 WHERE twice
        UNION ALL SELECT response_id, 64 FROM blocks_64 WHERE twice
        UNION ALL SELECT response_id, 128 FROM blocks_128 WHERE twice
        UNION ALL SELECT response_id, 256 FROM blocks_256 WHERE twice
    )
    GROUP BY response_id
)
SELECT candidates.* EXCLUDE (blocks, prompt_distinct, answer_text),
    CASE WHEN turns = 0 OR outcome IS NULL OR gold IS NULL THEN NULL WHEN right_before IS NULL THEN 'no candidate'
        WHEN right_before = (outcome = 'correct') THEN 'nothing' WHEN right_before THEN 'harms' ELSE 'helps' END AS reflection_effect,
    (len(blocks) - len(outputs))::INTEGER AS code_blocks,
    (characters_in(blocks) - characters_in(outputs))::INTEGER AS code_characters,
    characters_in(outputs)::INTEGER AS output_characters,
    length(response) AS characters,
    length(outside) AS outside_characters,
    CASE WHEN answer_start IS NULL THEN NULL ELSE coalesce(answer_start < think_end, false) OR contains(outside, '\boxed{')
        OR coalesce(extracted <> '' AND contains(outside, extracted), false)
        OR (answer_text <> '' AND contains(outside, answer_text)) END AS answer_leaked,
    CASE WHEN len(grams) = 0 THEN 0 ELSE (len(grams) - len(distinct_grams)) / len(grams) END AS repetition,
    coalesce(longest.size, 0)::INTEGER AS longest_repeat,
    CASE WHEN prompt IS NULL THEN NULL WHEN len(distinct_grams) = 0 OR len(prompt_distinct) = 0 THEN 0
        ELSE len(list_intersect(distinct_grams, prompt_distinct)) / len(distinct_grams) END AS prompt_copied
FROM candidates LEFT JOIN longest USING (response_id)
