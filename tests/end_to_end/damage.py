"""Damages one file of a workspace at a time and runs commands over it: each must end in a result or in one line, never in a traceback.

    python tests/end_to_end/damage.py WORKSPACE --trials 2000 --seed 0

WORKSPACE is copied, so it stays as it is. It may hold finished and unfinished runs: cut in ingest, SFT, RL, evaluation or report. File,
damage and command are drawn at random; every kind of file (`KINDS`) is as likely as every other one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from flows.cli import main as r1flow
from rl_core.fence import Fence
from rl_core.steps.records import drop_rollouts_after
from rl_core.training.checkpoint import best, checkpoints, latest_whole, verify
from rl_core.training.journal import Journal, read_steps
from tasks.trainer.local_process import Tail, report

Damage = Callable[[Path], None]

DEEP = "[" * 5000
VALUES: tuple[Any, ...] = (None, [], {}, "x", "\x1b[31m", 7, -1, 1.5, True, [None], {"a": {"b": [1]}}, 10**400, float("nan"), float("inf"))
SHAPES = ("", "[]", "{}", "null", "7", '"x"', "[[1], {}]", "\x00\x01", DEEP, '{"a":' * 5000, "NaN", "1" * 5000)
BINARY = {".duckdb", ".db", ".parquet", ".safetensors", ".png"}


def written(content: str | bytes) -> Damage:
    return lambda path: void(path.write_bytes(content if isinstance(content, bytes) else content.encode()))


def void(_: object) -> None:
    pass


def cut(path: Path) -> None:
    held = path.read_bytes()
    path.write_bytes(held[: len(held) // 2])


def cut_at_the_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flipped(rng: random.Random) -> Damage:
    def flip(path: Path) -> None:
        held = bytearray(path.read_bytes())
        for _ in range(rng.choice([1, 20]) if held else 0):
            held[rng.choice([rng.randrange(len(held)), rng.randrange(min(100, len(held)))])] ^= 1 << rng.randrange(8)
        path.write_bytes(held)

    return flip


def gone(path: Path) -> None:
    path.unlink()


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def anywhere(content: Any, rng: random.Random) -> Any:
    """JSON with one value at any depth replaced, removed, or beside a new one."""
    content = json.loads(json.dumps(content))
    at, places = content, []
    waiting = [content]
    while waiting:
        at = waiting.pop()
        keys: Sequence[Any] = list(at) if isinstance(at, dict) else range(len(at))
        places += [(at, key) for key in keys]
        waiting += [at[key] for key in keys if isinstance(at[key], dict | list)]
    if not places:
        return [content]
    at, key = rng.choice(places)
    match rng.randrange(6):
        case 0:
            del at[key]
        case 1 if isinstance(at, dict):
            at["of_a_later_version"] = {"new": [1, 2]}
        case _:
            at[key] = rng.choice(VALUES)
    return content


def field(rng: random.Random) -> Damage:
    return lambda path: void(path.write_text(json.dumps(anywhere(json.loads(path.read_text()), rng))))


def top_field(rng: random.Random) -> Damage:
    def change(path: Path) -> None:
        content = json.loads(path.read_text())
        if isinstance(content, dict) and content:
            content |= {rng.choice(list(content)): rng.choice(VALUES)}
        path.write_text(json.dumps(content))

    return change


def line(rng: random.Random) -> Damage:
    def change(path: Path) -> None:
        lines = path.read_bytes().split(b"\n")
        number = rng.randrange(len(lines))
        new: Any = rng.choice([*SHAPES, b"\xff\xfe", None])
        if new is None and lines[number]:
            new = json.dumps(anywhere(json.loads(lines[number].partition(b"\t")[0]), rng))
        lines[number] = (new or "").encode() if not isinstance(new, bytes) else new
        path.write_bytes(b"\n".join(lines))

    return change


def column(rng: random.Random) -> Damage:
    """Another Parquet file: a column less, more, of another type or without values, no rows, or rows that say something else."""

    def change(path: Path) -> None:
        table = pq.read_table(path)
        name = rng.choice(table.column_names)
        number = table.column_names.index(name)
        rows = table.num_rows
        other: Any = rng.choice(
            [["x"] * rows, [7] * rows, [None] * rows, [[1]] * rows, [float("nan")] * rows, [True] * rows, [2**62] * rows]
        )
        match rng.randrange(5):
            case 0:
                table = table.drop_columns([name])
            case 1:
                table = table.append_column("of_a_later_version", pa.array([1] * rows))
            case 2:
                table = table.slice(0, 0)
            case _:
                table = table.set_column(number, name, pa.array(other))
        pq.write_table(table, path)

    return change


def sqlite_change(rng: random.Random) -> Damage:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as database:
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            database.execute("PRAGMA foreign_keys = OFF")
            if rng.random() < 0.3 and "alembic_version" in tables:
                database.execute("UPDATE alembic_version SET version_num = 'fromthefuture'")
            else:
                database.execute(f'DROP TABLE "{rng.choice(tables)}"')
        database.close()

    return change


def duckdb_change(rng: random.Random) -> Damage:
    def change(path: Path) -> None:
        with duckdb.connect(path) as database:
            tables = [row[0] for row in database.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
            if rng.random() < 0.5 and "schema_version" in tables:
                database.execute("UPDATE schema_version SET version = 99")
            else:
                database.execute(f'DROP TABLE IF EXISTS "{rng.choice(tables)}" CASCADE')

    return change


def kind_of(path: Path) -> str:
    """What a file is a case of: its name without numbers for records, its ending for outputs."""
    if path.parent.name == "runs":
        return "run record"
    if path.suffix in (".json", ".jsonl", ".duckdb", ".db"):
        return path.name
    return path.suffix or path.name


def damages(path: Path, rng: random.Random) -> Damage:
    """One damage of those that a file of its kind can take."""
    common: list[Damage] = [
        cut,
        cut_at_the_end,
        written(""),
        written(b"\xff\xfe\x00\x9f" * 50),
        gone,
        directory,
        dangling,
        loop,
        flipped(rng),
    ]
    match path.suffix:
        case ".json":
            own = [field(rng), field(rng), field(rng), top_field(rng), top_field(rng), top_field(rng), written(rng.choice(SHAPES))]
        case ".jsonl":
            own = [line(rng)] * 5 + [written(rng.choice(SHAPES))]
        case ".parquet":
            own = [column(rng)] * 5
        case ".db":
            own = [sqlite_change(rng)] * 3
        case ".duckdb":
            own = [duckdb_change(rng)] * 3
        case _:
            own = [written(rng.choice(SHAPES))]
    return rng.choice(common + own * (2 if path.suffix in (".json", ".jsonl") else 1))


def commands(workspace: Path, recipes: Path, apart: Path) -> dict[str, list[list[str]]]:
    """Command lines by command, over every experiment and stage of a workspace."""
    experiments = sorted({path.parents[1].name for path in workspace.glob("*/runs/*.json")})
    stages = sorted({f"{path.parents[1].name}/{path.parent.name.rpartition('-')[0]}" for path in workspace.glob("*/*/spec.json")})
    return {
        "status": [["status"]],
        "lineage": [["lineage", stage] for stage in stages],
        "plan": [["plan", str(recipe)] for recipe in sorted(recipes.glob("*.yaml"))],
        "sql": [["sql", "SELECT * FROM stages"], ["sql", "SELECT * FROM reward_by_step"], ["sql", "@scores"]],
        "report": [["report", experiment, "--output", str(apart / "report")] for experiment in experiments],
        "ingest": [["ingest"]],
        "gc": [["gc"]],
        "export": [["export", experiment, "--output", str(apart / f"{experiment}.tar")] for experiment in experiments],
        "import": [["import", str(archive)] for archive in sorted(apart.glob("clean/*.tar"))],
        "compare": [["compare", *pair] for pair in itertools.pairwise(experiments)],
        "promote": [["promote", stage, "mini@best"] for stage in stages],
    }


def go_on(stage: Path) -> Iterator[str]:
    """What a trainer reads of its stage's directory before it goes on, without the training."""
    lease = Fence(None)
    weights = stage / "checkpoints"
    latest_whole(weights)
    best(weights)
    for path in checkpoints(weights):
        verify(path)
    journal = Journal(stage, 10, lease)
    journal.first_damaged()
    journal.rewind(2)
    list(read_steps(stage / "metrics.jsonl"))
    tail = Tail(stage / "progress.jsonl")
    tail.position = 0
    report(tail, void)
    drop_rollouts_after(stage, 2)
    yield from ()


