import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.benchmarks import registry
from evals.benchmarks.golds import boxed_or_all, listed, of_any_type, whole_number
from evals.benchmarks.problems import digest_of
from evals.config import BenchmarkSettings
from rl_core.data.prompts import DataError, Prompt
from rl_core.environments.gsm8k import after_hashes
from rl_core.outcome import Outcome
from rl_core.rewards.verifiers.multiple_choice import letter_of
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
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ROWS)
def test_rows_become_problems(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, ROWS[name])
    problems = registry.load(BenchmarkSettings(name=name), tmp_path)
    assert len(problems) == 9
    assert problems[3].gold == GOLD[name]
    assert problems[3].task == name
    assert problems[3].trace is None
    assert verify(name, rf"so \boxed{{{problems[3].gold}}}", problems[3].gold).outcome is Outcome.CORRECT


@pytest.mark.follows('is not {"numbers": [...], "target": ...}; repair or remove it')
def test_countdown_is_generated_or_the_public_file(tmp_path: Path) -> None:
    generated = registry.load(BenchmarkSettings(name="countdown", limit=6), None)
    assert len(generated) == 6
    assert {problem.difficulty for problem in generated} == {"3", "4"}
    assert registry.subset_of("countdown", "3") == "3 numbers"
    (tmp_path / "countdown").mkdir()
    pq.write_table(pa.table({"nums": [[1, 2, 3]], "target": [6]}), tmp_path / "countdown" / "test.parquet")
    (problem,) = registry.load(BenchmarkSettings(name="countdown"), tmp_path)
    assert verify("countdown", "<answer>1+2+3</answer>", problem.gold).outcome is Outcome.CORRECT


def test_level_is_the_difficulty(tmp_path: Path) -> None:
    write(tmp_path, "math500", ROWS["math500"])
    assert [problem.difficulty for problem in registry.load(BenchmarkSettings(name="math500"), tmp_path)][:3] == ["1", "2", "3"]


def test_a_limit_takes_the_first_of_a_shuffle(tmp_path: Path) -> None:
    write(tmp_path, "aime24", ROWS["aime24"])

    def load(limit: int | None) -> list[Prompt]:
        return registry.load(BenchmarkSettings(name="aime24", limit=limit), tmp_path)

    assert load(4) == load(6)[:4]
    assert load(4) != load(None)[:4]
    assert len(load(100)) == 9


@pytest.mark.parametrize(
    ("settings", "digest"),
    [
        ({"name": "knights_knaves", "people": [3], "names": 8, "limit": 20}, "d115328f2c4eb6b8"),
        ({"name": "knights_knaves", "people": [2, 5], "limit": 5}, "bb91197321371b0a"),
        ({"name": "countdown", "limit": 20}, "9f8687c73a45afd3"),
    ],
)
def test_generated_problems_are_the_same_in_every_version(settings: dict[str, Any], digest: str) -> None:
    """Scores of different days are compared on them: whoever changes the generators gives these benchmarks another name."""
    assert digest_of(registry.load(BenchmarkSettings(**settings), None)) == digest


def test_the_problems_that_a_limit_takes_of_the_real_files(data_dir: Path) -> None:
    chosen = [("math500", None, "42e783cae6a97dec"), ("knights_knaves", [3], "5db1ccbbad5e6995")]
    for name, people, digest in chosen:
        assert digest_of(registry.load(BenchmarkSettings(name=name, people=people, limit=20), data_dir)) == digest


def test_line_separators_inside_a_row(tmp_path: Path) -> None:
    write(tmp_path, "aime24", [{"problem": "a\u2028b\u0085c", "answer": "7"}])
    assert registry.load(BenchmarkSettings(name="aime24"), tmp_path)[0].question == "a\u2028b\u0085c"


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("aime24", {"problem": "?"}, "row 2 lacks"),
        ("aime24", {"answer": "7"}, "row 2 lacks"),
        ("aime24", {"problem": "?", "answer": "x"}, "row 2: 'x' is no answer"),
        ("amc23", {"problem": "?", "answer": 1.5}, "row 2: 1.5 is no answer"),
        ("gsm8k", {"question": "?", "answer": "no mark"}, r"row 2: 'no mark' is no answer of this benchmark \(it is no number\)"),
        ("math500", {"problem": "?", "answer": "  "}, r"row 2: .*cannot be read"),
        ("math500", ["a list"], "row 2 lacks"),
    ],
)
@pytest.mark.follows(
    "lacks a `problem` or its `answer`; repair or remove it",
    "lacks a column of this benchmark ({}); repair or remove it",
    "lacks named columns; repair or remove it",
)
def test_broken_rows_are_named(tmp_path: Path, name: str, row: Any, message: str) -> None:
    path = write(tmp_path, name, [ROWS[name][0], row])
    with pytest.raises(DataError, match=message) as caught:
        registry.load(BenchmarkSettings(name=name), tmp_path)
    assert str(path) in str(caught.value)
    write(tmp_path, name, [ROWS[name][0]])  # without the row
    assert len(registry.load(BenchmarkSettings(name=name), tmp_path)) == 1


