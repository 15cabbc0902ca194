import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.benchmarks import registry
from evals.benchmarks.problems import integer_gold
from evals.config import BenchmarkSettings
from rl_core.data.prompts import DataError, Prompt
from rl_core.outcome import Outcome
from rl_core.rewards.verify import verify

ROWS: dict[str, list[dict[str, Any]]] = {
    "gsm8k": [{"question": f"{n} + 1000?", "answer": f"{n} + 1000 = {n + 1000}\n#### {n + 1000:,}"} for n in range(9)],
    "math500": [{"problem": f"Simplify $x+{n}$.", "answer": rf"x + {n}", "level": 1 + n % 5} for n in range(9)],
    "aime24": [{"problem": f"What is {n}?", "answer": f"{n:03d}"} for n in range(9)],
    "amc23": [{"problem": f"What is {n}?", "answer": float(n)} for n in range(9)],
}
GOLD = {"gsm8k": "1003", "math500": "x + 3", "aime24": "3", "amc23": "3"}


def write(directory: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = directory / name / "test.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ROWS)
def test_rows_become_problems(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, ROWS[name])
    problems = registry.load(BenchmarkSettings(name=name), tmp_path, seed=0)
    assert len(problems) == 9
    assert problems[3].gold == GOLD[name]
    assert problems[3].task == name
    assert problems[3].trace is None
    assert verify(name, rf"so \boxed{{{problems[3].gold}}}", problems[3].gold).outcome is Outcome.CORRECT


def test_countdown_is_generated_or_the_public_file(tmp_path: Path) -> None:
    generated = registry.load(BenchmarkSettings(name="countdown", limit=6), None, seed=0)
    assert len(generated) == 6
    assert {problem.difficulty for problem in generated} == {"3", "4"}
    assert registry.subset_of("countdown", "3") == "3 numbers"
    (tmp_path / "countdown").mkdir()
    pq.write_table(pa.table({"nums": [[1, 2, 3]], "target": [6]}), tmp_path / "countdown" / "test.parquet")
    (problem,) = registry.load(BenchmarkSettings(name="countdown"), tmp_path, seed=0)
    assert verify("countdown", "<answer>1+2+3</answer>", problem.gold).outcome is Outcome.CORRECT


def test_level_is_the_difficulty(tmp_path: Path) -> None:
    write(tmp_path, "math500", ROWS["math500"])
    assert [problem.difficulty for problem in registry.load(BenchmarkSettings(name="math500"), tmp_path, 0)][:3] == ["1", "2", "3"]


def test_a_limit_takes_the_first_of_a_seeded_shuffle(tmp_path: Path) -> None:
    write(tmp_path, "aime24", ROWS["aime24"])

    def load(limit: int, seed: int) -> list[Prompt]:
        return registry.load(BenchmarkSettings(name="aime24", limit=limit), tmp_path, seed)

    assert load(4, 1) == load(6, 1)[:4]
    assert load(4, 1) != load(4, 2)
    assert len(load(100, 1)) == 9


def test_line_separators_inside_a_row(tmp_path: Path) -> None:
    write(tmp_path, "aime24", [{"problem": "a\u2028b\u0085c", "answer": "7"}])
    assert registry.load(BenchmarkSettings(name="aime24"), tmp_path, 0)[0].question == "a\u2028b\u0085c"


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("aime24", {"problem": "?"}, "row 2 lacks"),
        ("aime24", {"answer": "7"}, "row 2 lacks"),
        ("aime24", {"problem": "?", "answer": "x"}, "row 2: 'x' is no answer"),
        ("amc23", {"problem": "?", "answer": 1.5}, "row 2: 1.5 is no answer"),
        ("gsm8k", {"question": "?", "answer": "no mark"}, "row 2 has no gold number"),
        ("math500", ["a list"], "row 2 lacks"),
    ],
)
def test_broken_rows_are_named(tmp_path: Path, name: str, row: Any, message: str) -> None:
    path = write(tmp_path, name, [ROWS[name][0], row])
    with pytest.raises(DataError, match=message) as caught:
        registry.load(BenchmarkSettings(name=name), tmp_path, 0)
    assert str(path) in str(caught.value)


def test_text_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "aime24", ROWS["aime24"])
    path.write_text(path.read_text() + "{broken\n")
    with pytest.raises(DataError, match="row 10 is not JSON"):
        registry.load(BenchmarkSettings(name="aime24"), tmp_path, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (BenchmarkSettings(name="gsm8"), "did you mean 'gsm8k'"),
        (BenchmarkSettings(name="zzz"), "known: knights_knaves, countdown, gsm8k"),
        (BenchmarkSettings(name="aime24", people=[3]), "`people` is a setting of knights_knaves only"),
        (BenchmarkSettings(name="aime24", names=8), "`names` is a setting of knights_knaves only"),
        (BenchmarkSettings(name="amc23"), "amc23/test.jsonl: no such file"),
        (BenchmarkSettings(name="gsm8k"), "gsm8k/test.jsonl: no such file"),
    ],
)
def test_early_check(tmp_path: Path, settings: BenchmarkSettings, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        registry.check(settings, tmp_path)
    assert "\n" not in str(caught.value)


def test_puzzles_are_generated_where_no_file_has_them(tmp_path: Path) -> None:
    problems = registry.load(BenchmarkSettings(name="knights_knaves", people=[2, 3], limit=5), tmp_path, seed=1)
    assert [problem.difficulty for problem in problems] == ["2"] * 5 + ["3"] * 5
    assert len({problem.prompt_id for problem in problems}) == 10
    assert all(problem.trace is None for problem in problems)
    few = registry.load(BenchmarkSettings(name="knights_knaves", people=[5], names=8, limit=30), tmp_path, seed=1)
    assert len({name for problem in few for name in json.loads(problem.gold)["names"]}) == 8


def test_subsets() -> None:
    assert registry.subset_of("knights_knaves", "3") == "3 people"
    assert registry.subset_of("math500", "3") is None


@pytest.mark.parametrize(("answer", "gold"), [("025", "25"), (27.0, "27"), (0, "0"), ("142.0", "142")])
def test_integer_gold(answer: Any, gold: str) -> None:
    assert integer_gold(answer) == gold


@pytest.mark.parametrize(("name", "count"), [("gsm8k", 1319), ("math500", 500), ("aime24", 30), ("amc23", 40)])
def test_the_real_files(data_dir: Path, name: str, count: int) -> None:
    problems = registry.load(BenchmarkSettings(name=name), data_dir, seed=0)
    assert len(problems) == len({problem.prompt_id for problem in problems}) == count
    for problem in problems[:60]:
        assert verify(name, rf"so \boxed{{{problem.gold}}}", problem.gold).outcome is Outcome.CORRECT


def test_the_real_puzzles(data_dir: Path) -> None:
    problems = registry.load(BenchmarkSettings(name="knights_knaves", people=[3], limit=20), data_dir, seed=0)
    public = registry.load(BenchmarkSettings(name="knights_knaves", people=[3]), data_dir, seed=0)
    assert [problem.prompt_id for problem in problems] == [problem.prompt_id for problem in public[:20]]
