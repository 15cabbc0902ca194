import json
import shutil
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.analytics import query, warehouse
from evals.analytics.warehouse import WarehouseError
from evals.config import StageRun
from rl_core.rollout.records import ROLLOUT_SCHEMA

RESPONSE = {
    "prompt_id": "p1",
    "task": "knights_knaves",
    "difficulty": "3",
    "prompt": "?",
    "prompt_tokens": 5,
    "think_tokens": 10,
    "answer_tokens": 2,
    "finish_reason": "stop",
    "gold": "g",
    "temperature": 1.0,
    "policy_version": 0,
    "advantage": 0.0,
    "logprob": -0.5,
    "step": 1,
}


def rl_stage(root: Path, rows: list[dict], name: str = "warmup", **fields: object) -> StageRun:
    directory = root / name
    (directory / "rollouts").mkdir(parents=True)
    rows = [{"sample": index, **RESPONSE, **row} for index, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(rows, schema=ROLLOUT_SCHEMA), directory / "rollouts" / "step-000001.parquet")
    values = {"experiment": "e", "stage": name, "kind": "rl", "fingerprint": "a" * 64, "directory": directory, "position": 1}
    return StageRun(**(values | fields))


def hand_made(root: Path) -> StageRun:
    """Two groups of two responses whose numbers are easy to work out."""
    think = "<think>é Step 1. Step 2: try again</think><answer>x</answer> too high"
    parts = {"think_start": 7, "think_end": 35 - 1, "answer_start": think.index("x<"), "answer_end": think.index("x<") + 1}
    assert think[7:34] == "é Step 1. Step 2: try again"
    plain = {"response": "First, check again", "think_tokens": None, "answer_tokens": None}
    return rl_stage(
        root,
        [
            {
                "group": 0,
                "response": think,
                **parts,
                "response_tokens": 20,
                "outcome": "correct",
                "reward": 3.0,
                "components": [("a", 2.0), ("f", 1.0)],
            },
            {"group": 0, **plain, "response_tokens": 10, "outcome": "wrong", "reward": -0.5, "components": [("a", -1.5), ("f", 1.0)]},
            {
                "group": 1,
                **plain,
                "response_tokens": 30,
                "outcome": "truncated",
                "finish_reason": "length",
                "reward": -3.0,
                "components": [],
            },
            {"group": 1, **plain, "response_tokens": 40, "outcome": "format_error", "reward": -3.0, "components": []},
        ],
    )


