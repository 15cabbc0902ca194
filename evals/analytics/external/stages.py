"""Responses of other frameworks as the files of stages, so that warehouse, figures and report read them like our own."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evals.analytics.external.files import File, Notes
from evals.analytics.external.read import read_responses_of
from evals.analytics.external.response import Response
from evals.config import StageRun
from evals.scores import ScoredCell, comparison_table, score_table
from rl_core.rewards.spans import THINKING, Span, find_spans
from rl_core.rollout.records import ENVIRONMENT_OUTPUT, ROLLOUT_SCHEMA, SAMPLE_SCHEMA

Cell = tuple[str, str]  # checkpoint, benchmark


@dataclass
class Counts:
    """What was read, and what the files do not say, for the reader of the report."""

    responses: int = 0
    tokens: int = 0  # of the responses whose tokens are known
    without_tokens: int = 0
    without_verdict: int = 0
    without_ending: int = 0
    rollouts: int = 0  # responses that belong to no evaluation
    without_reward: int = 0  # rollouts
    without_step: int = 0  # rollouts
    columns: bool = True  # `mapping` can name columns of every file
    notes: Notes = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The notes, each with the files it is about."""
        return [
            f"{next(iter(files))}{f' and {len(files) - 1:,} more' if len(files) > 1 else ''}: {note}" for note, files in self.notes.items()
        ]


def write_stages(
    files: Sequence[Path],
    output: Path,
    *,
    name: str,
    mapping: Mapping[str, str],
    think_tags: tuple[str, str] | None,
    correct_from: float | None,
    form: str | None = None,
) -> tuple[list[StageRun], Counts]:
    """Write `rollouts/` and `samples/` below `output` and return the stages that they make.

    Args:
        name: stands for the experiment.
        mapping: see `File`.
        think_tags: opening and closing tag of the thinking; default: the usual ones.
        correct_from: reward from which a response without a verdict counts as correct; default: its verdict is unknown.
        form: see `File`.

    Raises:
        ExternalFileError: a file is not what it should be; files that were written for others are left there.
    """
    counts = Counts()
    groups: dict[int | None, dict[str, int]] = defaultdict(dict)  # by step, and there by prompt
    samples: dict[Any, int] = defaultdict(int)
    evaluated: dict[Cell, list[dict[str, Any]]] = defaultdict(list)
    trained = False
    for number, path in enumerate(files):
        rollouts = []
        file = File(path, mapping, form, notes=counts.notes)
        for nth, response in enumerate(read_responses_of(file)):
            row = _row(response, think_tags, correct_from, counts)
            # Without a prompt nothing says which responses belong together.
            known = response.prompt if response.prompt is not None else f"{path}, response {nth}"
            row["prompt_id"] = hashlib.sha256(known.encode("utf-8", "surrogatepass")).hexdigest()[:16]
            if response.benchmark is None:
                step = response.step
                group = groups[step].setdefault(row["prompt_id"], len(groups[step]))
                row |= {"step": step, "group": group, "sample": samples[step, group], "reward": response.reward}
                samples[step, group] += 1
                row |= {"components": list(response.components.items()), "advantage": response.advantage}
                counts.rollouts += 1
                counts.without_reward += response.reward is None
                counts.without_step += step is None
                rollouts.append(row)
            else:
                cell = (response.checkpoint or path.parent.name or name, response.benchmark)
                row |= {"checkpoint": cell[0], "benchmark": cell[1], "task": cell[1], "sample": samples[cell, row["prompt_id"]]}
                samples[cell, row["prompt_id"]] += 1
                evaluated[cell].append(row)
        counts.columns &= file.columns
        if rollouts:
            trained = True
            _write(output / "rollouts" / "rollouts" / f"file-{number:05d}.parquet", rollouts, ROLLOUT_SCHEMA)
    stages = [_stage(output, name, "rollouts", "rl", files)] if trained else []
    if evaluated:
        _write_evaluation(output / "samples", evaluated)
        stages.append(_stage(output, name, "samples", "eval", files))
    return stages, counts


