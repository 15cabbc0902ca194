"""Benchmarks of one's own: files and settings in a recipe, for `evaluate`, and for what no training set may hold."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from evals.benchmarks import registry
from evals.config import BenchmarkSettings, EvalConfig, EvalJob, NamedCheckpoint
from evals.runner import evaluate, plan
from flows.planning.plan import make_specs
from flows.recipe.load import load_recipe
from rl_core.config.own_files import FOLDERS
from rl_core.data.prompts import DataError
from rl_core.errors import InputError
from rl_core.own_code.sources import CODE, sources, write
from tasks.kinds import KINDS
from tasks.stage.digests import Digests
from tasks.stage.fingerprint import differences
from tasks.workspace import Workspace
from tests.rl_core.judge.conftest import JudgeServer, judge_server

__all__ = ["judge_server"]  # a fixture
ROWS = [{"problem": f"What is {n} + 1?", "result": n + 1, "level": "odd" if n % 2 else "even"} for n in range(10)]
COLUMNS = {"question": "problem", "answer": "result", "difficulty": "level"}
RULES = """
from rl_core.environments.environment import Environment
from rl_core.outcome import Outcome
from rl_core.rewards.verdict import Verdict


class Whole(Environment):
    name = "whole"

    def judge(self, task, response, gold, read, rules):
        return Verdict(Outcome.CORRECT if response.strip() == gold else Outcome.WRONG, response.strip())
