"""The two engines in this process: the same responses where nothing is drawn, and what only evaluations ask of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.config import EvalConfig, NamedCheckpoint
from evals.engines.interface import Question
from evals.engines.local import cut_at
from evals.engines.start import start_engine
from rl_core.data.knights_knaves import generate
from rl_core.data.templates import find_template
from rl_core.rollout.engine import Sampling


@pytest.mark.parametrize(
    ("text", "stop", "cut"),
    [
        ("a </answer>.\n", ["</answer>"], "a </answer>"),
        ("a b", ["</answer>"], "a b"),
        ("x end y stop", ["stop", "end"], "x end"),
        ("end is written for it: end, y", ["end"], "end is written for it: end"),
    ],
)
def test_a_response_ends_with_its_stop_text(text: str, stop: list[str], cut: str) -> None:
    assert cut_at(text, stop, 2) == cut


@pytest.mark.xdist_group("engines")
@pytest.mark.slow
def test_vllm_and_transformers_agree(vllm: None, tiny_checkpoint: Path) -> None:
    problems = generate(2, 4, "test", seed=1)
    questions = [Question(problem, seed, 1) for seed, problem in enumerate(problems)]
    made, plain = {}, find_template("plain")
    for name in ("transformers", "vllm"):
        config = EvalConfig.model_validate({"benchmarks": ["gsm8k"], "engine": name, "dtype": "float32", "resources": {"threads": 1}})
        engine = start_engine(NamedCheckpoint(name="tiny", path=str(tiny_checkpoint)), config, 400)
        greedy = dict(engine.answer(questions, plain, Sampling(0.0, 24)))
        text = greedy[0]["response"][4:9]
        stopped = dict(engine.answer(questions[:1], plain, Sampling(0.0, 24, stop=(text,))))
        assert stopped[0]["response"] == greedy[0]["response"][: greedy[0]["response"].index(text) + len(text)]
        assert stopped[0]["finish_reason"] == "stop"
        whole = [row["response"] for _, row in engine.answer([Question(problems[0], 7, 3)], plain, Sampling(1.0, 24, top_p=0.9))]
        later = list(engine.answer([Question(problems[0], 7, 2, first=1)], plain, Sampling(1.0, 24, top_p=0.9)))
        assert [row["response"] for _, row in later] == whole[1:]
        assert [row["sample"] for _, row in later] == [1, 2]
        made[name] = [greedy[index]["response"] for index in range(4)]
        assert engine.facts["engine"] == name
        assert engine.facts["dtype"] == "float32"
        engine.close()
    assert made["vllm"] == made["transformers"]
