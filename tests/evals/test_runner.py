"""The whole evaluation process on a model of a few thousand random weights."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evals.benchmarks import registry
from evals.cells import CellBusy, Partial
from evals.comparability import compare_results, open_result
from evals.config import BenchmarkSettings, EvalConfig, EvalJob, EvalResources, NamedCheckpoint
from evals.engines.local import longest_prompt
from evals.runner import evaluate, plan
from rl_core.config.model import ScratchModel
from rl_core.data.templates import find_template
from rl_core.errors import InputError
from rl_core.model.precision import fast_dtype
from rl_core.rollout.records import SAMPLE_SCHEMA

TINY = ScratchModel(hidden_size=32, intermediate_size=64, layers=1, heads=2, key_value_heads=1, context=512)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[NamedCheckpoint]:
    from rl_core.model.scratch import make_model, train_tokenizer

    puzzles = registry.load(BenchmarkSettings(name="knights_knaves", people=[2], limit=8), None)
    tokenizer = train_tokenizer([puzzle.question for puzzle in puzzles], 512, TINY.context)
    made = []
    for seed, name in enumerate(("first", "second")):
        directory = tmp_path_factory.mktemp("model") / name
        make_model(TINY, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, seed).save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        made.append(NamedCheckpoint(name=name, path=str(directory)))
    return made


@pytest.fixture
def data_dir_of_two(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "gsm8k" / "test.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps({"question": f"{n} + 1?", "answer": f"#### {n + 1}"}) + "\n" for n in range(2)))
    return tmp_path / "data"


def job(checkpoints: list[NamedCheckpoint], output: Path, data_dir: Path | None, **config: Any) -> EvalJob:
    settings: dict[str, Any] = {
        "benchmarks": [{"name": "knights_knaves", "people": [2], "limit": 6}, {"name": "gsm8k", "max_tokens": 8}],
        "template": "plain",
        "samples": 2,
        "max_tokens": 12,
        "batch_tokens": 512,
        "resources": EvalResources(threads=1),
    }
    return EvalJob(config=EvalConfig(**(settings | config)), checkpoints=checkpoints, output=output, data_dir=data_dir, seed=3)


def cell_of(output: Path, checkpoint: str, benchmark: str) -> Path:
    cells = json.loads((output / "scores.json").read_text())["cells"]
    [fingerprint] = [cell["fingerprint"] for cell in cells if (cell["checkpoint"], cell["benchmark"]) == (checkpoint, benchmark)]
    return output / ".cells" / fingerprint


def progress(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "progress.jsonl").read_text().splitlines()]


def test_golds_that_cannot_be_read_are_counted(
    checkpoints: list[NamedCheckpoint], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data" / "math500" / "test.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps({"problem": "1?", "answer": gold}) + "\n" for gold in ("1", r"1, 2, \dots")))
    scores = evaluate(job(checkpoints[:1], tmp_path / "out", tmp_path / "data", benchmarks=["math500"], samples=0))
    assert scores["cells"][0]["data"]["golds_by_text"] == 1
    assert "golds that cannot be read: 1, compared as texts" in capsys.readouterr().out


def test_samples_scores_and_resumption(checkpoints: list[NamedCheckpoint], tmp_path: Path, data_dir_of_two: Path) -> None:
    whole = job(checkpoints, tmp_path / "out", data_dir_of_two)
    evaluate(whole)
    files = sorted((tmp_path / "out" / "samples").rglob("*.parquet"))
    assert [str(path.relative_to(tmp_path / "out" / "samples")) for path in files] == [
        "first/gsm8k.parquet",
        "first/knights_knaves.parquet",
        "second/gsm8k.parquet",
        "second/knights_knaves.parquet",
    ]
    table = pq.read_table(files[1])
    assert table.schema.equals(SAMPLE_SCHEMA)
    rows = table.to_pylist()
    assert [(row["mode"], row["sample"]) for row in rows] == [("greedy", 0)] * 6 + [("sampled", 0), ("sampled", 1)] * 6
    assert {row["temperature"] for row in rows if row["mode"] == "greedy"} == {0.0}
    assert all(row["response_tokens"] <= 12 and row["difficulty"] == "2" for row in rows)
    assert all(row["response_tokens"] <= 8 for row in pq.read_table(files[0]).to_pylist())  # the benchmark's own limit
    assert len({row["response"] for row in rows if row["mode"] == "sampled"}) > 6
    assert {row["prompt_id"]: row["seed"] for row in rows} == {row["prompt_id"]: row["seed"] for row in pq.read_table(files[3]).to_pylist()}

    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert set(scores) == {"scores", "comparisons", "cells", "seconds", "tokens", "peak_memory_bytes"}
    names = {(row["checkpoint"], row["benchmark"], row["subset"], row["metric"]) for row in scores["scores"]}
    assert ("second", "knights_knaves", "2 people", "avg@2") in names
    assert ("first", "gsm8k", None, "accuracy") in names
    assert {(row["first"], row["second"]) for row in scores["comparisons"]} == {("first", "second")}
    assert scores["tokens"] == sum(row["response_tokens"] for path in files for row in pq.read_table(path).to_pylist())
    steps = [entry["step"] for entry in progress(tmp_path / "out")]
    assert steps == sorted(steps)
    cell = scores["cells"][1]
    assert (cell["engine"]["engine"], cell["engine"]["dtype"], cell["engine"]["tensor_parallel"], cell["seed"]) == (
        "transformers",
        str(fast_dtype()).removeprefix("torch."),
        1,
        3,
    )
    assert cell["data"] | {"digest": "", "problems_digest": ""} == {
        "rows": 2,
        "digest": "",
        "as_published": False,
        "problems": 2,
        "problems_digest": "",
    }
    assert cell["protocol"]["name"] is None
    assert steps[-1] == progress(tmp_path / "out")[-1]["total"] == 2 * (6 + 2) * 3

    # A lost and a damaged cell are made again, the same to the letter; whole ones are not touched.
    before = {path: path.read_bytes() for path in files}
    shutil.rmtree(cell_of(tmp_path / "out", "first", "knights_knaves"))
    (cell_of(tmp_path / "out", "second", "gsm8k") / "samples.parquet").write_bytes(b"PAR1 damaged")
    files[1].unlink()
    files[2].write_bytes(b"PAR1 damaged")
    kept = files[0].stat().st_mtime_ns
    evaluate(whole)
    assert files[0].stat().st_mtime_ns == kept
    assert pq.read_table(files[1]).to_pylist() == rows
    assert pq.read_table(files[2]).num_rows == 6
    again = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert again["scores"] == scores["scores"]
    assert again["comparisons"] == scores["comparisons"]
    assert before[files[3]] == files[3].read_bytes()


def test_other_settings_are_not_mistaken_for_a_finished_cell(checkpoints: list[NamedCheckpoint], tmp_path: Path) -> None:
    one = {"benchmarks": [{"name": "knights_knaves", "people": [2], "limit": 2}], "samples": 0}
    evaluate(job(checkpoints[:1], tmp_path, None, **one))
    path = tmp_path / "samples" / "first" / "knights_knaves.parquet"
    first = path.read_bytes()
    evaluate(job(checkpoints[:1], tmp_path, None, **one, max_tokens=5))
    assert path.read_bytes() != first
    assert max(row["response_tokens"] for row in pq.read_table(path).to_pylist()) <= 5


def test_a_problem_too_long_for_the_model_is_not_asked_and_counts_as_not_solved(
    checkpoints: list[NamedCheckpoint], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data" / "gsm8k" / "test.jsonl"
    path.parent.mkdir(parents=True)
    questions = ["1 + 1?", "1 + 1? " * 600, "2 + 2?"]
    path.write_text("".join(json.dumps({"question": question, "answer": "#### 2"}) + "\n" for question in questions))
    whole = job(checkpoints[:1], tmp_path / "out", tmp_path / "data", benchmarks=[{"name": "gsm8k", "max_tokens": 8}])
    evaluate(whole)
    assert "first on gsm8k: 1 of 3 problems are too long for the model's context of 512 tokens with max_tokens 8" in capsys.readouterr().out
    rows = pq.read_table(tmp_path / "out" / "samples" / "first" / "gsm8k.parquet").to_pylist()
    assert len(rows) == 3 * 3  # one greedy response and two drawn ones, whatever the problem
    empty = [row for row in rows if row["prompt"].count("1 + 1?") > 1]
    assert [(row["response"], row["response_tokens"], row["outcome"], row["sample"]) for row in empty] == [
        ("", 0, "truncated", sample) for sample in (0, 0, 1)
    ]
    assert all(row["response_tokens"] for row in rows if row not in empty)
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert {score["problems"] for score in scores["scores"]} == {3}  # the published number stays the denominator
    assert scores["cells"][0]["not_asked"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config.benchmarks": ["gsm8"]}, "did you mean 'gsm8k'"),
        ({"config.benchmarks": [{"name": "gsm8k", "template": "boxd"}]}, "did you mean 'boxed'"),
        ({"config.reader": "boxd"}, "unknown reader 'boxd'"),
        ({"config.max_tokens": 600}, r"first on knights_knaves: problem \d .* exceeds the model's context of 512; lower max_tokens"),
        ({"checkpoints": [{"name": "../up", "path": "x"}]}, "names files"),
        ({"checkpoints": [{"name": "a", "path": "/nowhere/model"}]}, "no such model directory"),
        ({"data_dir": "/nowhere"}, "gsm8k/test.jsonl: no such file"),
    ],
)
def test_bad_input_is_refused_before_a_model_is_loaded(
    checkpoints: list[NamedCheckpoint], tmp_path: Path, data_dir_of_two: Path, change: dict[str, Any], message: str
) -> None:
    raw = job(checkpoints, tmp_path / "out", data_dir_of_two).model_dump(mode="json")
    for key, value in change.items():
        *parents, last = key.split(".")
        inner = raw
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    with pytest.raises(InputError, match=message):
        evaluate(EvalJob.model_validate(raw))
    assert not (tmp_path / "out").exists()


@pytest.mark.follows("lower max_tokens to at most")
def test_the_most_tokens_that_a_refusal_names_leave_room(checkpoints: list[NamedCheckpoint]) -> None:
    puzzles = registry.load(BenchmarkSettings(name="knights_knaves", people=[2], limit=2), None)
    with pytest.raises(InputError, match="lower max_tokens to at most") as error:
        longest_prompt(checkpoints[0], "knights_knaves", puzzles, find_template("plain"), 600)
    most = int(str(error.value).rpartition(" ")[2])
    assert longest_prompt(checkpoints[0], "knights_knaves", puzzles, find_template("plain"), most) == 512 - most
    with pytest.raises(InputError, match=f"lower max_tokens to at most {most}$"):
        longest_prompt(checkpoints[0], "knights_knaves", puzzles, find_template("plain"), most + 1)


def test_a_checkpoint_without_chat_template_or_tokenizer_is_named(checkpoints: list[NamedCheckpoint], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(checkpoints[0].path, bare)
    (bare / "chat_template.jinja").unlink()
    work = job([NamedCheckpoint(name="bare", path=str(bare))], tmp_path / "out", None, benchmarks=[{"name": "countdown", "limit": 2}])
    with pytest.raises(InputError, match=r"bare: no chat template, which template 'plain' needs"):
        evaluate(work)
    (bare / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="bare: no tokenizer"):
        evaluate(work)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"greedy": False, "samples": 0}, "nothing to evaluate"),
        ({"benchmarks": ["gsm8k", {"name": "gsm8k", "limit": 3}]}, "listed twice"),
        ({"protocol": "oat_zer"}, "unknown protocol 'oat_zer'; did you mean 'oat_zero'"),
        ({"protocol": "oat_zero", "samples": 4}, "protocol oat_zero is greedy: `samples` needs a `temperature`"),
        ({"engine": "openai"}, "needs `resources.base_url`"),
    ],
)
def test_settings_without_sense(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EvalConfig.model_validate({"benchmarks": ["gsm8k"]} | config)


def test_other_checkpoints_and_benchmarks_cost_only_their_own_cells(
    checkpoints: list[NamedCheckpoint], tmp_path: Path, data_dir_of_two: Path
) -> None:
    one = job(checkpoints[:1], tmp_path / "one", data_dir_of_two, benchmarks=["gsm8k"])
    evaluate(one.model_copy(update={"cells": tmp_path / "cells"}))
    [first] = (tmp_path / "cells").iterdir()
    made = (first / "cell.json").stat().st_mtime_ns
    renamed = [checkpoints[0].model_copy(update={"name": "other_name"}), checkpoints[1]]
    both = job(renamed, tmp_path / "two", data_dir_of_two, benchmarks=["gsm8k", {"name": "knights_knaves", "people": [2], "limit": 2}])
    evaluate(both.model_copy(update={"cells": tmp_path / "cells"}))
    assert len(list((tmp_path / "cells").iterdir())) == 4
    assert (first / "cell.json").stat().st_mtime_ns == made
    assert set(pq.read_table(tmp_path / "two" / "samples" / "other_name" / "gsm8k.parquet")["checkpoint"].to_pylist()) == {"other_name"}


@pytest.mark.slow
def test_a_benchmark_listed_several_times_is_shown_apart(checkpoints: list[NamedCheckpoint], tmp_path: Path) -> None:
    names = {
        "chain_sum": {"dataset": "chain_sum"},
        "chain_sum.short": {"dataset": "chain_sum", "config": {"max_terms": 2}, "label": "short"},
    }
    listed = [{"name": "reasoning_gym", "size": 3} | settings for settings in names.values()]
    scores = evaluate(job(checkpoints, tmp_path / "out", None, benchmarks=listed, samples=0))
    assert {row["benchmark"] for row in scores["scores"]} == {f"reasoning_gym.{name}" for name in names}
    assert {row["benchmark"] for row in scores["comparisons"]} == {f"reasoning_gym.{name}" for name in names}
    assert len({cell["data"]["digest"] for cell in scores["cells"]}) == 2
    for name in names:
        rows = pq.read_table(tmp_path / "out" / "samples" / "first" / f"reasoning_gym.{name}.parquet").to_pylist()
        assert {row["benchmark"] for row in rows} == {f"reasoning_gym.{name}"}
        assert {row["outcome"] for row in rows} <= {"wrong", "unparseable", "truncated", "correct"}


def test_an_interrupted_cell_goes_on_from_its_finished_samples(
    checkpoints: list[NamedCheckpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    puzzles = {"benchmarks": [{"name": "knights_knaves", "people": [2], "limit": 6}], "samples": 3, "batch_tokens": 256}
    evaluate(job(checkpoints[:1], tmp_path / "whole", None, **puzzles))
    expected = pq.read_table(tmp_path / "whole" / "samples" / "first" / "knights_knaves.parquet").to_pylist()
    monkeypatch.setattr("evals.cell_work.KEPT_BACK", 0.0)
    kept = []

    def stop(done: int, total: int, metrics: dict[str, float]) -> None:
        kept.append(done)
        if done > 12:  # six greedy responses and some sampled ones
            raise KeyboardInterrupt

    broken = job(checkpoints[:1], tmp_path / "out", None, **puzzles)
    with pytest.raises(KeyboardInterrupt):
        evaluate(broken, stop)
    [partial] = (tmp_path / "out" / ".cells").glob("*/partial.jsonl")
    lines = partial.read_text().splitlines()
    assert len(lines) >= 1 + kept[-1]
    partial.write_text(partial.read_text() + '[1, 5, {"cut off')
    seen: list[int] = []
    evaluate(broken, lambda done, total, metrics: seen.append(done))
    assert seen[0] > kept[-1]
    assert not partial.exists()
    assert pq.read_table(tmp_path / "out" / "samples" / "first" / "knights_knaves.parquet").to_pylist() == expected


def flip(path: Path, position: int) -> None:
    """One bit, as a bad disk does: size and time stay."""
    state, content = path.stat(), bytearray(path.read_bytes())
    content[position] ^= 0x01
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("damaged", ["samples.parquet", "cell.json"])
def test_a_cell_in_which_a_bit_flipped_is_made_again(
    checkpoints: list[NamedCheckpoint], tmp_path: Path, capsys: pytest.CaptureFixture[str], damaged: str
) -> None:
    puzzles = {"benchmarks": [{"name": "knights_knaves", "people": [2], "limit": 3}], "samples": 1}
    whole = job(checkpoints[:1], tmp_path / "out", None, **puzzles)
    expected = evaluate(whole)["scores"]
    file = cell_of(tmp_path / "out", "first", "knights_knaves") / damaged
    content = file.read_bytes()
    # In the Parquet file within the compressed values, in the JSON within a number that stays one.
    position = 200 if damaged == "samples.parquet" else content.index(b'"seconds": ') + len(b'"seconds": ')
    flip(file, position)
    export = tmp_path / "out" / "samples" / "first" / "knights_knaves.parquet"
    right = export.read_bytes()
    flip(export, 200)
    assert evaluate(whole)["scores"] == expected
    assert "does not match its digest; the cell is made again" in capsys.readouterr().err
    assert export.read_bytes() == right


def test_a_cell_of_an_older_version_is_taken_as_it_is(checkpoints: list[NamedCheckpoint], tmp_path: Path) -> None:
    puzzles = {"benchmarks": [{"name": "knights_knaves", "people": [2], "limit": 3}], "samples": 1}
    whole = job(checkpoints[:1], tmp_path / "out", None, **puzzles)
    evaluate(whole)
    file = cell_of(tmp_path / "out", "first", "knights_knaves") / "cell.json"
    record = json.loads(file.read_text())
    del record["sha256"]
    file.write_text(json.dumps(record))
    evaluate(whole)
    assert json.loads(file.read_text()) == record


def test_finished_responses_after_a_damaged_one_are_made_again(tmp_path: Path) -> None:
    path, identity = tmp_path / "partial.jsonl", {"model": "x"}
    rows: list[tuple[int, int, dict[str, Any]]] = [(0, number, {"response": f"\ttab, \ud800 and {number}"}) for number in range(4)]
    with Partial(path, identity) as partial:
        partial.add(rows)
    with Partial(path, identity) as partial:
        assert partial.rows == rows
    text = path.read_bytes()
    flip(path, text.index(b"and 2") + 4)
    with Partial(path, identity) as partial:
        assert partial.rows == rows[:2]
        partial.add(rows[2:])
    assert path.read_bytes() == text
    with Partial(path, {"model": "y"}) as partial:
        assert partial.rows == []


def test_finished_responses_of_an_older_version_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "partial.jsonl"
    path.write_text('{"model": "x"}\n[0, 1, {"response": "yes"}]\n')
    with Partial(path, {"model": "x"}) as partial:
        assert partial.rows == [(0, 1, {"response": "yes"})]


def test_as_many_samples_as_an_interval_needs(checkpoints: list[NamedCheckpoint], tmp_path: Path) -> None:
    auto = {"benchmarks": [{"name": "knights_knaves", "people": [2], "limit": 6}], "samples": "auto", "greedy": False}
    scores = evaluate(job(checkpoints[:1], tmp_path, None, **auto, width=0.9))
    assert {row["metric"] for row in scores["scores"]} == {"avg@4", "pass@4", "maj@4"}  # nothing is ever right: the pilot is enough


def test_runs_of_other_seeds_solve_the_same_problems(checkpoints: list[NamedCheckpoint], tmp_path: Path) -> None:
    """What differs is how responses are sampled: two results can be compared, problem by problem."""
    puzzles = {"benchmarks": [{"name": "knights_knaves", "people": [2], "limit": 6}]}
    results = []
    for seed in (0, 1):
        work = job(checkpoints[:1], tmp_path / str(seed), None, **puzzles).model_copy(update={"seed": seed, "cells": tmp_path / "cells"})
        evaluate(work)
        results.append(open_result(str(work.output)))
    rows = [pq.read_table(r.directory / "samples" / "first" / "knights_knaves.parquet").to_pylist() for r in results]
    greedy, sampled = ([[row for row in part if row["mode"] == mode] for part in rows] for mode in ("greedy", "sampled"))
    assert [row["prompt_id"] for row in rows[0]] == [row["prompt_id"] for row in rows[1]]
    assert [row["response"] for row in greedy[0]] == [row["response"] for row in greedy[1]]
    assert [row["response"] for row in sampled[0]] != [row["response"] for row in sampled[1]]
    assert len(list((tmp_path / "cells").iterdir())) == 2
    [compared] = compare_results(*results)
    assert (compared.obstacles, compared.remarks) == ([], ["seed of sampling 0 against 1"])
    assert {row["metric"] for row in compared.changes} >= {"accuracy", "avg@2"}


def test_responses_to_other_problems_are_not_reused(
    checkpoints: list[NamedCheckpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that was made when the run's seed chose the problems is another one, and comparison says so."""
    work = job(checkpoints[:1], tmp_path / "out", None, benchmarks=[{"name": "knights_knaves", "people": [2], "limit": 4}])
    [now] = plan(work)
    monkeypatch.setattr("rl_core.environments.knights_knaves.HELD_OUT_SEED", work.seed)
    [then] = plan(work)
    assert now.identity["problems"] != then.identity["problems"]
    assert now.directory != then.directory


