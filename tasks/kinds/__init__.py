"""One file per kind of stage: its settings, what it costs, how it runs. A new kind is a new file with a `KIND`; nothing lists them."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from tasks.kind import Kind, ModelKind

_FOUND = [importlib.import_module(f"{__name__}.{found.name}").KIND for found in pkgutil.iter_modules(__path__)]
KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in _FOUND}
MODEL_KINDS: dict[str, ModelKind[Any]] = {name: kind for name, kind in KINDS.items() if isinstance(kind, ModelKind)}


def kinds_that_make(product: str) -> list[str]:
    """Kinds whose stages can be named where such a product is wanted."""
    return [name for name, kind in KINDS.items() if product in kind.makes]
