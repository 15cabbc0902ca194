"""Verifiers that users name: golds with parameters, answers in the usual places, deadlines."""

from __future__ import annotations

from typing import Any

import pytest

from rl_core.data.repeats import contradicts
from rl_core.environments.registry import VERIFIERS, find_verifier
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.readers import answer_tags, box
from rl_core.rewards.verdict import OpenQuestion
from rl_core.rewards.verifiers.parameters import with_parameters
from rl_core.rewards.verify import settle, verify

CORRECT, WRONG, UNPARSEABLE = Outcome.CORRECT, Outcome.WRONG, Outcome.UNPARSEABLE


def gold_of(verifier: str | dict[str, dict[str, Any]], answer: Any) -> tuple[str, str]:
    task, environment, parameters = find_verifier(verifier)
    gold = with_parameters(environment.gold_of(answer), parameters)
    environment.check_gold(task, gold)
    return task, gold


NUMBER, CAREFUL = "number", {"number": {"tolerance": 0.01}}
EXACT, LOOSE = "exact", {"exact": {"ignore_case": True, "ignore_spaces": True}}
REGEX, SEARCH = "regex", {"regex": {"pattern": r"the capital is {answer}\b", "ignore_case": True, "anywhere": True}}
JSON, FIELDS = "json", {"json": {"fields": ["a.b"], "tolerance": 0.1}}


@pytest.mark.parametrize(
    ("verifier", "answer", "response", "outcome"),
    [
        (NUMBER, "1,000", r"<think>7</think> It is \boxed{1000}.", CORRECT),
        (NUMBER, 0.5, "<answer>1/2</answer>", CORRECT),
        (NUMBER, "1/2", "The answer is 50%.", CORRECT),
        (NUMBER, 72, "so 70 + 2 = 72\n#### 72", CORRECT),
        (NUMBER, 72, "There are 72 apples", CORRECT),
        (NUMBER, 72, "either 71 or 72", UNPARSEABLE),
        (NUMBER, 72, r"\boxed{71} or \boxed{72}", UNPARSEABLE),
        (NUMBER, 72, r"\boxed{73}", WRONG),
        (NUMBER, 72, "I do not know", UNPARSEABLE),
        (NUMBER, 100, r"\boxed{100.5}", WRONG),
        (CAREFUL, 100, r"\boxed{100.5}", CORRECT),
        (CAREFUL, 100, r"\boxed{102}", WRONG),
        (NUMBER, "6.02e23", r"\boxed{6.02 \times 10^{23}}", CORRECT),
        (EXACT, "Paris", r"\boxed{\text{Paris}}", CORRECT),
        (EXACT, "Paris", "<think>London?</think>\n**Paris**", CORRECT),
        (EXACT, "Paris", "<answer> Paris </answer>", CORRECT),
        (EXACT, "Paris", "paris", WRONG),
        (EXACT, "Paris", "Paris or London", WRONG),
        (EXACT, "new  york", "<answer>new\nyork</answer>", CORRECT),
        (EXACT, "caf\u00e9", "cafe\u0301", CORRECT),
        (EXACT, "The answer is 4.", "The answer is 4.", CORRECT),
        (EXACT, True, "<answer>true</answer>", CORRECT),
        (LOOSE, "New York", "<answer>newyork</answer>", CORRECT),
        (LOOSE, "Stra\u00dfe", "STRASSE", CORRECT),
        (REGEX, r"\d{4}-\d\d", "<answer>2026-11</answer>", CORRECT),
        (REGEX, r"\d{4}", "<answer>2026-11</answer>", WRONG),
        (REGEX, r"(?s).*Paris.*", "It is\nParis, I think", CORRECT),
        (REGEX, "a", "", UNPARSEABLE),
        (SEARCH, "Paris", "<think>the capital is London</think> So The Capital is Paris!", CORRECT),
        (SEARCH, "Paris", "<think>the capital is Paris</think> It is London", WRONG),
        (SEARCH, "St. Paul", "the capital is StxPaul", WRONG),  # the answer is a text, not a pattern
        (JSON, {"a": 1, "b": "x"}, 'Here: ```json\n{"b": "x", "a": 1.0}\n``` Done.', CORRECT),
        (JSON, '{"a": 1}', r'\boxed{{"a": 2}}', WRONG),
        (JSON, {"a": 1}, "no object", UNPARSEABLE),
        (JSON, {"a": 1}, "{a: 1}", UNPARSEABLE),
        (FIELDS, {"a": {"b": 10}, "c": 2}, '{"a": {"b": 10.5}}', CORRECT),
        ("choice", "b", r"\boxed{B}", CORRECT),
        ("choice", 2, "<answer>C. because</answer>", CORRECT),
        ("math", r"\frac{1}{2}", r"\boxed{0.5}", CORRECT),
        ("gsm8k", "3 + 4 = 7\n#### 1,007", "#### 1007", CORRECT),
        (
            "knights_knaves",
            "(1) Zoey is a knight (2) Leo is a knave",
            "<think></think><answer>Zoey is a knight, Leo is a knave</answer>",
            CORRECT,
        ),
        ("countdown", {"nums": [2, 3], "target": 6}, "<answer>2 * 3</answer>", CORRECT),
    ],
)
def test_verdicts(verifier: Any, answer: Any, response: str, outcome: Outcome) -> None:
    assert verify(gold_of(verifier, answer)[0], response, gold_of(verifier, answer)[1]).outcome is outcome


