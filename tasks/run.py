"""Makes one stage: directory, work, records, manifest."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks.kind import READ, Work
from tasks.kinds import KINDS
from tasks.stage.digests import Digests
from tasks.stage.lease import StageFailed
from tasks.stage.spec import StageSpec, at_work, damage, read_manifest, write_manifest
from tasks.tracking.experiment_run import Lineage
from tasks.trainer.local_process import Progress
from tasks.workspace import Workspace


@dataclass(frozen=True)
class RunContext:
    """What every stage of a run of an experiment shares."""

    workspace: Workspace
    recipe: dict[str, Any]  # resolved
    lineage: Lineage
    digests: Digests
    on_progress: Callable[[StageSpec, Progress], None]


def run_stage(spec: StageSpec, context: RunContext) -> dict[str, Any]:
    """Make a stage that is not done, or go on with it; returns its manifest.

    Raises:
        InputError: a setting, file or model is wrong.
        StageBusy: another process works on it.
        StageFailed: it ended without what it should have made.
        StageStopped: it was told to stop by somebody else.
    """
    started = time.time()
    with at_work(spec, context.digests) as lease, context.lineage.child(spec.directory) as send_steps:
        require_whole(spec, context.digests)

        def follow(progress: Progress) -> None:
            lease.require()
            context.on_progress(spec, progress)
            send_steps()

        result = KINDS[spec.kind].run(spec, Work(lease, follow, context.recipe))
        lease.require()
        return write_manifest(spec, result, context.digests, seconds=time.time() - started, finished=time.time())


def require_whole(spec: StageSpec, digests: Digests) -> None:
    """Read what the stage is about to load, checkpoints and prompts: bits that rot on a disk change neither size nor time.

    Raises StageFailed if a file is not what its stage made.
    """
    for role, stages in spec.upstream.items():
        for upstream in stages:
            manifest = read_manifest(upstream.directory) or {"result": {}, "outputs": {}}
            below = READ.get(KINDS[spec.kind].roles[role].wants) or (f"{manifest['result'].get('checkpoint')}/",)
            for name, what in damage(upstream.directory, manifest, digests, below=below, again=True).items():
                digests.save()  # so that the next run sees it, too
                raise StageFailed(f"{upstream.directory / name} {what}; run again: stage {upstream.stage} is repaired or made anew")
