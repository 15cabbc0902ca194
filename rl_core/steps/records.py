"""What is kept of a step: a row per response and the step's metrics."""

from collections import Counter
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rl_core.files import in_one_piece
from rl_core.outcome import Outcome
from rl_core.rollout.records import ROLLOUT_SCHEMA
from rl_core.rollout.responses import response_fields
from rl_core.steps.collection import Collected, Rollout


def rollout_rows(rollouts: list[Rollout], step: int, collected: Collected, tokenizer: Any) -> list[dict[str, Any]]:
    """Rows of ROLLOUT_SCHEMA; `rollouts` are those of `collected` with their advantages."""
    return [
        response_fields(r.encoded, r.sample, r.text, r.completion, collected.temperature, tokenizer)
        | {
            "step": step,
            "group": r.group,
            "outcome": r.score.verdict.outcome.value,
            "extracted": r.score.verdict.extracted,
            "policy_version": collected.policy_version,
            "reward": r.score.reward,
            "components": list(r.score.components.items()),
            "advantage": r.advantage,
            "logprob": fmean(r.completion.logprobs),
        }
        for r in rollouts
    ]


def summary(rollouts: list[Rollout], rows: list[dict[str, Any]]) -> dict[str, float]:
    """Rewards, outcomes and lengths of a step. Of a response that lacks a component of its reward the others count."""
    parts = [r.score.components for r in rollouts]
    names = sorted({name for components in parts for name in components})
    rewards = [r.score.reward for r in rollouts if len(r.score.components) == len(names)]
    outcomes = Counter(row["outcome"] for row in rows)
    return (
        {"reward": fmean(rewards), "reward_std": pstdev(rewards)}
        | {f"reward/{name}": fmean(components[name] for components in parts if name in components) for name in names}
        | {f"outcome/{outcome.value}": outcomes[outcome.value] / len(rows) for outcome in Outcome}
        | {name: fmean(row[name] or 0 for row in rows) for name in ("response_tokens", "think_tokens", "answer_tokens")}
        | {"zero_advantage": fmean(r.advantage == 0 for r in rollouts)}
    )


def write_rollouts(output: Path, step: int, rows: list[dict[str, Any]]) -> None:
    """`rollouts/step-NNNNNN.parquet`, in one piece."""
    directory = output / "rollouts"
    directory.mkdir(exist_ok=True)
    with in_one_piece(directory / f"step-{step:06d}.parquet") as aside:
        pq.write_table(pa.Table.from_pylist(rows, schema=ROLLOUT_SCHEMA), aside, compression="zstd")


def drop_rollouts_after(output: Path, step: int) -> None:
    """A resumed run writes them again."""
    for path in (output / "rollouts").glob("step-*.parquet"):
        if int(path.stem.removeprefix("step-")) > step:
            path.unlink()
