"""A recipe: the typed description of an experiment as named stages that refer to each other.

Light to import: no torch, Prefect, MLflow or Ray.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from evals.analytics.keywords import Families
from evals.config import EvalConfig
from flows.recipe.names_elsewhere import called_here, said_instead
from flows.recipe.setting_paths import by_path, settings_in
from flows.recipe.yaml_text import read_yaml
from rl_core.config import CountdownData, Gsm8kData, KnightsKnavesData, MathData, RlConfig, ScratchModel, Settings, SftConfig
from rl_core.errors import InputError
from rl_core.nearest import OFFERED, listed, near, nearest
from tasks.workspace import RESERVED

SHIPPED = Path(__file__).parents[1] / "recipes"
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


def shipped() -> dict[str, Path]:
    """Recipes that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def load_recipe(recipe: str, changes: Sequence[str] = ()) -> Recipe:
    """Read, change and check a recipe.

    Args:
        recipe: the name of a shipped recipe or a path.
        changes: `path=value` with a YAML value, such as `stages.five.temperature=0.9`.

    Raises:
        RecipeError: the file, a change or a setting is wrong.
    """
    document = _read(_find(recipe))
    for change in changes:
        _set(document, change)
    return check(document)


def check(document: dict[str, Any]) -> Recipe:
    """Validate the content of a recipe file.

    Raises:
        RecipeError: an unknown key, a wrong type, a value out of range, a reference to nothing, a cycle.
    """
    _finite(document, "")
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        raise RecipeError(_explain(error, document)) from error
    _check_references(recipe)
    recipe.order()
    return recipe


def resolved(recipe: Recipe) -> dict[str, Any]:
    """The recipe with every default written out; reads back as the same recipe."""
    return recipe.model_dump(mode="json")


def _find(recipe: str) -> Path:
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        if not path.is_file():
            raise RecipeError(f"{recipe}: no such recipe file; `r1flow recipes` lists those that are shipped")
        return path
    known = shipped()
    if recipe not in known:
        raise RecipeError(f"no recipe is called {recipe!r}; {nearest(recipe, known)} (or give a path to a .yaml file)")
    return known[recipe]


def _read(path: Path) -> dict[str, Any]:
    try:
        document = read_yaml(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RecipeError(f"{path}{line}: not valid YAML: {error.problem}") from error
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: cannot be read: {_first_line(error)}") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path}: a recipe is a mapping with name, model and stages")
    return document


