"""Logs of Inspect (`inspect eval`), as JSON or as an archive with a file for each sample (.eval)."""

from collections.abc import Iterator
from typing import Any

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.messages import prompt_text, response_text, split_conversation
from evals.analytics.external.response import ExternalFileError, FinishReason, Response, Row, count, finish_reason, number, verdict

ATTACHMENT = "attachment://"
# Scores of one letter: correct, incorrect, no answer (which counts as none of the points); a partial one (P) is neither right nor wrong.
LETTERS = {"C": True, "I": False, "N": False}


def _read(rows: Iterator[Row], file: File) -> Iterator[Response]:
    run = file.head.get("eval") or {}
    config = (file.head.get("plan") or {}).get("config") or run.get("model_generate_config") or {}
    failed = 0
    for row in rows:
        sample = _with_attachments(row, row.get("attachments") or {})
        choices = (sample.get("output") or {}).get("choices") or []
        written = split_conversation(sample.get("messages") or [])[1] or [choice["message"] for choice in choices[:1]]
        if not written:
            failed += 1
            continue
        text, between = response_text(written)
        (name, score), *others = _scores(sample) or [("", {})]
        right = _verdict(score.get("value"))
        if name and right is None:
            file.note(f"the scorer {name} leaves verdicts unknown: a score such as {score.get('value')!r:.20} is neither right nor wrong")
        elif name:
            rest = f"; {', '.join(other for other, _ in others)} is left out" if others else ""
            file.note(f"the scorer {name} decides whether an answer is right{rest}")
        yield Response(
            prompt=prompt_text(sample["input"]),
            response=text,
            environment_output=between,
            gold=prompt_text(sample.get("target")),
            extracted=score.get("answer") if isinstance(score.get("answer"), str) else None,
            correct=right,
            finish_reason=_ending(sample, choices),
            response_tokens=_tokens(sample, written),
            temperature=number(config.get("temperature")),
            benchmark=str(run.get("task") or file.path.stem),
            checkpoint=str(run["model"]).rpartition("/")[2] if run.get("model") else None,
        )
    if failed == file.row:
        raise ExternalFileError(f"{file.path}: no generated text in this file: none of its {failed} samples has an output")
    if failed:
        file.note(f"{failed} of {file.row} samples have no output (they failed) and are left out")


def _with_attachments(value: Any, attachments: dict[str, str]) -> Any:
    """With the long texts that a sample keeps apart put in their places."""
    if not attachments:
        return value
    if isinstance(value, str) and value.startswith(ATTACHMENT):
        return attachments.get(value.removeprefix(ATTACHMENT), value)
    if isinstance(value, list):
        return [_with_attachments(part, attachments) for part in value]
    if isinstance(value, dict):
        return {name: part if name in ("attachments", "events") else _with_attachments(part, attachments) for name, part in value.items()}
    return value


def _scores(sample: Row) -> list[tuple[str, Row]]:
    """Scorers and their scores, the first of which decides; early logs have one without a name."""
    return list((sample.get("scores") or ({"score": sample["score"]} if sample.get("score") else {})).items())


def _verdict(value: Any) -> bool | None:
    return LETTERS[value] if isinstance(value, str) and value in LETTERS else verdict(value)


def _ending(sample: Row, choices: list[Row]) -> FinishReason | None:
    limit = sample.get("limit")
    if isinstance(limit, dict) and limit.get("type") == "token":
        return "length"
    return finish_reason(choices[0].get("stop_reason")) if choices and limit is None else None


def _tokens(sample: Row, written: list[Row]) -> int | None:
    """Tokens of all messages of the model: what one model used over the sample, or the usage of the only message."""
    used = list((sample.get("model_usage") or {}).values())
    usage = used[0] if len(used) == 1 else (sample.get("output") or {}).get("usage") if len(written) == 1 else None
    return count((usage or {}).get("output_tokens"))


def _recognises(row: Row, file: File) -> bool:
    return {"id", "epoch", "input"} <= row.keys() and ("eval" in file.head or file.path.suffix == ".eval")


FORMAT = Format("Inspect", recognises=_recognises, read=_read)
