"""What every stage of a run shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks.stage.digests import Digests
from tasks.stage.spec import StageSpec
from tasks.tracking.experiment_run import Lineage
from tasks.trainer.local_process import Progress
from tasks.workspace import Workspace


@dataclass(frozen=True)
class RunContext:
    """One run of an experiment."""

    workspace: Workspace
    recipe: dict[str, Any]  # resolved
    lineage: Lineage
    digests: Digests
    on_progress: Callable[[StageSpec, Progress], None]
