"""Details of lighteval: `doc`, `model_response`, `metric`; before version 0.10 `full_prompt`, `predictions`, `metrics`."""

import re
from collections.abc import Iterator
from typing import Any

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.messages import prompt_text
from evals.analytics.external.response import ExternalFileError, Response, Row, verdict

VERDICTS = ("extractive_match", "em", "qem", "pem", "pqem", "exact_match", "acc", "accuracy", "pass@1")


def _read(rows: Iterator[Row], file: File) -> Iterator[Response]:
    task = re.sub(r"^details_|_\d{4}-\d\d-\d\dT.*$", "", file.path.stem).strip("|")
    for row in rows:
        yield from _responses(row, task, file)


def _responses(row: Row, task: str, file: File) -> Iterator[Response]:
    if "model_response" in row:
        doc, answer = row["doc"], row["model_response"]
        prompt, gold = doc["query"], _gold(doc)
        texts, thoughts = answer.get("text") or [], answer.get("reasonings") or []
    else:
        prompt, gold, texts, thoughts = row["full_prompt"], row.get("gold"), row["predictions"], []
    texts = [texts] if isinstance(texts, str) else texts
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ExternalFileError(f"{file.path}: no generated text in this file: its task compares log-likelihoods")
    name, right = _verdict(row.get("metric") or row.get("metrics") or {})
    if name is None:
        file.note("verdicts are unknown: no metric says whether an answer is right")
    else:
        file.note(f"{name} decides whether an answer is right")
    for at, text in enumerate(texts):
        thought = thoughts[at] if at < len(thoughts) else None
        yield Response(
            prompt=prompt_text(prompt),
            response=f"<think>{thought}</think>\n{text}" if thought else text,
            gold=prompt_text(gold),
            # Of several answers the metric is that of the best one or their mean: only where it is 0 it holds for each.
            correct=right if len(texts) == 1 or right is False else None,
            benchmark=task,
        )


def _gold(doc: Row) -> Any:
    """The right choice; the first of several."""
    index, choices = doc.get("gold_index"), doc.get("choices") or []
    index = index[0] if isinstance(index, list) and index else index
    return choices[index] if isinstance(index, int) and index < len(choices) else None


def _verdict(metrics: Row) -> tuple[str | None, bool | None]:
    """The metric that decides and what it says; names have suffixes such as `:1_samples`, and prefixes such as `math_`."""
    for wanted in VERDICTS:
        for name, value in metrics.items():
            plain = name.partition(":")[0]
            if plain == wanted or (wanted == "pass@1" and plain.endswith("_pass@1")):
                return name, verdict(value)
    return None, None


FORMAT = Format(
    "lighteval",
    recognises=lambda row, file: {"doc", "model_response"} <= row.keys() or {"predictions", "full_prompt"} <= row.keys(),
    read=_read,
)
