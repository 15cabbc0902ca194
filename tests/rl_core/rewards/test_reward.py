import math

import pytest

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.readers import answer_line, answer_tags, box_after_thinking
from rl_core.rewards.reward import COMPONENTS, PRESETS, reader, resolve, rules_of, score
from rl_core.rewards.rules import Rule
from rl_core.rewards.verdict import Verdict

TAGGED = "<think>a</think><answer>b</answer>"
BY_LINES = "<think>\na\n</think>\n<answer>\nb\n</answer>"


@pytest.mark.parametrize(
    ("preset", "response", "outcome", "reward"),
    [
        # Logic-RL: the four totals that its code can give.
        ("logic_rl", TAGGED, Outcome.CORRECT, 3.0),
        ("logic_rl", TAGGED, Outcome.WRONG, -0.5),
        ("logic_rl", TAGGED, Outcome.UNPARSEABLE, -1.0),
        ("logic_rl", "no tags", Outcome.FORMAT_ERROR, -3.0),
        ("boxed_math", r"\boxed{1}", Outcome.CORRECT, 1.0),
        ("boxed_math", r"\boxed{1}", Outcome.WRONG, -0.5),
        ("boxed_math", r"\boxed{", Outcome.UNPARSEABLE, -0.5),
        ("boxed_math", "1", Outcome.CORRECT, -1.0),
        ("boxed_math", "1", Outcome.UNPARSEABLE, -1.0),
        ("tinyzero", TAGGED, Outcome.CORRECT, 1.0),
        ("tinyzero", TAGGED, Outcome.WRONG, 0.1),
        ("tinyzero", TAGGED, Outcome.UNPARSEABLE, 0.1),
        ("tinyzero", "b", Outcome.FORMAT_ERROR, 0.0),
        ("open_r1", BY_LINES, Outcome.CORRECT, 3.0),
        ("open_r1", "b", Outcome.WRONG, 0.0),
        # simpleRL's copy of Logic-RL's reward
        ("logic_rl_simplerl", TAGGED, Outcome.CORRECT, 3.0),
        ("logic_rl_simplerl", TAGGED, Outcome.WRONG, -0.5),
        ("logic_rl_simplerl", TAGGED, Outcome.UNPARSEABLE, -1.0),
        ("logic_rl_simplerl", "no tags", Outcome.FORMAT_ERROR, -1.0),
        ("simplerl_zoo", r"\boxed{1}", Outcome.CORRECT, 1.0),
        ("simplerl_zoo", r"\boxed{1}", Outcome.WRONG, 0.0),
        ("oat_zero", r"\boxed{1}", Outcome.CORRECT, 1.0),
        ("oat_zero", r"\boxed{1}", Outcome.WRONG, 0.0),
        ("oat_zero", "1", Outcome.FORMAT_ERROR, 0.0),
        ("demystify", r"\boxed{1}", Outcome.CORRECT, 1.0),
        ("demystify", r"\boxed{1}", Outcome.WRONG, 0.0),
        ("deepscaler", r"so</think>\boxed{1}", Outcome.CORRECT, 1.0),
        ("deepscaler", r"\boxed{1}", Outcome.FORMAT_ERROR, 0.0),
        ("dapo", "Answer: 1", Outcome.CORRECT, 1.0),
        ("dapo", "Answer: 1", Outcome.WRONG, -1.0),
        ("dapo", "1", Outcome.FORMAT_ERROR, -1.0),
        ("dapo", "so", Outcome.TRUNCATED, -1.0),
        ("nano_aha", "Let me.\n<think>a</think>\n<answer>1 + 2</answer>", Outcome.CORRECT, 2.0),
        ("nano_aha", "<think>a</think>\n<answer>1 + 2</answer>", Outcome.WRONG, 1.0),
        ("nano_aha", "<think>a</think>\n<answer>1 + 2 = 3</answer>", Outcome.UNPARSEABLE, 0.5),
        ("nano_aha", "<think>a</think><answer>1 + 2</answer>", Outcome.CORRECT, 1.0),
        ("unsloth_gsm8k", "<reasoning>\na\n</reasoning>\n<answer>\n72\n</answer>\n", Outcome.CORRECT, 4.0),
        ("unsloth_gsm8k", "<reasoning>\na\n</reasoning>\n<answer>\n73\n</answer>\n", Outcome.WRONG, 2.0),
        ("unsloth_gsm8k", "<reasoning>\na\n</reasoning>\n<answer>\n73\n</answer>\nso", Outcome.WRONG, 1.496),  # no strict format
        ("unsloth_gsm8k", "<reasoning>a</reasoning> <answer>7.5</answer>", Outcome.WRONG, 0.5),
        ("unsloth_gsm8k", "72", Outcome.FORMAT_ERROR, 0.0),
        ("accuracy_format", BY_LINES, Outcome.CORRECT, 2.0),
        ("accuracy_format", BY_LINES, Outcome.WRONG, 1.0),
        ("accuracy_format", "b", Outcome.CORRECT, 1.0),
        ("accuracy_format", "b", Outcome.WRONG, 0.0),
    ],
)
def test_presets(preset: str, response: str, outcome: Outcome, reward: float) -> None:
    verdict = Verdict(outcome, "b" if outcome in (Outcome.CORRECT, Outcome.WRONG) else None)
    assert score(resolve(preset), response, verdict).reward == pytest.approx(reward)


