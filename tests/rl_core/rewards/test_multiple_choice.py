import pytest

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.multiple_choice import judge


@pytest.mark.parametrize(
    "response",
    [
        r"\boxed{B}",
        r"\boxed{\text{B}}",
        r"so $\boxed{\mathrm{(B)}}$.",
        "<think>A? No.</think><answer> (B) </answer>",
        "<think>…</think>\n<answer>b</answer>",
        "The answer is (B) because the others fail.",
        "The answer is B because the others fail.",
        "The final answer is **B**.",
        "Answer: B",
        "Answer: B. Paris",
        "#### B",
        "We look at (A), (C) and (D) first.\nB",
        "After all that:\n(B)",
        "The answer is option (B)",
    ],
)
def test_a_letter_however_it_is_dressed(response: str) -> None:
    verdict = judge(response, "B")
    assert (verdict.outcome, verdict.extracted) == (Outcome.CORRECT, "B")
    assert judge(response, "A").outcome is Outcome.WRONG


@pytest.mark.parametrize(
    "response",
    [
        "",
        "A dog is what we need, as B said.",
        "The answer is A dog",  # an article
        r"\boxed{A, B}",
        r"\boxed{(A) or (B)}",
        "The answer is A or B.",
        "The answer is (A) or (B)",
        "<answer>A B C D</answer>",
        r"\boxed{K}",  # no such option
        "\\boxed{\u0410}",  # Cyrillic
        "\\boxed{\uff21}",  # full width
        r"\boxed{}",
        "<answer></answer>",
        r"\boxed{ABCDEFGHIJ}",
        r"\boxed{everything}",
    ],
)
@pytest.mark.parametrize("gold", ["A", "B"])
def test_what_decides_for_no_option_is_never_right(response: str, gold: str) -> None:
    assert judge(response, gold).outcome is Outcome.UNPARSEABLE


@pytest.mark.parametrize("gold", ["K", "", "AB", "a", "1"])
def test_a_gold_that_is_no_option_is_named(gold: str) -> None:
    with pytest.raises(InputError, match="must be a letter from A to J"):
        judge("B", gold)