def _set(document: dict[str, Any], change: str) -> None:
    path, equals, text = change.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(f"--set {change}: write path=value, such as stages.five.temperature=0.9")
    try:
        value = read_yaml(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {change}: the value is not valid YAML: {_first_line(error)}") from error
    # `five.steps` stands for `stages.five.steps`: plans and errors are read and typed again.
    stages = document.get("stages")
    if keys[0] not in Recipe.model_fields and isinstance(stages, dict) and len(keys) > 1:
        if keys[0] not in stages:
            meant = None if near(keys[0], stages) else _of_stages(path.strip(), document)
            raise RecipeError(f"--set {change}: the recipe has no stage {keys[0]!r}; {meant or nearest(keys[0], stages)}")
        keys.insert(0, "stages")
    place = document
    for depth, key in enumerate(keys[:-1]):
        here = ".".join(keys[: depth + 1])
        if depth == 1 and keys[0] == "stages" and key not in place:
            raise RecipeError(f"--set {change}: the recipe has no {here}; {nearest(key, place)}")
        if not isinstance(place.get(key), dict):  # a default, or a short form such as a bare number
            place[key] = {}
        place = place[key]
    place[keys[-1]] = value


def _finite(value: Any, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"{path}: {value} is not a finite number")
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        _finite(part, f"{path}.{key}" if path else str(key))


def _check_best(recipe: Recipe, best: Best) -> None:
    evaluations = {name: stage for name, stage in recipe.stages.items() if isinstance(stage, EvalStage)}
    if best.stage not in evaluations:
        raise RecipeError(f"best.stage: there is no eval stage {best.stage!r}; {nearest(best.stage, evaluations)}")
    names = [benchmark.name for benchmark in evaluations[best.stage].benchmarks]
    if best.benchmark not in names:
        raise RecipeError(f"best.benchmark: {best.stage} does not evaluate {best.benchmark!r}; {nearest(best.benchmark, names)}")


def _check_references(recipe: Recipe) -> None:
    if recipe.best:
        _check_best(recipe, recipe.best)
    for name, stage in recipe.stages.items():
        if name == MODEL:
            raise RecipeError(f"stages.{name}: `{MODEL}` names the recipe's model; call the stage otherwise")
        for role, names in recipe.references(name).items():
            for target in names:
                _check_reference(recipe, name, role, target)
            if len(set(names)) < len(names):
                raise RecipeError(f"stages.{name}.{role}: a stage is named twice")
        if isinstance(stage, ReportStage):
            _check_report(recipe, name, stage)


def _check_reference(recipe: Recipe, name: str, role: str, target: str) -> None:
    stage = recipe.stages[name]
    where = f"stages.{name}.{role}"
    wanted = ROLES[stage.kind][role]
    fitting = [other for other, settings in recipe.stages.items() if settings.kind in wanted and other != name]
    if target == MODEL and "rl" in wanted and role != "of":
        if stage.kind != "sft" and not isinstance(recipe.model, str):
            raise RecipeError(f"{where}: the model of this recipe is made from nothing by an sft stage; name one of {listed(fitting)}")
        return
    if target not in recipe.stages:
        raise RecipeError(f"{where}: there is no stage {target!r}; {nearest(target, fitting)}")
    kind = recipe.stages[target].kind
    if kind not in wanted:
        raise RecipeError(f"{where}: {target!r} is a stage of kind {kind}, wanted is {' or '.join(wanted)}: {listed(fitting)}")


def _check_report(recipe: Recipe, name: str, stage: ReportStage) -> None:
    analyses = [other for other in stage.of if recipe.stages[other].kind == "analyze"]
    if len(analyses) != 1:
        raise RecipeError(f"stages.{name}.of: a report reads the database of one analyze stage, {len(analyses)} are named")
    for other in stage.of:
        if other != analyses[0] and other not in recipe.parents(analyses[0]):
            raise RecipeError(f"stages.{name}.of: {other!r} is not in the database; add it to stages.{analyses[0]}.of")


def _explain(error: ValidationError, document: dict[str, Any]) -> str:
    """The first problem as `path: what is wrong`, nearest name included."""
    problem = max(error.errors(include_url=False), key=lambda item: _weight(item, document))
    path, place = _walk(problem["loc"], document)
    if problem["type"] == "missing":
        path.append(str(problem["loc"][-1]))
    where = ".".join(key if key.isprintable() else _shown(key) for key in path) or "recipe"  # a key may hold a line break
    message = problem["msg"].removeprefix("Value error, ")
    context = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return f"{where}: unknown key; {_meant(path, place, document)}"
        case "union_tag_invalid":
            key = context["discriminator"].strip("'")
            known = re.findall(r"'([^']*)'", context["expected_tags"])
            return f"{where}.{key}: {context['tag']!r} is not known; {nearest(context['tag'], known)}"
        case "union_tag_not_found":
            return f"{where}: `{context['discriminator'].strip(chr(39))}` is missing"
        case "missing":
            return f"{where}: is missing"
        case "model_type" | "model_attributes_type" | "dict_type":
            model = _model_at(path, document)
            named = isinstance(place, str) and model is not Recipe and "name" in model.model_fields
            hint = f": write {{name: {place}}}" if named else ""
            return f"{where}: settings are wanted here (key: value), not {_shown(place)}{hint}"
        case "literal_error" if slip := near(str(place), re.findall(r"'([^']*)'", context["expected"])):
            return f"{where}: {_shown(place)} is not known; did you mean {' or '.join(map(repr, slip))}?"
        case "string_pattern_mismatch":
            return f"{where}: {_shown(path[-1] if '[key]' in problem['loc'] else place)} is no name; use a-z, 0-9, _ and -, a letter first"
    message = message[0].lower() + message[1:]
    return f"{where}: {message}" if isinstance(place, dict | list) else f"{where}: {message}, not {_shown(place)}"


def _walk(location: tuple[int | str, ...], document: Any) -> tuple[list[str], Any]:
    """The keys of an error's location that a person wrote (pydantic adds the names of union members), and the value there."""
    path: list[str] = []
    place = document
    key: Any
    for key in location:
        if (isinstance(place, dict) and key in place) or (isinstance(place, list) and isinstance(key, int) and key < len(place)):
            place = place[key]
            path.append(str(key))
    return path, place


def _weight(problem: Any, document: dict[str, Any]) -> tuple[int, bool]:
    """Of the complaints of a union's members, the one that got furthest into what was written is about the member meant."""
    path, place = _walk(problem["loc"], document)
    return len(path), not (problem["type"] == "string_type" and isinstance(place, dict))


def _meant(path: list[str], place: Any, document: dict[str, Any]) -> str:
    """What an unknown key stands for: by its name in other trainers, by a slip, or as a key that has its place elsewhere."""
    name, known = path[-1], _known_keys(path, document)
    full = ".".join([name, *_only_keys(place)])
    if text := said_instead(full):
        return text
    depth = 2 if path[0] == "stages" else 1 if path[0] == MODEL else 0  # keys before those of the settings class
    model = _model_at(path[:depth], document)
    last = {other.rpartition(".")[2]: other for other in reversed(by_path(model))}  # of equals the first
    here = called_here(full, model) or last.get(name)
    if here is None and (slip := near(name, known)):
        return f"did you mean {' or '.join(map(repr, slip))}?"
    if here is None:
        here = next((last[other] for other in near(name, last)), None)
    if here is not None:
        inside = ".".join(path[depth:-1])
        sibling = here.removeprefix(f"{inside}." if inside else "")
        return f"did you mean {sibling if sibling in known else '.'.join([*path[:depth], here])!r}?"
    if (of_recipe := called_here(full, Recipe) or name) in Recipe.model_fields:
        return f"did you mean {of_recipe!r}, of the whole recipe?"
    return _of_stages(full, document) or nearest(name, known)


def _of_stages(name: str, document: dict[str, Any]) -> str | None:
    """The settings of stages that another trainer calls `name`, or that are called so."""
    if text := said_instead(name):
        return text
    stages = document.get("stages")
    found = []
    for stage, content in stages.items() if isinstance(stages, dict) else ():
        model = _stage_class(content if isinstance(content, dict) else {})
        path = called_here(name, model) or (name if name in by_path(model) else None)
        found += [f"stages.{stage}.{path}"] if path else []
    return f"did you mean {' or '.join(map(repr, found[:OFFERED]))}?" if found else None


def _only_keys(value: Any) -> list[str]:
    """`optim`, `lr` of `{optim: {lr: 1e-6}}`."""
    if not isinstance(value, dict) or len(value) != 1:
        return []
    [(key, inner)] = value.items()
    return [str(key), *_only_keys(inner)]


def _model_at(path: list[str], document: dict[str, Any]) -> type[Settings]:
    """The settings class of a place in a recipe."""
    model: type[Settings] = Recipe
    place: Any = document
    for key in path:
        index: Any = int(key) if key.isdigit() else key
        place = place[index]
        if key == "stages":
            continue
        if model is Recipe:
            model = (
                ScratchModel
                if key == MODEL
                else _stage_class(place if isinstance(place, dict) else {})
                if path[0] == "stages"
                else settings_in(Recipe.model_fields[key].annotation) or Recipe
            )
        elif key in model.model_fields:  # neither an index nor a name that the user chose
            model = settings_in(model.model_fields[key].annotation) or model
    return model


def _known_keys(path: list[str], document: dict[str, Any]) -> list[str]:
    """Keys that the schema knows where an unknown one stands."""
    return list(_model_at(path[:-1], document).model_fields)


def _stage_class(stage: dict[str, Any]) -> type[Settings]:
    if stage.get("kind") == "data":
        of_task: dict[str, type[Settings]] = {"gsm8k": Gsm8kStage, "countdown": CountdownStage, "math": MathStage}
        return of_task.get(str(stage.get("task")), KnightsKnavesStage)
    by_kind: dict[str, type[Settings]] = {"sft": SftStage, "rl": RlStage, "eval": EvalStage, "analyze": AnalyzeStage, "report": ReportStage}
    return by_kind.get(str(stage.get("kind")), ReportStage)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
