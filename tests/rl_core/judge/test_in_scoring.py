"""The judge where responses are scored: in the pool, in a step of training, in an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evals.config import EvalConfig, EvalJob, EvalResources, NamedCheckpoint
from evals.runner import evaluate
from rl_core.config.rl import RlConfig
from rl_core.data.sampler import EpochSampler
from rl_core.errors import InputError
from rl_core.judge.opinions import Opinions
from rl_core.judge.settings import Judge
from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.steps.collection import Collected, Collector
from tasks.stage.fingerprint import meaning
from tests.rl_core.judge.conftest import JudgeServer
from tests.rl_core.steps.test_collection import Scripted


def settings(server: JudgeServer, **changes: object) -> Judge:
    return Judge.model_validate({"base_url": server.url, "model": "a-judge"} | changes)


@pytest.fixture
def pool(judge_server: JudgeServer) -> Iterator[ScoringPool]:
    with ScoringPool(1, 5.0, opinions=Opinions(settings(judge_server), None)) as pool:
        yield pool


def test_only_what_the_rules_refuse_is_asked(pool: ScoringPool, judge_server: JudgeServer) -> None:
    judge_server.say = lambda right, _: "VERDICT: YES"
    items = [
        ScoreItem("math", r"\boxed{x+2}", "2+x", prompt="Which?"),  # right, by symbolic work
        ScoreItem("math", r"\boxed{7}", "7", prompt="Which?"),  # right, at once
        ScoreItem("math", r"\boxed{8}", "7", prompt="Which?"),  # wrong, at once
        ScoreItem("math", r"\boxed{x+3}", "2+x", prompt="Which?"),  # wrong, by symbolic work
        ScoreItem("math", "seven", "7", prompt="Which?"),  # no answer that can be read
        ScoreItem("math", "seve", "7", "length", prompt="Which?"),  # cut off
    ]
    scores = pool.score(items, {"accuracy": 1.0})
    assert [score.reward for score in scores] == [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    assert [score.verdict.by_judge for score in scores] == [False, False, True, True, True, False]
    assert len(judge_server.requests) == 3
    assert all("<problem>\nWhich?\n</problem>" in body["messages"][0]["content"] for body in judge_server.requests)


def test_golds_are_put_into_words(pool: ScoringPool, judge_server: JudgeServer) -> None:
    gold = json.dumps({"names": ["Zoey", "Oliver"], "roles": ["knight", "knave"]})
    answer = "<think></think><answer>(1) Zoey is a knave\n(2) Oliver is a knight</answer>"
    pool.score([ScoreItem("knights_knaves", answer, gold)], {"accuracy": 1.0})
    [body] = judge_server.requests
    assert "Zoey knight, Oliver knave" in body["messages"][0]["content"]


def collected(checkpoint: Path, server: JudgeServer, replies: Path) -> Collected:
    judge = settings(server)
    config = RlConfig.model_validate(
        {"steps": 1, "template": "plain", "reward": "accuracy", "prompts_per_step": 2, "group_size": 2, "judge": judge}
    )
    workers = Scripted(checkpoint, [1, 0])
    with ScoringPool(1, 5.0, opinions=Opinions(judge, replies)) as pool:
        return Collector(workers, pool, workers.prompts, EpochSampler(2, 0), config, seed=0).collect(1, 1.0, 0)  # type: ignore[arg-type]


def test_a_step_that_is_made_again_gets_the_same_verdicts_for_nothing(
    tiny_checkpoint: Path, judge_server: JudgeServer, tmp_path: Path
) -> None:
    judge_server.say = lambda right, body: "VERDICT: YES" if "1: 0" in body["messages"][0]["content"] else "VERDICT: NO"
    first = collected(tiny_checkpoint, judge_server, tmp_path / "replies")
    outcomes = {(rollout.encoded.prompt.question, rollout.sample): rollout.score.verdict.outcome for rollout in first.rollouts}
    assert outcomes == {
        ("0: 1", 0): Outcome.CORRECT,
        ("0: 1", 1): Outcome.WRONG,
        ("1: 0", 0): Outcome.CORRECT,
        ("1: 0", 1): Outcome.CORRECT,
    }
    assert first.judge["judge/asked"] == 3
    assert first.judge["judge/overturned"] == pytest.approx(2 / 3)
    asked = len(judge_server.requests)
    judge_server.say = lambda right, body: "VERDICT: NO"
    again = collected(tiny_checkpoint, judge_server, tmp_path / "replies")
    assert [rollout.score for rollout in again.rollouts] == [rollout.score for rollout in first.rollouts]
    assert len(judge_server.requests) == asked
    assert (again.judge["judge/tokens"], again.judge["judge/kept"]) == (0, 1)


def job(server: JudgeServer, directory: Path, **changes: Any) -> EvalJob:
    path = directory / "data" / "gsm8k" / "test.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"question": f"{n} plus 1?", "answer": f"#### {n + 1}"}) + "\n" for n in (6, 7)))
    resources = EvalResources(base_url=server.url, concurrency=2, retries=0)
    config = EvalConfig(benchmarks=["gsm8k"], template="qwen_boxed", engine="openai", resources=resources, **changes)
    return EvalJob(
        config=config,
        checkpoints=[NamedCheckpoint(name="served", path="a-policy")],
        output=directory / "out",
        replies=directory / "replies",
        data_dir=directory / "data",
    )


def test_an_evaluation_says_how_much_its_judge_has_changed(judge_server: JudgeServer, tmp_path: Path) -> None:
    judge_server.say = lambda right, body: (
        "it is seven, or 7 apples" if body["model"] == "a-policy" else f"VERDICT: {'YES' if right else 'NO'}"
    )
    alone = evaluate(job(judge_server, tmp_path / "alone"))
    judged = evaluate(job(judge_server, tmp_path / "judged", judge=settings(judge_server)))
    assert alone["scores"][0]["value"] == 0.5  # by the last number
    assert judged["scores"][0]["value"] == 0.5
    found = judged["cells"][0]["judge"]
    assert found["settings"]["model"] == "a-judge"
    assert (found["judge/asked"], found["judge/overturned"]) == (1, 0)
    assert alone["cells"][0]["judge"] is None
    assert alone["cells"][0]["fingerprint"] != judged["cells"][0]["fingerprint"]
    judge_server.say = lambda right, body: "a number" if body["model"] == "a-policy" else "VERDICT: YES"
    generous = evaluate(job(judge_server, tmp_path / "generous", judge=settings(judge_server, when="always")))
    assert generous["scores"][0]["value"] == 1.0
    rows = pq.read_table(tmp_path / "generous" / "out" / "samples" / "served" / "gsm8k.parquet").to_pylist()
    assert [row["outcome"] for row in rows] == ["correct", "correct"]


def test_an_evaluation_whose_judge_fails_goes_on_later(judge_server: JudgeServer, tmp_path: Path) -> None:
    judge_server.say = lambda right, body: "a number" if body["model"] == "a-policy" else "VERDICT: YES"
    away = job(judge_server, tmp_path, judge=Judge(base_url="http://127.0.0.1:9/v1", model="a-judge", retries=0))
    with pytest.raises(InputError, match=r"judge a-judge: http://127.0.0.1:9/v1/chat/completions does not answer"):
        evaluate(away)
    assert evaluate(job(judge_server, tmp_path, judge=settings(judge_server)))["scores"][0]["value"] == 1.0


def test_where_and_how_a_judge_is_asked_makes_no_other_stage(judge_server: JudgeServer) -> None:
    one = RlConfig(steps=1, judge=settings(judge_server))
    other = RlConfig(steps=1, judge=settings(judge_server, base_url="http://elsewhere/v1", concurrency=2, prices=[1, 1]))
    assert meaning(one) == meaning(other)
    assert meaning(one)["judge"].keys() == {"model", "when", "prompt", "max_tokens"} == set(settings(judge_server).identity)
    assert "judge" not in meaning(RlConfig(steps=1))
