"""An environment of a user's own as a verifier: judged in workers, for training, for a file, and for its gold answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evals.grade import grade
from rl_core.environments.registry import environment_of, find_verifier
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.own_code.sources import sources, write
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.readers import answer_tags
from rl_core.rewards.rules import Rule
from rl_core.rewards.verifiers.parameters import with_parameters
from rl_core.rewards.verify import verify

CODE = '''
import time
from rl_core.config.base import Settings
from rl_core.environments.environment import Environment
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.verdict import Decision, OpenQuestion, Verdict
from rl_core.rewards.verifiers.parameters import split_parameters
from words import last_word

class Parameters(Settings):
    letters: int = 2

class Rhyme(Environment):
    def judge(self, task, response, gold, read, rules):
        bare, parameters = split_parameters(gold, Parameters)
        if not bare.isalpha():
            raise InputError(f"the gold answer {bare!r} is no word")
        word = last_word((read(response) or "") if read else response)
        if word == "boom":
            raise RuntimeError("boom")
        if word == "slow":
            time.sleep(1000)
        if word is None:
            return Verdict(Outcome.UNPARSEABLE, None)
        end = bare[-parameters.letters:]
        right = word.endswith(end) and (word != bare or "simplified" in rules)
        return Verdict(Outcome.CORRECT if right else Outcome.WRONG, word, score=0.25)

class Later(Rhyme):
    """Leaves the question open, as an environment may."""
    def judge(self, task, response, gold, read, rules):
        return OpenQuestion(task, gold, response)

    def decide(self, task, gold, answer):
        return Decision(Outcome.CORRECT if gold in answer else Outcome.WRONG, 0.5)

    def canonical(self, answer):
        return answer.upper()

class Odd(Rhyme):
    def judge(self, task, response, gold, read, rules):
        return {"text": "correct", "number": Verdict(Outcome.CORRECT, 7), "score": Verdict(Outcome.CORRECT, "a", score=2)}[response]

instance = Rhyme()
'''
WORDS = "def last_word(text):\n    words = text.split()\n    return words[-1].lower() if words else None\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "judge.py").write_text(CODE)
    (folder / "words.py").write_text(WORDS)
    return folder


@pytest.fixture(scope="module")
def pool(folder: Path) -> Iterator[ScoringPool]:
    write(sources([f"{folder / 'judge.py'}:Rhyme"], "class"), folder / "code")
    with ScoringPool(2, 1.0, [folder / "code"]) as pool:
        yield pool


def item(response: str, gold: str = "cat", verifier: str = "Rhyme") -> ScoreItem:
    return ScoreItem(f"judge.py:{verifier}", response, gold)


@pytest.mark.parametrize("verifier", ["Rhyme", "instance"])
def test_verdicts_come_from_a_worker_in_order(pool: ScoringPool, verifier: str) -> None:
    verdicts = pool.judge([item(response, verifier=verifier) for response in ("A Hat", "a cat", "", "a dog", "A Hat")])
    assert [verdict.outcome.value for verdict in verdicts] == ["correct", "wrong", "unparseable", "wrong", "correct"]
    assert [verdict.extracted for verdict in verdicts] == ["hat", "cat", None, "dog", "hat"]
    assert [verdict.score for verdict in verdicts] == [0.25, 0.25, None, 0.25, 0.25]


def test_readers_rules_and_parameters_reach_it(pool: ScoringPool) -> None:
    tagged = item("<answer>a hat</answer> no")
    assert pool.judge([tagged])[0].outcome is Outcome.WRONG
    assert pool.judge([tagged], answer_tags)[0].outcome is Outcome.CORRECT
    assert pool.judge([item("a cat")], None, frozenset({Rule.SIMPLIFIED}))[0].outcome is Outcome.CORRECT
    task, environment, parameters = find_verifier({"judge.py:Rhyme": {"letters": 3}})
    gold = with_parameters("boat", parameters)
    assert (task, gold) == ("judge.py:Rhyme", '{"gold": "boat", "letters": 3}')
    assert [verdict.outcome.value for verdict in pool.judge([item("a goat", gold), item("a hat", gold)])] == ["correct", "wrong"]
    assert environment.needs_answer(parameters)


def test_a_question_that_it_leaves_open_is_decided_there(pool: ScoringPool) -> None:
    right, wrong = pool.judge([item("a cat", verifier="Later"), item("a dog", verifier="Later")])
    assert (right.outcome, right.extracted, right.score) == (Outcome.CORRECT, "A CAT", 0.5)
    assert wrong.outcome is Outcome.WRONG


def test_it_is_late_alone(pool: ScoringPool) -> None:
    verdicts = pool.judge([item("so slow"), item("a hat"), ScoreItem("gsm8k", "#### 4", "4")])
    assert [verdict.outcome.value for verdict in verdicts] == ["timeout", "correct", "correct"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (item("a boom"), r"^verifier judge.py:Rhyme: RuntimeError: boom \(judge.py, line 21\); the gold answer is 'cat'$"),
        (item("a hat", "7"), r"^verifier judge.py:Rhyme: the gold answer '7' is no word; the gold answer is '7'$"),
        (item("text", verifier="Odd"), r"^verifier judge.py:Odd: its judge\(\) returned 'correct', a str; wanted is a Verdict"),
        (item("number", verifier="Odd"), r"^verifier judge.py:Odd: its verdict has 7, an int as the answer; wanted is a text or None"),
        (item("score", verifier="Odd"), r"^verifier judge.py:Odd: its verdict has the score 2; wanted is a number from 0 to 1"),
        (item("none", verifier="None"), r"^verifier judge.py:None: AttributeError: module 'judge' has no attribute 'None'"),
        (
            item("a", verifier="Parameters"),
            r"^verifier judge.py:Parameters: it is <class 'judge.Parameters'>, a ModelMetaclass",
        ),
    ],
)
def test_no_score_stands_on_a_verifier_that_fails(pool: ScoringPool, asked: ScoreItem, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pool.judge([item("a hat"), asked])


def test_in_training_its_failure_leaves_the_response_without_a_reward(pool: ScoringPool, capsys) -> None:
    pool._failures.clear()
    bad, good = pool.score([item("a boom"), item("a hat")], {"accuracy": 1.0, "tag_count": 0.5})
    assert capsys.readouterr().err.count('raise RuntimeError("boom")') == 1  # the traceback
    assert bad.components == {}
    assert bad.failures["judge.py:Rhyme"].why == "RuntimeError: boom (judge.py, line 21)"
    assert good.components == {"accuracy": 1.0, "tag_count": 0.0}
    pool.score([item("the boom")], {"accuracy": 1.0})
    assert capsys.readouterr().err == ""  # once
    stated = pool.score_later([item("a boom")], {"accuracy": 1.0, "tag_count": 0.5}, failed=-1.0)()[0]
    assert stated.components == {"accuracy": -1.0, "tag_count": -0.5}


def test_gold_answers_are_checked_in_a_worker(folder: Path) -> None:
    task, environment, _ = find_verifier(f"{folder / 'judge.py'}:Rhyme")
    assert task == "judge.py:Rhyme"  # whatever the folder: prompts keep their ids
    assert environment.gold_of(" cat ") == "cat"
    with pytest.raises(InputError, match=r"^the gold answer '7' is no word$"):
        environment.check_gold(task, environment.gold_of(7))
    with pytest.raises(InputError, match=r"no class 'Rhym'; did you mean 'Rhyme'\?$"):
        find_verifier(f"{folder / 'judge.py'}:Rhym")[1].check_gold(task, "cat")
    assert environment_of(task).judged_by_text(task, "cat") is False


def test_nothing_judges_in_this_process() -> None:
    with pytest.raises(NotImplementedError):
        verify("judge.py:Rhyme", "a hat", "cat")


@pytest.mark.follows("it is an environment, no function; name it as the `verifier` of a data stage")
def test_an_environment_is_no_reward_function(pool: ScoringPool) -> None:
    with pytest.raises(InputError, match=r"^judge.py:Rhyme: it is an environment, no function; name it as the `verifier` of a data stage$"):
        pool.score([item("a hat")], {"judge.py:Rhyme": 1.0})
    assert pool.score([item("a hat")], {"accuracy": 1.0})[0].reward == 1.0


def test_a_file_is_graded_by_it(folder: Path, tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    rows = [{"response": response, "gold": "cat"} for response in ("a hat", "a cat", "")]
    said.write_text("".join(json.dumps(row) + "\n" for row in rows))
    graded = grade(said, f"{folder / 'judge.py'}:Rhyme", tmp_path / "graded.jsonl", workers=1)
    assert graded == {Outcome.CORRECT: 1, Outcome.WRONG: 1, Outcome.UNPARSEABLE: 1}
    said.write_text(json.dumps({"response": "a hat", "gold": "7"}) + "\n")
    with pytest.raises(InputError, match=r"said.jsonl: row 1: the gold answer '7' is no word"):
        grade(said, f"{folder / 'judge.py'}:Rhyme", tmp_path / "graded.jsonl", workers=1)
