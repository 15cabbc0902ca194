"""The warehouse at scale: `python tests/benchmarks/analytics.py [--rows N …]`, by default 50,000 and 500,000 synthetic rollouts.

Reports ingest (also of one step more), memory, every standard query and the report; and keyword counting in SQL against pandas and `re`
on the same rows. 500,000 rollouts are about 1.5 GB of text and take about 2 GB of disk while it runs.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from evals.analytics import query
from evals.analytics.keywords import count_expression, shipped
from evals.analytics.report import page
from evals.analytics.saved_queries import expand, saved_queries
from evals.analytics.warehouse import publish as publishing
from evals.analytics.warehouse.publish import Part
from evals.config import StageRun
from rl_core.rollout.records import ROLLOUT_SCHEMA

GROUPS, SIZE, PROMPTS = 64, 32, 8000  # 2,048 rollouts a step
SENTENCES = (
    "Step {n}: we add {n} and {m} to get {k}.",
    "First, note that the total is {k}.",
    "Wait, I should recheck the sum: {n} + {m} = {k}.",
    "The remaining {k} items are split among {m} people.",
    "That is too high, so let's try again with {m}.",
    "Now multiply both sides of the equation by {n} and simplify.",
    "Alternatively, suppose the first number is {m}.",
    "Therefore the value of x must be {k}.",
    "{n}. The next case gives {k}, which is consistent with the claim.",
    "Let me verify: substituting {n} gives {k}, as wanted.",
    "We know that the ratio between them stays the same in every round.",
    "Perhaps there is a simpler way to see why {k} is even.",
)


def write_steps(directory: Path, rollouts: int) -> None:
    """Rollout files of about 3,000 characters a response."""
    rng = random.Random(0)
    (directory / "rollouts").mkdir(parents=True)
    for step in range(1, rollouts // (GROUPS * SIZE) + 1):
        rows = []
        for group in range(GROUPS):
            number = rng.randrange(PROMPTS)
            for sample in range(SIZE):
                lines = [
                    rng.choice(SENTENCES).format(n=rng.randrange(99), m=rng.randrange(999), k=rng.randrange(9999))
                    for _ in range(rng.randrange(30, 90))
                ]
                think = "\n".join(lines)
                response = f"<think>{think}</think><answer>{number % 100}</answer>"
                right = rng.random() < 0.5
                rows.append(
                    {
                        "step": step,
                        "group": group,
                        "prompt_id": f"{number:016x}",
                        "task": "gsm8k",
                        "difficulty": str(number % 5),
                        "sample": sample,
                        "prompt": f"Problem {number}: what is the remainder of {number} divided by one hundred? " * 3,
                        "response": response,
                        "think_start": 7,
                        "think_end": 7 + len(think),
                        "answer_start": len(response) - 9 - len(str(number % 100)),
                        "answer_end": len(response) - 9,
                        "prompt_tokens": 60,
                        "response_tokens": len(response) // 4,
                        "think_tokens": len(think) // 4,
                        "answer_tokens": 2,
                        "finish_reason": "stop",
                        "outcome": "correct" if right else "wrong",
                        "extracted": str(number % 100 if right else sample),
                        "gold": str(number % 100),
                        "temperature": 1.0,
                        "policy_version": step - 1,
                        "reward": float(right),
                        "components": [("gsm8k", float(right))],
                        "advantage": 0.0,
                        "logprob": -0.4,
                    }
                )
        pq.write_table(pa.Table.from_pylist(rows, schema=ROLLOUT_SCHEMA), directory / "rollouts" / f"step-{step:06d}.parquet")


def measure(rollouts: int) -> None:
    """One size, in a process of its own: its peak memory is that of ingest, queries and report."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        directory = root / "stage"
        subprocess.run([sys.executable, __file__, "--write", str(directory), "--rows", str(rollouts)], check=True)
        stage = StageRun(experiment="scale", stage="rl", kind="rl", fingerprint="a" * 64, directory=directory, position=0)
        database = root / "a.duckdb"
        began, used = time.perf_counter(), time.process_time()
        rows = publishing.build(Part([stage]), database)["rollouts"]
        took, used = time.perf_counter() - began, time.process_time() - used
        print(
            f"\n{rows:,} rollouts: ingest {took:.1f} s, {rows / took:,.0f} rows/s ({used:.0f} s of all cores), "
            f"database {database.stat().st_size / 1e9:.2f} GB, peak memory {_peak():.2f} GB",
            flush=True,
        )
        _one_step_more(stage, database)
        for name in (known := saved_queries(root)):
            began = time.perf_counter()
            query.run(database, *expand(f"@{name}", {}, known))
            print(f"  @{name:<20} {time.perf_counter() - began:6.2f} s")
        with query.connect(database) as connection:
            views = [
                view for (view,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
            ]
            slowest = {}
            for view in views:
                began = time.perf_counter()
                connection.execute(f"SELECT * FROM {view}").fetchall()
                slowest[view] = time.perf_counter() - began
        for view, seconds in sorted(slowest.items(), key=lambda pair: -pair[1])[:5]:
            print(f"  view {view:<28} {seconds:6.2f} s")
        began = time.perf_counter()
        page.write(database, root / "report", recipe={}, title="scale", links=[])
        print(f"  report {time.perf_counter() - began:.1f} s")
        print(f"  peak memory of all of it {_peak():.2f} GB")
        shutil.rmtree(root / "report")
        _keywords(sorted(directory.glob("rollouts/*.parquet"))[:10])


def _peak() -> float:
    """Most memory that this process has had, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _one_step_more(stage: StageRun, database: Path) -> None:
    """What `ingest --follow` does at every step of a training."""
    last = sorted(stage.directory.glob("rollouts/*.parquet"))[-1]
    table = pq.read_table(last)
    number = table["step"][0].as_py() + 1
    table = table.set_column(0, table.schema.field(0), pa.array([number] * len(table), pa.int32()))
    pq.write_table(table, last.with_name(f"step-{number:06d}.parquet"))
    began = time.perf_counter()
    publishing.publish([Part([stage])], database)
    print(f"  {len(table):,} rollouts more {time.perf_counter() - began:6.2f} s")


def _keywords(files: list[Path]) -> None:
    """Every keyword in the same rows, in SQL and with pandas and `re`."""
    import duckdb
    import pandas as pd

    columns = ", ".join(f"sum({count_expression(word, 'response', 'lowered', 'prompt')})" for word in shipped())
    paths = ", ".join(f"'{path}'" for path in files)
    with duckdb.connect() as connection:
        texts = f"SELECT prompt, response, lower(response) AS lowered FROM read_parquet([{paths}])"
        began = time.perf_counter()
        found = connection.execute(f"SELECT {columns} FROM ({texts})").fetchone()  # files are read side by side
        in_sql = time.perf_counter() - began
    frame = pd.concat([pd.read_parquet(path, columns=["response"]) for path in files])
    began = time.perf_counter()
    counted = tuple(
        frame["response"].map(lambda text, p=re.compile(word.pattern, re.ASCII): len(p.findall(text))).sum() for word in shipped()
    )
    in_python = time.perf_counter() - began
    assert found == counted
    many = f"{len(shipped())} keywords in {len(frame):,} rows"
    print(f"  {many}: SQL {in_sql:.2f} s, pandas and re {in_python:.2f} s: {in_python / in_sql:.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description="The warehouse at scale.")
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 500_000], metavar="N", help="rollouts")
    parser.add_argument("--write", type=Path, metavar="DIR", help="only write the rollouts there")
    parser.add_argument("--here", action="store_true", help="measure in this process")
    chosen = parser.parse_args()
    for rows in chosen.rows:
        if chosen.write:
            write_steps(chosen.write, rows)
        elif chosen.here:
            measure(rows)
        else:
            subprocess.run([sys.executable, __file__, "--here", "--rows", str(rows)], check=True)


if __name__ == "__main__":
    main()
