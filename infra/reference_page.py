"""Writes flows/REFERENCE.md: every setting of a recipe, and every template, reward, verifier and benchmark by name.

python infra/reference_page.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from evals import protocol  # noqa: E402
from evals.benchmarks.registry import BENCHMARKS  # noqa: E402
from flows.recipe.schema import Recipe  # noqa: E402
from rl_core.data.templates import TEMPLATES  # noqa: E402
from rl_core.environments.registry import VERIFIERS  # noqa: E402
from rl_core.registry import modules_of  # noqa: E402
from rl_core.rewards import components  # noqa: E402
from rl_core.rewards.reward import PRESETS  # noqa: E402

PAGE = ROOT / "flows" / "REFERENCE.md"
SHOWN = 70  # characters of a default
# Settings classes that are described where they are used, in the order of the page.
FIRST = ("Recipe", "ScratchModel", "Best")


def page() -> str:
    """The page as Markdown."""
    schema = Recipe.model_json_schema()
    classes: dict[str, dict[str, Any]] = {"Recipe": {key: schema[key] for key in ("description", "properties", "required")}} | schema[
        "$defs"
    ]
    stages = [name for name in classes if name.endswith("Stage")]
    others = sorted(name for name in classes if name not in (*FIRST, *stages) and "properties" in classes[name])
    lines = [
        "# Settings and names",
        "",
        "Made by `python infra/reference_page.py` from the settings classes; `r1flow schema` has the same for editors.",
        "",
    ]
    for title, names in (("Recipe", FIRST), ("Stages", sorted(stages)), ("Parts of stages", others)):
        lines += [f"## {title}", ""]
        for name in names:
            lines += _class(name, classes[name])
    sources = {name: module for module in modules_of(components) for name in getattr(module, "COMPONENTS", ())}
    presets = {name: ", ".join(f"{weight:g} x {part}" for part, weight in found.items()) for name, found in PRESETS.items()}
    families = {name: _about(sys.modules[type(found).__module__]) for name, found in VERIFIERS.items()}
    lines += _names("Templates", {name: _template(name) for name in TEMPLATES})
    lines += _names("Reward presets", presets)
    lines += _names("Reward components", {name: _about(module) for name, module in sources.items()})
    lines += _names("Verifiers", {name: " ".join([about, *_parameters(VERIFIERS[name].parameters)]) for name, about in families.items()})
    lines += _names("Benchmarks", {name: BENCHMARKS[name].label or name for name in sorted(BENCHMARKS)})
    lines += _names("Protocols", {name: ", ".join(protocol.find_protocol(name).benchmarks.value) for name in protocol.names()})
    return "\n".join(lines).rstrip() + "\n"


def _class(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield " ".join(found.get("description", "").split("\n\n")[0].split())
    yield ""
    yield "| setting | values | default | what |"
    yield "|---|---|---|---|"
    for setting, field in found["properties"].items():
        default = "required" if setting in found.get("required", ()) else _default(field.get("default"))
        yield f"| `{setting}` | {_cell(_type(field))} | {_cell(default)} | {_cell(field.get('description', ''))} |"
    yield ""


def _type(field: Mapping[str, Any]) -> str:
    """What a setting takes, in the words of JSON."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "const" in field:
        return str(field["const"])
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    if options := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, options)))
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return f"mapping to {_type(inner)}" if isinstance(inner, Mapping) and inner else "mapping"
    bounds = [
        f"{sign} {field[key]}"
        for key, sign in (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
        if key in field
    ]
    return " ".join([{"null": "null", "boolean": "true or false"}.get(str(field.get("type")), str(field.get("type", "any"))), *bounds])


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else "see its class" if isinstance(value, dict) else f"{text[: SHOWN - 1]}…"


def _parameters(settings: Any) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        yield f"`{name}`: {field.description}"


def _about(module: ModuleType) -> str:
    """The first paragraph of a module's docstring."""
    return (module.__doc__ or "").split("\n\n")[0]


def _template(name: str) -> str:
    found = TEMPLATES[name]
    parts = [part for part, there in (("system", found.system), ("prefill", found.prefill), ("raw", found.raw)) if there]
    return ", ".join(parts) or "the question alone" if found.user == "{question}" else ", ".join(["user", *parts])


def _names(title: str, found: Mapping[str, str]) -> Iterable[str]:
    return [f"## {title}", "", "| name | what |", "|---|---|", *(f"| `{name}` | {_cell(what)} |" for name, what in found.items()), ""]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
