"""Problems worth reading: the answers of every checkpoint to the same problem, side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evals.analytics import keywords
from evals.analytics.figures.overview import checkpoint_order
from evals.analytics.figures.plotting import rows
from evals.analytics.keywords import Keyword
from evals.analytics.report import ask
from evals.benchmarks.registry import label_of, subset_of
from rl_core.environments.registry import ENVIRONMENTS

if TYPE_CHECKING:
    import duckdb

UNKNOWN = "verdicts unknown"
PER_STORY = {
    "learned": 3,
    "forgotten": 2,
    "never solved": 2,
    "always solved": 1,
    "back and forth": 1,
    UNKNOWN: 3,
}  # problems per benchmark part
ORDER = {story: place for place, story in enumerate(PER_STORY)}
PER_EVALUATION = 40  # problems in all: what a page still opens quickly with
HEAD, TAIL = 5000, 2000  # characters kept of a very long response

Segment = tuple[str, str]  # (class, text): "" plain, tag, code, output, a keyword family, answer, gap


@dataclass(frozen=True)
class Answer:
    """One checkpoint's response to the problem."""

    checkpoint: str
    outcome: str | None  # None: it is not known, as are None of the next two
    correct: bool | None
    tokens: int | None
    characters: int
    think_tokens: int | None
    step_wise: int
    reflection: int
    segments: list[Segment]


@dataclass(frozen=True)
class Puzzle:
    """A problem, its solution and the answers in the order of the checkpoints."""

    prompt_id: str
    benchmark: str
    difficulty: str | None
    story: str  # how correctness went from the first checkpoint to the last
    mode: str
    question: str | None
    prompt: str | None
    solution: str | None
    answers: list[Answer]


def choose(connection: duckdb.DuckDBPyConnection) -> list[Puzzle]:
    """A few problems of every benchmark part and story, the same at every call.

    Greedy responses where there are any (what the checkpoint thinks first), else the first sample; only problems that every
    checkpoint answered.
    """
    puzzles: list[Puzzle] = []
    for stage in rows(connection, "SELECT stage_run FROM stages WHERE kind = 'eval' ORDER BY position, stage_run"):
        checkpoints = checkpoint_order(connection, stage["stage_run"])
        found: list[tuple[int, dict[str, Any]]] = []
        taken = Counter[tuple[str, str | None, str]]()
        for row in ask(connection, "first_answers", [stage["stage_run"], len(checkpoints)]):
            by_checkpoint = dict(zip(row["checkpoints"], row["right"], strict=True))
            story = _story([by_checkpoint[name] for name in checkpoints])
            part = (row["benchmark"], row["difficulty"], story)
            if taken[part] < PER_STORY[story]:
                # Round by round over the parts, so that the limit cuts all of them alike.
                found.append((ORDER[story] + 2 * taken[part], row | {"story": story}))
                taken[part] += 1
        found.sort(key=lambda pair: pair[0])
        kept = [row for _, row in found[:PER_EVALUATION]]
        kept.sort(key=lambda row: (row["benchmark"], row["difficulty"] or "", ORDER[row["story"]], row["prompt_id"]))
        chosen = read_with(connection, stage["stage_run"])
        puzzles += [_read(connection, stage["stage_run"], checkpoints, row, chosen) for row in kept]
    return puzzles or _of_rollouts(connection)


def segments(
    response: str, think: tuple[int, int] | None, answer: tuple[int, int] | None, chosen: Sequence[Keyword] | None = None
) -> list[Segment]:
    """The response cut into pieces to show: tags muted, keywords of the thinking, code and the answer marked; the pieces join to the
    response.

    Args:
        think, answer: character offsets; without `think` the whole response counts as thinking.
        chosen: the keywords to mark; default: the shipped ones.
    """
    start, end = think or (0, len(response))
    thinking = response[start:end]
    marks: list[tuple[int, int, str]] = [(start + span.start, start + span.end, span.family) for span in keywords.find(thinking, chosen)]
    marks += [(start + left, start + right, kind) for left, right, kind in keywords.code_blocks(thinking)]
    if answer is not None and answer[0] < answer[1]:
        marks = [mark for mark in marks if mark[1] <= answer[0] or mark[0] >= answer[1]] + [(*answer, "answer")]
    taken = sorted(marks)
    for match in re.finditer(r"</?(?:think|answer)>", response):
        if all(match.end() <= mark[0] or match.start() >= mark[1] for mark in taken):
            marks.append((match.start(), match.end(), "tag"))
    pieces: list[Segment] = []
    at = 0
    for left, right, kind in sorted(marks):
        if left > at:
            pieces.append(("", response[at:left]))
        pieces.append((kind, response[left:right]))
        at = right
    if at < len(response):
        pieces.append(("", response[at:]))
    return pieces


