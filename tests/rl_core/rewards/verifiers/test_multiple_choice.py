import pytest

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.verifiers.multiple_choice import judge


@pytest.mark.parametrize(
    "response",
    [
        r"\boxed{B}",
        r"\boxed{\text{B}}",
        r"so $\boxed{\mathrm{(B)}}$.",
        r"\boxed{\textbf{(B)}}",
        r"\boxed{\text{(B) Paris}}",
        "Answer: `B`",
        "<answer>[B]</answer>",
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
        "Answer: B. Vitamin C",
        "Answer: (B) Not enough information",
        "Answer: (B) Hepatitis C",
        "<answer>B. I and II only</answer>",
        "The answer is (B). A and C are wrong.",
        "Answer: B\n\nQuestion: Which is right?\nA. 1\nB. 2\nAnswer: A",
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
        r"\boxed{A \text{ and } B}",
        "The answer is A or B.",
        "The answer is (A) or (B)",
        "The answer is A as well as B.",
        "The answer is either A or B.",
        "The answer is A, maybe B.",
        "The answer is A or maybe option B.",
        "The answer is A; B",
        "The answer is A. Or B.",
        "The answer is A. As well as B.",
        "Answer: A + B",
        "Answer: (A) (B)",
        "Answer: A (or B)",
        "#### A or B",
        "The answer is both A and B",
        "The answer is neither A nor B",
        "The answer is A but it could be B",
        "The answer is (A) is wrong",
        "The answer is A is not right",
        "The answer is A?",
        r"\boxed{A} or \boxed{B}",
        r"\boxed{A \text{ as well as } B}",
        "<answer>A/B</answer>",
        "<answer>A</answer> or <answer>B</answer>",
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
