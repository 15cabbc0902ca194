"""`defaults` of a recipe: by kind, settings that every stage of the kind takes unless it names them itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flows.recipe.explain import dotted, explain, shown, walk
from flows.recipe.merge import Replaced, merged
from flows.recipe.schema import RecipeError
from flows.recipe.setting_paths import classes_in
from flows.recipe.yaml_text import MOST, count_values
from rl_core.config.base import Settings
from rl_core.config.own_files import FOLDERS
from rl_core.nearest import listed, near, nearest
from tasks.kinds import KINDS


def with_defaults(document: dict[str, Any], folders: Sequence[Path] = ()) -> dict[str, Any]:
    """The document with its defaults in each stage, and without `defaults`; `folders` as in `OwnFiles`.

    Raises:
        RecipeError: `defaults` is wrong, or too large for so many stages.
    """
    if "defaults" not in document:
        return document
    _check(document, folders)
    whole = {key: value for key, value in document.items() if key != "defaults"}
    stages = document.get("stages")
    if isinstance(stages, dict):
        taken = {name: _taken(document, stage) for name, stage in stages.items()}
        if sum(count_values(taken[name]) + count_values(stage) for name, stage in stages.items()) > MOST:
            raise RecipeError(f"defaults: written out in every stage they come to more than {MOST:,} values")
        whole["stages"] = {name: merged(taken[name], stage) for name, stage in stages.items()}
    return whole


def origin(path: list[str], document: dict[str, Any]) -> list[str]:
    """Where a setting of a stage was written: `defaults.rl.temperature` for one that the stage took from there."""
    if len(path) < 3 or path[0] != "stages":
        return path
    own: Any = document["stages"][path[1]]
    default: Any = _taken(document, own)
    for key in path[2:]:
        if not isinstance(own, dict) or isinstance(own, Replaced) or not isinstance(default, dict):
            return path
        if key not in own:
            return ["defaults", own_kind(document, path[1]), *path[2:]] if key in default else path
        own, default = own[key], default.get(key)
    return path


def own_kind(document: dict[str, Any], stage: str) -> str:
    """The kind that a stage says it is of."""
    return str(document["stages"][stage]["kind"])


def refuse_without_effect(document: dict[str, Any], settings: Any, source: str) -> None:
    """Defaults that are given from outside the file of the stages (`--set`, a variant) must change one of them.

    Args:
        document: the whole recipe, with `defaults`.
        settings: those of `defaults` that were given.
        source: begins the message.

    Raises:
        RecipeError: there is no stage of the kind, or each names the setting itself.
    """
    written = document.get("stages")
    if not isinstance(settings, dict) or not isinstance(written, dict):
        return
    for kind, given in settings.items():
        if kind not in KINDS or not isinstance(given, dict):
            continue  # removed, or wrong, which is another message
        stages = {name: stage for name, stage in written.items() if isinstance(stage, dict) and stage.get("kind") == kind}
        if not stages:
            raise RecipeError(f"{source}: defaults.{kind} would change nothing, for no stage is of this kind")
        for keys in _leaves(given):
            if all(_names(stage, keys) for stage in stages.values()):
                path = dotted(["defaults", kind, *keys])
                names = listed(dotted(["stages", name, *keys]) for name in stages)
                raise RecipeError(f"{source}: {path} would change nothing, for every stage names it itself; change {names}")


def _taken(document: dict[str, Any], stage: Any) -> dict[str, Any]:
    """The defaults of a stage's kind. Those of data that name a task are for stages of that task."""
    defaults = document.get("defaults")
    if not isinstance(stage, dict) or not isinstance(defaults, dict):
        return {}
    found = defaults.get(str(stage.get("kind")))
    if not isinstance(found, dict) or ("task" in found and stage.get("task", found["task"]) != found["task"]):
        return {}
    return found


def _leaves(settings: Any) -> Iterator[list[str]]:
    """Paths of the values in nested mappings."""
    if not isinstance(settings, dict):
        yield []
        return
    for key, value in settings.items():
        for rest in _leaves(value):
            yield [key, *rest]


def _names(settings: Any, keys: list[str]) -> bool:
    """Whether what a stage says leaves no room for a default at a path."""
    for key in keys:
        if not isinstance(settings, dict) or isinstance(settings, Replaced):
            return True
        if key not in settings:
            return False
        settings = settings[key]
    return True


def _check(document: dict[str, Any], folders: Sequence[Path]) -> None:
    defaults = document["defaults"]
    if defaults is None:
        return
    if not isinstance(defaults, dict):
        other = "; to build on another recipe write `extends: RECIPE`" if isinstance(defaults, list | str) else ""
        message = "settings by kind of stage are wanted here, such as rl: {temperature: 0.9}"
        raise RecipeError(f"defaults: {message}, not {shown(defaults)}{other}")
    for kind, settings in defaults.items():
        if kind not in KINDS:
            raise RecipeError(f"{dotted(['defaults', kind])}: there is no such kind of stage; {nearest(kind, KINDS)}")
        if settings is None:
            continue
        if not isinstance(settings, dict):
            raise RecipeError(f"defaults.{kind}: settings are wanted here (key: value), not {shown(settings)}")
        _check_kind(kind, settings, {FOLDERS: folders})


def _check_kind(kind: str, settings: dict[str, Any], context: dict[str, Any]) -> None:
    """Check what can be checked of a part of the settings of a kind; what is missing, a stage may add."""
    classes = classes_in(KINDS[kind].settings)
    by_task = {model.model_fields["task"].default: model for model in classes if "task" in model.model_fields}
    if by_task and "task" in settings:
        if settings["task"] not in list(by_task):
            raise RecipeError(f"defaults.{kind}.task: {shown(settings['task'])} is not known; {nearest(str(settings['task']), by_task)}")
        classes = [by_task[settings["task"]]]
    found = {model: _problems(model, {"kind": kind} | settings, context) for model in classes}
    # Without a task they are for stages of several tasks, and checked by the one that they fit best.
    meant = min(
        classes,
        key=lambda model: (len(found[model]), not any(near(key, model.model_fields) for key in settings.keys() - model.model_fields)),
    )
    if found[meant]:
        task = {"task": meant.model_fields["task"].default} if by_task else {}
        problems = [problem | {"loc": ("defaults", kind, *problem["loc"])} for problem in found[meant]]
        raise RecipeError(explain(problems, {"defaults": {kind: task | settings}}))


def _problems(model: type[Settings], settings: dict[str, Any], context: dict[str, Any]) -> list[Any]:
    try:
        model.model_validate(settings, context=context)
    except ValidationError as error:
        problems: list[Any] = error.errors(include_url=False)
        # A mapping that is not complete may be refused as a whole, or be taken for a wrong short form.
        partial = [walk(problem["loc"], settings)[0] for problem in problems if problem["type"] == "missing"]
        places = [(problem, *walk(problem["loc"], settings)) for problem in problems if problem["type"] != "missing"]
        return [p for p, path, place in places if path not in partial and not (p["type"] == "value_error" and isinstance(place, dict))]
    return []
