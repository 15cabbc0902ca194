"""Responses of other frameworks as the files of stages, so that warehouse, figures and report read them like our own."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evals.analytics.foreign import Response, read_responses_of
from evals.config import StageRun
from evals.scores import ScoredCell, comparison_table, score_table
from rl_core.rewards.spans import THINKING, Span, find_spans
from rl_core.rollout.records import ROLLOUT_SCHEMA, SAMPLE_SCHEMA

TOKEN = re.compile(r"\w+|[^\w\s]")  # where a file has no count of tokens: words and signs


@dataclass
class Counts:
    """What was read, for the reader of the report."""

    responses: int = 0
    without_tokens: int = 0  # responses whose lengths are counted in words and signs
    without_verdict: int = 0  # responses with neither verdict nor reward


def write_stages(
    files: Sequence[Path],
    output: Path,
    *,
    name: str,
    mapping: Mapping[str, str],
    think_tags: tuple[str, str] | None,
    correct_from: float,
) -> tuple[list[StageRun], Counts]:
    """Write `rollouts/` and `samples/` below `output` and return the stages that they make.

    Args:
        name: stands for the experiment.
        mapping: see `read_responses_of`.
        think_tags: opening and closing tag of the thinking; default: the usual ones.
        correct_from: reward from which a response without a verdict counts as correct.

    Raises:
        ForeignFileError: a file is not what it should be; files that were written for others are left there.
    """
    counts = Counts()
    groups: dict[tuple[int, str], int] = {}
    samples: dict[Any, int] = defaultdict(int)
    evaluated: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    trained = False
    for number, path in enumerate(files):
        rollouts = []
        for response in read_responses_of(path, mapping):
            row = _row(response, think_tags, correct_from, counts)
            if response.benchmark is None:
                step = response.step if response.step is not None else 1
                group = groups.setdefault((step, row["prompt_id"]), sum(1 for known in groups if known[0] == step))
                row |= {"step": step, "group": group, "sample": samples[step, group], "policy_version": step - 1, "logprob": 0.0}
                samples[step, group] += 1
                row |= {"reward": response.reward if response.reward is not None else float(row["outcome"] == "correct")}
                row |= {"components": list((response.components or {"reward": row["reward"]}).items()), "advantage": response.advantage}
                rollouts.append(row)
            else:
                place = (path.parent.name or name, response.benchmark)
                row |= {"checkpoint": place[0], "benchmark": place[1], "sample": samples[place, row["prompt_id"]], "seed": 0}
                samples[place, row["prompt_id"]] += 1
                evaluated[place].append(row | {"correct": row["outcome"] == "correct", "task": response.benchmark})
        if rollouts:
            trained = True
            _write(output / "rollouts" / "rollouts" / f"file-{number:05d}.parquet", rollouts, ROLLOUT_SCHEMA)
    stages = [_stage(output, name, "rollouts", "rl", files)] if trained else []
    if evaluated:
        _write_evaluation(output / "samples", evaluated)
        stages.append(_stage(output, name, "samples", "eval", files))
    return stages, counts


def _row(response: Response, think_tags: tuple[str, str] | None, correct_from: float, counts: Counts) -> dict[str, Any]:
    spans = find_spans(response.response, THINKING if think_tags is None else (think_tags,))
    right = response.correct if response.correct is not None else (response.reward or 0.0) >= correct_from
    counts.responses += 1
    counts.without_tokens += response.response_tokens is None
    counts.without_verdict += response.correct is None and response.reward is None
    return {
        "prompt_id": hashlib.sha256(response.prompt.encode()).hexdigest()[:16],
        "task": "other",
        "difficulty": response.difficulty,
        "prompt": response.prompt,
        "response": response.response,
        **_offsets("think", spans.think),
        **_offsets("answer", spans.answer),
        "prompt_tokens": len(TOKEN.findall(response.prompt)),
        "response_tokens": response.response_tokens or len(TOKEN.findall(response.response)),
        "think_tokens": _tokens(response, spans.think),
        "answer_tokens": _tokens(response, spans.answer),
        "finish_reason": response.finish_reason,
        "outcome": "correct" if right else "truncated" if response.finish_reason == "length" else "wrong",
        "extracted": response.extracted,
        "gold": response.gold,
        "temperature": 1.0,
    }


def _offsets(part: str, span: Span | None) -> dict[str, int | None]:
    return {f"{part}_start": span[0] if span else None, f"{part}_end": span[1] if span else None}


def _tokens(response: Response, span: Span | None) -> int | None:
    """Tokens of a part: its share of the characters where the whole is counted in tokens, else words and signs."""
    if span is None:
        return None
    if response.response_tokens is None:
        return len(TOKEN.findall(response.response[span[0] : span[1]]))
    return round(response.response_tokens * (span[1] - span[0]) / max(1, len(response.response)))


def _write_evaluation(output: Path, evaluated: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    """Sample files and the scores that follow from them."""
    cells = []
    for (checkpoint, benchmark), rows in evaluated.items():
        by_problem: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_problem.setdefault(row["prompt_id"], []).append(row)
        least = min(map(len, by_problem.values()))
        mode = "greedy" if least == 1 else "sampled"
        kept = [row | {"mode": mode} for problem in sorted(by_problem) for row in by_problem[problem][:least]]
        _write(output / "samples" / checkpoint / f"{benchmark.replace('/', '-')}.parquet", kept, SAMPLE_SCHEMA)
        cells.append(ScoredCell(checkpoint, benchmark, kept))
    pairs = [cell for cell in cells if _problems(cell) == _problems(next(other for other in cells if other.benchmark == cell.benchmark))]
    alike = len({len(cell.rows) for cell in pairs}) == 1
    content = {"scores": score_table(cells), "comparisons": comparison_table(pairs) if alike else []}
    (output / "scores.json").write_text(json.dumps(content))


def _problems(cell: ScoredCell) -> list[str]:
    return [row["prompt_id"] for row in cell.rows]


def _write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def _stage(output: Path, name: str, stage: str, kind: Any, files: Iterable[Path]) -> StageRun:
    digest = hashlib.sha256("\n".join(map(str, files)).encode()).hexdigest()
    return StageRun(experiment=name, stage=stage, kind=kind, fingerprint=digest, directory=output / stage, position=0)
