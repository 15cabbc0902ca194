"""The settings of a class by their paths: `algorithm.clip_high`, `resources.threads`."""

from __future__ import annotations

from typing import Any, get_args

from pydantic.fields import FieldInfo

from rl_core.config.base import Settings


def classes_in(annotation: Any) -> list[type[Settings]]:
    """The settings classes inside `X`, `list[X]`, `dict[str, X]` or `X | Y | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [found for part in get_args(annotation) for found in classes_in(part)]


def settings_in(annotation: Any) -> type[Settings] | None:
    """The first of them."""
    return next(iter(classes_in(annotation)), None)


def by_path(model: type[Settings]) -> dict[str, FieldInfo]:
    """Every setting of a class and of the classes inside it; elements of a list have its path."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        found[name] = field
        if inner := settings_in(field.annotation):
            found |= {f"{name}.{path}": deeper for path, deeper in by_path(inner).items()}
    return found
