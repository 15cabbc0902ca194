"""The settings of a class by their paths: `algorithm.clip_high`, `resources.threads`."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo

from rl_core.config.base import Settings


def settings_in(annotation: Any) -> type[Settings] | None:
    """The settings class inside `X`, `list[X]`, `dict[str, X]` or `X | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := settings_in(part))), None)


def by_path(model: type[Settings]) -> dict[str, FieldInfo]:
    """Every setting of a class and of the classes inside it; elements of a list bear its path."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        found[name] = field
        if inner := settings_in(field.annotation):
            found |= {f"{name}.{path}": deeper for path, deeper in by_path(inner).items()}
    return found
