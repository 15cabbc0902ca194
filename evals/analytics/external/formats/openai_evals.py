"""Event logs of OpenAI evals (`oaieval --record_path`): what was sampled, and events that judge it, by sample."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.messages import prompt_text, response_text
from evals.analytics.external.response import ExternalFileError, Response, Row, verdict


def _read(rows: Iterator[Row], file: File) -> Iterator[Response]:
    spec: Row = {}
    sampled: dict[Any, list[Row]] = defaultdict(list)
    judged: dict[Any, Row] = {}
    for row in rows:
        spec = row.get("spec") or spec
        data = row.get("data") or {}
        key = row.get("sample_id", f"event {file.row}")
        if row.get("type") == "sampling":
            sampled[key].append(data)
        elif row.get("type") == "match":
            judged.setdefault(key, data)
    if not sampled:
        raise ExternalFileError(f"{file.path}: an event log of OpenAI evals without a `sampling` event: no generated text in this file")
    names = spec.get("completion_fns") or [spec.get("model")]
    for key, events in sampled.items():
        texts = [text for data in events for text in _texts(data["sampled"])]
        match = judged.get(key, {}) if len(texts) == 1 else {}  # of several samples a match need not be about this one
        for data in events:
            for text in _texts(data["sampled"]):
                yield Response(
                    prompt=prompt_text(data.get("prompt")),
                    response=response_text(text)[0],
                    gold=_answer(match.get("expected")),
                    extracted=_answer(match.get("picked")),
                    correct=verdict(match.get("correct")),
                    benchmark=str(spec.get("eval_name") or file.path.stem),
                    checkpoint=str(names[0]) if names[0] else None,
                )


def _texts(sampled: Any) -> list[Any]:
    return sampled if isinstance(sampled, list) else [sampled]


def _answer(value: Any) -> str | None:
    return prompt_text(value[0] if isinstance(value, list) and value else value) if value not in (None, []) else None


FORMAT = Format(
    "OpenAI evals",
    recognises=lambda row, file: ("spec" in row and len(row) <= 2) or {"type", "data", "sample_id"} <= row.keys(),
    read=_read,
)
