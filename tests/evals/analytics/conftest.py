"""A small deterministic experiment on disk, as the stages write it: SFT, three RL stages and an evaluation."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.analytics.warehouse.publish import Part
from evals.config import StageRun
from evals.scores import ScoredCell, comparison_table, score_table
from rl_core.rollout.records import ROLLOUT_SCHEMA, SAMPLE_SCHEMA

NAMES = ("Zoey", "Liam", "Ava", "Noah", "Mia")
# stage: (people, steps, skill at its start and end)
CURRICULUM = {"warmup": (3, 12, 0.35, 0.6), "five": (5, 14, 0.35, 0.5), "anneal": (5, 10, 0.5, 0.65)}
SKILL = {"sft": 0.35, "warmup": 0.55, "five": 0.6, "anneal": 0.72}


def write_response(rng: random.Random, people: int, skill: float) -> dict[str, Any]:
    """The columns that follow from one response; `skill` is the chance to be right."""
    names = NAMES[:people]
    gold = [rng.choice(("knight", "knave")) for _ in names]
    kind = "correct" if rng.random() < skill else rng.choice(("wrong", "wrong", "wrong", "format_error", "truncated", "unparseable"))
    said = (
        gold if kind == "correct" else [rng.choice(("knight", "knave")) for _ in gold[1:]] + ["knave" if gold[-1] == "knight" else "knight"]
    )
    lines = [f"{name} claims that {rng.choice(names)} is a {rng.choice(('knight', 'knave'))}." for name in names]
    tries = rng.randint(1, 1 + round(2 * people * skill))
    for step in range(1, tries + 1):
        lines.append(
            f"Step {step}: suppose {names[0]} is a {rng.choice(('knight', 'knave'))}. {rng.choice(names)} "
            + ("contradicts, try again." if step < tries else "fits.")
        )
    think = "\n".join(lines) + "\nAll claims fit, so this is it.\n"
    answer = (
        "\n" + "\n".join(f"({number}) {name} is a {role}" for number, (name, role) in enumerate(zip(names, said, strict=True), 1)) + "\n"
    )
    if kind == "unparseable":
        answer = "\nI am not sure.\n"
    response = f"<think>\n{think}</think>\n<answer>{answer}</answer>"
    think_start, think_end = 8, 8 + len(think)
    answer_start, answer_end = response.index("<answer>") + 8, response.index("</answer>")
    if kind == "format_error":
        response = response.replace("</answer>", "")
    if kind == "truncated":
        response, think_end = response[: think_end - 20], think_end - 20
    closed = kind not in ("format_error", "truncated")
    return {
        "response": response,
        "think_start": think_start,
        "think_end": think_end,
        "answer_start": answer_start if closed else None,
        "answer_end": answer_end if closed else None,
        "prompt_tokens": 90 + 20 * people,
        "response_tokens": len(response.split()) * 2,
        "think_tokens": len(think.split()) * 2,
        "answer_tokens": len(answer.split()) * 2 if closed else None,
        "finish_reason": "length" if kind == "truncated" else "stop",
        "outcome": kind,
        "extracted": json.dumps(said) if kind in ("correct", "wrong") else None,
        "gold": json.dumps({"names": names, "roles": gold}),
    }


def prompt_of(number: int, people: int) -> dict[str, Any]:
    names = NAMES[:people]
    question = (
        f"A very special island is inhabited only by knights and knaves. You meet {people} inhabitants: {', '.join(names[:-1])}, and "
        f'{names[-1]}. Puzzle {number}: Zoey said that Liam is a knave & "1 < 2". So who is a knight and who is a knave?'
    )
    return {
        "prompt_id": hashlib.sha256(question.encode()).hexdigest()[:16],
        "task": "knights_knaves",
        "difficulty": str(people),
        "prompt": f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n",
    }


def write_rl(directory: Path, name: str, seed: int, groups: int = 4, size: int = 8) -> None:
    people, steps, low, high = CURRICULUM[name]
    (directory / "rollouts").mkdir(parents=True)
    metrics = []
    for step in range(1, steps + 1):
        rng = random.Random(f"{seed}/{name}/{step}")
        rows = []
        for group in range(groups):
            prompt = prompt_of(step * groups + group, people)
            for sample in range(size):
                response = write_response(rng, people, low + (high - low) * step / steps)
                right = response["outcome"] == "correct"
                broken = response["outcome"] in ("format_error", "truncated")
                parts = {"knights_knaves": 2.0 if right else -2.0 if broken else -1.5, "think_answer_format": -1.0 if broken else 1.0}
                rows.append(
                    {
                        **prompt,
                        **response,
                        "step": step,
                        "group": group,
                        "sample": sample,
                        "temperature": 1.0,
                        "policy_version": step - 1,
                        "reward": sum(parts.values()),
                        "components": list(parts.items()),
                        "advantage": 0.0,
                        "logprob": -0.3,
                    }
                )
        pq.write_table(pa.Table.from_pylist(rows, schema=ROLLOUT_SCHEMA), directory / "rollouts" / f"step-{step:06d}.parquet")
        metrics.append(
            {
                "step": step,
                "reward": sum(row["reward"] for row in rows) / len(rows),
                "entropy": 0.6 - 0.02 * step + rng.gauss(0, 0.01),
                "kl": 0.001 * step,
                "grad_norm": 0.5 + rng.random() * 0.2,
                "learning_rate": 5e-5,
                "temperature": 1.0,
                "rollout_logprob_difference": 1e-6,
                "tokens_per_second": 2000.0 + rng.random() * 100,
            }
        )
    (directory / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics))


def write_sft(directory: Path, steps: int = 40) -> None:
    directory.mkdir(parents=True)
    rows = [
        {"step": step, "loss": 3.0 / (1 + step / 4) + 0.1, "learning_rate": 1e-3, "grad_norm": 1.0, "accuracy": 1 - 0.9 / (1 + step / 4)}
        for step in range(1, steps + 1)
    ]
    (directory / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_eval(directory: Path, checkpoints: list[str], problems: int = 20, samples: int = 4) -> None:
    """Samples of puzzles of 3 and 5 people, with the scores that an evaluation computes from them."""
    cells = []
    for checkpoint in checkpoints:
        rows = [
            {
                **prompt_of(10_000 + number, people),
                **write_response(
                    random.Random(f"{checkpoint}/{people}/{mode}/{number}/{sample}"),
                    people,
                    SKILL[checkpoint] - (0.25 if people == 5 else 0),
                ),
                "checkpoint": checkpoint,
                "benchmark": "knights_knaves",
                "mode": mode,
                "sample": sample,
                "temperature": 0.0 if mode == "greedy" else 1.0,
                "seed": sample,
            }
            for mode, count in (("greedy", 1), ("sampled", samples))
            for people in (3, 5)
            for number in range(problems)
            for sample in range(count)
        ]
        rows = [row | {"correct": row["outcome"] == "correct"} for row in rows]
        (directory / "samples" / checkpoint).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA), directory / "samples" / checkpoint / "knights_knaves.parquet")
        cells.append(ScoredCell(checkpoint, "knights_knaves", rows))
    content = {"scores": score_table(cells), "comparisons": comparison_table(cells), "seconds": 10.0}
    (directory / "scores.json").write_text(json.dumps(content))


def make_experiment(root: Path, experiment: str = "quickstart", seed: int = 0) -> list[StageRun]:
    """Stage directories under `root`, in the order of the recipe."""
    runs = []
    chain = [("sft", "sft", None), ("warmup", "rl", "sft"), ("five", "rl", "warmup"), ("anneal", "rl", "five"), ("scores", "eval", None)]
    for position, (stage, kind, start) in enumerate(chain, start=1):
        fingerprint = hashlib.sha256(f"{stage}/{seed}".encode()).hexdigest()
        directory = root / experiment / f"{stage}-{fingerprint[:8]}"
        if kind == "sft":
            write_sft(directory)
        elif kind == "rl":
            write_rl(directory, stage, seed)
        else:
            write_eval(directory, list(SKILL))
        runs.append(
            StageRun(
                experiment=experiment, stage=stage, kind=kind, fingerprint=fingerprint, directory=directory, position=position, start=start
            )
        )
    return runs


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> list[StageRun]:
    """Finished stages; read only (copy before breaking)."""
    return make_experiment(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def database(experiment: list[StageRun], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of `experiment`."""
    from evals.analytics.warehouse import publish as publishing

    path = tmp_path_factory.mktemp("analytics") / "analytics.duckdb"
    publishing.build(Part(experiment), path)
    return path
