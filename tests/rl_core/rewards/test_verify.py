import json

import pytest

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.readers import answer_line
from rl_core.rewards.verdict import OpenQuestion, Verdict
from rl_core.rewards.verify import settle, verify


@pytest.mark.parametrize(
    ("task", "response", "gold", "outcome", "extracted"),
    [
        ("math", r"\boxed{\frac{2}{4}}", "1/2", Outcome.CORRECT, "1/2"),
        ("math500", r"\boxed{x+1}", "1+x", Outcome.CORRECT, "x+1"),
        ("aime24", r"\boxed{025}", "25", Outcome.CORRECT, "25"),
        ("amc23", r"\boxed{142.0}", "142", Outcome.CORRECT, "142"),
        ("gsm8k", "So 18 dollars in all.", "18", Outcome.CORRECT, "18"),
        ("math", "So 18 dollars in all.", "18", Outcome.UNPARSEABLE, None),
        ("gsm8k", "<think>18</think><answer>19</answer>", "18", Outcome.WRONG, "19"),
    ],
)
def test_by_task(task: str, response: str, gold: str, outcome: Outcome, extracted: str | None) -> None:
    assert verify(task, response, gold) == Verdict(outcome, extracted)


def test_knights_knaves() -> None:
    gold = json.dumps({"names": ["Zoey"], "roles": ["knave"]})
    assert verify("knights_knaves", "<think></think><answer>Zoey is a knave</answer>", gold).outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("task", "gold", "response", "outcome", "extracted"),
    [
        ("math", "5", "\\boxed{4}\nAnswer: 5", Outcome.CORRECT, "5"),
        ("math", "4", "\\boxed{4}\nAnswer: 5", Outcome.WRONG, "5"),
        ("math", "5", "The answer is 5.", Outcome.FORMAT_ERROR, None),
        ("math", "5", "Answer:", Outcome.UNPARSEABLE, ""),
        ("gsm8k", "5", "5 apples", Outcome.FORMAT_ERROR, None),  # a reader leaves no number to chance
        ("mmlu_pro", "B", "Answer: (B)", Outcome.CORRECT, "B"),
        ("mmlu_pro", "B", "(B)", Outcome.FORMAT_ERROR, None),
    ],
)
def test_a_reader_says_where_the_answer_stands(task: str, gold: str, response: str, outcome: Outcome, extracted: str | None) -> None:
    assert settle(task, response, gold, answer_line) == Verdict(outcome, extracted)


def test_puzzles_have_one_place_for_the_answer() -> None:
    gold = json.dumps({"numbers": [1, 2], "target": 3})
    assert settle("countdown", "<answer>1 + 2</answer>", gold, answer_line) == Verdict(Outcome.CORRECT, "1 + 2")


def test_only_symbolic_work_is_left_open() -> None:
    assert settle("math", r"\boxed{2+x}", "x+2") == OpenQuestion("math", "x+2", "2+x")
    assert settle("math", r"\boxed{3}", "2") == Verdict(Outcome.WRONG, "3")


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(InputError, match="'chess'"):
        verify("chess", "e4", "e4")


@pytest.mark.follows("is empty and cannot be read; repair it or leave its problem out")
@pytest.mark.parametrize("gold", ["", "  "])
def test_an_empty_gold_is_named(gold: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        verify("math", r"\boxed{5}", gold)
    assert verify("math", r"\boxed{5}", "5").outcome is Outcome.CORRECT  # repaired


@pytest.mark.parametrize("gold", [r"\int_0^1", "{5", r"2, 4, \ldots, 2n"])
def test_a_gold_that_cannot_be_read_is_compared_as_a_text_and_the_verdict_says_so(gold: str) -> None:
    assert verify("math", f"The answer is: {gold}", gold).outcome is Outcome.CORRECT
    assert verify("math", f"The answer is: {gold}", gold).by_text
    other = verify("math", r"\boxed{5}", gold)
    assert (other.outcome, other.by_text) == (Outcome.WRONG, True)
    assert not verify("math", r"\boxed{5}", "5").by_text
