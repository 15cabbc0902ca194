"""A recipe: the typed description of an experiment as named stages that refer to each other.

Light to import: no torch, Prefect, MLflow or Ray.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from evals.analytics.keywords import Families
from evals.config import EvalConfig
from rl_core.config import CountdownData, Gsm8kData, KnightsKnavesData, MathData, RlConfig, ScratchModel, Settings, SftConfig
from rl_core.errors import InputError
from tasks.workspace import RESERVED

MODEL = "model"  # the name by which stages refer to the recipe's model
NAME = r"^[a-z][a-z0-9_-]*$"


class RecipeError(InputError):
    """A recipe is missing or wrong; one line that names the path in it and the remedy."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Stages = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]


class KnightsKnavesStage(KnightsKnavesData):
    """Prompts: Knights and Knaves puzzles."""

    kind: Literal["data"] = Field(description="The kind of stage.")


class Gsm8kStage(Gsm8kData):
    """Prompts: grade-school word problems."""

    kind: Literal["data"] = Field(description="The kind of stage.")


class CountdownStage(CountdownData):
    """Prompts: Countdown."""

    kind: Literal["data"] = Field(description="The kind of stage.")


class MathStage(MathData):
    """Prompts: mathematical problems."""

    kind: Literal["data"] = Field(description="The kind of stage.")


class SftStage(SftConfig):
    """Supervised fine-tuning of a model or checkpoint on worked examples."""

    kind: Literal["sft"] = Field(description="The kind of stage.")
    start: str = Field(MODEL, description="`model`, or the stage whose checkpoint this one continues.")
    data: Stages = Field(description="The data stages whose prompts are used.")


class RlStage(RlConfig):
    """Reinforcement learning of a model or checkpoint."""

    kind: Literal["rl"] = Field(description="The kind of stage.")
    start: str = Field(MODEL, description="`model`, or the stage whose checkpoint this one continues.")
    reference: str | None = Field(None, description="`model`, or the stage whose checkpoint the KL term compares with; default: `start`.")
    data: Stages = Field(description="The data stages whose prompts are used.")

    @model_validator(mode="after")
    def _reference_is_used(self) -> RlStage:
        if self.reference is not None and not self.algorithm.uses_reference:
            raise ValueError("`reference` has no effect without a KL term; remove it, or set algorithm.kl_coefficient")
        return self


class EvalStage(EvalConfig):
    """Scores of checkpoints on benchmarks."""

    kind: Literal["eval"] = Field(description="The kind of stage.")
    checkpoints: Stages = Field(description="`model`, or stages whose checkpoints are scored.")


class AnalyzeStage(Settings):
    """All responses of the named stages in one DuckDB file, with spans, lengths, outcomes and keywords."""

    kind: Literal["analyze"] = Field(description="The kind of stage.")
    of: Stages = Field(description="Stages whose responses are read.")
    keywords: Families = Field({}, description="Keyword families besides those of evals/analytics/keywords.yaml, or in place of one.")


class ReportStage(Settings):
    """One HTML page and its figures."""

    kind: Literal["report"] = Field(description="The kind of stage.")
    of: Stages = Field(description="The analyze stage, and eval stages whose scores are shown.")


DataStage = Annotated[KnightsKnavesStage | Gsm8kStage | CountdownStage | MathStage, Field(discriminator="task")]
Stage = Annotated[DataStage | SftStage | RlStage | EvalStage | AnalyzeStage | ReportStage, Field(discriminator="kind")]

# What a reference of each role may name; `model` is allowed besides where a checkpoint is wanted.
ROLES: dict[str, dict[str, tuple[str, ...]]] = {
    "data": {},
    "sft": {"start": ("sft", "rl"), "data": ("data",)},
    "rl": {"start": ("sft", "rl"), "reference": ("sft", "rl"), "data": ("data",)},
    "eval": {"checkpoints": ("sft", "rl")},
    "analyze": {"of": ("sft", "rl", "eval")},
    "report": {"of": ("eval", "analyze")},
}


class Best(Settings):
    """By what score of which evaluation a checkpoint becomes `NAME@best` in MLflow's registry. No part of what a stage is."""

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

    def references(self, stage: str) -> dict[str, list[str]]:
        """Names that a stage refers to, by role; `model` among them."""
        settings = self.stages[stage]
        named = {role: getattr(settings, role) for role in ROLES[settings.kind]}
        return {role: list(_as_list(names)) for role, names in named.items() if names is not None}

    def parents(self, stage: str) -> list[str]:
        """The stages that a stage needs."""
        return [name for names in self.references(stage).values() for name in names if name != MODEL]

    def order(self) -> list[str]:
        """Stage names so that each comes after those it needs; data first, for broken rows must show before any training.

        Raises:
            RecipeError: the references form a cycle.
        """
        done: list[str] = []
        left = sorted(self.stages, key=lambda name: self.stages[name].kind != "data")  # stable: otherwise as written
        while left:
            ready = next((name for name in left if all(parent in done for parent in self.parents(name))), None)
            if ready is None:
                raise RecipeError(f"stages.{left[0]}: {self._cycle(left)}; remove one of these references")
            done.append(ready)
            left.remove(ready)
        return done

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
