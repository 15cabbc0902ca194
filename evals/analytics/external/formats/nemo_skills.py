"""Outputs of NeMo-Skills (`output.jsonl`, `output-rs0.jsonl` in a directory for each benchmark)."""

import re
from collections.abc import Iterator
from dataclasses import replace

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.response import Response, Row
from evals.analytics.external.table import table

NAMES = {
    "prompt": ["problem", "question", "prompt"],
    "response": ["generation"],
    "gold": ["expected_answer"],
    "extracted": ["predicted_answer"],
    "correct": ["symbolic_correct", "is_correct", "judged"],
    "response_tokens": ["num_generated_tokens"],
    "finish_reason": ["finish_reason"],
    "difficulty": ["level"],
}
OWN = {"symbolic_correct", "is_correct", "predicted_answer", "num_generated_tokens", "generation_start_time"}


def _read(rows: Iterator[Row], file: File) -> Iterator[Response]:
    folder = file.path.absolute().parent
    model = folder.parent.name if folder.parent.name not in ("", "eval-results", "tmp") else "model"
    for response in table(NAMES, prepare=_judged)(rows, file):
        yield replace(response, benchmark=folder.name, checkpoint=model)


def _judged(row: Row, file: File) -> Row:
    """With the verdict of a judge model, and without a count of no tokens, which means that it is unknown."""
    judgement = re.search(r"Judg[e]?ment:\s*(yes|no)\b", str(row.get("judgement", "")), re.IGNORECASE)
    return row | {"judged": judgement[1] if judgement else None, "num_generated_tokens": row.get("num_generated_tokens") or None}


FORMAT = Format("NeMo-Skills", recognises=lambda row, file: "generation" in row and bool(row.keys() & OWN), read=_read, columns=True)
