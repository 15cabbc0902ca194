r"""Public sets of mathematical problems with a short answer, from the hub or from a data directory.

A data directory holds a set as `FOLDER/train.parquet`, `.json` (a list of objects) or `.jsonl`, with the columns of its public source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rl_core.config.data import BOX
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.repeats import without_repeats
from rl_core.data.rows import hub_rows, is_finite, read_rows
from rl_core.nearest import nearest
from rl_core.rewards.extraction import last_boxed

TASK = "math"
FORMATS = ("parquet", "json", "jsonl")
NO_ANSWER = {"", "nan", "proof", "notfound"}  # what sets write where there is nothing to compare with


@dataclass(frozen=True)
class MathSet:
    """Where a set is and which columns matter; of several names for a column the first that a row has counts, `a.b` is b in a."""

    folder: str  # in a data directory
    rows: int
    hub_id: str | None  # None: only from a data directory
    hub_config: str | None = None
    hub_file: str | None = None  # the one file of the repository that is meant
    revision: str | None = None  # commit of the hub; None: its newest
    question: tuple[str, ...] = ("problem",)
    answer: tuple[str, ...] = ("answer",)  # where a row has none of them: the last box of the solution
    solution: tuple[str, ...] = ("solution",)
    level: tuple[str, ...] = ()
    rows_by_level: tuple[int, ...] = ()  # of levels 1 to 5

    @property
    def local(self) -> str:
        """What a data directory may hold instead of the hub."""
        return f"{self.folder}/train.{{{','.join(FORMATS)}}}"

    def find(self, data_dir: Path) -> Path | None:
        """The file of a data directory that holds it."""
        return next((path for ending in FORMATS if (path := data_dir / self.folder / f"train.{ending}").is_file()), None)


MATH_SETS = {
    # Hendrycks et al. (2103.03874), the training problems; two of them have no level.
    "math": MathSet(
        folder="math_train",
        rows=7500,
        hub_id="DigitalLearningGmbH/MATH-lighteval",
        revision="0530c78699ea5e8eb5530600900e1f328b48acad",
        level=("level", "difficulty"),
        rows_by_level=(564, 1348, 1592, 1690, 2304),
    ),
    # Levels 3 to 5 of MATH without MATH-500, of simpleRL-reason and Dr. GRPO; a third of them is in the test split of MATH.
    # The levels in its rows are wrong: the files are made by level.
    "simplerl_8k": MathSet(
        folder="simplerl_8k",
        rows=8523,
        hub_id="hkust-nlp/SimpleRL-Zoo-Data",
        hub_file="simplelr_qwen_level3to5/train.parquet",
        question=("extra_info.question",),
        answer=("reward_model.ground_truth",),
        solution=(),
    ),
    "deepscaler": MathSet(folder="deepscaler", rows=40315, hub_id="agentica-org/DeepScaleR-Preview-Dataset"),
    # DAPO-Math-17k with each problem once and without the instruction around it.
    "dapo": MathSet(
        folder="dapo",
        rows=17398,
        hub_id="open-r1/DAPO-Math-17k-Processed",
        hub_config="all",
        question=("prompt",),
        answer=("solution",),
        solution=(),
    ),
    "open_r1": MathSet(
        folder="open_r1",
        rows=93733,
        hub_id="open-r1/OpenR1-Math-220k",
        hub_config="default",
        revision="e4e141ec9dea9f8326f4d347be56105859b2bd68",
    ),
    # AIME 1983 to 2023. The sets on the hub go on to 2024, which is a benchmark.
    "aime": MathSet(folder="aime_train", rows=975, hub_id=None),
}


def find_set(name: str) -> MathSet:
    """Raises DataError naming the nearest known set."""
    if name in MATH_SETS:
        return MATH_SETS[name]
    raise DataError(f"unknown set {name!r}; {nearest(name, MATH_SETS)}")


def check(name: str, levels: Sequence[int] | None) -> None:
    """Raises DataError for an unknown set, or levels of a set that has none."""
    found = find_set(name)
    if levels and not found.level:
        having = ", ".join(other for other, entry in MATH_SETS.items() if entry.level)
        raise DataError(f"set {name!r} has no levels (there are some in {having}); remove `levels`")


def size_of_set(name: str, levels: Sequence[int] | None) -> int:
    """Rows of a set, or of some of its levels; raises DataError for an unknown set."""
    found = find_set(name)
    return sum(found.rows_by_level[level - 1] for level in levels) if levels and found.rows_by_level else found.rows


def local_file(name: str, data_dir: Path | None) -> Path | None:
    """The file that is read instead of the hub.

    Raises:
        DataError: the set is unknown, the data directory lacks it, or there is none and the set is not on the hub.
    """
    found = find_set(name)
    if data_dir is None:
        if found.hub_id is None:
            raise DataError(f"set {name!r} is not on the hub: give a directory with {found.local} by --data-dir")
        return None
    path = found.find(data_dir)
    if path is None:
        hub = f" or leave out --data-dir to use the hub ({found.hub_id})" if found.hub_id else ""
        raise DataError(f"{data_dir / found.local}: no such file; put the set {name!r} there{hub}")
    return path


class Loaded(NamedTuple):
    """The problems of a set."""

    prompts: list[Prompt]
    left_out: int  # rows without an answer, or with a problem again
    contradicting: int  # of these, rows with another answer to a problem that came before


def load(name: str, levels: Sequence[int] | None, data_dir: Path | None, *, bare_answers: bool = False, answer_form: str = BOX) -> Loaded:
    """The different problems of a set in its order, and what was left out. Of a problem that comes again the first row counts.

    A solution becomes the worked response of its problem; if it has no box, it ends with the answer in `answer_form`. With `bare_answers`
    that ending alone is the worked response of a problem without a solution.

    Raises:
        DataError: file missing, a row broken, or the hub out of reach.
    """
    check(name, levels)
    found, path = find_set(name), local_file(name, data_dir)
    rows: Iterable[Any] = []
    if path:
        rows = read_rows(path)
    elif found.hub_id:
        rows = hub_rows(found.hub_id, "train", found.local, config=found.hub_config, file=found.hub_file, revision=found.revision)
    made: list[Prompt] = []
    without_answer = 0
    for number, row in enumerate(rows, start=1):
        where = f"{path or found.hub_id}: row {number}"
        question = _column(row, found.question)
        if not isinstance(question, str) or not question.strip():
            raise DataError(f"{where} lacks the text `{found.question[0]}`; repair or remove it")
        level = _level(_column(row, found.level))
        if levels and level not in levels:
            continue
        prompt = _prompt(found, row, question.strip(), level, bare_answers, answer_form, where)
        if prompt is None:
            without_answer += 1
        else:
            made.append(prompt)
    different = without_repeats(made)
    return Loaded(different.prompts, without_answer + different.repeated, different.contradicting)


def _prompt(found: MathSet, row: Any, question: str, level: int | None, bare_answers: bool, answer_form: str, where: str) -> Prompt | None:
    """None for a row without an answer to compare with."""
    solution = _column(row, found.solution)
    solution = solution.strip() if isinstance(solution, str) else ""
    answer = _column(row, found.answer, _ABSENT)
    if answer is _ABSENT:
        if not solution:
            raise DataError(f"{where} lacks `{(*found.answer, *found.solution)[0]}`; repair or remove it")
        answer = last_boxed(solution)
    if not isinstance(answer, str | int | float | None):
        raise DataError(f"{where}: the answer {answer!r} is neither a text nor a number; repair or remove it")
    gold = "" if answer is None or not is_finite(answer) else str(answer).strip()
    if gold.lower() in NO_ANSWER:
        return None
    trace = solution if last_boxed(solution) is not None else f"{solution}\n{answer_form.replace('{answer}', gold)}".strip()
    return Prompt(TASK, question, gold, None if level is None else str(level), trace if solution or bare_answers else None)


_ABSENT = object()


def _column(row: Any, names: Sequence[str], default: Any = None) -> Any:
    for name in names:
        value = row
        for key in name.split("."):
            value = value.get(key, _ABSENT) if isinstance(value, dict) else _ABSENT
        if value is not _ABSENT:
            return value
    return default


def _level(value: Any) -> int | None:
    """3 of `3`, `3.0` and `Level 3`."""
    digits = re.search(r"\d+", str(value))
    return int(digits[0]) if value is not None and digits else None