"""
RECIPE = """
name: own
model: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 4, key_value_heads: 2, vocabulary: 512, context: 512}
stages:
  sums: {kind: data, source: train.jsonl, columns: {question: problem, answer: result}, verifier: number, bare_answers: true}
  taught: {kind: sft, data: sums, steps: 2}
  scores:
    kind: eval
    checkpoints: taught
    benchmarks: [{name: mine, source: rows.jsonl, columns: {question: problem, answer: result}, verifier: number}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def settings(folder: Path, *written: Any) -> list[BenchmarkSettings]:
    return EvalConfig.model_validate({"benchmarks": list(written)}, context={FOLDERS: [folder]}).benchmarks


def test_every_way_to_name_one(folder: Path) -> None:
    (folder / "sums.yaml").write_text(
        "source: rows.jsonl\ncolumns: {question: problem, answer: result}\nverifier: {number: {tolerance: 0.5}}\n"
    )
    (folder / "plain.jsonl").write_text('{"question": "What is 2 + 2?", "answer": "4"}\n')
    found = settings(
        folder,
        {"name": "mine", "source": "rows.jsonl", "columns": COLUMNS, "where": "result > 5", "limit": 3, "samples": 2},
        "sums.yaml",
        "plain.jsonl",
        {"source": "plain.jsonl", "system": "Be brief."},
        "gsm8k",
    )
    assert [benchmark.shown for benchmark in found] == ["own.mine", "own.sums", "own.plain", "own", "gsm8k"]
    opened = [registry.open_benchmark(benchmark, None) for benchmark in found[:4]]
    assert [len(benchmark.problems) for benchmark in opened] == [3, 10, 1, 1]
    assert [benchmark.rows for benchmark in opened] == [5, 10, 1, 1]
    assert [benchmark.doubt for benchmark in opened] == [None] * 4
    assert {prompt.difficulty for prompt in opened[0].problems} <= {"odd", "even"}
    assert json.loads(opened[1].problems[0].gold) == {"gold": "1", "tolerance": 0.5}
    assert opened[2].problems[0].task == "math"
    assert json.loads(str(opened[3].problems[0].messages)) == [{"role": "system", "content": "Be brief."}]
    assert registry.local_files(found[1], None) == [folder / "rows.jsonl"]
    assert registry.size(found[0]) == 3
    assert registry.label_of("own.mine") == "own problems: mine"


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ({"name": "mine", "source": "rows.jsonl", "verifier": "nmber"}, "there is no verifier 'nmber'; did you mean 'number'"),
        ({"name": "mine", "source": "rows.txt"}, "is neither hub:ORG/NAME"),
        ("nowhere.yaml", "nowhere.yaml: No such file or directory"),
        ({"name": "two", "source": "rows.jsonl", "colums": {}}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_are_wrong(folder: Path, written: Any, wrong: str) -> None:
    with pytest.raises(ValidationError) as error:
        settings(folder, written)
    assert wrong in str(error.value)


@pytest.mark.follows("add one, such as {name: mine, source: mine.jsonl}")
def test_problems_that_are_wrong(folder: Path) -> None:
    [nameless, missing, column] = settings(folder, "own", {"name": "a", "source": "none.jsonl"}, {"name": "b", "source": "rows.jsonl"})
    with pytest.raises(DataError, match="benchmark own: no `source`; add one, such as"):
        registry.local_files(nameless, None)
    with pytest.raises(DataError, match=r"none.jsonl: no such file"):
        registry.local_files(missing, None)
    with pytest.raises(DataError, match=r"rows.jsonl: there is no column 'answer'; known: problem"):
        registry.load(column, None)
    with pytest.raises(DataError, match="benchmark gsm8k: `source` is a setting of own only; remove it"):
        registry.load(BenchmarkSettings(name="gsm8k", source=["rows.jsonl"]), None)
    [mine] = settings(folder, {"name": "mine", "source": "rows.jsonl", "columns": COLUMNS})
    assert len(registry.load(mine, None)) == 10


def test_no_training_set_holds_them_and_their_content_makes_the_stage(folder: Path) -> None:
    (folder / "own.yaml").write_text(RECIPE)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*ROWS[:4], {"problem": "What is 7 + 7?", "result": 14}]))

    def specs() -> dict[str, Any]:
        workspace = Workspace(folder / "runs")
        return make_specs(load_recipe(str(folder / "own.yaml")), workspace, None, Digests(workspace.digests))

    spec = specs()["sums"]
    spec.directory.mkdir(parents=True)
    result = KINDS["data"].run(spec, None)  # type: ignore[arg-type]
    assert (result["train"], result["contaminated"]) == (1, {"own.mine": 4})
    before = specs()["scores"]
    assert before.identity["files"].keys() == {"rows.jsonl"}
    (folder / "rows.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    assert specs()["scores"].fingerprint != before.fingerprint


def test_a_class_of_ones_own_judges_it(folder: Path, judge_server: JudgeServer) -> None:
    (folder / "rules.py").write_text(RULES)
    (folder / "own.yaml").write_text(RECIPE.replace("verifier: number}]", "verifier: 'rules.py:Whole'}]"))
    (folder / "train.jsonl").write_text(json.dumps({"problem": "What is 7 + 7?", "result": 14}) + "\n")
    judge_server.say = lambda right, body: "1" if "0 + 1" in body["messages"][-1]["content"] else "it is 2"
    judged = [{"name": "mine", "source": "rows.jsonl", "columns": COLUMNS, "verifier": "rules.py:Whole", "where": "result < 3"}]
    resources = {"base_url": judge_server.url, "retries": 0}
    settings = {"benchmarks": judged, "template": "plain", "engine": "openai", "resources": resources}
    config = EvalConfig.model_validate(settings, context={FOLDERS: [folder]})
    job = EvalJob(config=config, checkpoints=[NamedCheckpoint(name="served", path="a-policy")], output=folder / "out")
    scores = evaluate(job)
    assert [score["value"] for score in scores["scores"] if score["subset"] is None] == [0.5]
    samples = pq.read_table(folder / "out" / "samples" / "served" / "own.mine.parquet").to_pylist()
    assert {sample["task"] for sample in samples} == {"rules.py:Whole"}
    workspace = Workspace(folder / "runs")
    before = make_specs(load_recipe(str(folder / "own.yaml")), workspace, None, Digests(workspace.digests))["scores"]
    assert before.identity["verifier"].keys() == {"rules.py"}
    (folder / "rules.py").write_text(RULES + "# changed\n")
    after = make_specs(load_recipe(str(folder / "own.yaml")), workspace, None, Digests(workspace.digests))["scores"]
    assert differences("scores", before.identity, after.identity) == ["verifier rules.py changed"]


def test_a_stage_judges_by_its_copy(folder: Path, judge_server: JudgeServer) -> None:
    """An edit while it runs changes neither its verdicts nor what its cells are known by."""
    (folder / "rules.py").write_text(RULES)
    judge_server.say = lambda right, body: "1"
    benchmarks = [
        {"name": "mine", "source": "rows.jsonl", "columns": COLUMNS, "verifier": "rules.py:Whole", "where": "result < 2"},
        "gsm8k",
    ]
    settings = {
        "benchmarks": benchmarks,
        "template": "plain",
        "engine": "openai",
        "resources": {"base_url": judge_server.url, "retries": 0},
    }
    config = EvalConfig.model_validate(settings, context={FOLDERS: [folder]})
    output = folder / "out"
    copied = config.with_code_in(output / CODE)
    assert copied.benchmarks[1] == config.benchmarks[1]
    copied = copied.model_copy(update={"benchmarks": copied.benchmarks[:1]})
    job = EvalJob(config=copied, checkpoints=[NamedCheckpoint(name="served", path="a-policy")], output=output)
    write(sources(registry.own_code(config.benchmarks[0]), "class"), output / CODE)
    [before] = plan(job)
    (folder / "rules.py").write_text("raise RuntimeError('the copy is used, not this')")
    assert [score["value"] for score in evaluate(job)["scores"] if score["subset"] is None] == [1.0]
    assert plan(job)[0].identity == before.identity


def test_a_verifier_lies_beside_the_file_of_its_benchmark(folder: Path) -> None:
    (folder / "sets").mkdir()
    (folder / "sets" / "sums.yaml").write_text("source: rows.jsonl\nverifier: {'rules.py:Whole': {strict: true}}\n")
    [found] = settings(folder, "sets/sums.yaml")
    assert registry.own_code(found) == [f"{folder}/sets/rules.py:Whole"]


@pytest.mark.follows("is another one than that of the same name beside it; rename one of them")
def test_two_files_of_one_name_are_refused_before_a_run(folder: Path) -> None:
    for place in (folder, folder / "more"):
        place.mkdir(exist_ok=True)
        (place / "rules.py").write_text(f"{RULES}# {place.name}\n")
    second = "{name: other, source: rows.jsonl, verifier: 'more/rules.py:Whole'}"
    (folder / "own.yaml").write_text(RECIPE.replace("verifier: number}]", f"verifier: 'rules.py:Whole'}}, {second}]"))
    (folder / "train.jsonl").write_text(json.dumps({"problem": "What is 7 + 7?", "result": 14}) + "\n")

    def code() -> dict[str, dict[str, str]]:
        return KINDS["eval"].code(load_recipe(str(folder / "own.yaml")).stages["scores"], "stages.scores")

    with pytest.raises(InputError, match=r"^stages.scores.benchmarks.1.verifier: .*its file rules.py is another one"):
        code()
    (folder / "more" / "rules.py").rename(folder / "more" / "others.py")
    (folder / "own.yaml").write_text((folder / "own.yaml").read_text().replace("more/rules", "more/others"))
    assert code()["verifier"].keys() == {"rules.py", "others.py"}