def test_text_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "aime24", ROWS["aime24"])
    path.write_text(path.read_text() + "{broken\n")
    with pytest.raises(DataError, match="row 10 is not JSON"):
        registry.load(BenchmarkSettings(name="aime24"), tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (BenchmarkSettings(name="gsm8"), "did you mean 'gsm8k'"),
        (BenchmarkSettings(name="zzz"), "known: countdown, knights_knaves, own, reasoning_gym, aime24"),
        (BenchmarkSettings(name="aime24", people=[3]), "`people` is a setting of knights_knaves only"),
        (BenchmarkSettings(name="aime24", names=8), "`names` is a setting of knights_knaves only"),
        (BenchmarkSettings(name="amc23"), "amc23/test.jsonl: no such file"),
        (BenchmarkSettings(name="gsm8k"), "gsm8k/test.jsonl: no such file"),
    ],
)
@pytest.mark.follows("is a setting of {} only; remove it", "put it there or leave out --data-dir to use the hub")
def test_early_check(tmp_path: Path, settings: BenchmarkSettings, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        registry.local_files(settings, tmp_path)
    assert "\n" not in str(caught.value)
    registry.local_files(BenchmarkSettings(name="aime24"), None)
    write(tmp_path, "aime24", ROWS["aime24"])
    registry.local_files(BenchmarkSettings(name="aime24"), tmp_path)


def test_puzzles_are_generated_where_no_file_has_them(tmp_path: Path) -> None:
    problems = registry.load(BenchmarkSettings(name="knights_knaves", people=[2, 3], limit=5), tmp_path)
    assert [problem.difficulty for problem in problems] == ["2"] * 5 + ["3"] * 5
    assert len({problem.prompt_id for problem in problems}) == 10
    assert all(problem.trace is None for problem in problems)
    few = registry.load(BenchmarkSettings(name="knights_knaves", people=[5], names=8, limit=30), tmp_path)
    assert len({name for problem in few for name in json.loads(problem.gold)["names"]}) == 8


def test_subsets() -> None:
    assert registry.subset_of("knights_knaves", "3") == "3 people"
    assert registry.subset_of("math500", "3") is None


@pytest.mark.parametrize(
    ("read", "answer", "gold"),
    [
        (whole_number, "025", "25"),
        (whole_number, 27.0, "27"),
        (whole_number, 0, "0"),
        (whole_number, "142.0", "142"),
        (after_hashes, "3 + 4 = 7\n#### 1,007", "1007"),
        (after_hashes, 18, "18"),
        (boxed_or_all, r"so $\boxed{1.6} \mathrm{~cm}$", "1.6"),
        (boxed_or_all, r"\boxed{4.5e33}", r"4.5 \times 10^{33}"),
        (boxed_or_all, r"\boxed{1e-5}", r"1 \times 10^{-5}"),
        (boxed_or_all, "-3./2", "-3/2"),
        (boxed_or_all, "np.arcsin(10/13)", r"\arcsin(10/13)"),
        (listed, ["$69$,$84$"], "69,84"),
        (listed, ["$f(x)=x$", "$f(x)=2-x$\n"], "f(x)=x, f(x)=2-x"),
        (of_any_type, True, "True"),
        (of_any_type, [0, 5], "(0, 5)"),
        (of_any_type, -1.047, "-1.047"),
        (of_any_type, "(c)", "C"),
        (letter_of, 3, "D"),
        (letter_of, "e", "E"),
    ],
)
def test_golds_of_every_type(read: Callable[[Any], str], answer: Any, gold: str) -> None:
    assert read(answer) == gold


@pytest.mark.parametrize("name", registry.PROBLEM_SETS)
def test_the_real_files(data_dir: Path, name: str) -> None:
    if not (data_dir / registry.PROBLEM_SETS[name].file).is_file():
        pytest.skip(f"{name} is not in the data directory")
    found = registry.open_benchmark(BenchmarkSettings(name=name), data_dir)
    assert found.doubt is None
    assert found.rows == len(found.problems) == registry.PROBLEM_SETS[name].rows
    assert all(problem.trace is None for problem in found.problems)
    for problem in found.problems[:60]:
        assert verify(problem.task, rf"so \boxed{{{problem.gold}}}", problem.gold).outcome is Outcome.CORRECT
        assert verify(problem.task, "so I cannot tell", problem.gold).outcome is not Outcome.CORRECT


def test_every_data_directory_of_the_manifest_is_read_whole(data_dir: Path) -> None:
    """Rows, and where options are: a letter for each."""
    choice = registry.load(BenchmarkSettings(name="mmlu_pro_1k"), data_dir)
    assert {problem.gold for problem in choice} <= set("ABCDEFGHIJ")
    assert "\nA. " in choice[0].question
    theory = registry.load(BenchmarkSettings(name="theoremqa"), data_dir)
    assert {problem.task for problem in theory} == {"math", "mmlu_pro"}
    assert registry.load(BenchmarkSettings(name="countdown"), data_dir)[0].difficulty in ("3", "4")


def test_gpqa_hides_where_the_answer_stands(tmp_path: Path) -> None:
    rows = [
        {"Question": f"{n}?", "Correct Answer": "right", **{f"Incorrect Answer {k}": f"wrong {k}" for k in (1, 2, 3)}, "Subdomain": "x"}
        for n in range(40)
    ]
    write(tmp_path, "gpqa_diamond", rows)
    problems = registry.load(BenchmarkSettings(name="gpqa_diamond"), tmp_path)
    assert {problem.gold for problem in problems} == set("ABCD")
    assert all(f"{problem.gold}. right" in problem.question for problem in problems)


def test_other_data_is_told_from_the_published(tmp_path: Path) -> None:
    write(tmp_path, "aime24", ROWS["aime24"])
    found = registry.open_benchmark(BenchmarkSettings(name="aime24", limit=3), tmp_path)
    assert (found.rows, len(found.problems)) == (9, 3)
    assert found.doubt == "benchmark aime24: 9 problems are here, the published data has 30"
    rows = [{"problem": f"What is {n}?", "answer": n} for n in range(30)]
    (tmp_path / "aime24" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "differs from the published" in (registry.open_benchmark(BenchmarkSettings(name="aime24"), tmp_path).doubt or "")


@pytest.mark.parametrize(
    ("name", "answer", "gold"),
    [
        ("gsm8k", "a\n#### 12", ("gsm8k", "12")),
        ("theoremqa", "(b)", ("mmlu_pro", "B")),
        ("theoremqa", [1, 2], ("math", "(1, 2)")),
        (
            "knights_knaves",
            "(1) Zoey is a knight\n(2) Liam is a knave",
            ("knights_knaves", '{"names": ["Zoey", "Liam"], "roles": ["knight", "knave"]}'),
        ),
        ("countdown", {"nums": [1, 2], "target": 3}, ("countdown", '{"numbers": [1, 2], "target": 3}')),
    ],
)
def test_golds_of_files(name: str, answer: Any, gold: tuple[str, str]) -> None:
    assert registry.read_gold(name, answer, "row 1") == gold


@pytest.mark.parametrize(
    ("name", "answer"), [("aime24", "x"), ("knights_knaves", "nobody"), ("countdown", "7"), ("mmlu_pro_1k", "K"), ("math500", "")]
)
def test_golds_that_cannot_be_read_are_named(name: str, answer: Any) -> None:
    with pytest.raises(DataError, match=r"^row 7: "):
        registry.read_gold(name, answer, "row 7")


def test_the_real_puzzles(data_dir: Path) -> None:
    problems = registry.load(BenchmarkSettings(name="knights_knaves", people=[3], limit=20), data_dir)
    public = registry.load(BenchmarkSettings(name="knights_knaves", people=[3]), data_dir)
    assert [problem.prompt_id for problem in problems] == [problem.prompt_id for problem in public[:20]]


def test_a_name_has_one_benchmark() -> None:
    aime = registry.PROBLEM_SETS["aime24"]
    with pytest.raises(TypeError, match="two benchmarks are called 'aime24'"):
        registry.by_name([aime, replace(aime, rows=31)])
    with pytest.raises(TypeError, match="two benchmarks are called 'countdown'"):
        registry.by_name([replace(aime, name="countdown")])
