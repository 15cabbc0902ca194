"""Rollouts and samples of other frameworks as rows of one form, whatever their files call things.

Read are: verl's rollout and validation dumps (`input`, `output`, `gts`, `score`, `step`), OpenRLHF's generation files (`input`, `output`,
`reward`), TRL's completion tables (`step`, `prompt`, `completion`, one column per reward), sample files of lm-evaluation-harness (`doc`,
`arguments`, `resps`) and details of lighteval (`doc`, `model_response`, `metric`; before: `full_prompt`, `predictions`, `metrics`), and
any JSON, JSON lines, CSV or Parquet file with a column for the response.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rl_core.errors import InputError

Row = dict[str, Any]

# What a column may be called, the most telling first.
ALIASES = {
    "response": ("response", "completion", "output", "generation", "generated_text", "prediction", "text"),
    "prompt": ("prompt", "input", "question", "problem", "query", "instruction"),
    "gold": ("gold", "gts", "ground_truth", "target", "answer", "reference", "label"),
    "extracted": ("extracted", "pred", "predicted", "extracted_answer"),
    "correct": ("correct", "is_correct", "acc", "accuracy", "exact_match", "label_correct"),
    "reward": ("reward", "score", "rewards"),
    "step": ("step", "global_step", "global_steps"),
    "difficulty": ("difficulty", "level"),
    "finish_reason": ("finish_reason", "stop_reason"),
    "response_tokens": ("response_tokens", "completion_tokens", "response_length", "num_tokens", "output_tokens"),
    "advantage": ("advantage",),
}
NOT_REWARDS = {"step", "advantage", "index", "sample", "epoch"}


class ForeignFileError(InputError):
    """A file cannot be read as rollouts; the message names it, the row and the remedy."""


@dataclass
class Response:
    """One response as far as a file tells of it."""

    prompt: str
    response: str
    gold: str = ""
    extracted: str | None = None
    correct: bool | None = None  # None: the file gives a reward only
    reward: float | None = None
    components: dict[str, float] = field(default_factory=dict)
    step: int | None = None
    difficulty: str | None = None
    finish_reason: str = "stop"
    response_tokens: int | None = None
    advantage: float = 0.0
    benchmark: str | None = None  # given for evaluations


def read_responses_of(path: Path, mapping: Mapping[str, str]) -> Iterator[Response]:
    """The responses of one file.

    Args:
        mapping: names of columns by role (`response`, `prompt`, …: see ALIASES), where they are not called as usual.

    Raises:
        ForeignFileError: the file is broken, empty, or has no column for the response.
    """
    filters: dict[Any, str] = {}
    empty = True
    for number, row in _rows(path):
        empty = False
        try:
            if "resps" in row and "doc" in row:
                # A problem stands there once per filter of the answer; the first one's verdict counts.
                if filters.setdefault(row.get("doc_id"), str(row.get("filter"))) == str(row.get("filter")):
                    yield from _of_lm_eval(row, path)
            elif "model_response" in row or ("predictions" in row and "full_prompt" in row):
                yield from _of_lighteval(row, path)
            else:
                yield _of_table(row, path, mapping)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, ForeignFileError):
                raise
            raise ForeignFileError(f"{path}, row {number}: cannot be read ({type(error).__name__}: {error})") from error
    if empty:
        raise ForeignFileError(f"{path}: has no rows")


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows with their numbers from 1."""
    if not path.is_file():
        raise ForeignFileError(f"{path}: no such file")
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            number = 0
            for batch in pq.ParquetFile(path).iter_batches(4096):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
        elif path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                yield from enumerate(csv.DictReader(file), start=1)
        elif path.suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):  # such as {"data": [rows]}
                content = next(part for part in content.values() if isinstance(part, list))
            yield from enumerate(content, start=1)
        else:
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield number, _object(line, path, number)
    except StopIteration as error:
        raise ForeignFileError(f"{path}: holds no list of rows") from error
    except OSError as error:
        raise ForeignFileError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    except ValueError as error:
        if isinstance(error, ForeignFileError):
            raise
        raise ForeignFileError(f"{path}: not a readable {path.suffix or 'JSON lines'} file: {str(error).splitlines()[0]}") from error