class Workplace:
    """A copy of a workspace that is as it was before every trial."""

    def __init__(self, pristine: Path, copy: Path) -> None:
        self.pristine, self.root = pristine, copy
        shutil.copytree(pristine, copy, symlinks=True)

    def restore(self) -> None:
        kept = {path.relative_to(self.pristine): path for path in self.pristine.rglob("*")}
        for path in sorted(self.root.rglob("*"), reverse=True):
            name = path.relative_to(self.root)
            if name not in kept or path.is_symlink() or path.is_dir() != kept[name].is_dir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for name, path in sorted(kept.items()):
            here = self.root / name
            if path.is_dir():
                here.mkdir(exist_ok=True)
            elif not here.exists() or not same(path, here):
                shutil.copy2(path, here)


def same(first: Path, second: Path) -> bool:
    one, two = first.stat(), second.stat()
    return (one.st_size, one.st_mtime_ns) == (two.st_size, two.st_mtime_ns)


def run(arguments: list[str], workspace: Path) -> tuple[str, str]:
    """How a command ended (`fine`, `refused`, `traceback`), and what it said last."""
    result = CliRunner().invoke(r1flow, [*arguments, "--workspace", str(workspace)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return "traceback", "".join(traceback.format_exception(result.exception))
    said = result.stderr.strip()
    return ("fine", said) if result.exit_code == 0 else ("refused", said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--recipes", type=Path, required=True, help="directory of the recipes that ran there")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="commands, with commas between")
    parser.add_argument("--files", help="only files whose path contains this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="damage-") as scratch:
        sys.exit(trials(options, Path(scratch)))


def trials(options: argparse.Namespace, scratch: Path) -> int:
    rng = random.Random(options.seed)
    (scratch / "apart" / "clean").mkdir(parents=True)
    place = Workplace(options.workspace.resolve(), scratch / "workspace")
    for experiment in sorted({path.parents[1].name for path in place.root.glob("*/runs/*.json")}):
        run(["export", experiment, "--output", str(scratch / "apart" / "clean" / f"{experiment}.tar")], place.root)
    place.restore()
    of_kind = defaultdict(list)
    for path in sorted(place.root.rglob("*")):
        if path.is_file() and path.suffix not in (".lock", ".png", ".svg") and (not options.files or options.files in str(path)):
            of_kind[kind_of(path)].append(path)
    lines = commands(place.root, options.recipes, scratch / "apart")
    chosen = options.only.split(",") if options.only else [*lines, "go on", "go on"]
    ends: Counter[tuple[str, str]] = Counter()
    faults: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for number in range(options.trials):
        path = rng.choice(of_kind[rng.choice(sorted(of_kind))])
        command = rng.choice(chosen)
        damage = damages(path, rng)
        try:
            damage(path)
        except Exception as error:
            print(f"trial {number}: {path.name} could not be damaged: {error}")
            place.restore()
            continue
        if command == "go on":
            stage = (
                path.parents[[parent.parent.parent == place.root for parent in path.parents].index(True)]
                if path.is_relative_to(place.root) and len(path.relative_to(place.root).parts) > 2
                else place.root
            )
            try:
                list(go_on(stage))
                end, said = "fine", ""
            except ValueError as error:
                own = type(error).__module__.partition(".")[0] in ("rl_core", "tasks")
                end, said = ("refused", str(error)) if own else ("traceback", traceback.format_exc())
            except Exception:
                end, said = "traceback", traceback.format_exc()
        else:
            arguments = rng.choice(lines[command]) if lines[command] else ["status"]
            end, said = run(arguments, place.root)
        ends[command, end] += 1
        name = str(path.relative_to(place.root))
        if end == "traceback":
            where = [
                text.strip()
                for text in said.splitlines()
                if "/flows/" in text or "/tasks/" in text or "/evals/" in text or "/rl_core/" in text
            ]
            key = f"{command}: {kind_of(path)}: {said.strip().splitlines()[-1][:150]} at {where[-1][-110:] if where else '?'}"
            if not faults[key]:
                call = " ".join(arguments) if command != "go on" else command
                print(f"trial {number}: {call}: {name}: {damage}\n  {key}", flush=True)
            faults[key] += 1
        elif end == "refused":
            text = said.splitlines()[-1] if said else "(nothing)"
            key = f"{command}: {kind_of(path)}: {text.replace(str(place.root), 'W')[:230]}"
            if not refusals[key]:
                print(f"refused {key}", flush=True)
            refusals[key] += 1
            if "\n" in said and not said.splitlines()[0].startswith(("warning", "note")):
                print(f"trial {number}: {command}: {name}: several lines: {said[:300]!r}")
        place.restore()
    print()
    for text, times in sorted(faults.items()):
        print(f"TRACEBACK {times:3} {text}")
    for (command, end), times in sorted(ends.items()):
        print(f"{command:10} {end:10} {times}")
    total = sum(ends.values())
    print(f"{total} trials, {sum(faults.values())} tracebacks of {len(faults)} kinds")
    return bool(faults)


if __name__ == "__main__":
    main()
