import math

import pytest

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.reward import PRESETS, resolve, score
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
        ("accuracy_format", BY_LINES, Outcome.CORRECT, 2.0),
        ("accuracy_format", BY_LINES, Outcome.WRONG, 1.0),
        ("accuracy_format", "b", Outcome.CORRECT, 1.0),
        ("accuracy_format", "b", Outcome.WRONG, 0.0),
    ],
)
def test_presets(preset: str, response: str, outcome: Outcome, reward: float) -> None:
    assert score(resolve(preset), response, Verdict(outcome, None)).reward == reward


def test_components_are_weighted_and_add_up() -> None:
    scored = score(resolve({"knights_knaves": 0.5, "think_answer_format": 2.0}), TAGGED, Verdict(Outcome.WRONG, "x"))
    assert scored.components == {"knights_knaves": -0.75, "think_answer_format": 2.0}
    assert scored.reward == 1.25
    assert scored.verdict.extracted == "x"


@pytest.mark.parametrize(("preset", "lowest"), [("logic_rl", -3.0), ("boxed_math", -1.0), ("accuracy_format", 0.0)])
def test_a_missed_deadline_gives_the_lowest_reward(preset: str, lowest: float) -> None:
    assert score(resolve(preset), BY_LINES + r"\boxed{1}", Verdict(Outcome.TIMEOUT, None)).reward == lowest


def test_resolve_copies() -> None:
    resolve("logic_rl")["knights_knaves"] = 7.0
    assert PRESETS["logic_rl"]["knights_knaves"] == 1.0


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        ("logic-rl", "did you mean 'logic_rl'"),
        ("xyz", "there are logic_rl"),
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