def test_build_counts_rows(experiment: list[StageRun], tmp_path: Path) -> None:
    counts = warehouse.build(experiment, tmp_path / "a.duckdb")
    assert counts == {
        "stages": 5,
        "rollouts": 36 * 32,
        "samples": 4 * 2 * 20 * 5,
        "metrics": 36 * 8 + 40 * 4,
        "scores": 48,
        "comparisons": 60,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["a.duckdb"]


def test_responses_carry_text_parts_and_keywords(tmp_path: Path) -> None:
    warehouse.build([hand_made(tmp_path)], tmp_path / "a.duckdb")
    found = query.run(
        tmp_path / "a.duckdb", "SELECT think, answer, step_wise, reflection, keywords FROM rollouts ORDER BY sample"
    ).to_pylist()
    assert found[0] == {
        "think": "é Step 1. Step 2: try again",
        "answer": "x",
        "step_wise": 2,
        "reflection": 1,  # "too high" is outside the thinking
        "keywords": [("step N", 2), ("try again", 1)],
    }
    assert found[1] == {"think": None, "answer": None, "step_wise": 1, "reflection": 1, "keywords": [("first", 1), ("check again", 1)]}


def test_views_by_step(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    warehouse.build([hand_made(tmp_path)], database)

    def row(view: str) -> dict:
        (found,) = query.run(
            database, f"SELECT * EXCLUDE (stage_run, experiment, stage, position, step, total_step) FROM {view}"
        ).to_pylist()
        return found

    reward = row("reward_by_step")
    assert (reward["responses"], reward["reward"], reward["correct"]) == (4, -0.875, 0.25)
    assert row("errors_by_step") == {
        "correct": 0.25,
        "wrong": 0.25,
        "unparseable": 0.0,
        "format_error": 0.25,
        "truncated": 0.25,
        "timeout": 0.0,
    }
    length = row("length_by_step")
    assert (length["response_tokens"], length["think_tokens"], length["response_tokens_correct"], length["at_limit"]) == (
        25.0,
        10.0,
        20.0,
        0.25,
    )
    keywords = row("keywords_by_step")
    assert (keywords["step_wise"], keywords["reflection"], keywords["with_reflection"]) == (1.25, 1.0, 1.0)
    assert keywords["step_wise_per_1000_tokens"] == pytest.approx(1000 * 5 / (10 + 10 + 30 + 40))
    groups = row("groups_by_step")
    assert (groups["groups"], groups["informative"], groups["none_correct"], groups["all_correct"]) == (2, 0.5, 0.5, 0.0)
    components = query.run(database, "SELECT component, reward FROM reward_components_by_step ORDER BY component").to_pylist()
    assert components == [{"component": "a", "reward": 0.25}, {"component": "f", "reward": 1.0}]
    use = query.run(database, "SELECT occurrences, responses_with, correct FROM keyword_use WHERE keyword = 'step N'").to_pylist()
    assert use == [{"occurrences": 2, "responses_with": 1, "correct": 1.0}]


def test_every_view_and_column_comment_holds(database: Path) -> None:
    views = query.run(database, "SELECT view_name FROM duckdb_views() WHERE NOT internal").column(0).to_pylist()
    assert len(views) == 11
    for view in views:
        assert query.run(database, f"SELECT * FROM {view}").num_rows > 0, view
    comments = query.run(database, "SELECT count(*) AS n FROM duckdb_columns() WHERE comment IS NOT NULL").to_pylist()
    assert comments[0]["n"] > 30


def test_older_tools_can_open_it(database: Path) -> None:
    (row,) = query.run(database, "SELECT tags FROM duckdb_databases() WHERE NOT internal").to_pylist()
    assert dict(row["tags"])["storage_version"].startswith("v1.5.0")


def test_curriculum_steps_count_on(database: Path) -> None:
    found = query.run(database, "SELECT stage, steps, steps_before FROM stages ORDER BY position").to_pylist()
    assert [(row["stage"], row["steps"], row["steps_before"]) for row in found] == [
        ("sft", 40, 0),
        ("warmup", 12, 0),
        ("five", 14, 12),
        ("anneal", 10, 26),
        ("scores", None, None),
    ]
    total = query.run(
        database, "SELECT min(total_step) AS low, max(total_step) AS high FROM reward_by_step WHERE stage = 'anneal'"
    ).to_pylist()
    assert total == [{"low": 27, "high": 36}]


def test_checkpoints_in_recipe_order(database: Path) -> None:
    found = query.run(database, "SELECT checkpoint FROM checkpoints ORDER BY checkpoint_position").column(0).to_pylist()
    assert found == ["sft", "warmup", "five", "anneal"]


def test_metrics_of_a_resumed_step_count_once(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    lines = ['{"step": 1, "reward": 1.0}', '{"step": 2, "reward": 2.0, "note": "x"}', '{"step": 2, "reward": 3.0, "kl": NaN}']
    (stage.directory / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    warehouse.build([stage], tmp_path / "a.duckdb")
    found = query.run(tmp_path / "a.duckdb", "SELECT step, name, value FROM metrics WHERE isfinite(value) ORDER BY step").to_pylist()
    assert found == [{"step": 1, "name": "reward", "value": 1.0}, {"step": 2, "name": "reward", "value": 3.0}]


def test_publish_replaces_its_rows_and_keeps_the_others(tmp_path: Path) -> None:
    first, second = hand_made(tmp_path / "one"), rl_stage(tmp_path / "two", [], experiment="other")
    workspace = tmp_path / "warehouse.duckdb"
    assert warehouse.publish([first], workspace)["rollouts"] == 4
    assert warehouse.publish([second, first], workspace) == {
        "stages": 2,
        "rollouts": 4,
        "samples": 0,
        "metrics": 0,
        "scores": 0,
        "comparisons": 0,
    }
    assert warehouse.publish([first.model_copy(update={"fingerprint": "b" * 64})], workspace)["rollouts"] == 8


def test_publish_does_not_disturb_readers(tmp_path: Path) -> None:
    workspace = tmp_path / "warehouse.duckdb"
    stage = hand_made(tmp_path)
    warehouse.publish([stage], workspace)
    with query.connect(workspace) as reader:
        other = stage.model_copy(update={"experiment": "other"})
        warehouse.publish([other], workspace)
        assert reader.execute("SELECT count(*) FROM rollouts").fetchone() == (4,)
    assert query.run(workspace, "SELECT count(*) AS n FROM rollouts").to_pylist() == [{"n": 8}]


def test_concurrent_publishers_take_turns(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    workspace = tmp_path / "warehouse.duckdb"
    stages = [stage.model_copy(update={"experiment": f"e{index}"}) for index in range(4)]
    threads = [threading.Thread(target=warehouse.publish, args=([one], workspace)) for one in stages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert query.run(workspace, "SELECT count(*) AS n FROM stages").to_pylist() == [{"n": 4}]


def test_a_failed_build_leaves_the_old_database(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    stage = hand_made(tmp_path)
    warehouse.build([stage], database)
    before = database.read_bytes()
    (stage.directory / "metrics.jsonl").write_text('{"step": 1}\n{"st')
    with pytest.raises(WarehouseError, match=r"metrics\.jsonl: line 2 is not a JSON object with a step"):
        warehouse.build([stage], database)
    assert database.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.duckdb", "warmup"]


def test_bad_inputs_name_the_file(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    database = tmp_path / "a.duckdb"
    with pytest.raises(WarehouseError, match="no such stage directory; run stage warmup again"):
        warehouse.build([stage.model_copy(update={"directory": tmp_path / "gone"})], database)
    rollouts = stage.directory / "rollouts" / "step-000002.parquet"
    rollouts.write_bytes(b"PAR1 not really")
    with pytest.raises(WarehouseError, match=r"step-000002\.parquet: not a readable Parquet file"):
        warehouse.build([stage], database)
    pq.write_table(pa.table({"step": [1]}), rollouts)
    with pytest.raises(WarehouseError, match=r"step-000002\.parquet: column 'group' is missing"):
        warehouse.build([stage], database)
    rollouts.unlink()
    (stage.directory / "scores.json").write_text(json.dumps({"scores": [{"checkpoint": "a"}]}))
    with pytest.raises(WarehouseError, match=r"scores\.json: scores row 1 has no benchmark"):
        warehouse.build([stage], database)


def test_foreign_databases_are_refused(tmp_path: Path) -> None:
    stage = hand_made(tmp_path)
    workspace = tmp_path / "warehouse.duckdb"
    workspace.write_bytes(b"x" * 5000)
    with pytest.raises(WarehouseError, match="not a readable DuckDB file"):
        warehouse.publish([stage], workspace)
    workspace.unlink()
    with duckdb.connect(workspace) as connection:
        connection.execute("CREATE TABLE t (x INTEGER)")
    with pytest.raises(WarehouseError, match="no r1flow warehouse"):
        warehouse.publish([stage], workspace)
    workspace.unlink()
    warehouse.publish([stage], workspace)
    with duckdb.connect(workspace) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(WarehouseError, match="version 99"):
        warehouse.publish([stage], workspace)


def test_a_moved_database_opens(database: Path, tmp_path: Path) -> None:
    """Views refer to tables of their own file, whatever it is called."""
    shutil.copyfile(database, tmp_path / "renamed.duckdb")
    assert query.run(tmp_path / "renamed.duckdb", "SELECT * FROM errors_by_step").num_rows == 36