@pytest.mark.parametrize(
    ("verifier", "answer", "message"),
    [
        (NUMBER, "five", "'five' is no number"),
        (NUMBER, [1, 2], "the answer is a list, .*name the part of it that is meant, such as `answer.0`"),
        (EXACT, "  ", "is empty"),
        (REGEX, "(", r"'\(' is no regular expression: missing \)"),
        ({"regex": {"pattern": "[{answer}"}}, "a", "is no regular expression"),
        (JSON, "[1]", "is no JSON object"),
        (JSON, {}, "without fields"),
        (FIELDS, {"a": 1}, "has no field 'a.b'"),
        ("choice", "K", "'K' is no option"),
        ("choice", "3", "'3' is no option"),
        ("aime24", "x", "it is no number"),
        ("countdown", "7", "is not"),
        ("knights_knaves", "7", "nor text like"),
    ],
)
def test_a_verifier_refuses_its_golds(verifier: Any, answer: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        gold_of(verifier, answer)


@pytest.mark.follows("name the part of it that is meant, such as `answer.0`")
def test_a_part_of_a_list_is_an_answer() -> None:
    with pytest.raises(InputError, match=r"`answer.0`"):
        gold_of(NUMBER, [7, 8])
    assert gold_of(NUMBER, [7, 8][0]) == ("number", "7")


@pytest.mark.parametrize(
    ("verifier", "message"),
    [
        ("numbr", "no verifier 'numbr'; did you mean 'number'?"),
        ("own", "no verifier 'own'; known: .*exact, .*json"),
        ({"number": {"tolerence": 1}}, "number has no parameter 'tolerence'; did you mean 'tolerance'?"),
        ({"number": {"tolerance": -1}}, "verifier number.tolerance: input should be greater than or equal to 0, not -1"),
        ({"math": {"tolerance": 1}}, "math has no parameter 'tolerance'; known: none"),
        ({"math": {}, "number": {}}, "one verifier is wanted"),
        ({}, "one verifier is wanted"),
    ],
)
def test_what_a_recipe_may_name(verifier: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_verifier(verifier)


def test_families_that_judge_are_verifiers() -> None:
    assert {"math", "gsm8k", "knights_knaves", "countdown", "exact", "number", "choice", "regex", "json"} <= VERIFIERS.keys()


@pytest.mark.parametrize(("verifier", "answer"), [(NUMBER, 1), (EXACT, "a"), (JSON, {"a": 1}), (REGEX, "a")])
def test_a_reader_that_finds_nothing_is_an_error_of_format(verifier: str, answer: Any) -> None:
    task, gold = gold_of(verifier, answer)
    verdict = settle(task, "a 1", gold, answer_tags)
    assert not isinstance(verdict, OpenQuestion)
    assert verdict.outcome is Outcome.FORMAT_ERROR
    judged = settle(task, rf"\boxed{{{gold}}}", gold, box)
    assert isinstance(judged, OpenQuestion) or judged.outcome is CORRECT


def test_partial_credit_for_fields() -> None:
    task, gold = gold_of(JSON, {"a": 1, "b": 2, "c": 3, "d": 4})
    assert verify(task, 'So {"a": 1, "b": 2, "c": 3}', gold).score == 0.75
    assert verify(task, '{"a": 1, "b": 2, "c": 3}', gold).score == 0.75
    assert verify(task, '{"d": 4.0, "a": 1, "b": 2, "c": 3}', gold) == verify(task, '{"a": 1, "b": 2, "c": 3, "d": 4.0}', gold)


@pytest.mark.slow
def test_a_pattern_that_never_ends_is_a_timeout_of_its_own_answer() -> None:
    task, gold = gold_of(REGEX, r"(a+)+b")
    with ScoringPool(1, 0.5) as pool:
        answers = ["<answer>aab</answer>", f"<answer>{'a' * 64}</answer>", "<answer>ab</answer>"]
        verdicts = pool.judge([ScoreItem(task, answer, gold) for answer in answers])
    assert [verdict.outcome for verdict in verdicts] == [CORRECT, Outcome.TIMEOUT, CORRECT]


@pytest.mark.parametrize(
    ("verifier", "first", "second", "differ"),
    [
        (NUMBER, "5", "5.0", False),
        (NUMBER, "5", "6", True),
        (CAREFUL, "100", "100.5", False),
        ("math", "1/2", "0.5", False),
        (EXACT, "a", "b", True),
        (LOOSE, "A b", "ab", False),
        ("choice", "A", "B", True),
        (JSON, {"a": 1}, {"a": 2}, True),
        (JSON, {"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        (REGEX, "a", "b", False),  # what only long work could tell
    ],
)
def test_golds_that_contradict_each_other(verifier: Any, first: Any, second: Any, differ: bool) -> None:
    task, gold = gold_of(verifier, first)
    assert contradicts(task, gold_of(verifier, second)[1], gold) is differ
