"""Tables with a response in each row, or with a column of lists: formats recognised by the names of their columns."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.analytics.external.files import File
from evals.analytics.external.messages import is_messages, prompt_text, response_text, split_conversation
from evals.analytics.external.response import ExternalFileError, Response, Row, count, finish_reason, number, verdict

Names = Mapping[str, Sequence[str]]

# What a column may be called where nothing is known of its format, the most telling name first.
ROLES: Names = {
    "response": ("response", "responses", "completion", "completions", "output", "generation", "generated_text", "prediction", "text"),
    "prompt": ("prompt", "input", "question", "problem", "query", "instruction"),
    "gold": ("gold", "gts", "ground_truth", "target", "answer", "reference", "label", "expected_answer"),
    "extracted": ("extracted", "pred", "predicted", "extracted_answer", "predicted_answer"),
    "correct": ("correct", "is_correct", "acc", "accuracy", "exact_match", "label_correct"),
    "reward": ("reward", "score", "rewards"),
    "step": ("step", "global_step", "global_steps"),
    "difficulty": ("difficulty", "level"),
    "finish_reason": ("finish_reason", "stop_reason"),
    "truncated": ("truncated", "is_truncated"),
    "prompt_tokens": ("prompt_tokens", "prompt_length", "input_tokens"),
    "response_tokens": ("response_tokens", "completion_tokens", "response_length", "num_tokens", "output_tokens"),
    "advantage": ("advantage", "advantages"),
    "temperature": ("temperature",),
}
CONVERSATION = ("messages", "conversations", "conversation")
_STEP = r"(?:\w*[_-])?step[-_]?"
_TELLING = re.compile(r"reward|score|correct|acc(?:uracy)?\b|verdict|grade|passed|solved|success|judg", re.IGNORECASE)


def table(
    names: Names,
    *,
    prepare: Callable[[Row, File], Row] = lambda row, file: row,
    parts: Callable[[Row], list[str]] = lambda row: [],
    right: Sequence[str] = (),
) -> Callable[..., Iterator[Response]]:
    """How a format of columns is read.

    Args:
        names: columns by role; a role without is not in the format.
        prepare: makes these columns, where a row of the format has what they hold in other forms.
        parts: columns of a row that are parts of the reward, where the format has no sum.
        right: those of the parts that are 1 for a right answer and 0 for a wrong one.
    """

    def read(rows: Iterator[Row], file: File) -> Iterator[Response]:
        for row in (prepare(row, file) for row in rows):
            chosen = {role: _column(role, row, file, names) for role in ROLES}
            response = chosen["response"]
            if response is None:
                row, chosen = _from_conversation(row, chosen, file)
                response = "response"
            for one in _split(row, response):
                yield _response(one, chosen, file, parts(one), right)

    return read


def _column(role: str, row: Row, file: File, names: Names) -> str | None:
    if role in file.mapping:
        for column in file.mapping[role].split(","):
            if column not in row:
                raise ExternalFileError(f"{file.path}: no column {column!r} (--map {role}=…); it has {', '.join(row)}")
        return file.mapping[role]
    used = {column for columns in file.mapping.values() for column in columns.split(",")}
    return next((name for name in names.get(role, ()) if name in row and name not in used), None)


def _from_conversation(row: Row, chosen: dict[str, str | None], file: File) -> tuple[Row, dict[str, str | None]]:
    """A row with a whole conversation: up to the first message of the model it is the prompt."""
    name = next((name for name in CONVERSATION if is_messages(row.get(name))), None)
    if name is None:
        raise ExternalFileError(f"{file.path}: no column for the response among {', '.join(row)}; name it with --map response=COLUMN")
    prompt, response = split_conversation(row[name])
    return row | {"prompt": prompt, "response": response}, chosen | {"prompt": "prompt", "response": "response"}


def _split(row: Row, response: str) -> Iterator[Row]:
    """A row for each of several responses in a cell; what else has as many values in a list is split with them."""
    texts = row[response]
    if not (isinstance(texts, list) and texts and all(isinstance(text, str) or is_messages(text) for text in texts)):
        yield row
        return
    alike = {name for name, cell in row.items() if isinstance(cell, list) and len(cell) == len(texts)}
    alike -= {name for name in alike if is_messages(row[name])}  # a prompt of as many messages
    for at in range(len(texts)):
        yield {name: cell[at] if name in alike else cell for name, cell in row.items()}


def _response(row: Row, chosen: dict[str, str | None], file: File, parts: list[str], right: Sequence[str]) -> Response:
    value = {role: row.get(name) if name else None for role, name in chosen.items()}
    try:
        text, between = response_text(value["response"])
    except ValueError as error:
        raise ExternalFileError(f"{file.path}, row {file.row}, column {chosen['response']}: {error}; name another with --map") from error
    reward, components = _reward(row, chosen["reward"], parts)
    correct = verdict(value["correct"])
    if correct is None:
        correct = next((verdict(components[name]) for name in right if name in components), None)
    ending = finish_reason(value["finish_reason"])
    if ending is None and value["truncated"] is not None:
        ending = "length" if verdict(value["truncated"]) else "stop"
    if chosen["reward"] is None and chosen["correct"] is None and not parts:
        _ask(row, {name for names in chosen.values() if names for name in names.split(",")}, file)
    step = value["step"] if value["step"] is not None else step_of(file.path)
    return Response(
        prompt=prompt_text(value["prompt"]),
        response=text,
        environment_output=between,
        gold=prompt_text(value["gold"]),
        extracted=prompt_text(value["extracted"]),
        correct=correct,
        reward=reward,
        components=components,
        step=count(step),
        difficulty=None if value["difficulty"] is None else str(value["difficulty"]),
        finish_reason=ending,
        prompt_tokens=count(value["prompt_tokens"]),
        response_tokens=count(value["response_tokens"]),
        advantage=number(value["advantage"]),
        temperature=number(value["temperature"]),
    )


def _reward(row: Row, column: str | None, parts: list[str]) -> tuple[float | None, dict[str, float]]:
    """The reward and its parts: of a column, an object or several columns with numbers by name, or of the format's own parts."""
    cells: dict[str, Any] = {name: row[name] for name in parts}
    if column is not None and "," not in column and not isinstance(row[column], dict):
        return number(row[column]), {}
    if column is not None:
        cells = {name: row[name] for name in column.split(",")} if "," in column else row[column]
    components = {name: found for name, cell in cells.items() if (found := number(cell)) is not None}
    return (sum(components.values()) if components else None), components


def _ask(row: Row, taken: set[str], file: File) -> None:
    """Note that neither reward nor verdict is known, and the column that might be one."""
    usable = [name for name, cell in row.items() if isinstance(cell, bool | int | float) and name not in taken and _TELLING.search(name)]
    hint = f"; column {usable[0]} may say: --map reward={usable[0]} or --map correct={usable[0]}" if usable else ""
    file.note(f"rewards and verdicts are unknown{hint or ': --map reward=COLUMN or --map correct=COLUMN names them'}")


def step_of(path: Path) -> int | None:
    """The step in the name of a file or of its directory: `12.jsonl` of verl, `completions_00005.parquet` of TRL, `step_3/rollouts.jsonl`,
    `train_data_step7.jsonl` of NeMo-RL."""
    in_file = re.fullmatch(rf"(?:completions_|{_STEP})?(\d+)", path.stem)
    found = in_file or re.fullmatch(rf"{_STEP}(\d+)(?:_evals)?", path.parent.name)
    return int(found[1]) if found else None
