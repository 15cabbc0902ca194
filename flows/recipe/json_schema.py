"""The JSON schema of recipe files, by which editors complete and check what is typed.

It is about a file: stages may lack what `defaults` or another recipe gives them, and short forms stand for settings. It accepts all that a
plan accepts; a plan, which knows more, may still refuse what it accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evals import protocol
from evals.answer_readers import READERS
from evals.benchmarks.registry import BENCHMARKS
from flows.recipe.explain import UNREAD
from flows.recipe.schema import NAME, Recipe
from rl_core.data.templates import TEMPLATES
from rl_core.environments.registry import VERIFIERS
from rl_core.rewards.reward import COMPONENTS, PRESETS

Schema = dict[str, Any]
NULL: Schema = {"type": "null"}  # takes away what `defaults` or another recipe gives
# What an editor offers where any text may stand.
OFFERED: dict[str, Callable[[], list[str]]] = {
    "template": lambda: list(TEMPLATES),
    "reward": lambda: [*PRESETS, *(name for name in COMPONENTS if name not in PRESETS)],
    "protocol": protocol.names,
    "reader": lambda: list(READERS),
    "benchmarks": lambda: list(BENCHMARKS),
    "verifier": lambda: list(VERIFIERS),
}
# Short forms that settings classes read themselves
SCHEDULE, BENCHMARK = "#/$defs/Schedule", "#/$defs/BenchmarkSettings"
SHORT: dict[str, Schema] = {SCHEDULE: {"type": "number"}, BENCHMARK: {"type": "string"}}


def recipe_schema() -> Schema:
    """JSON schema, draft 2020-12, of a recipe's file."""
    whole = Recipe.model_json_schema()
    definitions: dict[str, Schema] = whole.pop("$defs")
    [kinds] = whole["properties"]["stages"]["patternProperties"].values()
    by_kind: dict[str, Schema] = kinds["discriminator"]["mapping"]
    for name, settings in definitions.items():
        definitions[name] = _loose(settings)
    of_schedule = definitions["Schedule"]["properties"]
    of_schedule["peak"] = of_schedule["start"]  # an alias, of which pydantic's schema has only one
    kind = {"kind": {"enum": list(by_kind), "description": "The kind of stage."}}
    cases = [_when({"kind": name}, _of_kind(found)) for name, found in by_kind.items()]
    definitions["Stage"] = {"type": ["object", "null"], "properties": kind, "allOf": cases}
    definitions["Defaults"] = {"type": "object", "properties": {name: _of_kind(found) for name, found in by_kind.items()}}
    definitions["Defaults"] |= {"additionalProperties": False, "description": "Settings by kind of stage, for stages without their own."}
    properties = {name: _taking_short_forms(found, name) for name, found in whole["properties"].items() if name != "stages"} | {
        "stages": {
            "type": "object",
            "description": "By name; stages refer to each other by it.",
            "patternProperties": {NAME: {"$ref": "#/$defs/Stage"}},
            "additionalProperties": False,
        },
        "defaults": {"$ref": "#/$defs/Defaults"},
        "extends": {"type": "string", "description": "A shipped recipe or a file, from which this one takes all that it does not say."},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Recipe of r1flow",
        "type": "object",
        "properties": properties,
        "patternProperties": {f"^{UNREAD}": True},
        "additionalProperties": False,
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": ["name", "model", "stages"]},
        "$defs": definitions,
    }


def _when(values: dict[str, str], then: Schema) -> Schema:
    condition: Schema = {
        "type": "object",
        "properties": {name: {"const": value} for name, value in values.items()},
        "required": list(values),
    }
    return {"if": condition, "then": then}


def _of_kind(found: str | Schema) -> Schema:
    """The settings of a kind; where it has several classes, that of the value by which they are told apart, else any of them."""
    if isinstance(found, str):
        return {"$ref": found}
    members = found["oneOf"]
    if "discriminator" not in found:
        return {"anyOf": members}
    key = found["discriminator"]["propertyName"]
    cases = [_when({key: value}, {"$ref": reference}) for value, reference in found["discriminator"]["mapping"].items()]
    return {"allOf": cases, "if": {"not": {"required": [key]}}, "then": {"anyOf": members}}


def _loose(settings: Schema) -> Schema:
    """A settings class whose values may come from elsewhere."""
    if "properties" not in settings:
        return settings
    properties = {name: _taking_short_forms(found, name) for name, found in settings["properties"].items()}
    return {key: value for key, value in settings.items() if key not in ("required", "title")} | {"properties": properties}


def _taking_short_forms(found: Schema, name: str) -> Schema:
    about = {key: found[key] for key in ("description", "default") if key in found}
    values = _short({key: value for key, value in found.items() if key not in (*about, "title")})
    offered = {"examples": OFFERED[name]()} if name in OFFERED else {}
    nullable = NULL in values.get("anyOf", ())
    return about | (values if nullable else {"anyOf": [values, NULL]}) | offered


def _short(value: Any) -> Any:
    """A schema that takes the short forms, too."""
    if isinstance(value, list):
        return [_short(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get("$ref") in SHORT:
        return {"anyOf": [SHORT[value["$ref"]], value]}
    return {key: _short(part) for key, part in value.items()}
