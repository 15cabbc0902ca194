"""What is wrong with a recipe, in one line: the path in it, the problem, and the name that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from flows.recipe.names_elsewhere import advice_for, called_here
from flows.recipe.schema import Recipe
from flows.recipe.setting_paths import by_path, settings_in
from rl_core.config.base import Settings
from rl_core.config.model import ScratchModel
from rl_core.nearest import OFFERED, listed, near, nearest
from tasks.kind import MODEL, StageSettings
from tasks.kinds import KINDS

BY_NAME = ("stages", "defaults")  # mappings whose keys a person chooses, or kinds of stages, and whose values are settings of stages
UNREAD = "x-"  # begins keys of a file that only hold anchors
OF_FILES = ("defaults", "extends")  # keys of a file that are no settings: nothing of them is left when it is read


def explain(problems: Sequence[Any], document: dict[str, Any], origin: Callable[[list[str]], list[str]] = list) -> str:
    """The first problem as `path: what is wrong`, nearest name included.

    Args:
        problems: errors of pydantic.
        document: what they are about.
        origin: the path at which the value at a path was written.
    """
    problem = max(problems, key=lambda item: _weight(item, document))
    path, place = walk(problem["loc"], document)
    if problem["type"] == "missing":
        path.append(str(problem["loc"][-1]))
    written = origin(path)
    where = dotted(written) or "recipe"
    message = problem["msg"].removeprefix("Value error, ")
    context = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden" if written != path:
            return f"{where}: {dotted(path[1:2])} has no such setting; add the `task` that it is for to {'.'.join(written[:2])}"
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
            return f"{where}: settings are wanted here (key: value), not {shown(place)}{hint}"
        case "literal_error" if slip := near(str(place), re.findall(r"'([^']*)'", context["expected"])):
            return f"{where}: {shown(place)} is not known; did you mean {' or '.join(map(repr, slip))}?"
        case "string_pattern_mismatch":
            return f"{where}: {shown(path[-1] if '[key]' in problem['loc'] else place)} is no name; use a-z, 0-9, _ and -, a letter first"
    message = message[0].lower() + message[1:]
    taken = [name for name in dict.fromkeys(re.findall(r"\w+", message)) if written == path and origin([*path, name]) != [*path, name]]
    if taken:
        source = ".".join(origin([*path, taken[0]])[:2])
        message += f" ({listed(f'`{name}`' for name in taken)} from {source}: the stage may set it otherwise, or to null)"
    return f"{where}: {message}" if isinstance(place, dict | list) else f"{where}: {message}, not {shown(place)}"


def walk(location: tuple[int | str, ...], document: Any) -> tuple[list[str], Any]:
    """The keys of an error's location that a person wrote (pydantic adds the names of union members), and the value there."""
    path: list[str] = []
    place = document
    key: Any
    for key in location:
        if (isinstance(place, dict) and key in place) or (isinstance(place, list) and isinstance(key, int) and key < len(place)):
            place = place[key]
            path.append(str(key))
    return path, place


def _weight(problem: Any, document: dict[str, Any]) -> tuple[bool, int, bool]:
    """Which problem to report.

    An unknown key of the whole recipe is the first, for all others may come of it. Of the complaints of a union's members, the one that got
    furthest into what was written is about the member meant.
    """
    path, place = walk(problem["loc"], document)
    unknown = problem["type"] == "extra_forbidden" and len(path) == 1
    return unknown, len(path), not (problem["type"] == "string_type" and isinstance(place, dict))


def _meant(path: list[str], place: Any, document: dict[str, Any]) -> str:
    """What an unknown key means: a name in other trainers, a typing error, or a key that belongs elsewhere."""
    name, known = path[-1], _known_keys(path, document)
    full = ".".join([name, *_only_keys(place)])
    depth = 2 if path[0] in BY_NAME else 1 if path[0] == MODEL else 0  # keys before those of the settings class
    model = _model_at(path[:depth], document)
    if (text := advice_for(full)) and called_here(full, model) is None:
        return text
    if len(path) == 1 and name.startswith((".", "_")):
        return f"keys that are there for their anchors alone begin with `{UNREAD}`"
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
    return of_stages(full, document) or nearest(name, known)


def of_stages(name: str, document: dict[str, Any]) -> str | None:
    """The settings of stages that another trainer calls `name`, or that are called so."""
    stages = document.get("stages")
    found = []
    for stage, content in stages.items() if isinstance(stages, dict) else ():
        model = _stage_class(content if isinstance(content, dict) else {})
        path = called_here(name, model) or (name if name in by_path(model) else None)
        found += [f"stages.{stage}.{path}"] if path else []
    return f"did you mean {' or '.join(map(repr, found[:OFFERED]))}?" if found else advice_for(name)


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
    for depth, key in enumerate(path):
        place = place[int(key) if isinstance(place, list) else key]
        if depth == 0 and key in BY_NAME:
            continue
        if depth == 1 and path[0] in BY_NAME:
            kind = {"kind": key} if path[0] == "defaults" else {}
            model = _stage_class(kind | (place if isinstance(place, dict) else {}))
        elif depth == 0:
            model = ScratchModel if key == MODEL else settings_in(Recipe.model_fields[key].annotation) or Recipe
        elif key in model.model_fields:  # neither an index nor a name that the user chose
            model = settings_in(model.model_fields[key].annotation) or model
    return model


def _known_keys(path: list[str], document: dict[str, Any]) -> list[str]:
    """Keys that could stand where an unknown one does."""
    return [*_model_at(path[:-1], document).model_fields, *(OF_FILES if len(path) == 1 else ())]


def _stage_class(stage: dict[str, Any]) -> type[Settings]:
    kind = KINDS.get(str(stage.get("kind")))
    return kind.settings_class(stage) if kind else StageSettings


def dotted(path: Sequence[Any]) -> str:
    """A path in a recipe, in one line: a key may hold a line break."""
    return ".".join(key if isinstance(key, str) and key.isprintable() else shown(key) for key in path)


def shown(value: Any) -> str:
    """A value in few letters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