@pytest.mark.follows("another process works on it ({}); wait for it")
def test_a_held_cell_is_refused(checkpoints: list[NamedCheckpoint], tmp_path: Path) -> None:
    work = job(checkpoints[:1], tmp_path, None, benchmarks=[{"name": "knights_knaves", "people": [2], "limit": 2}])
    [cell] = plan(work)
    with cell.at_work(), pytest.raises(CellBusy, match="another process works on it"):
        evaluate(work)
    with cell.at_work():  # the other one is done
        pass


def start(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evals.run", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )


@pytest.mark.slow
def test_the_process_says_what_is_wrong_in_one_line(checkpoints: list[NamedCheckpoint], tmp_path: Path, data_dir_of_two: Path) -> None:
    good = job(checkpoints, tmp_path / "out", data_dir_of_two).model_dump(mode="json")
    cases = {
        "unknown benchmark": good | {"config": {"benchmarks": ["gsm8"]}},
        "wrong type": good | {"seed": "x"},
        "no file": None,
    }
    running = []
    for name, raw in cases.items():
        path = tmp_path / f"{name}.json"
        if raw:
            path.write_text(json.dumps(raw))
        running.append(start(path))
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        assert errors.startswith("error: ")
        assert errors.count("\n") == 1


@pytest.mark.slow
def test_sigterm_leaves_with_75_and_the_next_run_goes_on(checkpoints: list[NamedCheckpoint], tmp_path: Path, data_dir_of_two: Path) -> None:
    output = tmp_path / "out"
    puzzles = {"name": "knights_knaves", "people": [2, 3], "limit": 60, "max_tokens": 200}
    work = job(checkpoints, output, data_dir_of_two, benchmarks=["gsm8k", puzzles], batch_tokens=2048)
    path = tmp_path / "job.json"
    path.write_text(work.model_dump_json())
    process = start(path)
    deadline = time.monotonic() + 60
    while not list(output.glob(".cells/*/cell.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 75, errors
    assert time.monotonic() - sent < 10
    assert not (output / "scores.json").exists()
    [done] = output.rglob("*.parquet")
    assert done.name == "samples.parquet"
    kept = done.stat().st_mtime_ns

    shorter = job(checkpoints, output, data_dir_of_two, benchmarks=["gsm8k"], batch_tokens=2048)
    path.write_text(shorter.model_dump_json())
    assert start(path).wait(timeout=60) == 0
    assert done.stat().st_mtime_ns == kept
    assert {row["checkpoint"] for row in json.loads((output / "scores.json").read_text())["scores"]} == {"first", "second"}