def _object(line: str, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ForeignFileError(f"{path}, line {number}: not JSON ({error})") from error
    if not isinstance(row, dict):
        raise ForeignFileError(f"{path}, line {number}: not a JSON object")
    return row


def _of_table(row: Row, path: Path, mapping: Mapping[str, str]) -> Response:
    columns = {role: _column(role, row, path, mapping) for role in ALIASES}
    value = {role: row[name] if name else None for role, name in columns.items()}
    if columns["response"] is None:
        raise ForeignFileError(f"{path}: no column for the response among {', '.join(row)}; name it with --map response=COLUMN")
    taken = {name for name in columns.values() if name}
    numbers = {name: float(cell) for name, cell in row.items() if isinstance(cell, int | float) and not isinstance(cell, bool)}
    # TRL's tables have a column per reward function, and no sum.
    parts = {} if columns["reward"] else {name: number for name, number in numbers.items() if name not in taken | NOT_REWARDS}
    reward = _number(value["reward"]) if columns["reward"] else sum(parts.values()) if parts else None
    step = value["step"] if value["step"] is not None else _step_in_name(path)
    return Response(
        prompt=_text(value["prompt"]),
        response=_text(value["response"]),
        gold=_text(value["gold"]),
        extracted=None if value["extracted"] is None else _text(value["extracted"]),
        correct=None if value["correct"] is None else _truth(value["correct"]),
        reward=reward,
        components=parts,
        step=int(step) if step is not None else None,
        difficulty=None if value["difficulty"] is None else str(value["difficulty"]),
        finish_reason="length" if str(value["finish_reason"]) in ("length", "max_tokens") else "stop",
        response_tokens=None if value["response_tokens"] is None else int(value["response_tokens"]),
        advantage=_number(value["advantage"]) or 0.0,
    )


def _column(role: str, row: Row, path: Path, mapping: Mapping[str, str]) -> str | None:
    if role in mapping:
        if mapping[role] not in row:
            raise ForeignFileError(f"{path}: no column {mapping[role]!r} (--map {role}=…); it has {', '.join(row)}")
        return mapping[role]
    used = set(mapping.values())
    return next((name for name in ALIASES[role] if name in row and name not in used), None)


def _of_lm_eval(row: Row, path: Path) -> Iterator[Response]:
    arguments = row["arguments"]
    first = next(iter(arguments.values())) if isinstance(arguments, dict) else arguments[0]
    prompt = next(iter(first.values())) if isinstance(first, dict) else first[0]
    metrics = [*row.get("metrics", []), "exact_match", "acc", "math_verify", "pass@1"]
    score = next((row[name] for name in metrics if isinstance(row.get(name), int | float)), None)
    answers = row["resps"][0] if isinstance(row["resps"][0], list) else row["resps"]
    task = re.sub(r"^samples_|_\d{4}-\d\d-\d\dT.*$", "", path.stem)
    for answer in answers:
        extracted = row["filtered_resps"][0] if row.get("filtered_resps") else None
        yield Response(
            prompt=_text(prompt),
            response=_text(answer),
            gold=_text(row.get("target")),
            extracted=None if extracted is None else _text(extracted),
            correct=None if score is None else _truth(score),
            benchmark=task,
        )


def _of_lighteval(row: Row, path: Path) -> Iterator[Response]:
    metrics = row.get("metric") or row.get("metrics") or {}
    score = next((value for value in metrics.values() if isinstance(value, int | float)), None)
    task = re.sub(r"^details_|_\d{4}-\d\d-\d\dT.*$", "", path.stem).strip("|")
    if "model_response" in row:
        doc = row["doc"]
        gold, choices = doc.get("gold_index"), doc.get("choices") or []
        right = choices[gold[0] if isinstance(gold, list) else gold] if gold is not None and choices else ""
        prompt, texts = doc["query"], row["model_response"]["text"]
    else:
        prompt, right = row["full_prompt"], row.get("gold")
        texts = row["predictions"]
    for text in [texts] if isinstance(texts, str) else texts:
        yield Response(
            prompt=_text(prompt),
            response=_text(text),
            gold=_text(right),
            correct=None if score is None else _truth(score),
            benchmark=task,
        )


def _step_in_name(path: Path) -> int | None:
    """`12.jsonl` of verl, `completions_00005.parquet` of TRL, `step-000012.jsonl`."""
    found = re.fullmatch(r"(?:completions_|(?:global_)?step[-_]?)?(\d+)", path.stem)
    return int(found[1]) if found else None


def _text(value: Any) -> str:
    """Text as it is; chat messages one after another; anything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, list) and value and all(isinstance(part, dict) and "content" in part for part in value):
        return "\n".join(f"{part.get('role', '')}: {part['content']}" for part in value) if len(value) > 1 else str(value[0]["content"])
    if isinstance(value, list) and len(value) == 1:
        return _text(value[0])
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in ("true", "1", "1.0", "correct", "yes")
    return float(value) >= 1.0
