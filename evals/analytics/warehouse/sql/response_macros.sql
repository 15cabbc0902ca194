-- Functions of one response, for response_features.sql.

-- Hashes of the words between white space.
CREATE OR REPLACE TEMP MACRO words_of(content) AS
    list_transform(
        list_filter(string_split(translate(content, E'\n\r\t', '   '), ' '), lambda word: word <> ''),
        lambda word: hash(word)
    );

-- Hashes of the 4-grams of a list of hashes.
CREATE OR REPLACE TEMP MACRO four_grams_of(hashes) AS
    list_transform(
        range(1, greatest(1, len(hashes) - 2)),
        lambda i: hash(hashes[i + 0], hashes[i + 1], hashes[i + 2], hashes[i + 3])
    );

-- Hashes of the n-grams of twice the size, from those of `size` words.
CREATE OR REPLACE TEMP MACRO doubled(ngrams, size) AS
    list_transform(range(1, greatest(1, len(ngrams) - (size - 1))), lambda i: hash(ngrams[i], ngrams[i + size]));

CREATE OR REPLACE TEMP MACRO characters_in(texts) AS
    coalesce(list_sum(list_transform(texts, lambda one: length(one))), 0);

-- A number or fraction as DOUBLE; null for anything else.
CREATE OR REPLACE TEMP MACRO plain_number_of(content) AS
    CASE WHEN contains(content, '/')
        THEN try_cast(string_split(content, '/')[1] AS DOUBLE) / nullif(try_cast(string_split(content, '/')[2] AS DOUBLE), 0)
        ELSE try_cast(content AS DOUBLE) END;
CREATE OR REPLACE TEMP MACRO number_of(content) AS plain_number_of(replace(content, ',', ''));

-- The last number that is stated as a result: in a box, after "the answer is", after an equals sign.
CREATE OR REPLACE TEMP MACRO last_number_in(content) AS
    number_of(regexp_extract_all(
        content,
        '(?i)(?:\\boxed\{|\b(?:answer|result|total|value)\s+(?:is|must\s+be|should\s+be|would\s+be)\s*:?|\banswer:|=)'
            || '\s*\$?\s*(?:\\boxed\{)?(-?\d[\d,]*(?:\.\d+)?(?:/\d+)?)',
        1
    )[-1]);

-- The last option that is stated as the answer: B.
CREATE OR REPLACE TEMP MACRO last_option_in(content) AS
    upper(regexp_extract_all(content, '(?i)\banswer\s*(?:is|:)\s*\(?([A-J])\b', 1)[-1]);

-- What is said of the people of a puzzle: "zoey is a knight".
CREATE OR REPLACE TEMP MACRO roles_in(content) AS
    list_transform(
        regexp_extract_all(content, '(?i)\b\w+\s+is\s+a\s+(?:knight|knave)\b'),
        lambda phrase: lower(regexp_replace(phrase, '\s+', ' ', 'g'))
    );

-- Of each person of a puzzle the last role in the text, and the right one.
CREATE OR REPLACE TEMP MACRO people_in(content, puzzle) AS
    list_transform(
        list_zip(
            CAST(json_extract_string(puzzle, '$.names[*]') AS VARCHAR[]),
            CAST(json_extract_string(puzzle, '$.roles[*]') AS VARCHAR[])
        ),
        lambda person: {
            'last': list_filter(roles_in(content), lambda phrase: starts_with(phrase, lower(person[1]) || ' is '))[-1],
            'right': lower(person[1]) || ' is a ' || lower(person[2])
        }
    );
CREATE OR REPLACE TEMP MACRO all_right(people) AS
    CASE WHEN len(list_filter(people, lambda person: person.last IS NULL)) > 0 THEN NULL
        ELSE len(list_filter(people, lambda person: person.last <> person.right)) = 0 END;

-- The number that the gold answer of a Countdown or of a mathematical problem stands for.
CREATE OR REPLACE TEMP MACRO target_of(gold_answer) AS
    number_of(CASE WHEN starts_with(gold_answer, '{') THEN json_extract_string(gold_answer, '$.target') ELSE gold_answer END);

-- Whether the last answer in the text is right; null where there is none, or where the gold answer is of a kind that is not read.
CREATE OR REPLACE TEMP MACRO last_answer_is_right(content, gold_answer) AS
    CASE WHEN starts_with(gold_answer, '{"names"') THEN all_right(people_in(content, gold_answer))
        WHEN regexp_full_match(gold_answer, '[A-J]') THEN last_option_in(content) = gold_answer
        WHEN target_of(gold_answer) IS NOT NULL THEN abs(last_number_in(content) - target_of(gold_answer)) < 1e-6 END;
