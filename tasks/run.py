"""Makes one stage: directory, work, records, manifest."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tasks import analyze, data, evaluate, report, rl, sft
from tasks.context import RunContext
from tasks.lease import Lease
from tasks.stage import StageSpec, at_work, write_manifest
from tasks.trainer_process import Progress


def run_stage(spec: StageSpec, context: RunContext) -> dict[str, Any]:
    """Make a stage that is not done, or go on with it; returns its manifest.

    Raises:
        InputError: a setting, file or model is wrong.
        StageBusy: another process works on it.
        StageFailed: it ended without what it should have made.
        StageStopped: it was told to stop by somebody else.
    """
    started = time.time()
    with at_work(spec, context.digests) as lease, context.lineage.child(spec.directory) as tell:
        result = _work(spec, context, lease, tell)
        lease.require()
        return write_manifest(
            spec,
            result,
            context.digests,
            seconds=time.time() - started,
            finished=time.time(),
        )


def _work(spec: StageSpec, context: RunContext, lease: Lease, tell: Callable[[], None]) -> dict[str, Any]:
    def follow(progress: Progress) -> None:
        lease.require()
        context.on_progress(spec, progress)
        tell()

    match spec.kind:
        case "data":
            return data.run(spec)
        case "sft":
            return sft.run(spec, lease, follow)
        case "rl":
            return rl.run(spec, lease, follow)
        case "eval":
            return evaluate.run(spec, lease, follow)
        case "analyze":
            return analyze.run(spec, lease)
        case "report":
            return report.run(spec, context.recipe)
