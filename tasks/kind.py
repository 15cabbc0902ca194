"""What a kind of stage is. Each file of tasks/kinds is one kind; everything else asks this interface.

Light to import: what is heavy is imported where a stage runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BeforeValidator, Field

from rl_core.config.base import Settings
from rl_core.errors import naming
from rl_core.templates.own import TemplateSetting
from tasks.costs.formulas import CONTEXT_GPU, PROCESS, Changes, Memory
from tasks.costs.machine import Machine
from tasks.costs.models import Model
from tasks.stage.lease import Lease
from tasks.stage.spec import StageSpec
from tasks.trainer.local_process import Progress

MODEL = "model"  # the name by which stages refer to the recipe's model

Product = Literal["prompts", "checkpoint", "responses", "scores", "page", "files"]  # files: every stage has some
# What a stage reads of one that it names for a product; of a checkpoint that is the stage's last one.
READ: dict[Product, tuple[str, ...]] = {
    "prompts": ("train.parquet",),
    "responses": ("rollouts/", "samples/"),
    "page": ("rollouts/", "samples/"),
    "files": ("",),
}


def as_list(value: Any) -> Any:
    """A name alone stands for a list of one."""
    return [value] if isinstance(value, str) else value


Stages = Annotated[list[str], BeforeValidator(as_list, json_schema_input_type=str | list[str]), Field(min_length=1)]


class StageSettings(Settings):
    """The settings of a stage; each kind adds its own."""

    kind: str = Field(description="The kind of stage.")


def check_template(template: TemplateSetting, where: str) -> None:
    """Look up a prompt template. Raises InputError with the path of the setting in the recipe, `where`."""
    from rl_core.data.templates import find_template

    with naming(where):
        find_template(template)


@dataclass(frozen=True)
class Role:
    """One of the references of a kind: which stages it may name."""

    wants: Product
    model: bool = False  # it may be the recipe's model
    from_nothing: bool = False  # also one that is made from scratch


@dataclass(frozen=True)
class Stated:
    """What a person says that a stage takes; None where nothing is said."""

    gpus: int | None = None
    memory: float | None = None  # bytes: of each GPU, without any of the machine
    seconds: float | None = None


@dataclass(frozen=True)
class Work:
    """What a running stage is given beside its spec."""

    lease: Lease
    follow: Callable[[Progress], None]  # to be called with each sign of progress
    recipe: dict[str, Any]  # resolved


S = TypeVar("S", bound=Settings)


class Kind(Generic[S]):
    """All that is known of one kind of stage. `S` is its settings class.

    Attributes:
        name: the value of `kind` in a recipe.
        version: raised by hand when its code comes to make something else of the same settings; part of the fingerprint.
        settings: the settings class, or a union of classes.
        roles: its references, by the name of the setting.
        makes: what other stages may use it for.
        first: it comes before all others, for what is wrong with it must show before anything is trained.
        publishes: it writes into the warehouse of the workspace, so it runs again where that is missing.
        avoids_held_out: its stages have to know the held-out problems of the recipe.
        fine_tunes: it trains on given texts; analyses count it in with what was built on it.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    settings: ClassVar[Any]
    roles: ClassVar[Mapping[str, Role]] = {}
    makes: ClassVar[frozenset[Product]] = frozenset()
    first: ClassVar[bool] = False
    publishes: ClassVar[bool] = False
    avoids_held_out: ClassVar[bool] = False
    fine_tunes: ClassVar[bool] = False

    def run(self, spec: StageSpec, work: Work) -> dict[str, Any]:
        """Make the stage in `spec.directory`; returns its result, which is kept in its manifest.

        Raises:
            InputError: a setting, file or model is wrong.
            StageFailed: it ended without what it should have made.
        """
        raise NotImplementedError

    def settings_class(self, written: Mapping[str, Any]) -> type[Settings]:
        """The class that the settings of a stage are checked by, whatever is wrong with them."""
        found: type[Settings] = self.settings
        return found

    def implied(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """Settings that follow from what a recipe says of a stage, where it does not say them."""
        return {}

    # Before a run

    def check_references(self, stage: S, kinds: Mapping[str, Kind[Any]], parents: Callable[[str], Sequence[str]]) -> str | None:
        """What is wrong with its references beyond their roles, as `role: what`.

        Args:
            kinds: of all stages of the recipe, by name.
            parents: the stages that a stage refers to.
        """
        return None

    def check_names(self, stage: S, where: str) -> None:
        """Look up what the settings name. Raises InputError with the path in the recipe, which begins with `where`."""

    def check_before_run(self, stage: S, spec: StageSpec, where: str) -> None:
        """What only a run needs: data that can be read, a cluster within reach. Raises InputError."""

    def check_with_data(self, stage: S, spec: StageSpec, where: str) -> None:
        """What can be found wrong once data stages are done, before anything is trained. Raises InputError."""

    def files(self, stage: S, where: str, data_dir: Path | None) -> list[Path]:
        """Local files whose content is part of what the stage is. Raises InputError where one is missing."""
        return []

    def own_files(self, stage: S, where: str) -> dict[str, Path]:
        """The same of a person's own files, by the name under which each counts, wherever it lies."""
        return {}

    def code(self, stage: S, where: str) -> dict[str, dict[str, str]]:
        """Code of a user's own that it runs: texts by file, under `reward` or `verifier`. Nothing of it is imported.

        Raises:
            InputError: a file or name is missing, or no Python.
        """
        return {}

    def identity(self, stage: S, seed: int) -> dict[str, Any]:
        """What beside settings, inputs and files makes two stages different."""
        return {}

    def lacks(self, stage: S, product: Product) -> str | None:
        """Why this stage does not make something that its kind can make."""
        return None

    def held_out(self, stage: S) -> list[dict[str, Any]]:
        """Benchmarks that it evaluates, whole: no training set may hold their problems."""
        return []

    def why_again(self, spec: StageSpec) -> tuple[str, bool] | None:
        """Why a finished stage of the same fingerprint runs again all the same, and whether what it left is set aside first."""
        return None

    def benchmarks(self, stage: S) -> list[str]:
        """Benchmarks of which it makes scores."""
        return []

    def prompts(self, stage: S) -> int:
        """Training prompts that it makes."""
        return 0

    def public_sets(self, stage: S) -> list[str]:
        """Published sets and benchmarks whose rows it reads."""
        return []

    def smoke(self, stage: S, scale: float, answer_form: str) -> dict[str, Any]:
        """Changed settings with which a stage takes seconds on a CPU.

        Args:
            scale: factor for lengths of responses.
            answer_form: how to write an answer so that the recipe's reward finds it, with `{answer}` in it.
        """
        return {}

    # After a run

    def note(self, spec: StageSpec, manifest: Mapping[str, Any]) -> str:
        """The result of a stage in a few words."""
        return ""

    def warnings(self, directory: Path, settings: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
        """What a person should know of a finished stage, a line each."""
        return []

    def page(self, directory: Path) -> Path | None:
        """The page of a finished stage that a person should look at."""
        return None


class ModelKind(Kind[S]):
    """A kind whose stages run a model: they cost tokens, time, memory and devices."""

    def tokens(self, stage: S, prompts: int) -> int:
        """The most tokens that a stage can see or write, from so many prompts."""
        raise NotImplementedError

    def response_tokens(self, stage: S) -> int | None:
        """The longest response that it samples."""
        return None

    def stated(self, stage: S) -> Stated | None:
        """What its settings say that it takes, in the place of what would be computed; None where that is computed."""
        return None

    def seconds(self, stage: S, model: Model, machine: Machine, prompts: int) -> float | None:
        """With as many devices as the stage asks for; None where too little is known of the machine."""
        raise NotImplementedError

    def memory(self, stage: S, model: Model, *, gpus: bool) -> Memory | None:
        """Of one process that trains and one device of an engine; None where the model runs elsewhere."""
        raise NotImplementedError

    def total_memory(self, stage: S, memory: Memory, *, gpus: bool, share: bool) -> float:
        """Bytes of one GPU, or of all processes on a machine without any.

        Args:
            share: the engine takes a fixed share of the GPU, which it gives back before training.
        """
        return max(memory.states + memory.working, memory.engine) + (CONTEXT_GPU if gpus else PROCESS)

    def host_memory(self, stage: S, model: Model, machine: Machine) -> float:
        """Bytes beside those of the GPUs."""
        return PROCESS

    def disk(self, stage: S, model: Model | None, tokens: int) -> float:
        """Bytes that a stage leaves."""
        return 0.0

    def gpus(self, stage: S) -> int:
        """GPUs that a stage takes up where there are any."""
        return 1

    def cluster(self, stage: S) -> str | None:
        """Address of the Ray cluster that it runs on."""
        return None

    def pace(self, stage: S) -> list[str]:
        """Settings that two stages must share for the speed of one to be that of the other."""
        return []

    def derived(self, stage: S, prompts: int) -> str | None:
        """What follows from the settings and is not written in them."""
        return None

    def algorithm(self, stage: S) -> str | None:
        """What it trains by, for a list of recipes."""
        return None

    def answer_form(self, stage: S) -> str | None:
        """How an answer has to be written for its reward to find it; None where any usual form will do."""
        return None

    def shortages(self, stage: S, machine: Machine) -> list[str]:
        """What a machine lacks beside packages, GPUs and memory, a few words each."""
        return []

    def wanted(self, stage: S, machine: Machine, missing: Sequence[str]) -> str | None:
        """What it wants, where that is not GPUs and packages."""
        return None

    def crowding(self, stage: S, machine: Machine) -> str | None:
        """What makes a stage that starts there slower than fewer workers would."""
        return None

    def lighter(self, stage: S, machine: Machine) -> list[Changes]:
        """Changes that ask for less, those that matter least first; each is one idea and may take several settings."""
        return []
