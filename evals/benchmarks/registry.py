"""Benchmarks by name: the published sets of this folder, and what environments hold out themselves (rl_core/environments)."""

from __future__ import annotations

import random
from collections import ChainMap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals import benchmarks
from evals.benchmarks.problems import ProblemSet, digest_of
from evals.config import BenchmarkSettings
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.splits import HELD_OUT_SEED
from rl_core.environments.environment import Environment
from rl_core.environments.registry import ENVIRONMENTS
from rl_core.nearest import nearest
from rl_core.registry import modules_of


def by_name(found: Iterable[ProblemSet]) -> dict[str, ProblemSet]:
    """Published sets by name; raises TypeError where two have the same, or an environment has it for a benchmark of its own."""
    known: dict[str, ProblemSet] = {}
    for problems in found:
        if problems.name in known or problems.name in _OWN:
            raise TypeError(f"two benchmarks are called {problems.name!r}")
        known[problems.name] = problems
    return known


_OWN = {name: found for name, found in ENVIRONMENTS.items() if found.is_benchmark}
PROBLEM_SETS = by_name(found for module in modules_of(benchmarks) for found in getattr(module, "BENCHMARKS", ()))
BENCHMARKS: ChainMap[str, Any] = ChainMap(PROBLEM_SETS, _OWN)
NAMES = tuple(BENCHMARKS)


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


def find(name: str) -> ProblemSet | Environment[Any]:
    """Raises DataError for an unknown benchmark, with the nearest name."""
    if name not in BENCHMARKS:
        raise DataError(f"unknown benchmark {name!r}; {nearest(name, BENCHMARKS)}")
    found: ProblemSet | Environment[Any] = BENCHMARKS[name]
    return found


def _options(settings: BenchmarkSettings) -> Any:
    """A benchmark's own settings; raises DataError for one of another benchmark."""
    own = find(settings.name).options
    for name, other in BENCHMARKS.items():
        for setting in other.options.model_fields:
            if setting not in own.model_fields and getattr(settings, setting):
                raise DataError(f"benchmark {settings.name}: `{setting}` is a setting of {name} only; remove it")
    return own.model_validate({setting: getattr(settings, setting) for setting in own.model_fields})


def open_benchmark(settings: BenchmarkSettings, data_dir: Path | None) -> Benchmark:
    """The problems, cut to `limit` where there is one: the first of a shuffle that is the same for every run, whatever its seed.

    Raises:
        DataError: as `local_files`, or a row is broken, or the hub out of reach.
    """
    source = find(settings.name)
    prompts = source.load(_options(settings), settings.limit, data_dir)
    rows, digest = len(prompts), digest_of(prompts)
    if settings.limit is not None and not source.limit_per_part:
        random.Random(HELD_OUT_SEED).shuffle(prompts)
        prompts = prompts[: settings.limit]
    return Benchmark(settings.shown, prompts, rows, digest, source.published)


def load(settings: BenchmarkSettings, data_dir: Path | None) -> list[Prompt]:
    """The problems of `open_benchmark`."""
    return open_benchmark(settings, data_dir).problems


def local_files(settings: BenchmarkSettings, data_dir: Path | None) -> list[Path]:
    """Files of the data directory that a benchmark reads; empty if it is generated or comes from the hub.

    Raises:
        DataError: the benchmark is unknown, or the data directory lacks its file.
    """
    return find(settings.name).local_files(_options(settings), data_dir)


def own_code(settings: BenchmarkSettings) -> list[str]:
    """Classes of a user's own that judge its answers, as its settings name them."""
    found = find(settings.name)
    return found.own_code(_options(settings)) if isinstance(found, Environment) else []


def size(settings: BenchmarkSettings) -> int:
    """How many problems there will be, without reading them."""
    return find(settings.name).size(_options(settings), settings.limit)


def read_gold(name: str, answer: Any, where: str) -> tuple[str, str]:
    """Verifier and gold of an answer that is alone in a file, without its problem, in whatever form the benchmark writes it.

    Raises:
        DataError: unknown benchmark, or no answer of it; `where` is put in front.
    """
    return find(name).read_gold(answer, where)


def subset_of(benchmark: str, difficulty: str | None) -> str | None:
    """The part of a benchmark that tables show by itself, such as `3 people`; None where they show only the whole."""
    name = benchmark.partition(".")[0]
    counted = BENCHMARKS[name].counts if name in BENCHMARKS else None
    return f"{difficulty} {counted}" if counted and difficulty else None


def label_of(benchmark: str) -> str:
    """A benchmark's name as its authors write it, behind it which part of it and the label that a recipe gives."""
    name, *parts = benchmark.split(".")
    return ": ".join(
        [(name in BENCHMARKS and BENCHMARKS[name].label) or name.replace("_", " "), *(part.replace("_", " ") for part in parts)]
    )
