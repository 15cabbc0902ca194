"""What a person asks for: a recipe, changes to it, and which stages are meant."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rl_core.config.base import Settings

Profile = Literal["smoke"]
DEFAULT_WORKSPACE = Path("runs")


class RunRequest(Settings):
    """One run of a recipe that is asked for. Also the parameter of the Prefect flow, and so the form in its UI."""

    recipe: str = Field(description="Name of a shipped recipe, or a path.")
    changes: list[str] = Field([], description="path=value, such as stages.five.temperature=0.9.")
    profile: Profile | None = Field(None, description="`smoke`: the same stages on a small model, in a minute or two; after `changes`.")
    rerun_from: str | None = Field(None, description="Rerun this stage and what follows; what comes before must be there.")
    until: str | None = Field(None, description="Make this stage and what it needs, nothing else.")
    force: list[str] = Field([], description="Rerun these stages and what depends on them.")
    anyway: bool = Field(False, description="Run also where a stage wants more than this machine has.")
    data_dir: Path | None = Field(None, description="Directory of local data files.")
    workspace: Path = Field(DEFAULT_WORKSPACE, description="Where everything is kept.")
