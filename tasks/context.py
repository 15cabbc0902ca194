"""What every stage of a run shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks.digests import Digests
from tasks.lineage import Lineage
from tasks.stage import StageSpec
from tasks.trainer_process import Progress
from tasks.workspace import Workspace


@dataclass(frozen=True)
class RunContext:
    """One run of an experiment."""

    workspace: Workspace
    recipe: dict[str, Any]  # resolved
    lineage: Lineage
    digests: Digests
    on_progress: Callable[[StageSpec, Progress], None]