def _row(response: Response, think_tags: tuple[str, str] | None, correct_from: float | None, counts: Counts) -> dict[str, Any]:
    """The columns that rollouts and samples share; None is what is not known."""
    text = _whole(response.response) or ""
    spans = find_spans(text, THINKING if think_tags is None else (think_tags,))
    right = response.correct
    if right is None and response.reward is not None and correct_from is not None:
        right = response.reward >= correct_from
    tokens = response.response_tokens if text else 0
    counts.responses += 1
    counts.tokens += tokens or 0
    counts.without_tokens += tokens is None
    counts.without_verdict += right is None
    counts.without_ending += response.finish_reason is None
    failed = "truncated" if response.finish_reason == "length" else "wrong"
    return {
        "task": "other",
        "difficulty": response.difficulty,
        "prompt": _whole(response.prompt),
        "response": text,
        ENVIRONMENT_OUTPUT.name: _whole(response.environment_output),
        **_offsets("think", spans.think),
        **_offsets("answer", spans.answer),
        "prompt_tokens": response.prompt_tokens,
        "response_tokens": tokens,
        "think_tokens": _tokens(text, tokens, spans.think),
        "answer_tokens": _tokens(text, tokens, spans.answer),
        "finish_reason": response.finish_reason,
        "correct": right,
        "outcome": None if right is None else "correct" if right else failed,
        "extracted": _whole(response.extracted),
        "gold": _whole(response.gold),
        "temperature": response.temperature,
    }


def _whole(text: str | None) -> str | None:
    """The text with a replacement character for half of a character, which a file of JSON can hold and no table."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _offsets(part: str, span: Span | None) -> dict[str, int | None]:
    return {f"{part}_start": span[0] if span else None, f"{part}_end": span[1] if span else None}


def _tokens(text: str, tokens: int | None, span: Span | None) -> int | None:
    """Tokens of a part by its share of the characters."""
    return None if span is None or tokens is None else round(tokens * (span[1] - span[0]) / max(1, len(text)))


def _write_evaluation(output: Path, evaluated: Mapping[Cell, list[dict[str, Any]]]) -> None:
    """Sample files, and the scores that follow from the responses with a verdict."""
    cells = []
    for number, ((checkpoint, benchmark), rows) in enumerate(evaluated.items()):
        judged: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            if row["correct"] is not None:
                judged[row["prompt_id"]].append(row)
        least = min(map(len, judged.values()), default=0)
        mode = _mode(rows, least)
        _write(output / "samples" / f"cell-{number:05d}.parquet", [row | {"mode": mode} for row in rows], SAMPLE_SCHEMA)
        if judged:
            # A measure wants as many responses of every problem, numbered from 0.
            kept = [row | {"mode": mode, "sample": at} for key in sorted(judged) for at, row in enumerate(judged[key][:least])]
            cells.append(ScoredCell(checkpoint, benchmark, kept))
    pairs = [cell for cell in cells if _problems(cell) == _problems(next(other for other in cells if other.benchmark == cell.benchmark))]
    alike = len({len(cell.rows) for cell in pairs}) == 1
    content = {"scores": score_table(cells), "comparisons": comparison_table(pairs) if alike else []}
    (output / "scores.json").write_text(json.dumps(content))


def _mode(rows: Sequence[dict[str, Any]], least: int) -> str:
    """Greedy or sampled where the file says it or several responses show it."""
    temperatures = {row["temperature"] for row in rows}
    if temperatures == {0.0}:
        return "greedy"
    return "sampled" if least > 1 or None not in temperatures else "unknown"


def _problems(cell: ScoredCell) -> list[str]:
    return [row["prompt_id"] for row in cell.rows]


def _write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """Rows in the columns of `schema`, each of which may be null here, and the output of the environment."""
    fields = [column.with_nullable(True) for column in [*schema, ENVIRONMENT_OUTPUT]]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), path)


def _stage(output: Path, name: str, stage: str, kind: Any, files: Iterable[Path]) -> StageRun:
    digest = hashlib.sha256("\n".join(map(str, files)).encode()).hexdigest()
    return StageRun(experiment=name, stage=stage, kind=kind, fingerprint=digest, directory=output / stage, position=0, external=True)