def test_a_truncated_answer_that_could_be_read_keeps_what_the_originals_give_it() -> None:
    # Their rewards do not know how a response ended; the outcome does.
    assert score(resolve("logic_rl"), TAGGED, Verdict(Outcome.TRUNCATED, "Zoey is a knave", truncated=True)).reward == -0.5
    assert score(resolve("logic_rl"), "<think>a", Verdict(Outcome.TRUNCATED, None, truncated=True)).reward == -3.0
    assert score(resolve("tinyzero"), TAGGED, Verdict(Outcome.TRUNCATED, "1 + 2", truncated=True)).reward == 0.1
    assert score(resolve("tinyzero"), "<think>a<answer>", Verdict(Outcome.TRUNCATED, None, truncated=True)).reward == 0.0


def test_oat_gives_nothing_for_a_right_answer_in_a_truncated_response() -> None:
    verdict = Verdict(Outcome.CORRECT, "1", truncated=True)
    assert score(resolve("oat_zero"), r"\boxed{1} and so on", verdict).reward == 0.0
    assert score(resolve("simplerl_zoo"), r"\boxed{1} and so on", verdict).reward == 1.0


@pytest.mark.parametrize(
    ("answer", "value"),
    [("72", 0.5), (" 72\n", 0.5), ("\u0667\u0662", 0.0), ("7\u00b2", 0.0), ("-72", 0.0), ("72.0", 0.0), ("", 0.0), ("72 dollars", 0.0)],
)
def test_a_whole_number_has_ascii_digits_alone(answer: str, value: float) -> None:
    # Unsloth's isdigit() takes the digits of every script, and superscripts
    scored = score(resolve("unsloth_gsm8k"), f"<answer>{answer}</answer>", Verdict(Outcome.WRONG, None))
    assert scored.components["whole_number"] == value


def test_a_reward_has_at_most_one_place_for_the_answer() -> None:
    assert reader(resolve("logic_rl")) is None
    assert reader(resolve("dapo")) is answer_line
    assert reader(resolve("unsloth_gsm8k")) is answer_tags
    assert reader(resolve({"tag_count": 1.0, "box_after_thinking": 0.0})) is box_after_thinking
    with pytest.raises(InputError, match="answer_line and oat_zero look for the answer in different places"):
        resolve({"answer_line": 1.0, "accuracy": 1.0, "oat_zero": 1.0})


def test_a_reward_says_by_which_rules_it_judges() -> None:
    assert rules_of(resolve("logic_rl")) == rules_of(resolve("logic_rl_simplerl")) == {Rule.LOGIC_RL}
    assert rules_of(resolve("tinyzero")) == rules_of(resolve("nano_aha")) == {Rule.TINYZERO}
    assert rules_of(resolve("dapo")) == rules_of(resolve("simplified_accuracy")) == {Rule.SIMPLIFIED}
    for strict in ("knights_knaves", "knights_knaves_format", "countdown", "accuracy", "boxed_math", "deepscaler"):
        assert rules_of(resolve(strict)) == frozenset()


def test_components_are_weighted_and_add_up() -> None:
    scored = score(resolve({"knights_knaves": 0.5, "think_answer_format": 2.0}), TAGGED, Verdict(Outcome.WRONG, "x"))
    assert scored.components == {"knights_knaves": -0.75, "think_answer_format": 2.0}
    assert scored.reward == 1.25
    assert scored.verdict.extracted == "x"


@pytest.mark.parametrize(("preset", "lowest"), [("logic_rl", -3.0), ("boxed_math", -1.0), ("accuracy_format", 0.0), ("dapo", -1.0)])
def test_a_missed_deadline_gives_the_lowest_reward(preset: str, lowest: float) -> None:
    assert score(resolve(preset), BY_LINES + r"\boxed{1}", Verdict(Outcome.TIMEOUT, None)).reward == lowest


def test_resolve_copies() -> None:
    resolve("knights_knaves_format")["knights_knaves"] = 7.0
    assert PRESETS["knights_knaves_format"]["knights_knaves"] == 1.0


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        ("logic-rl", "did you mean 'logic_rl'"),
        ("xyz", "unknown reward 'xyz'; known: dapo, .*reasoning_tag_count"),
        ({"acuracy": 1.0}, "did you mean 'accuracy'"),
        ({"accuracy": -1.0}, "from 0 up"),
        ({"accuracy": math.nan}, "from 0 up"),
        ({}, "at least one"),
    ],
)
def test_bad_rewards_are_one_line(reward: str | dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        resolve(reward)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_name_of_a_component_stands_for_it_alone(name: str) -> None:
    assert resolve(name) == PRESETS.get(name, {name: 1.0})
    assert list(resolve(name)) == [name]
