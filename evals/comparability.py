"""Whether two scores can be compared: what they were made with, side by side."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from evals.scores import ScoredCell, compare
from rl_core.errors import InputError, first_line

# Of a cell's record: what makes scores those of different measurements, and what only blurs them.
MEASUREMENT = {
    "protocol.template": "template",
    "protocol.reader": "reader of the answer",
    "protocol.rules": "rules of judging",
    "protocol.modes": "sampling",
    "data.digest": "data",
    "data.problems_digest": "problems",
}
EXECUTION = {
    "seed": "seed of sampling",
    "engine.engine": "engine",
    "engine.version": "version of the engine",
    "engine.dtype": "dtype",
    "engine.device": "device",
    "engine.tensor_parallel": "tensor parallel",
    "engine.batch_limits": "batch limits",
    "software.math_verify": "version of math-verify",
    "software.git": "code",
}


class Result(NamedTuple):
    """An evaluation's directory, and which of its checkpoints is meant."""

    directory: Path
    checkpoint: str
    cells: dict[str, dict[str, Any]]  # by benchmark: the record of what it was made with


def open_result(where: str) -> Result:
    """`DIR` or `DIR:CHECKPOINT`; without a checkpoint the last one.

    Raises:
        InputError: no finished evaluation is there, or it has no such checkpoint.
    """
    path, _, checkpoint = where.partition(":") if not Path(where).is_dir() else (where, "", "")
    directory = Path(path)
    try:
        content = json.loads((directory / "scores.json").read_text())
        records: list[dict[str, Any]] = content["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{directory}: no finished evaluation (scores.json with its cells); name the directory of one") from error
    names = list(dict.fromkeys(record["checkpoint"] for record in records))
    checkpoint = checkpoint or names[-1]
    if checkpoint not in names:
        raise InputError(f"{where}: no checkpoint {checkpoint!r} there; it has {', '.join(names)}")
    return Result(directory, checkpoint, {record["benchmark"]: record for record in records if record["checkpoint"] == checkpoint})


def differences(first: dict[str, Any], second: dict[str, Any], kinds: dict[str, str]) -> list[str]:
    """What two records have in another way, as `temperature 0.6 against 1.0`."""
    found = []
    for path, name in kinds.items():
        left, right = _at(first, path), _at(second, path)
        if left == right:
            continue
        if path == "protocol.modes":
            found += _modes(left, right)
        elif path == "data.problems_digest":
            if _at(first, "data.digest") == _at(second, "data.digest"):
                counts = _at(first, "data.problems"), _at(second, "data.problems")
                found.append(f"other problems of the same data ({counts[0]} against {counts[1]})")
        elif path == "seed" and not any(name == "sampled" for name, _, _ in _at(first, "protocol.modes")):
            continue  # a greedy response does not depend on it
        elif path == "data.digest":
            found.append(f"data {left} ({_at(first, 'data.rows')} rows) against {right} ({_at(second, 'data.rows')} rows)")
        else:
            found.append(f"{name} {_shown(left)} against {_shown(right)}")
    return found


def _at(record: dict[str, Any], path: str) -> Any:
    value: Any = record
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _modes(left: list[Any], right: list[Any]) -> list[str]:
    first, second = ({name: {"samples": samples, **sampling} for name, samples, sampling in modes} for modes in (left, right))
    found = [f"{name} in one only" for name in first.keys() ^ second.keys()]
    for name in first.keys() & second.keys():
        for key, value in first[name].items():
            if value != second[name].get(key):
                found.append(f"{name}: {key} {_shown(value)} against {_shown(second[name].get(key))}")
    return sorted(found)


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "commit" in value:
        return f"{value['commit'][:8]}{' with changes' if value['changed'] else ''}"
    return value if isinstance(value, str) else json.dumps(value)


class BenchmarkComparison(NamedTuple):
    """Two results on one benchmark."""

    benchmark: str
    obstacles: list[str]  # why the scores are not of the same measurement
    remarks: list[str]  # differences of engine and code
    changes: list[dict[str, Any]]  # rows of `scores.compare`; none where problems differ


def compare_results(first: Result, second: Result) -> list[BenchmarkComparison]:
    """Every benchmark that both have, paired by problem where the problems are the same.

    Raises InputError if they share no benchmark, or samples are missing.
    """
    shared = [name for name in first.cells if name in second.cells]
    if not shared:
        raise InputError(
            f"{first.directory} has {', '.join(first.cells)} and {second.directory} has {', '.join(second.cells)}: no benchmark in common"
        )
    found = []
    for name in shared:
        left, right = first.cells[name], second.cells[name]
        obstacles = differences(left, right, MEASUREMENT)
        paired = _at(left, "data.problems_digest") == _at(right, "data.problems_digest")
        changes = compare(_samples(first, name), _samples(second, name)) if paired else []
        found.append(BenchmarkComparison(name, obstacles, differences(left, right, EXECUTION), changes))
    return found


def _samples(result: Result, benchmark: str) -> ScoredCell:
    path = result.directory / "samples" / result.checkpoint / f"{benchmark}.parquet"
    try:
        return ScoredCell(result.checkpoint, benchmark, pq.read_table(path).to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read ({first_line(error)}); evaluate again") from error
