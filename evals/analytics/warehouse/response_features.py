"""What is read in a response, as SQL: segments, keywords, turns and their effect, repetition, copying, leaks.

Everything is computed once, when a response comes into the warehouse, so that a question over all of them is a scan of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from evals.analytics.keywords import CODE, OUTPUT, Keyword, count_expression, first_turn, literal

# A number that is stated as a result: in a box, after "the answer is", after an equals sign; group 1 is the number.
_RESULT = r"""(?i)(?:\\boxed\{|\b(?:answer|result|total|value)\s+(?:is|must\s+be|should\s+be|would\s+be)\s*:?|\banswer:|=)""" + (
    r"""\s*\$?\s*(?:\\boxed\{)?(-?\d[\d,]*(?:\.\d+)?(?:/\d+)?)"""
)
_OPTION = r"(?i)\banswer\s*(?:is|:)\s*\(?([A-J])\b"
_ROLE = r"(?i)\b\w+\s+is\s+a\s+(?:knight|knave)\b"
_TAG = r"</?\w+>"
BLOCKS = (8, 16, 32, 64, 128, 256)  # words of a repeated block


def read_responses(source: str, keywords: Sequence[Keyword]) -> str:
    """SELECT of every column of `source` and what is read in the response.

    Args:
        source: a relation with the columns `response_id` (unique), `response`, the spans, `prompt`, `gold`, `extracted` and `outcome`;
            each of these four may be null.
        keywords: counted as `keyword_0`, `keyword_1`, …; sums of families by name follow from them.
    """
    known = "coalesce(prompt, '')"
    counts = ",\n".join(f"{count_expression(keyword, 'prose', 'lowered', known)} AS keyword_{at}" for at, keyword in enumerate(keywords))
    return f"""
WITH segments AS (
    SELECT *,
        CASE WHEN think_start IS NULL THEN response ELSE substr(response, think_start + 1, think_end - think_start) END AS reasoning,
        trim(regexp_replace(regexp_replace(
            left(response, least(coalesce(think_start, answer_start, length(response)), coalesce(answer_start, length(response)))) || ' '
            || CASE WHEN think_start IS NOT NULL AND answer_start > think_end
                THEN substr(response, think_end + 1, answer_start - think_end) ELSE '' END || ' '
            || CASE WHEN coalesce(answer_end, think_end) IS NULL THEN ''
                ELSE substr(response, greatest(coalesce(answer_end, 0), coalesce(think_end, 0)) + 1) END,
            {literal(_TAG)}, ' ', 'g'), '\\s+', ' ', 'g')) AS outside,
        CASE WHEN contains(response, '```') THEN regexp_extract_all(response, {literal(CODE)}) ELSE [] END AS blocks
    FROM {source}
), prose AS MATERIALIZED (  -- materialized: else the optimizer writes a step into every use of its columns
    SELECT * EXCLUDE (reasoning),
        CASE WHEN contains(reasoning, '```') THEN regexp_replace(reasoning, {literal(CODE)}, E'\\n', 'g') ELSE reasoning END AS prose,
        list_filter(blocks, lambda block: {" OR ".join(f"starts_with(block, {literal(head)})" for head in OUTPUT)}) AS outputs,
        {_words("response")} AS words, {_words(known)} AS prompt_words
    FROM segments
), lowered AS MATERIALIZED (
    SELECT * EXCLUDE (words, prompt_words), lower(prose) AS lowered, len(words)::INTEGER AS words,
        {_ngrams("words")} AS grams, {_ngrams("prompt_words")} AS prompt_grams
    FROM prose
), counted AS MATERIALIZED (
    SELECT * EXCLUDE (lowered, prompt_grams), list_distinct(grams) AS distinct_grams, list_distinct(prompt_grams) AS prompt_distinct,
        {counts}
    FROM lowered
), turned AS (
    SELECT *,
        {family_sum(keywords, "step_wise")} AS step_wise, {family_sum(keywords, "reflection")} AS reflection,
        {" + ".join(f"keyword_{at}" for at, keyword in enumerate(keywords) if keyword.turn) or "0"} AS turns
    FROM counted
), before AS MATERIALIZED (
    SELECT *, CASE WHEN turns > 0 THEN regexp_extract(prose, {literal(f"(?s)^(.*?)(?:{first_turn(keywords)})")}, 1) END AS before_turn
    FROM turned
), candidates AS MATERIALIZED (
    SELECT *, CASE WHEN turns > 0 AND before_turn <> '' THEN {_candidate_is_right()} END AS right_before
    FROM before
){"".join(_level(size) for size in BLOCKS)}, longest AS (
    SELECT response_id, max(size) AS size
    FROM ({" UNION ALL ".join(f"SELECT response_id, {size} AS size FROM blocks_{size} WHERE twice" for size in BLOCKS)})
    GROUP BY response_id
)
SELECT candidates.* EXCLUDE (blocks, prompt_distinct),
    CASE WHEN turns = 0 OR outcome IS NULL OR gold IS NULL THEN NULL WHEN right_before IS NULL THEN 'no candidate'
        WHEN right_before = (outcome = 'correct') THEN 'nothing' WHEN right_before THEN 'harms' ELSE 'helps' END AS reflection_effect,
    (len(blocks) - len(outputs))::INTEGER AS code_blocks,
    (coalesce(list_sum(list_transform(blocks, lambda block: length(block))), 0)
        - coalesce(list_sum(list_transform(outputs, lambda block: length(block))), 0))::INTEGER AS code_characters,
    coalesce(list_sum(list_transform(outputs, lambda block: length(block))), 0)::INTEGER AS output_characters,
    length(response) AS characters,
    length(outside) AS outside_characters,
    CASE WHEN answer_start IS NULL THEN NULL ELSE coalesce(answer_start < think_end, false) OR contains(outside, '\\boxed{{')
        OR coalesce(extracted <> '' AND contains(outside, extracted), false)
        OR (trim(substr(response, answer_start + 1, answer_end - answer_start), E' \\n\\t\\r') <> ''
            AND contains(outside, trim(substr(response, answer_start + 1, answer_end - answer_start), E' \\n\\t\\r'))) END AS answer_leaked,
    CASE WHEN len(grams) = 0 THEN 0 ELSE (len(grams) - len(distinct_grams)) / len(grams) END AS repetition,
    coalesce(longest.size, 0)::INTEGER AS longest_repeat,
    CASE WHEN prompt IS NULL THEN NULL WHEN len(distinct_grams) = 0 OR len(prompt_distinct) = 0 THEN 0
        ELSE len(list_intersect(distinct_grams, prompt_distinct)) / len(distinct_grams) END AS prompt_copied
FROM candidates LEFT JOIN longest USING (response_id)
"""


def family_sum(keywords: Sequence[Keyword], family: str) -> str:
    return "(" + (" + ".join(f"keyword_{at}" for at, keyword in enumerate(keywords) if keyword.family == family) or "0") + ")"


def _words(text: str) -> str:
    """Hashes of the words between white space."""
    words = f"list_filter(string_split(translate({text}, E'\\n\\r\\t', '   '), ' '), lambda word: word <> '')"
    return f"list_transform({words}, lambda word: hash(word))"


def _ngrams(words: str) -> str:
    """Hashes of the 4-grams of a list of hashes."""
    parts = ", ".join(f"{words}[i + {offset}]" for offset in range(4))
    return f"list_transform(range(1, greatest(1, len({words}) - 2)), lambda i: hash({parts}))"


def _doubled(grams: str, size: int) -> str:
    """Hashes of the n-grams of twice the size."""
    return f"list_transform(range(1, greatest(1, len({grams}) - {size - 1})), lambda i: hash({grams}[i], {grams}[i + {size}]))"


def _level(size: int) -> str:
    """Blocks of `size` words, and whether one of them occurs twice, of the responses in which one of half the size does."""
    # A block of 8 that occurs twice is five 4-grams that do.
    before, repeated = ("candidates", "len(grams) - len(distinct_grams) >= 5") if size == BLOCKS[0] else (f"blocks_{size // 2}", "twice")
    grams = f"SELECT response_id, {_doubled('grams', size // 2)} AS grams FROM {before} WHERE {repeated}"
    return f", blocks_{size} AS MATERIALIZED (SELECT *, list_unique(grams) < len(grams) AS twice FROM ({grams}))"


def _candidate_is_right() -> str:
    """Whether the last answer candidate in `before_turn` is right; null where there is none, or the gold answer is of a kind not read.

    A puzzle's candidate is the last role said of each person, a Countdown's the last value, other answers are numbers and options.
    """
    role = f"list_transform(regexp_extract_all(before_turn, {literal(_ROLE)}), lambda said: lower(regexp_replace(said, '\\s+', ' ', 'g')))"
    names, roles = (
        "CAST(json_extract_string(gold, '$.names[*]') AS VARCHAR[])",
        "CAST(json_extract_string(gold, '$.roles[*]') AS VARCHAR[])",
    )
    people = f"""list_transform(list_zip({names}, {roles}), lambda person: {{
        'said': list_filter({role}, lambda said: starts_with(said, lower(person[1]) || ' is '))[-1],
        'gold': lower(person[1]) || ' is a ' || lower(person[2])}})"""
    puzzle = f"""CASE WHEN len(list_filter({people}, lambda person: person.said IS NULL)) > 0 THEN NULL
        ELSE len(list_filter({people}, lambda person: person.said <> person.gold)) = 0 END"""
    target = "CASE WHEN starts_with(gold, '{') THEN json_extract_string(gold, '$.target') ELSE gold END"
    number = _value(f"regexp_extract_all(before_turn, {literal(_RESULT)}, 1)[-1]")
    option = f"upper(regexp_extract_all(before_turn, {literal(_OPTION)}, 1)[-1])"
    return f"""CASE WHEN starts_with(gold, '{{"names"') THEN {puzzle}
        WHEN regexp_full_match(gold, '[A-J]') THEN {option} = gold
        WHEN {_value(target)} IS NOT NULL THEN abs({number} - {_value(target)}) < 1e-6 END"""


def _value(text: str) -> str:
    """A number or fraction as DOUBLE; null for anything else."""
    plain = f"replace({text}, ',', '')"
    top, bottom = f"try_cast(string_split({plain}, '/')[1] AS DOUBLE)", f"try_cast(string_split({plain}, '/')[2] AS DOUBLE)"
    return f"(CASE WHEN contains({plain}, '/') THEN {top} / nullif({bottom}, 0) ELSE try_cast({plain} AS DOUBLE) END)"
