from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from rl_core.errors import InputError
from rl_core.judge.opinions import Opinions, Question, probe, read_verdict
from rl_core.judge.settings import Judge
from rl_core.outcome import Outcome
from rl_core.rewards.verdict import Verdict
from tests.rl_core.judge.conftest import JudgeServer

Maker = Callable[..., Opinions]
WRONG, RIGHT = Verdict(Outcome.WRONG, "7"), Verdict(Outcome.CORRECT, "7")


@pytest.fixture
def opinions_of(judge_server: JudgeServer, tmp_path: Path) -> Iterator[Maker]:
    made: list[Opinions] = []

    def opinions_of(**settings: object) -> Opinions:
        made.append(Opinions(Judge.model_validate({"base_url": judge_server.url, "model": "a-judge"} | settings), tmp_path / "replies"))
        return made[-1]

    yield opinions_of
    for opinions in made:
        opinions.close()


def seven(response: str) -> Question:
    return Question("What is 3 + 4?", "7", response)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("VERDICT: YES", True),
        ("The response gives 7.\n\n**Verdict:** No.", False),
        ("If it said 8, VERDICT: NO; but it says 7.\nVERDICT: YES", True),
        ("yes", True),
        (" **No** ", False),
        ("The final answer is not correct.", None),
        ("I cannot say yes or no.", None),
        ("VERDICT: YESTERDAY", None),
        ("", None),
    ],
)
def test_how_a_reply_is_read(reply: str, verdict: bool | None) -> None:
    assert read_verdict(reply) is verdict


def test_the_judge_is_asked_where_the_rules_refuse(opinions_of: Maker, judge_server: JudgeServer) -> None:
    opinions = opinions_of()
    cut = Verdict(Outcome.TRUNCATED, None, truncated=True)
    asked = [
        verdict
        for verdict in (WRONG, RIGHT, cut, Verdict(Outcome.FORMAT_ERROR, None), Verdict(Outcome.TIMEOUT, "7"))
        if opinions.wants(verdict)
    ]
    assert [verdict.outcome for verdict in asked] == [Outcome.WRONG, Outcome.TIMEOUT]
    always = opinions_of(when="always")
    assert always.wants(RIGHT)
    assert not always.wants(cut)
    assert opinions.ask(seven("it is seven, that is 7"))(WRONG) == Verdict(Outcome.CORRECT, "7", by_judge=True)
    assert opinions.ask(seven("it is 8"))(WRONG) == WRONG
    assert always.ask(seven("it is 9"))(RIGHT) == Verdict(Outcome.WRONG, "7", by_judge=True)
    body = judge_server.requests[0]
    assert body["model"] == "a-judge"
    assert "<response>\nit is seven, that is 7\n</response>" in body["messages"][0]["content"]


def test_a_reply_is_paid_for_once(opinions_of: Maker, judge_server: JudgeServer) -> None:
    first = opinions_of(prices=[1, 2])
    waiting = [first.ask(seven("it is 7")), first.ask(seven("it is 7")), first.ask(seven("it is 8"))]
    assert [review(WRONG).outcome for review in waiting] == [Outcome.CORRECT, Outcome.CORRECT, Outcome.WRONG]
    assert len(judge_server.requests) == 2
    counts = first.take_counts()
    assert counts == {
        "judge/kept": 0.0,
        "judge/unread": 0.0,
        "judge/overturned": 2 / 3,
        "judge/asked": 3.0,
        "judge/tokens": 220.0,
        "judge/cost": pytest.approx((200 * 1 + 20 * 2) / 1e6),
    }
    assert first.take_counts() == {}
    again = opinions_of()  # as a resumed stage
    assert again.ask(seven("it is 7"))(WRONG).outcome is Outcome.CORRECT
    assert again.take_counts()["judge/kept"] == 1.0
    assert len(judge_server.requests) == 2
    opinions_of(model="another").ask(seven("it is 7"))(WRONG)
    assert len(judge_server.requests) == 3


