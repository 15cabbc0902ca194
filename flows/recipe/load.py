"""Reading a recipe from its file, with changes, and checking what its types cannot say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from flows.recipe.explain import explain, of_stages
from flows.recipe.schema import Best, Recipe, RecipeError
from flows.recipe.yaml_text import read_yaml
from rl_core.nearest import listed, near, nearest
from tasks.kind import MODEL
from tasks.kinds import KINDS, kinds_that_make

SHIPPED = Path(__file__).parents[1] / "recipes"


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
        raise RecipeError(explain(error, document)) from error
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
            meant = None if near(keys[0], stages) else of_stages(path.strip(), document)
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
    evaluated = {name: recipe.kind(name).benchmarks(stage) for name, stage in recipe.stages.items()}
    evaluations = {name: benchmarks for name, benchmarks in evaluated.items() if benchmarks}
    if best.stage not in evaluations:
        raise RecipeError(f"best.stage: there is no eval stage {best.stage!r}; {nearest(best.stage, evaluations)}")
    names = evaluations[best.stage]
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
        kinds = {other: recipe.kind(other) for other in recipe.stages}
        if wrong := recipe.kind(name).check_references(stage, kinds, recipe.parents):
            raise RecipeError(f"stages.{name}.{wrong}")


def _check_reference(recipe: Recipe, name: str, role: str, target: str) -> None:
    where = f"stages.{name}.{role}"
    takes = recipe.kind(name).roles[role]
    wanted = kinds_that_make(takes.wants)
    fitting = [other for other, settings in recipe.stages.items() if settings.kind in wanted and other != name]
    if target == MODEL and takes.model:
        if not takes.from_nothing and not isinstance(recipe.model, str):
            makers = " or ".join(kind.name for kind in KINDS.values() if any(other.from_nothing for other in kind.roles.values()))
            raise RecipeError(f"{where}: the model of this recipe is made from nothing by an {makers} stage; name one of {listed(fitting)}")
        return
    if target not in recipe.stages:
        raise RecipeError(f"{where}: there is no stage {target!r}; {nearest(target, fitting)}")
    kind = recipe.stages[target].kind
    if kind not in wanted:
        raise RecipeError(f"{where}: {target!r} is a stage of kind {kind}, wanted is {' or '.join(wanted)}: {listed(fitting)}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
