"""Benchmarks by name."""

from __future__ import annotations

import difflib
import random
from pathlib import Path

from evals.benchmarks import countdown, gsm8k, knights_knaves
from evals.benchmarks.aime24 import AIME24
from evals.benchmarks.amc23 import AMC23
from evals.benchmarks.math500 import MATH500
from evals.config import BenchmarkSettings
from rl_core.data.prompts import DataError, Prompt

PROBLEM_SETS = {"math500": MATH500, "aime24": AIME24, "amc23": AMC23}
NAMES = ("knights_knaves", "countdown", "gsm8k", *PROBLEM_SETS)


def check(settings: BenchmarkSettings, data_dir: Path | None) -> None:
    """Fail early: an unknown name, a setting of another benchmark, a missing file.

    Raises:
        DataError: the one-line message offers the nearest name or the remedy.
    """
    if settings.name not in NAMES:
        near = difflib.get_close_matches(settings.name, NAMES, n=1)
        raise DataError(f"unknown benchmark {settings.name!r}; " + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(NAMES)}"))
    if settings.name == "knights_knaves":
        return
    for setting in ("people", "names"):
        if getattr(settings, setting):
            raise DataError(f"benchmark {settings.name}: `{setting}` is a setting of knights_knaves only; remove it")
    if settings.name == "gsm8k":
        gsm8k.check(data_dir)
    elif settings.name != "countdown":
        PROBLEM_SETS[settings.name].local_file(data_dir)


def load(settings: BenchmarkSettings, data_dir: Path | None, seed: int) -> list[Prompt]:
    """The problems, cut to the first `limit` of a seeded shuffle where there is one.

    Raises:
        DataError: as `check`, or a row is broken, or the hub out of reach.
    """
    check(settings, data_dir)
    if settings.name == "knights_knaves":
        return knights_knaves.load(settings.people, settings.names, settings.limit, data_dir, seed)
    if settings.name == "countdown":
        prompts = countdown.load(data_dir, seed)
    else:
        prompts = gsm8k.load(data_dir) if settings.name == "gsm8k" else PROBLEM_SETS[settings.name].load(data_dir)
    if settings.limit is not None:
        random.Random(seed).shuffle(prompts)
        prompts = prompts[: settings.limit]
    return prompts


def subset_of(benchmark: str, difficulty: str | None) -> str | None:
    """The part of a benchmark that tables show by itself, such as `3 people`; None where they show only the whole."""
    counted = {"knights_knaves": "people", "countdown": "numbers"}.get(benchmark)
    return f"{difficulty} {counted}" if counted and difficulty else None
