"""Every JSON file of a workspace cut, emptied, or of another shape: one line where it matters, and no traceback anywhere."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from flows.history.garbage import garbage
from flows.history.lineage import described
from flows.history.references import find
from flows.planning.checks import check_before_run
from flows.planning.plan import Plan, make_plan
from flows.runs.record import RunRecord, find_run
from flows.runs.status import print_status
from rl_core.errors import InputError
from rl_core.files import write_json
from rl_core.seal import sealed
from tasks.workspace import Workspace


@pytest.fixture
def made(plan_of: Callable[..., Plan], make: Callable[..., None]) -> Plan:
    """A run that is done, with what its stages leave besides."""
    plan = plan_of()
    record = RunRecord.begin(plan)
    for stage in plan.stages:
        make(stage.spec)
        directory = stage.spec.directory
        write_json(directory / "scores.json", {"scores": [], "comparisons": []})
        write_json(directory / "mlflow.json", {"tracking_uri": plan.workspace.tracking_uri, "models": {}})
    warm = f"mini/{plan.stages[2].spec.directory.name}"
    write_json(plan.workspace.root / ".promoted.json", {"mini@best": {"stage": warm, "checkpoint": f"{warm}/checkpoints/step-000003"}})
    record.end("done")
    return plan


def mutations(text: str) -> Iterator[str]:
    yield from ("", text[: len(text) // 2], "[]", "{}", "null", "7", '"x"', "\x00\x01", "[" * 5000)
    content = json.loads(text)
    for key in content:
        yield json.dumps(sealed({name: value for name, value in content.items() if name != key}))
        for value in (None, [], {}, "x", 7, [None]):
            yield json.dumps(sealed(content | {key: value}))  # as a version that writes other shapes would


@pytest.mark.slow
def test_no_damaged_record_ends_in_a_traceback(made: Plan) -> None:
    workspace = Workspace(made.workspace.root)
    actions: list[Callable[[], object]] = [
        lambda: check_before_run(make_plan(made.request)),
        lambda: print_status(workspace, Console(file=io.StringIO())),
        lambda: garbage(workspace, 1),
        lambda: list(described(workspace, find(workspace, "mini/scores"))),
        lambda: find_run(workspace, "mini"),
    ]
    tried, messages = 0, set()
    stages = [made.stages[0].spec.directory, made.stages[3].spec.directory]  # one that others need, and one that needs others
    files = [path for path in workspace.root.rglob("*.json") if path.parent in (*stages, workspace.root, workspace.root / "mini" / "runs")]
    assert {path.name for path in files} >= {"spec.json", "state.json", "manifest.json", "mlflow.json", "scores.json", ".promoted.json"}
    for path in files:
        text = path.read_text()
        for mutation in mutations(text):
            path.write_text(mutation)
            for action in actions:
                tried += 1
                try:
                    action()
                except InputError as error:
                    messages.add(str(error))
                except Exception as error:
                    raise AssertionError(f"{path.name}: {mutation[:200]}") from error
            path.write_text(text)
    assert tried > 2000
    assert [message for message in messages if "\n" in message] == []


def test_what_is_damaged_is_made_again(made: Plan) -> None:
    """A manifest that cannot be read is none: the stage goes on from what is there."""
    directory: Path = made.stages[0].spec.directory
    (directory / "manifest.json").write_text("{")
    again = make_plan(made.request)
    assert {stage.spec.stage: stage.action for stage in again.stages}["puzzles"] == "continue"
