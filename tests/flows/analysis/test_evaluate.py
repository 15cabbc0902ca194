"""The commands evaluate, compare and grade as a person calls them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evals.config import EvalConfig
from flows.analysis.evaluate import settings_of
from flows.cli import main
from rl_core.errors import InputError

SET = ["--template", "plain", "--max-tokens", "8", "--limit", "3"]


def r1flow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200", "R1FLOW_DATA_DIR": None})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("data")
    (directory / "gsm8k").mkdir()
    rows = [{"question": f"{n} + 1?", "answer": f"#### {n + 1}"} for n in range(5)]
    (directory / "gsm8k" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return directory


def test_evaluate_and_compare(tiny_checkpoint: Path, data: Path, tmp_path: Path) -> None:
    common = ["--data-dir", data, "--workspace", tmp_path, *SET]
    one = r1flow("evaluate", f"tiny={tiny_checkpoint}", "--benchmarks", "gsm8k", "--output", tmp_path / "one", *common)
    assert one.exit_code == 0, one.output
    assert "warning: benchmark gsm8k: 5 problems are here, the published data has 1,319" in one.output
    assert "tiny on gsm8k: 3 problems, 3 responses" in one.output
    assert "tells apart" in one.output
    samples = ["--samples", 2, "--temperature", 0.8, "--top-p", 0.9]
    two = r1flow("evaluate", tiny_checkpoint, "--benchmarks", "gsm8k", "--output", tmp_path / "two", *samples, *common)
    assert two.exit_code == 0, two.output
    [cell] = json.loads((tmp_path / "two" / "scores.json").read_text())["cells"]
    assert cell["protocol"]["modes"] == [["sampled", 2, {"temperature": 0.8, "max_tokens": 8, "top_p": 0.9, "stop": []}]]
    again = r1flow("evaluate", f"other={tiny_checkpoint}", "--benchmarks", "gsm8k", "--output", tmp_path / "three", *common)
    assert "3 responses" not in again.output  # its cell is there under the name of the first
    same = r1flow("compare", tmp_path / "one", tmp_path / "three")
    assert same.exit_code == 0, same.output
    assert "other minus tiny, in points" in same.output
    assert "noise" in same.output
    assert "not comparable" not in same.output
    other = r1flow("compare", tmp_path / "one", f"{tmp_path / 'two'}:{tiny_checkpoint.name}")
    assert "gsm8k: not comparable: greedy in one only" in other.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "X"], "--benchmarks: name at least one"),
        (["evaluate", "X", "--protocol", "oat"], "unknown protocol 'oat'; did you mean 'oat_zero'?"),
        (["evaluate", "X", "--protocol", "oat_zero", "--samples", "4"], "protocol oat_zero is greedy: `samples` needs a `temperature`"),
        (["evaluate", "X", "--benchmarks", "gsm8k", "--samples", "few"], "--samples few: a number, or auto"),
        (["evaluate", "X", "--benchmarks", "gsm8k", "--engine", "openai"], "engine openai needs `resources.base_url`"),
        (["evaluate", "X", "--benchmarks", "gsmk8"], "unknown benchmark 'gsmk8'; did you mean 'gsm8k'?"),
        (["evaluate", "/nowhere", "--benchmarks", "gsm8k"], "model: /nowhere: no such model directory"),
        (["compare", "/", "/"], "/: no finished evaluation"),
        (["compare", "/nowhere", "/nowhere"], "no run '/nowhere'"),
        (["grade", "/nowhere.jsonl", "--benchmark", "gsm8k", "--output", "x.jsonl"], "/nowhere.jsonl: no such file"),
    ],
)
def test_refusals(arguments: list[str], message: str, tmp_path: Path) -> None:
    arguments = [*arguments, "--workspace", str(tmp_path / "runs")] if arguments[0] == "evaluate" else arguments
    answer = r1flow(*arguments)
    assert answer.exit_code == 2, answer.output
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "runs" / "evaluations").exists()


@pytest.mark.follows("name at least one, such as gsm8k,math500")
def test_benchmarks_are_named_or_those_of_a_protocol() -> None:
    for nothing in ({}, {"benchmarks": " , "}):
        with pytest.raises(InputError, match="name at least one, such as gsm8k,math500, or a --protocol that has its own"):
            settings_of(nothing)
    for given, count in (({"benchmarks": "gsm8k,math500"}, 2), ({"protocol": "oat_zero"}, 5)):
        assert len(EvalConfig.model_validate(settings_of(given)).benchmarks) == count


def test_grade(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"answer": "4", "text": "It is 4"}\n{"answer": "5", "text": "<answer>5</answer>"}\n')
    call = ["grade", tmp_path / "in.jsonl", "--benchmark", "gsm8k", "--gold", "answer", "--response", "text"]
    lenient = r1flow(*call, "--output", tmp_path / "lenient.jsonl")
    assert lenient.exit_code == 0, lenient.output
    assert "2 responses: 100.0 % correct [34.2, 100.0]" in lenient.output
    strict = r1flow(*call, "--output", tmp_path / "strict.jsonl", "--protocol", "unsloth")
    assert "2 responses: 50.0 % correct" in strict.output
    graded = [json.loads(line) for line in (tmp_path / "strict.jsonl").read_text().splitlines()]
    assert [row["outcome"] for row in graded] == ["format_error", "correct"]


@pytest.mark.follows("give one of them, such as --benchmark gsm8k")
def test_grade_by_a_verifier(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"gold": "4", "response": "It is 4.05"}\n')
    call = ["grade", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl"]
    neither = r1flow(*call)
    assert neither.exit_code == 2
    assert neither.output == "error: --benchmark or --verifier: give one of them, such as --benchmark gsm8k\n"
    assert "0.0 % correct" in r1flow(*call, "--benchmark", "gsm8k").output
    assert "100.0 % correct" in r1flow(*call, "--verifier", "number: {tolerance: 0.1}").output
    assert "not valid YAML" in r1flow(*call, "--verifier", "{number").output


@pytest.mark.follows("--strict refuses them")
def test_grade_says_how_many_golds_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"gold": "2, 4, \\\\ldots, 2n", "response": "\\\\boxed{2, 4, \\\\dots, 2n}"}\n')
    call = ["grade", tmp_path / "in.jsonl", "--benchmark", "math500", "--output", tmp_path / "out.jsonl"]
    lenient = r1flow(*call)
    assert lenient.exit_code == 0, lenient.output
    assert "1 responses: 100.0 % correct" in lenient.output
    assert "golds that cannot be read: 1, compared as texts (column gold_by_text; --strict refuses them)" in lenient.output
    refused = r1flow(*call, "--strict")
    assert refused.exit_code == 2
    assert "row 1: the gold '2, 4, " in refused.output
    plain = r1flow(*call, "--rule", "simplified", "--rule", "logic_rl")
    assert plain.exit_code == 0, plain.output
