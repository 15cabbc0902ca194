from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import duckdb
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from flows.cli.group import Commands
from flows.recipe.load import check, load_recipe, shipped
from flows.recipe.smoke import smoke
from rl_core.errors import InputError
from tests.end_to_end.command import plain_environment

ROOT = Path(__file__).parents[2]
MINI = ROOT / "tests" / "fixtures" / "mini.yaml"
HEAVY = {"torch", "transformers", "ray", "prefect", "mlflow", "datasets", "duckdb", "matplotlib", "math_verify", "sympy"}


def r1flow(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    known = plain_environment()
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        cwd=ROOT,
        env=known | {"COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(answer: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal."""
    assert answer.returncode == 2, answer
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr.removeprefix("error: ").rstrip()


def test_the_list_of_recipes_says_what_each_is_made_for() -> None:
    lines = {line.split()[0]: line for line in r1flow("recipes").stdout.splitlines() if line[:1].strip()}
    assert set(lines) == {"recipe", *shipped()}
    assert lines["logic_rl"].split()[1:4] == ["grpo", "4", "Qwen2.5-7B-Instruct-1M"]
    assert lines["simplerl"].split()[1:3] == ["ppo", "32"]
    assert lines["quickstart"].split()[1:3] == ["grpo", "none"]


def test_a_schedule_of_what_cannot_run_here_is_refused(tmp_path: Path) -> None:
    message = refused(r1flow("schedule", "dapo", "--cron", "0 2 * * *", "--workspace", tmp_path))
    assert message.startswith("stages.dapo wants 128 GPUs of 24 GB, vllm, deepspeed; here: ")
    assert message.endswith("or --anyway")


@pytest.mark.slow
def test_a_plan_on_other_devices() -> None:
    text = r1flow("plan", "oat_zero", "--on", "8xa100").stdout
    assert " on 8 x a100, " in text
    assert "dr_grpo wants 8 GPUs of 80 GB, vllm, deepspeed; there: 8 GPUs of 80 GB" in text
    assert refused(r1flow("plan", "oat_zero", "--on", "8xz100")).startswith("--on 8xz100: write how many of which device, such as 8xh100")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["plan", MINI], ["show", MINI], ["recipes"], ["status"]])
def test_light_commands_import_nothing_heavy(arguments: list[object], tmp_path: Path) -> None:
    # Not measured in seconds: a busy machine would fail it.
    answer = r1flow(*arguments, PYTHONPROFILEIMPORTTIME="1", R1FLOW_WORKSPACE=str(tmp_path / "runs"))
    assert answer.returncode == 0, answer.stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in answer.stderr.splitlines() if line.startswith("import time:")}
    assert "click" in imported
    assert imported & HEAVY == set()


def test_show_prints_a_recipe_that_is_the_same() -> None:
    answer = r1flow("show", MINI, "--set", "warm.temperature=0.9")
    assert check(yaml.safe_load(answer.stdout)) == load_recipe(str(MINI), ["warm.temperature=0.9"])
    assert "# warm: 1 steps of 2 x 2 responses, 0.05 passes over 40 prompts" in answer.stdout


@pytest.mark.slow
def test_show_and_plan_of_a_profile(tmp_path: Path) -> None:
    answer = r1flow("show", "logic_rl", "--profile", "smoke", "--set", "warmup.temperature=0.9")
    assert check(yaml.safe_load(answer.stdout)) == smoke(load_recipe("logic_rl", ["warmup.temperature=0.9"]))
    assert "# five: 2 steps of 4 x 4 responses, 0.50 passes over 16 prompts" in answer.stdout
    data_dir = ROOT / "tests" / "fixtures" / "data"
    answer = r1flow("plan", "logic_rl", "--profile", "smoke", "--data-dir", data_dir, "--workspace", tmp_path / "runs")
    assert "9 of 9 stages run, 0 reused; profile smoke" in answer.stdout


