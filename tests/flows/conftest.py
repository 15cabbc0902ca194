from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.planning.plan import Plan, make_plan
from flows.recipe.request import RunRequest
from tasks.costs.machine import this_machine
from tasks.stage.digests import Digests
from tasks.stage.spec import StageSpec, at_work, write_manifest

MINI = Path(__file__).parents[1] / "fixtures" / "mini.yaml"


@pytest.fixture(autouse=True)
def machine_of_its_own() -> Iterator[None]:
    """A test that takes part on another machine, with drivers that it makes up, leaves none of it in memory."""
    this_machine.cache_clear()
    yield
    this_machine.cache_clear()


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[..., Plan]:
    """Plans the mini recipe in a workspace of its own."""

    def plan_of(*changes: str, **options: object) -> Plan:
        request = {"recipe": str(MINI), "changes": list(changes), "workspace": tmp_path / "runs"} | options
        return make_plan(RunRequest.model_validate(request))

    return plan_of


@pytest.fixture
def make() -> Callable[..., None]:
    """Makes a stage without its work: a directory with outputs and a manifest."""

    def make(spec: StageSpec, output: str | bytes = "content") -> None:
        digests = Digests(spec.workspace / ".digests.json")
        with at_work(spec, digests):
            (spec.directory / "train.parquet").write_bytes(output if isinstance(output, bytes) else output.encode())
            (spec.directory / "metrics.jsonl").write_text('{"step": 1}\n')
            result = {"tokens": 100, "checked": [benchmark["name"] for benchmark in spec.held_out]}
            write_manifest(spec, result, digests, seconds=2.0, finished=0.0)
        if spec.kind == "analyze":
            (spec.workspace / "warehouse.duckdb").write_text("")

    return make
