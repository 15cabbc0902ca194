"""Benchmarks by name."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.benchmarks import countdown, knights_knaves
from evals.benchmarks.competitions import AIME24, AIME25, AMC23, AMC_OAT
from evals.benchmarks.gsm8k import GSM8K
from evals.benchmarks.mathematics import MATH500, MINERVA_MATH, OLYMPIADBENCH
from evals.benchmarks.multiple_choice import GPQA_DIAMOND, MMLU_PRO_1K
from evals.benchmarks.problems import ProblemSet, digest_of
from evals.benchmarks.theoremqa import OPTION_TASK, THEOREMQA
from evals.config import BenchmarkSettings
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.splits import HELD_OUT_SEED
from rl_core.nearest import nearest

_SETS = (GSM8K, MATH500, MINERVA_MATH, OLYMPIADBENCH, AIME24, AIME25, AMC23, AMC_OAT, GPQA_DIAMOND, THEOREMQA, MMLU_PRO_1K)
PROBLEM_SETS: dict[str, ProblemSet] = {problems.name: problems for problems in _SETS}
NAMES = ("knights_knaves", "countdown", *PROBLEM_SETS)


@dataclass(frozen=True)
class Benchmark:
    """The problems of an evaluation and the data that they are of."""

    name: str
    problems: list[Prompt]
    rows: int  # of all the data, before `limit`
    digest: str  # of all the data
    published: tuple[int, str | None] | None  # rows and digest that the data should have; None: made here, or chosen by settings

    @property
    def doubt(self) -> str | None:
        """Why a score on this data is not one on the published benchmark; None if it is."""
        if self.published is None:
            return None
        rows, digest = self.published
        if self.rows != rows:
            return f"benchmark {self.name}: {self.rows:,} problems are here, the published data has {rows:,}"
        if digest and self.digest != digest:
            return f"benchmark {self.name}: the data (digest {self.digest}) differs from the published (digest {digest})"
        return None


def find(name: str) -> None:
    """Raises DataError for an unknown benchmark, with the nearest name."""
    if name not in NAMES:
        raise DataError(f"unknown benchmark {name!r}; {nearest(name, NAMES)}")


def check(settings: BenchmarkSettings, data_dir: Path | None) -> None:
    """Fail early: an unknown name, a setting of another benchmark, a missing file.

    Raises:
        DataError: the one-line message offers the nearest name or the remedy.
    """
    find(settings.name)
    if settings.name == "knights_knaves":
        return
    for setting in ("people", "names"):
        if getattr(settings, setting):
            raise DataError(f"benchmark {settings.name}: `{setting}` is a setting of knights_knaves only; remove it")
    if settings.name != "countdown":
        PROBLEM_SETS[settings.name].local_file(data_dir)


def open_benchmark(settings: BenchmarkSettings, data_dir: Path | None) -> Benchmark:
    """The problems, cut to `limit` where there is one: the first of a shuffle that is the same for every run, whatever its seed.

    Raises:
        DataError: as `check`, or a row is broken, or the hub out of reach.
    """
    check(settings, data_dir)
    published = None
    if settings.name == "knights_knaves":
        prompts = knights_knaves.load(settings.people, settings.names, settings.limit, data_dir)
        return Benchmark(settings.name, prompts, len(prompts), digest_of(prompts), None)
    if settings.name == "countdown":
        prompts = countdown.load(data_dir)
    else:
        source = PROBLEM_SETS[settings.name]
        published = source.rows, source.digest
        prompts = source.load(data_dir)
    rows, digest = len(prompts), digest_of(prompts)
    if settings.limit is not None:
        random.Random(HELD_OUT_SEED).shuffle(prompts)
        prompts = prompts[: settings.limit]
    return Benchmark(settings.name, prompts, rows, digest, published)


def load(settings: BenchmarkSettings, data_dir: Path | None) -> list[Prompt]:
    """The problems of `open_benchmark`."""
    return open_benchmark(settings, data_dir).problems


def local_files(settings: BenchmarkSettings, data_dir: Path | None) -> list[Path]:
    """Files of the data directory that a benchmark reads; empty if it is generated or comes from the hub.

    Raises:
        DataError: the benchmark is unknown, or the data directory lacks its file.
    """
    check(settings, data_dir)
    if settings.name == "knights_knaves":
        found = [knights_knaves.local_file(people, settings.names, data_dir) for people in settings.people or knights_knaves.PEOPLE]
    elif settings.name == "countdown":
        found = [countdown.local_file(data_dir)]
    else:
        found = [PROBLEM_SETS[settings.name].local_file(data_dir)]
    return [path for path in found if path]


def size(settings: BenchmarkSettings) -> int:
    """How many problems there will be, without reading them."""
    if settings.name == "knights_knaves":
        return (settings.limit or knights_knaves.PUZZLES) * len(settings.people or knights_knaves.PEOPLE)
    rows = PROBLEM_SETS[settings.name].rows if settings.name in PROBLEM_SETS else countdown.PROBLEMS * len(countdown.NUMBERS)
    return min(settings.limit or rows, rows)


def read_gold(name: str, answer: Any, where: str) -> tuple[str, str]:
    """Verifier and gold of an answer that stands in a file by itself, in whatever form the benchmark writes it.

    Raises:
        DataError: unknown benchmark, or no answer of it; `where` is put in front.
    """
    find(name)
    if name in PROBLEM_SETS:
        source = PROBLEM_SETS[name]
        # Of TheoremQA's questions those with options have letters for answers.
        task = source.task if isinstance(source.task, str) else "math"
        gold = source.read_gold(answer, where, task)
        return (OPTION_TASK if source is THEOREMQA and len(gold) == 1 and gold.isalpha() else task), gold
    reader = knights_knaves.read_gold if name == "knights_knaves" else countdown.read_gold
    return name, reader(answer, where)


def subset_of(benchmark: str, difficulty: str | None) -> str | None:
    """The part of a benchmark that tables show by itself, such as `3 people`; None where they show only the whole."""
    counted = {"knights_knaves": "people", "countdown": "numbers"}.get(benchmark)
    return f"{difficulty} {counted}" if counted and difficulty else None
