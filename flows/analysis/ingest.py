"""Brings the workspace's warehouse up to date, also during training."""

import time
from collections.abc import Iterator
from typing import Any

from evals.analytics.keywords import document, with_own
from evals.analytics.warehouse.publish import Part, is_current, publish
from evals.config import StageRun
from tasks.analytics_runs import run_info, stage_run
from tasks.kinds import kinds_that_make
from tasks.stage.records import read_record
from tasks.stage.spec import read_manifest
from tasks.workspace import Workspace

PAUSE = 2.0  # seconds between two looks


def stage_runs(workspace: Workspace, record: dict[str, Any], *, finished: bool) -> list[StageRun]:
    """The stages of a recorded run that have something to read; `finished`: only those that are done."""
    found = []
    experiment = record["experiment"]
    for name, entry in record["stages"].items():
        directory = workspace.root / experiment / entry["directory"]
        if entry["kind"] not in kinds_that_make("responses") or not directory.is_dir() or (finished and read_manifest(directory) is None):
            continue
        start = record["recipe"]["stages"][name].get("start")
        above = start if start in record["stages"] else None
        found.append(stage_run(experiment, name, entry["kind"], entry["fingerprint"], directory, entry["position"], above))
    return found


def part_of(workspace: Workspace, record: dict[str, Any], *, finished: bool) -> Part:
    """A recorded run for the warehouse, read with the keywords of its recipe."""
    own: dict[str, Any] = {}
    for stage in record["recipe"]["stages"].values():
        own |= stage.get("keywords", {})
    return Part(stage_runs(workspace, record, finished=finished), with_own(document(own)), run_info(record))


def parts(workspace: Workspace) -> list[Part]:
    """Every recorded run, the oldest first."""
    records = sorted((read_record(path) for path in workspace.run_records()), key=lambda record: (record or {}).get("started", 0))
    return [part_of(workspace, record, finished=False) for record in records if record]


def ingest(workspace: Workspace, *, follow: bool) -> Iterator[dict[str, int]]:
    """Read what is new into the warehouse; yields the rows by table after every publication, at least once.

    `follow` goes on until it is interrupted.

    Raises WarehouseError if a file of a stage or the warehouse is broken.
    """
    first = True
    while first or follow:
        found = parts(workspace)
        if first or not is_current(found, workspace.warehouse):
            yield publish(found, workspace.warehouse)
        first = False
        if follow:
            time.sleep(PAUSE)
