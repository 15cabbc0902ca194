"""Sample files of lm-evaluation-harness (`--log_samples`): `samples_TASK_TIME.jsonl` in a directory for each model."""

import re
from collections.abc import Iterator
from typing import Any

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.messages import prompt_text
from evals.analytics.external.response import ExternalFileError, Response, Row, number, verdict

# Metrics of a problem that say whether its answer is right, the strictest first; never an error, a distance or a likeness. Of the last
# ones, of TruthfulQA, each says whether the answer is nearer to the true references than to the false ones.
VERDICTS = (
    "exact_match",
    "math_verify",
    "acc",
    "accuracy",
    "em",
    "pass@1",
    "pass_at_1",
    "numerical_match",
    "prompt_level_strict_acc",
    "prompt_level_loose_acc",
    "acc_norm",
    "bleu_acc",
    "rouge1_acc",
    "rouge2_acc",
    "rougeL_acc",
)
NOT_FOUND = "[invalid]"  # what a filter gives where its pattern is not found
ROLLING = {"perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte"}


def _read(rows: Iterator[Row], file: File) -> Iterator[Response]:
    task = re.sub(r"^samples_|_\d{4}-\d\d-\d\dT.*$", "", file.path.stem)
    chosen: dict[Any, Any] = {}  # filter by problem: the file has a problem once for each filter of its answer
    filters: dict[str, None] = {}
    for row in rows:
        this = row.get("filter")
        filters[str(this)] = None
        if chosen.setdefault(row.get("doc_id"), this) == this:
            yield from _responses(row, task, file)
    if len(filters) > 1:
        first, *others = filters
        file.note(f"the verdicts are those of the filter {first}; those of {', '.join(others)} are left out")


def _responses(row: Row, task: str, file: File) -> Iterator[Response]:
    metrics = list(dict.fromkeys(name.partition(",")[0] for name in [*row.get("metrics", []), *(() if "metrics" in row else row)]))
    texts = row["resps"][0] if isinstance(row["resps"][0], list) else row["resps"]
    if not all(isinstance(text, str) for text in texts) or ROLLING & set(metrics) or _is_likelihood(texts, row):
        raise ExternalFileError(f"{file.path}: no generated text in this file: its task compares log-likelihoods")
    name = next((name for name in VERDICTS if name in metrics), None)
    right = verdict(row.get(name)) if name else None
    if name is None:
        listed = ", ".join(metrics) if "metrics" in row else "no metric"
        file.note(f"verdicts are unknown: {listed} does not say whether an answer is right")
    else:
        file.note(f"{name} decides whether an answer is right")
    if len(texts) > 1 and right is not None:
        file.note(f"{name} judges the {len(texts)} answers to a problem together, so the verdict on each is unknown")
    request = next(iter(row["arguments"].values())) if isinstance(row["arguments"], dict) else row["arguments"][0]
    prompt, settings = [*(list(request.values()) if isinstance(request, dict) else request), {}][:2]
    asked = settings if isinstance(settings, dict) else {}
    extracted = row["filtered_resps"][0] if row.get("filtered_resps") else None
    for text in texts:
        yield Response(
            prompt=prompt_text(_parsed_chat(prompt)),
            response=text,
            gold=prompt_text(row.get("target")),
            extracted=extracted if isinstance(extracted, str) and extracted != NOT_FOUND else None,
            correct=right if len(texts) == 1 else None,
            temperature=0.0 if asked.get("do_sample") is False else number(asked.get("temperature")),
            benchmark=task,
        )


def _parsed_chat(prompt: Any) -> Any:
    """Of an endpoint of chats the prompt is a list with JSON in it."""
    import json

    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        try:
            return json.loads(prompt[0])
        except ValueError:
            return prompt[0]
    return prompt


def _is_likelihood(texts: list[str], row: Row) -> bool:
    """A pair of a log-probability and whether greedy decoding gives the text, both written as texts."""
    return len(texts) == 2 and texts[1] in ("True", "False") and re.fullmatch(r"-?(?:\d+\.?\d*(?:e-?\d+)?|inf|nan)", texts[0]) is not None


FORMAT = Format("lm-evaluation-harness", recognises=lambda row, file: {"resps", "doc", "arguments"} <= row.keys(), read=_read)