def test_plan_says_what_runs_and_why(tmp_path: Path) -> None:
    answer = r1flow("plan", MINI, "--workspace", tmp_path / "runs", "--until", "warm")
    assert answer.returncode == 0, answer.stderr
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert ["puzzles", "data", "run", "not", "run", "yet"] in lines
    assert ["scores", "eval", "skip"] in lines
    assert "3 of 6 stages run, 0 reused" in answer.stdout
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_refusals_before_anything_starts(tmp_path: Path) -> None:
    runs = tmp_path / "runs"

    def run(*arguments: object) -> str:
        return refused(r1flow("run", *arguments))

    assert run("quikstart").startswith("no recipe is called 'quikstart'; did you mean 'quickstart'?")
    assert run(tmp_path / "none.yaml").startswith(f"{tmp_path}/none.yaml: no such recipe file")
    here = [MINI, "--workspace", runs]
    assert run(*here, "--set", "warm.reward=logic_rll") == "stages.warm.reward: unknown reward 'logic_rll'; did you mean 'logic_rl'?"
    asked = run(*here, "--set", "warm.template=plane")
    assert asked.startswith("stages.warm.template: unknown template 'plane'; did you mean 'plain'? (or give one of your own")
    assert run(*here, "--set", "scores.benchmarks=[gsm9k]") == (
        "stages.scores.benchmarks.0: unknown benchmark 'gsm9k'; did you mean 'gsm8k'?"
    )
    assert run(*here, "--set", "model=./nothing") == "model: ./nothing: no such model directory"
    assert run(*here, "--data-dir", tmp_path / "none") == f"--data-dir {tmp_path}/none: no such directory"
    huge = "model={hidden_size: 4096, intermediate_size: 16384, layers: 64, heads: 32, key_value_heads: 32, vocabulary: 100000000}"
    assert run(*here, "--set", huge).startswith("stages.cold wants 1 GPU; here: ")
    assert "free space, or give another --workspace" in run(*here, "--anyway", "--set", huge)
    file = tmp_path / "file"
    file.write_text("")
    assert run(MINI, "--workspace", file) == f"workspace {file}: File exists; give a directory you can write by --workspace"
    assert not list(runs.glob("*")) or not list(runs.glob("*/*-????????"))


def test_a_hub_model_out_of_reach_is_refused_at_once(tmp_path: Path) -> None:
    answer = r1flow(
        "run", MINI, "--workspace", tmp_path, "--set", "model=nobody/nothing-1B", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hub")
    )
    line = refused(answer)
    assert line.startswith("model: 'nobody/nothing-1B' is no directory here, and the hub cannot be asked")
    assert line.endswith("give another name, or a directory with --set model=DIR")


@pytest.mark.slow
def test_a_prefect_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    answer = r1flow("run", MINI, "--workspace", tmp_path, PREFECT_API_URL="http://127.0.0.1:1/api")
    assert answer.returncode == 2
    assert answer.stderr == (
        "error: no Prefect server answers at http://127.0.0.1:1/api; start it, or unset PREFECT_API_URL for an embedded one\n"
    )


