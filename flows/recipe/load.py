"""Reading a recipe from its file, with changes, and checking what its types cannot say."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from flows.recipe.defaults import origin, refuse_without_effect, with_defaults
from flows.recipe.explain import UNREAD, dotted, explain, of_stages, shown
from flows.recipe.merge import SAME_SETTING, Replaced, extended
from flows.recipe.schema import Best, Recipe, RecipeError
from flows.recipe.yaml_text import DEEPEST, MOST, count_values, read_yaml
from rl_core.config.own_files import FOLDERS
from rl_core.errors import first_line
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
        RecipeError: the file, one that it extends, a change or a setting is wrong.
    """
    files = _read_chain(recipe)
    document = _on_top_of_each_other(files)
    for change in changes:
        _set(document, change)
    _check_name(document, files)
    return check(document, [path.parent for path in files])


def check(document: dict[str, Any], folders: Sequence[Path] = ()) -> Recipe:
    """Validate a recipe, with its defaults but without what it extends.

    Args:
        folders: where the files that it names by relative paths are looked for (`OwnFiles`).

    Raises:
        RecipeError: an unknown key, a wrong type, a value out of range, a reference to nothing, a cycle.
    """
    _finite(document)
    document = _with_implied(document)
    whole = _with_implied(with_defaults(document, folders))
    try:
        recipe = Recipe.model_validate(whole, context={FOLDERS: folders})
    except ValidationError as error:
        raise RecipeError(explain(error.errors(include_url=False), whole, lambda path: origin(path, document))) from error
    _check_references(recipe, lambda *path: dotted(origin(list(path), document)))
    recipe.order()
    return recipe


def resolved(recipe: Recipe) -> dict[str, Any]:
    """The recipe with every default written out; reads back as the same recipe."""
    return recipe.model_dump(mode="json")


def _find(recipe: str, folder: Path = Path()) -> Path:
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        found = folder / path
        if not os.path.isfile(found):
            raise RecipeError(f"{found}: no such recipe file; `r1flow recipes` lists those that are shipped")
        return found
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
        raise RecipeError(f"{path}: cannot be read: {first_line(error)}") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path}: a recipe is a mapping with name, model and stages")
    return document


def _read_chain(recipe: str) -> dict[Path, dict[str, Any]]:
    """The content of a recipe's file, of the one that it extends, and so on."""
    files: dict[Path, dict[str, Any]] = {}
    path, values = _find(recipe), 0
    while True:
        chain = " -> ".join(map(str, [*files, path]))
        if any(path.samefile(other) for other in files):
            raise RecipeError(f"{chain}: these recipes extend each other in a circle; remove one `extends`")
        document = _read(path)
        values += count_values(document)
        if values > MOST:
            raise RecipeError(f"{chain}: more than {MOST:,} values in all")
        files[path] = {key: value for key, value in document.items() if not str(key).startswith(UNREAD)}
        if "extends" not in document:
            return files
        base = document["extends"]
        if not isinstance(base, str) or not base.isprintable():
            raise RecipeError(f"{path}: extends: the name of a shipped recipe or a path is wanted, not {shown(base)}")
        try:
            path = _find(base, path.parent)
        except RecipeError as error:
            raise RecipeError(f"{chain}: extends: {error}") from error


def _on_top_of_each_other(files: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    path, *_ = files
    *variants, base = files.values()
    if not variants:
        return base
    document = base
    for variant in reversed(variants):
        try:
            document = extended(document, variant)
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}") from error
    refuse_without_effect(document, variants[0].get("defaults"), str(path))
    return {key: value for key, value in document.items() if key != "extends" and (key != "name" or "name" in variants[0])}


def _check_name(document: dict[str, Any], files: dict[Path, dict[str, Any]]) -> None:
    """Runs are kept under the name of their recipe: those of a variant must not get among those of what it extends."""
    path, *bases = files
    if bases and "name" not in document:
        raise RecipeError(f"{path}: name: is missing; a recipe that extends another one has a name of its own")
    for base in bases:
        if document["name"] == files[base].get("name"):
            raise RecipeError(f"{path}: name: {document['name']!r} is the name of {base}, which this recipe extends; take another one")


