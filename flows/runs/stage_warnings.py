"""Warnings about stages that are done: read from what a stage recorded, shown at its end, after a run, in `status` and in `lineage`."""

from pathlib import Path

from flows.recipe.smoke import SMOKE_SUFFIX
from tasks.kinds import KINDS
from tasks.stage.records import SPEC, read_record
from tasks.stage.spec import read_manifest


def stage_warnings(directory: Path) -> list[str]:
    """A line each; none for a stage that is not done, and none under the smoke profile, whose model learns nothing."""
    spec, manifest = read_record(directory / SPEC), read_manifest(directory)
    if not spec or not manifest or spec["experiment"].endswith(SMOKE_SUFFIX):
        return []
    kind = KINDS.get(spec["kind"])
    return kind.warnings(directory, spec["settings"], manifest["result"]) if kind else []
