"""A recipe as YAML with every setting written out and its description beside it; reads back as the same recipe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic_core import to_jsonable_python

from flows.recipe.schema import Recipe
from rl_core.config.base import Settings

COLUMN = 44  # of descriptions
FIRST = ("kind", "task", "start", "reference", "checkpoints", "of", "data")  # of a stage: what it is and what it is made of
STEP = "  "


def commented(recipe: Recipe) -> Iterator[str]:
    """Lines of the recipe."""
    return _settings(recipe, "")


def _settings(settings: Settings, indent: str) -> Iterator[str]:
    fields = type(settings).model_fields
    for name in sorted(fields, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)):
        yield from _entry(name, getattr(settings, name), fields[name].description or "", indent)


def _entry(name: str, value: Any, description: str, indent: str) -> Iterator[str]:
    head = f"{indent}{name}:"
    if isinstance(value, Settings):
        yield _beside(head, description)
        yield from _settings(value, indent + STEP)
    elif isinstance(value, dict) and any(isinstance(inner, Settings) for inner in value.values()):
        yield _beside(head, description)
        for key, inner in value.items():
            about = (type(inner).__doc__ or "").splitlines()[0] if isinstance(inner, Settings) else ""
            yield from _entry(key, inner, about, indent + STEP)
    elif isinstance(value, list) and any(isinstance(inner, Settings) for inner in value):
        yield _beside(head, description)
        for number, inner in enumerate(value):
            lines = list(_settings(inner, f"{indent}{STEP}{STEP}"))
            for line, text in enumerate(lines):
                text = text if number == 0 else text.partition("  # ")[0]  # the descriptions are those of the first
                yield f"{indent}{STEP}- {text.lstrip()}" if line == 0 else text
    else:
        yield _beside(f"{head} {_value(value)}", description)


def _beside(text: str, description: str) -> str:
    return f"{text:<{COLUMN}}  # {description}" if description else text


def _value(value: Any) -> str:
    """In one line, as any reader of YAML takes it."""
    text = yaml.safe_dump([to_jsonable_python(value)], default_flow_style=True, allow_unicode=True, width=math.inf, sort_keys=False)
    return text.strip()[1:-1]
