"""Reward functions of a user's own as they are written: for one response, for a group, for TRL and for verl."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rl_core.data.prompts import Prompt
from rl_core.errors import InputError
from rl_core.own_code.sources import sources, write
from rl_core.own_code.try_out import try_out
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.reward import resolve

CODE = '''
"""All kinds of functions."""
from dataclasses import dataclass
import numpy

def everything(response, gold, prompt, verdict, info, task):
    parts = [response == "so 4", gold == "4", prompt == "2 + 2?", verdict.outcome == "correct", info == {"level": 3}, task == "gsm8k"]
    return sum(parts) / len(parts)

def nothing():
    return 7

def with_default(response, scale=2):
    return scale * len(response)

def keywords(**known):
    return len(known["response"]) if known["verdict"].outcome == "correct" else -1

def group(responses, verdicts, gold, info):
    best = max(map(len, responses))
    right = [verdict.outcome == "correct" for verdict in verdicts]
    return numpy.array([(len(response) == best) + right[row] + info["level"] for row, response in enumerate(responses)])

def trl(completions, prompts, answer, level, **kwargs):  # level: a column of the data set
    assert len(completions) == len(prompts) == len(answer) == len(level)
    return [float(gold in completion) + level[0] for completion, gold in zip(completions, answer)]

def verl(data_source, solution_str, ground_truth, extra_info=None):
    return {"score": float(solution_str.endswith(ground_truth)) + extra_info["level"], "acc": True}

@dataclass
class Short:
    limit: int

    def __call__(self, response):
        return numpy.float32(len(response) < self.limit)

short = Short(6)
half = lambda response: 1 / 2
'''
ITEMS = [ScoreItem("gsm8k", response, "4", "stop", "2 + 2?", '{"level": 3}') for response in ("so 4", "perhaps 5")]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoringPool]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(CODE)
    write(sources([f"{folder / 'own.py'}:group"]), folder / "code")
    with ScoringPool(2, 5.0, [folder / "code"]) as pool:
        yield pool


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("everything", [1.0, 4 / 6]),  # response and verdict differ
        ("nothing", [7.0, 7.0]),
        ("with_default", [8.0, 18.0]),
        ("keywords", [4.0, -1.0]),
        ("group", [4.0, 4.0]),  # 0 + 1 + 3 and 1 + 0 + 3
        ("trl", [4.0, 3.0]),
        ("verl", [4.0, 3.0]),
        ("short", [1.0, 0.0]),
        ("half", [0.5, 0.5]),
    ],
)
def test_what_a_function_is_given_and_gives(pool: ScoringPool, name: str, values: list[float]) -> None:
    scores = pool.score(ITEMS, resolve({"accuracy": 1.0, f"own.py:{name}": 2.0}))
    assert [score.failures for score in scores] == [{}, {}]
    assert [score.components[f"own.py:{name}"] for score in scores] == pytest.approx([2 * value for value in values])
    assert [score.reward for score in scores] == pytest.approx([1 + 2 * values[0], 2 * values[1]])


def test_a_function_alone_is_a_reward(pool: ScoringPool) -> None:
    assert resolve("own.py:half") == {"own.py:half": 1.0}
    assert [score.components for score in pool.score(ITEMS, resolve("own.py:half"))] == [{"own.py:half": 0.5}] * 2
    assert pool.score([], {"own.py:half": 1.0}) == []


def test_functions_keep_their_names_apart() -> None:
    with pytest.raises(InputError, match=r"two reward functions are called 'own.py:half'; rename the file of one of them"):
        resolve({"/a/own.py:half": 1.0, "/b/own.py:half": 1.0})
    assert len(resolve({"/a/own.py:half": 1.0, "/b/mine.py:half": 1.0})) == 2


def test_a_renamed_file_is_another_function(pool: ScoringPool, tmp_path: Path) -> None:
    for name in ("own.py", "mine.py"):
        (tmp_path / name).write_text(CODE)
    names = [f"{tmp_path / name}:half" for name in ("own.py", "mine.py")]
    assert list(sources(names)) == ["mine.py", "own.py"]


def test_a_function_is_tried_on_a_right_answer(tmp_path: Path, capfd) -> None:
    (tmp_path / "own.py").write_text("def strict(response, gold):\n    assert gold == '5'\n    assert '5' in response\n    return 1\n")
    write(sources([f"{tmp_path / 'own.py'}:strict"]), tmp_path / "code")
    try_out(["own.py:strict"], [tmp_path / "code"], 5.0, Prompt("gsm8k", "2 + 3?", "5"))
    try_out(["own.py:strict"], [tmp_path / "code"], 5.0, None)  # it is loaded alone
    message = r"^own.py:strict: AssertionError \(own.py, line 2\); called with 'The answer is .*6.*' as an answer to '2 \+ 4\?'$"
    with pytest.raises(InputError, match=message):
        try_out(["own.py:strict"], [tmp_path / "code"], 5.0, Prompt("gsm8k", "2 + 4?", "6"))
    assert "assert gold == '5'" in capfd.readouterr().err


def test_a_module_of_an_installed_package_is_called_where_it_is(tmp_path: Path) -> None:
    with ScoringPool(1, 5.0, [tmp_path]) as pool:
        score = pool.score([ScoreItem("gsm8k", "<think>\na\n</think>\n4", "4")], {"rl_core.rewards.formats:tags_in_order": 1.0})[0]
    assert score.failures["rl_core.rewards.formats:tags_in_order"].why.startswith("it returned False, a bool")
