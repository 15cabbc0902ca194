import time

import pytest

from rl_core.outcome import Outcome
from rl_core.rewards.run_on import own_answer
from rl_core.rewards.verify import verify


@pytest.mark.parametrize(
    "answer",
    ["#### 24", r"so \boxed{24}.", "The answer is 24.", "<answer>24</answer>", "Answer: $24$", r"</think>The answer is \boxed{24}"],
)
@pytest.mark.parametrize(
    "following",
    [
        "\n\nQuestion: A pen costs 3 coins. What do two cost?\nAnswer: 2 * 3 = 6\n#### 6",
        "\n\nQ: How many legs have two dogs?\nA: 8\n#### 8",
        "\nProblem: Find 1 + 1.\nSolution: \\boxed{2}",
        "\n\n**Problem 2.** Find 1 + 1.\n\\boxed{2}",
        "\n### Instruction:\nAdd 1 and 1.\n### Response:\n\\boxed{2}",
        "\n### Question\nAdd 1 and 1.\n\\boxed{2}",
        "\nHuman: And 1 + 1?\nAssistant: \\boxed{2}",
        "\nUSER: And 1 + 1?\nASSISTANT: The answer is 2.",
        "<|im_end|>\n<|im_start|>user\n1 + 1?<|im_end|>\n<|im_start|>assistant\n\\boxed{2}",
        "<|endoftext|>Find 1 + 1.\n\\boxed{2}",
        "</s> Find 1 + 1. \\boxed{2}",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n1 + 1?\n\\boxed{2}",
        "\n[INST] 1 + 1? [/INST] \\boxed{2}",
        "\nExercise 7: Find 1 + 1.\n#### 2",
        "\nNext problem: Find 1 + 1.\n#### 2",
        "\nPractice Question: Find 1 + 1.\n#### 2",
        "\n[Question]: Find 1 + 1.\n#### 2",
        "\nGiven the following problem, reason and give a final answer.\nFind 1 + 1. \\boxed{2}",
        "\n\nHere is another question: find 1 + 1. \\boxed{2}",
        "\n\u95ee\u9898\uff1a1 + 1?\n\\boxed{2}",
        "\nUser: 1 + 1?\nAssistant: <think>easy</think> <answer>2</answer>",
    ],
)
def test_the_first_answer_counts_where_a_next_question_follows(answer: str, following: str) -> None:
    assert verify("gsm8k", f"6 * 4 = 24.\n{answer}{following}", "24").outcome is Outcome.CORRECT


def test_a_next_question_without_a_name_is_seen_after_hashes() -> None:
    response = "6 * 4 = 24\n#### 24\n\nA pen costs 3 coins. What do two cost?\n2 * 3 = 6\n#### 6"
    assert verify("gsm8k", response, "24").outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    "response",
    [
        "Question: How many are 6 * 4?\nAnswer: 6 * 4 = 24\n#### 24",  # it repeats its own question
        "Problem: 6 * 4.\n\\boxed{24}",
        "<think>So \\boxed{5}?\nProblem: no, six fours.</think>\\boxed{24}",  # what it thinks is its own affair
        "<think>The answer is 5.\nQuestion: really?\n\\boxed{6}</think>The answer is 24.",
        "#### 20\nWait, is that right? No, 6 * 4 = 24.\n#### 24",
        "#### 20\n\nLet me check: what are 6 * 4? They are 24.\n#### 24",
        "#### 20\nThat is wrong.\n#### 24",
        r"\boxed{20}? No. Is it more? Yes: \boxed{24}",
        r"First \boxed{20}. Then we double-check the question: six fours, \boxed{24}",
        "Step 1: 6 * 2 = 12\nStep 2: 12 * 2 = 24\n#### 24",
        "There are 6 boxes.\nProblem solved: 24",
        "We put the answer in a box: \\boxed{}.\nQuestion: six fours\n\\boxed{24}",  # an empty box is no answer yet
    ],
)
def test_one_answer_counts_by_its_last_mark(response: str) -> None:
    assert verify("gsm8k", response, "24").outcome is Outcome.CORRECT


def test_nothing_else_is_cut_off() -> None:
    text = "#### 24\nbye"
    assert own_answer(text) == text
    assert own_answer("") == ""
    assert own_answer("#### 24\n\nQ: more?") == "#### 24\n\n"


@pytest.mark.parametrize(
    "piece", ["Question: ", "\nQ:", "#### 1\n", "#### 1\nWhat is it?\n", "answer is ", "\\boxed{1}", "<|im_end|>", "*", "the "]
)
def test_linear_time(piece: str) -> None:
    started = time.perf_counter()
    own_answer("\\boxed{1}\n" + piece * (500_000 // len(piece)))
    assert time.perf_counter() - started < 2
