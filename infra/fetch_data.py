#!/usr/bin/env python3
"""Fill a data directory from the hub, for machines that have none: `python infra/fetch_data.py DIR [NAME ...]`.

Without names everything is fetched: the benchmarks, and the sets that recipes train on. A file that is there is left alone. GPQA is gated:
`hf auth login` first. Knights and Knaves are not fetched: puzzles are generated where no file has them.
"""

import json
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from evals.benchmarks.registry import PROBLEM_SETS, open_benchmark
from evals.config import BenchmarkSettings
from rl_core.data.math_sets import MATH_SETS
from rl_core.data.rows import hub_rows
from rl_core.environments import gsm8k
from rl_core.errors import InputError

COUNTDOWN = "Jiayi-Pan/Countdown-Tasks-3to4"
COUNTDOWN_TRAIN, COUNTDOWN_TEST = 327_680, 1024  # TinyZero: the first rows train, the next are the test

Fetch = Callable[[], Iterable[Any]]


def wanted() -> dict[str, dict[str, Fetch]]:
    """By name: each file of a data directory, and where its rows come from."""
    found: dict[str, dict[str, Fetch]] = {name: {source.file: source.hub_rows} for name, source in PROBLEM_SETS.items()}
    found["gsm8k_train"] = {
        "gsm8k/train.jsonl": lambda: hub_rows(gsm8k.HUB_ID, "train", "gsm8k/train.jsonl", config="main", revision=gsm8k.REVISION)
    }
    found["countdown"] = {
        "countdown/train.parquet": lambda: hub_rows(COUNTDOWN, f"train[:{COUNTDOWN_TRAIN}]", "countdown/train.parquet"),
        "countdown/test.parquet": lambda: hub_rows(
            COUNTDOWN, f"train[{COUNTDOWN_TRAIN}:{COUNTDOWN_TRAIN + COUNTDOWN_TEST}]", "countdown/test.parquet"
        ),
    }
    for name, source in MATH_SETS.items():
        if source.hub_id:
            own = {"config": source.hub_config, "file": source.hub_file, "revision": source.revision}
            found[f"{name}_train"] = {
                f"{source.folder}/train.parquet": partial(hub_rows, source.hub_id, "train", source.local, **own),
            }
    return found


def write(path: Path, rows: list[Any]) -> None:
    """Write rows in the form that the ending of the file asks for, in one piece."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.partial")
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), aside)
    else:
        lines = (
            json.dumps(rows, ensure_ascii=False) if path.suffix == ".json" else "\n".join(json.dumps(r, ensure_ascii=False) for r in rows)
        )
        aside.write_text(lines + "\n", encoding="utf-8")
    aside.replace(path)


def main(arguments: list[str]) -> int:
    """Returns 1 where something could not be fetched; the rest is fetched all the same."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    directory, known = Path(arguments[0]), wanted()
    unknown = [name for name in arguments[1:] if name not in known]
    if unknown:
        print(f"error: unknown set {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = False
    for name in arguments[1:] or known:
        for file, fetch in known[name].items():
            path = directory / file
            try:
                if path.is_file():
                    print(f"{file}: is there")
                else:
                    rows = [dict(row) for row in fetch()]
                    write(path, rows)
                    print(f"{file}: {len(rows):,} rows")
                if name in PROBLEM_SETS and (doubt := open_benchmark(BenchmarkSettings(name=name), directory).doubt):
                    print(f"warning: {doubt}")
            except InputError as error:
                print(f"error: {name}: {error}", file=sys.stderr)
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