def test_a_broken_row_of_a_benchmark_is_found_before_training(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "gsm8k"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text('{"question": "1 + 1?", "answer": "#### 2"}\n')
    (folder / "test.jsonl").write_text('{"question": "1 + 1?", "answer": "#### 2"}\n{"question": "1 + 2?"}\n')
    change = "scores.benchmarks=[gsm8k]"
    answer = r1flow("run", MINI, "--workspace", tmp_path / "runs", "--data-dir", tmp_path / "data", "--set", change)
    assert refused(answer).startswith(f"stages.scores.benchmarks.0: {folder}/test.jsonl: row 2 ")


def test_a_stage_in_work_is_refused(tmp_path: Path) -> None:
    from flows.planning.plan import make_plan
    from flows.recipe.request import RunRequest
    from tasks.stage.lease import Lease

    runs = tmp_path / "runs"
    spec = make_plan(RunRequest(recipe=str(MINI), workspace=runs)).stages[1].spec
    spec.directory.mkdir(parents=True)
    lease = Lease(spec.directory)
    lease.take()
    assert f"stage {spec.directory.name}: in work since " in refused(r1flow("run", MINI, "--workspace", runs))
    lease.release("done")


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(
            "CREATE TABLE answers AS SELECT 1 AS step, 0.5 AS reward, '[bold]tag[/bold], \"quoted\"' AS response, [1, 2] AS spans"
        )
    return tmp_path


@pytest.mark.slow
def test_sql_as_table_csv_json_and_parquet(warehouse: Path) -> None:
    def sql(*arguments: object) -> subprocess.CompletedProcess[str]:
        return r1flow("sql", "FROM answers", "--workspace", warehouse, *arguments)

    table = sql().stdout.splitlines()
    assert table[0].split() == ["step", "reward", "response", "spans"]
    assert "[bold]tag[/bold]" in table[1]  # the markup of models is text
    assert sql("--format", "csv").stdout == 'step,reward,response,spans\n1,0.5,"[bold]tag[/bold], ""quoted""","[1, 2]"\n'
    row = {"step": 1, "reward": "0.5", "response": '[bold]tag[/bold], "quoted"', "spans": [1, 2]}
    assert json.loads(sql("--format", "json").stdout) == [row]
    file = warehouse / "answer.parquet"
    assert sql("--format", "parquet", "--output", file).returncode == 0
    assert pq.read_table(file).num_rows == 1
    assert refused(sql("--output", warehouse / "none" / "x")).startswith(
        f"--output {warehouse}/none/x: no directory {warehouse}/none; make it first"
    )


def test_sql_errors_are_one_line(warehouse: Path, tmp_path: Path) -> None:
    assert "answers" in refused(r1flow("sql", "FROM answer", "--workspace", warehouse))
    assert "no such database" in refused(r1flow("sql", "SELECT 1", "--workspace", tmp_path / "none"))


@pytest.mark.slow
def test_status_of_nothing_and_report_of_nothing(tmp_path: Path) -> None:
    assert "no experiment yet" in r1flow("status", "--workspace", tmp_path).stdout
    assert refused(r1flow("report", "mini", "--workspace", tmp_path)).startswith("no run 'mini' in ")


def test_doctor_looks_at_everything(tmp_path: Path) -> None:
    answer = r1flow("doctor", "--workspace", tmp_path)
    subjects = {line[8:].split()[0] for line in answer.stdout.splitlines()}
    assert {"python", "cpu", "gpu", "memory", "port", "prefect", "mlflow", "ray", "data"} <= subjects
    if "vllm " in answer.stdout and "not installed" in answer.stdout:  # the brackets are no markup
        assert "r1flow[" in answer.stdout
    assert answer.returncode in (0, 1)


def test_what_the_machine_refuses_is_one_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "flows.cli", "status", "--workspace", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: the output: No space left on device\n")


def test_a_terminal_without_a_character_shows_an_escape(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "x.duckdb")).close()
    done = r1flow("sql", "SELECT 'ü' AS a", "--database", tmp_path / "x.duckdb", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout.split()) == (0, ["a", "\\xfc"])


def test_no_benchmark_at_all_is_said() -> None:
    assert refused(r1flow("evaluate", "C", "--benchmarks", " , ")).startswith("--benchmarks: name at least one, such as gsm8k")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (b"[1]", ": Input should be a valid dictionary"),
        (b"a: 1", ": a: Input should be a valid dictionary"),
        (b"Bad Name: {}", ": Bad Name."),
        (b"\xff\xfe", ": cannot be read: 'utf-8' codec can't decode"),
        (b"[" * 1000, ": cannot be read: values are nested in more than"),
    ],
)
def test_a_keyword_file_of_another_shape_is_one_line(tmp_path: Path, keywords: bytes, message: str) -> None:
    (tmp_path / "k.yaml").write_bytes(keywords)
    (tmp_path / "r.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    said = refused(r1flow("analyze", tmp_path / "r.jsonl", "--keywords", tmp_path / "k.yaml", "--output", tmp_path / "o"))
    assert said.startswith(f"--keywords {tmp_path}/k.yaml{message}")


@pytest.mark.parametrize("leaves", [False, True])
def test_an_error_that_was_told_keeps_nothing_alive(leaves: bool) -> None:
    """Prefect keeps a flow's error, with its frames, until DuckDB complains of the connections in them."""
    kept: list[BaseException] = []

    def ask() -> None:
        with duckdb.connect() as connection:
            try:
                connection.execute("SELECT * FROM nowhere")
            except duckdb.Error as error:
                raise InputError("no such table") from error

    @click.command
    def command() -> None:
        try:
            ask()
        except InputError as error:
            kept.append(error)
            if leaves:
                sys.exit(2)
            raise

    result = CliRunner().invoke(Commands(commands={"ask": command}), ["ask"])
    assert result.exit_code == 2
    assert leaves or result.stderr == "error: no such table\n"
    [error] = kept
    assert isinstance(error.__cause__, duckdb.Error)
    assert error.__traceback__ is error.__cause__.__traceback__ is None


def test_an_interruption_of_the_first_moment_is_quiet() -> None:
    """Ctrl-C while the command line itself is imported."""
    code = """
import sys
class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == "flows.cli.servers":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
import flows.cli
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (answer.returncode, answer.stdout, answer.stderr) == (130, "", "")
