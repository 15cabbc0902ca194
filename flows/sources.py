"""The local files that stages read: data of a data directory, and the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evals.config import BenchmarkSettings, EvalConfig
from rl_core.config import CountdownData, Gsm8kData, KnightsKnavesData, MathData
from rl_core.errors import InputError

MODEL_FILES = ("*.safetensors", "config.json", "generation_config.json", "tokenizer*", "*.jinja", "vocab.json", "merges.txt")


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Put the path in the recipe in front of an error about what stands there."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def local_files(stage: object, where: str, data_dir: Path | None) -> list[Path]:
    """Files whose content is part of what a stage is.

    Raises:
        InputError: one that is needed is missing, or a benchmark unknown; `where` is put in front.
    """
    if isinstance(stage, KnightsKnavesData | Gsm8kData | CountdownData | MathData):
        from rl_core.data.prepare import inputs

        with naming(where):
            return inputs(stage, data_dir)
    found: set[Path] = set()
    if isinstance(stage, EvalConfig):
        for number, benchmark in enumerate(stage.benchmarks):
            with naming(f"{where}.benchmarks.{number}"):
                found.update(benchmark_files(benchmark, data_dir))
    return sorted(found)


def model_files(model: str) -> list[Path]:
    """Weights, configuration and tokenizer of a local model directory; empty for a hub id.

    Raises:
        InputError: the directory is missing or incomplete.
    """
    from rl_core.model.pretrained import check_model

    with naming("model"):
        check_model(model)
    directory = Path(model)
    return sorted({path for pattern in MODEL_FILES for path in directory.glob(pattern)}) if directory.is_dir() else []


def benchmark_files(benchmark: BenchmarkSettings, data_dir: Path | None) -> list[Path]:
    """Files of the data directory that a benchmark reads; empty if it is generated or comes from the hub.

    Raises:
        InputError: the benchmark is unknown, or the data directory lacks its file.
    """
    from evals.benchmarks import countdown, knights_knaves, registry
    from rl_core.data import gsm8k

    registry.check(benchmark, data_dir)
    if data_dir is None:
        return []
    if benchmark.name == "knights_knaves":
        files = [knights_knaves.local_file(people, benchmark.names, data_dir) for people in benchmark.people or knights_knaves.PEOPLE]
        return [path for path in files if path]
    if benchmark.name == "countdown":
        file = countdown.local_file(data_dir)
        return [file] if file else []
    problems = registry.PROBLEM_SETS.get(benchmark.name)
    file = problems.local_file(data_dir) if problems else gsm8k.local_file("test", data_dir)
    return [file] if file else []