def shorten(pieces: list[Segment], head: int = HEAD, tail: int = TAIL) -> list[Segment]:
    """Leave out the middle of a very long response, saying how much."""
    total = sum(len(text) for _, text in pieces)
    if total <= head + tail + 200:  # a gap shorter than its own notice is not worth it
        return pieces
    kept: list[Segment] = []
    at = 0
    gap: Segment | None = ("gap", f"… {total - head - tail:,} characters left out …")
    for kind, text in pieces:
        front, back = text[: max(0, head - at)], text[max(0, total - tail - at) :]
        if front:
            kept.append((kind, front))
        if at + len(text) > head and gap:
            kept.append(gap)
            gap = None
        if back and at + len(text) > total - tail:
            kept.append((kind, back))
        at += len(text)
    return kept


def question_of(prompt: str | None) -> str | None:
    """The user's turn of a ChatML prompt; any other prompt as it is."""
    if prompt is None:
        return None
    turns = re.findall(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", prompt, re.DOTALL)
    return str(turns[-1]).strip() if turns else prompt.strip()


def solution_of(gold: str | None) -> str | None:
    """The gold answer in words: `Zoey knight, Liam knave` of a puzzle, else as it is."""
    if gold is None:
        return None
    return next((words for found in ENVIRONMENTS.values() if (words := found.in_words(gold)) is not None), gold)


def read_with(connection: duckdb.DuckDBPyConnection, stage_run: str) -> list[Keyword]:
    """The keywords that the responses of a stage run were read with."""
    found = rows(connection, "SELECT family, version, keyword, pattern, turn FROM keyword_patterns WHERE stage_run = ?", [stage_run])
    return [Keyword(row["family"], row["version"], row["keyword"], row["pattern"], turn=row["turn"]) for row in found]


def _story(right: list[bool | None]) -> str:
    if None in right:
        return UNKNOWN
    if all(right):
        return "always solved"
    if not any(right):
        return "never solved"
    if right[0] == right[-1]:
        return "back and forth"
    return "learned" if right[-1] else "forgotten"


def _read(
    connection: duckdb.DuckDBPyConnection, stage_run: str, checkpoints: list[str], problem: dict[str, Any], chosen: Sequence[Keyword]
) -> Puzzle:
    found = rows(
        connection,
        "SELECT * FROM eval_samples JOIN (SELECT prompt_key, prompt, gold FROM prompts) USING (prompt_key) "
        "WHERE stage_run = ? AND benchmark = ? AND mode = ? AND prompt_id = ? AND sample = 0",
        [stage_run, problem["benchmark"], problem["mode"], problem["prompt_id"]],
    )
    found.sort(key=lambda row: checkpoints.index(row["checkpoint"]))
    prompt, gold = found[0]["prompt"], found[0]["gold"]
    part = subset_of(problem["benchmark"], problem["difficulty"]) or problem["difficulty"]
    shown = label_of(problem["benchmark"]), part, problem["story"], problem["mode"], question_of(prompt), prompt, solution_of(gold)
    return Puzzle(problem["prompt_id"], *shown, [_answer(row["checkpoint"], row, row["correct"], chosen) for row in found])


def _of_rollouts(connection: duckdb.DuckDBPyConnection) -> list[Puzzle]:
    """Where nothing was evaluated: training prompts that are solved about half of the time, right and wrong responses over the steps."""
    found = ask(connection, "half_solved", [PER_EVALUATION])
    by_prompt: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in found:
        by_prompt.setdefault((row["stage_run"], row["prompt_id"]), []).append(row)
    chosen = {stage_run: read_with(connection, stage_run) for stage_run, _ in by_prompt}
    puzzles = []
    for (stage_run, prompt_id), responses in by_prompt.items():
        first = responses[0]
        story = {0.0: "never solved", 1.0: "always solved", None: UNKNOWN}.get(first["solved"], "sometimes solved")
        named = [("response" if row["step"] is None else f"step {row['step']},", row) for row in responses]
        answers = [
            _answer(f"{name} {row['sample'] + 1}", row, None if row["outcome"] is None else row["outcome"] == "correct", chosen[stage_run])
            for name, row in named
        ]
        share = "share of right ones unknown" if first["solved"] is None else f"{100 * first['solved']:.0f}% right"
        question = question_of(first["prompt"])
        text = (first["stage"], first["difficulty"], story, share, question, first["prompt"])
        puzzles.append(Puzzle(prompt_id, *text, solution_of(first["gold"]), answers))
    return puzzles


def _answer(name: str, row: dict[str, Any], correct: bool | None, chosen: Sequence[Keyword]) -> Answer:
    pieces = shorten(segments(row["response"], _offsets(row, "think"), _offsets(row, "answer"), chosen))
    counts = row["response_tokens"], row["characters"], row["think_tokens"], row["step_wise"], row["reflection"]
    return Answer(name, row["outcome"], correct, *counts, pieces)


def _offsets(row: dict[str, Any], part: str) -> tuple[int, int] | None:
    start, end = row[f"{part}_start"], row[f"{part}_end"]
    return None if start is None or end is None else (start, end)
