"""A recipe: the typed description of an experiment as named stages that refer to each other.

Light to import: no torch, Prefect, MLflow or Ray.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from rl_core.config.base import Settings
from rl_core.config.model import ScratchModel
from rl_core.errors import InputError
from tasks.kind import MODEL, Kind, as_list
from tasks.kinds import KINDS
from tasks.workspace import RESERVED

NAME = r"^[a-z][a-z0-9_-]*$"


class RecipeError(InputError):
    """A recipe is missing or wrong; one line that names the path in it and the remedy."""


if TYPE_CHECKING:
    Stage = Any  # one of the settings classes of tasks/kinds; typed where its kind handles it
else:
    Stage = Annotated[reduce(operator.or_, (kind.settings for kind in KINDS.values())), Field(discriminator="kind")]


class Best(Settings):
    """By which score a checkpoint becomes `NAME@best` in MLflow's registry. No part of any fingerprint."""

    stage: str = Field(description="An eval stage.")
    benchmark: str = Field(description="One that it evaluates.")
    metric: str = Field("accuracy", description="As in the score table: accuracy (greedy), avg@4, pass@4, maj@4.")


class Recipe(Settings):
    """An experiment: a model and the stages made of it."""

    name: Annotated[str, Field(pattern=NAME, description="Of the experiment: its directory in the workspace.")]
    model: str | ScratchModel = Field(description="Hub id, directory, or settings of a small model made from scratch.")
    seed: int = Field(0, ge=0, lt=2**31, description="Of shuffling and sampling.")
    stages: dict[Annotated[str, Field(pattern=NAME)], Stage] = Field(min_length=1, description="By name; stages refer to each other by it.")
    best: Best | None = Field(None, description="Promote the best checkpoint to NAME@best at the end of a run.")

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if value in RESERVED:
            raise ValueError("a workspace keeps this name for a folder of its own; take another one")
        return value

    def kind(self, stage: str) -> Kind[Any]:
        """What is known of the kind of a stage."""
        return KINDS[self.stages[stage].kind]

    def references(self, stage: str) -> dict[str, list[str]]:
        """Names that a stage refers to, by role; `model` among them."""
        named = {role: getattr(self.stages[stage], role) for role in self.kind(stage).roles}
        return {role: list(as_list(names)) for role, names in named.items() if names is not None}

    def parents(self, stage: str) -> list[str]:
        """The stages that a stage needs."""
        return [name for names in self.references(stage).values() for name in names if name != MODEL]

    def order(self) -> list[str]:
        """Stage names so that each comes after those it needs; data first: broken rows must show before any training.

        Raises:
            RecipeError: the references form a cycle.
        """
        done: list[str] = []
        left = sorted(self.stages, key=lambda name: not self.kind(name).first)  # stable: otherwise as written
        while left:
            ready = next((name for name in left if all(parent in done for parent in self.parents(name))), None)
            if ready is None:
                raise RecipeError(f"stages.{left[0]}: {self._cycle(left)}; remove one of these references")
            done.append(ready)
            left.remove(ready)
        return done

    def prompts(self, stage: str) -> int:
        """Training prompts of the data stages that a stage names."""
        return sum(self.kind(other).prompts(self.stages[other]) for other in self.parents(stage))

    def ancestors(self, stage: str) -> set[str]:
        """Every stage that a stage needs, directly or not."""
        found: set[str] = set()
        waiting = [stage]
        while waiting:
            for parent in self.parents(waiting.pop()):
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found

    def descendants(self, stage: str) -> set[str]:
        """Every stage that needs a stage, directly or not."""
        return {name for name in self.stages if stage in self.ancestors(name)}

    def _cycle(self, left: list[str]) -> str:
        path = [left[0]]
        while path.count(path[-1]) == 1:
            path.append(next(parent for parent in self.parents(path[-1]) if parent in left))
        return "the stages need each other in a circle: " + " -> ".join(path[path.index(path[-1]) :])