def test_what_is_asked_leaves_out_the_thinking_and_follows_no_braces(opinions_of: Maker, judge_server: JudgeServer) -> None:
    opinions = opinions_of(prompt="{gold} | {response} | {other} VERDICT")
    opinions.ask(seven("<think>7 {gold}</think>it is {question}"))(WRONG)
    assert judge_server.requests[0]["messages"][0]["content"] == "7 | </think>it is {question} | {other} VERDICT"


def test_a_chatty_judge_is_asked_again_and_then_counted(opinions_of: Maker, judge_server: JudgeServer) -> None:
    judge_server.say = lambda right, body: "VERDICT: YES" if body["seed"] == 1 else "Well, that depends."
    opinions = opinions_of()
    assert opinions.ask(seven("it is 7"))(WRONG).outcome is Outcome.CORRECT
    judge_server.say = lambda right, body: "Well, that depends."
    assert opinions.ask(seven("it is 8"))(WRONG) == WRONG
    assert len(judge_server.requests) == 2 + 3
    counts = opinions.take_counts()
    assert (counts["judge/asked"], counts["judge/unread"], counts["judge/overturned"]) == (2.0, 0.5, 0.5)


def test_a_judge_that_is_away_or_slow_ends_the_stage_in_one_line(opinions_of: Maker, judge_server: JudgeServer) -> None:
    kept = opinions_of()
    kept.ask(seven("it is 7"))(WRONG)
    judge_server.status = 503
    with pytest.raises(InputError, match=r"^judge a-judge: http://127.0.0.1:\d+/v1/chat/completions answers 503: .* after 2 attempts"):
        opinions_of(retries=1).ask(seven("it is 8"))(WRONG)
    judge_server.status = 200
    judge_server.delay.clear()
    with pytest.raises(InputError, match=r"^judge a-judge: .* does not answer: .*given up after 1 attempts"):
        opinions_of(retries=0, timeout=0.2).ask(seven("it is 9"))(WRONG)
    judge_server.delay.set()
    assert opinions_of().ask(seven("it is 7"))(WRONG).outcome is Outcome.CORRECT
    with pytest.raises(InputError, match=r"^judge a-judge: http://127.0.0.1:9/v1/chat/completions does not answer"):
        probe(Judge(base_url="http://127.0.0.1:9/v1", model="a-judge"))
    probe(Judge(base_url=judge_server.url, model="a-judge"))


def test_the_key_is_that_of_the_variable(opinions_of: Maker, judge_server: JudgeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-policy")
    monkeypatch.setenv("JUDGE_KEY", "of-the-judge")
    opinions_of(key="JUDGE_KEY").ask(seven("it is 7"))(WRONG)
    assert judge_server.keys == ["Bearer of-the-judge"]


@pytest.mark.follows("remove it, and the judge is asked again")
def test_a_file_of_replies_that_is_none(opinions_of: Maker, tmp_path: Path) -> None:
    (tmp_path / "replies").write_bytes(b"no database, but long enough to be read as the head of one" * 20)
    with pytest.raises(InputError, match="replies: the judge's replies cannot be read"):
        opinions_of()
    (tmp_path / "replies").unlink()
    assert opinions_of().ask(seven("it is 7"))(WRONG).outcome is Outcome.CORRECT
    assert sqlite3.connect(tmp_path / "replies").execute("SELECT count(*) FROM replies").fetchone() == (1,)


@pytest.mark.follows("give a key by the variable `key`")  # `test_the_key_is_that_of_the_variable`
@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"base_url": "http://me:secret@host/v1"}, "it holds a password"),
        ({"base_url": "localhost:8000"}, "an address of a web server is wanted"),
        ({"prompt": "VERDICT of {answer}?"}, "{response} has to stand in it"),
        ({"prompt": "Right? {response}"}, "it has to ask for a last line VERDICT"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, str], wrong: str) -> None:
    with pytest.raises(ValidationError) as error:
        Judge.model_validate({"base_url": "http://localhost:8000/v1", "model": "m"} | settings)
    assert wrong in str(error.value)