def _set(document: dict[str, Any], change: str) -> None:
    path, equals, text = change.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys) or len(keys) > DEEPEST:
        raise RecipeError(f"--set {change}: write path=value, such as stages.five.temperature=0.9")
    if keys[0] == "extends":
        raise RecipeError(f"--set {change}: a recipe is extended by a file with `extends: RECIPE`")
    try:
        value = read_yaml(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {change}: the value is not valid YAML: {first_line(error)}") from error
    # `five.steps` stands for `stages.five.steps`: people type what plans and errors show.
    stages = document.get("stages")
    if keys[0] not in (*Recipe.model_fields, "defaults") and isinstance(stages, dict) and len(keys) > 1:
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
            place[key] = Replaced() if key in place else {}
        place = place[key]
    place.pop(SAME_SETTING.get(keys[-1], ""), None)
    place[keys[-1]] = Replaced(value) if isinstance(value, dict) and keys[0] == "stages" and len(keys) > 2 else value
    if keys[0] == "defaults":
        for key in reversed(keys[1:]):
            value = {key: value}
        refuse_without_effect(document, value, f"--set {change}")


def _with_implied(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what follows from what its stages say."""
    stages = document.get("stages")
    if not isinstance(stages, dict):
        return document
    kinds = {name: KINDS.get(str(stage.get("kind"))) if isinstance(stage, dict) else None for name, stage in stages.items()}
    return document | {"stages": {name: stage | kind.implied(stage) if (kind := kinds[name]) else stage for name, stage in stages.items()}}


def _finite(value: Any, path: tuple[Any, ...] = ()) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"{dotted(path)}: {value} is not a finite number")
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        _finite(part, (*path, key))


def _check_best(recipe: Recipe, best: Best) -> None:
    evaluated = {name: recipe.kind(name).benchmarks(stage) for name, stage in recipe.stages.items()}
    evaluations = {name: benchmarks for name, benchmarks in evaluated.items() if benchmarks}
    if best.stage not in evaluations:
        raise RecipeError(f"best.stage: there is no eval stage {best.stage!r}; {nearest(best.stage, evaluations)}")
    names = evaluations[best.stage]
    if best.benchmark not in names:
        raise RecipeError(f"best.benchmark: {best.stage} does not evaluate {best.benchmark!r}; {nearest(best.benchmark, names)}")


def _check_references(recipe: Recipe, place: Callable[..., str]) -> None:
    if recipe.best:
        _check_best(recipe, recipe.best)
    for name, stage in recipe.stages.items():
        if name == MODEL:
            raise RecipeError(f"stages.{name}: `{MODEL}` names the recipe's model; call the stage otherwise")
        for role, names in recipe.references(name).items():
            for target in names:
                _check_reference(recipe, name, role, target, place("stages", name, role))
            if len(set(names)) < len(names):
                raise RecipeError(f"{place('stages', name, role)}: a stage is named twice")
        kinds = {other: recipe.kind(other) for other in recipe.stages}
        if wrong := recipe.kind(name).check_references(stage, kinds, recipe.parents):
            role, _, what = wrong.partition(": ")
            raise RecipeError(f"{place('stages', name, role)}: {what}")


def _check_reference(recipe: Recipe, name: str, role: str, target: str, where: str) -> None:
    takes = recipe.kind(name).roles[role]
    wanted = kinds_that_make(takes.wants)
    fitting = [
        other
        for other, settings in recipe.stages.items()
        if settings.kind in wanted and other != name and not recipe.kind(other).lacks(settings, takes.wants)
    ]
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
    if why := recipe.kind(target).lacks(recipe.stages[target], takes.wants):
        raise RecipeError(f"{where}: {target!r} makes no {takes.wants}, for {why}; set it, or name another stage: {listed(fitting)}")
