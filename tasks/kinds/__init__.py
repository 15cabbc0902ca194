"""One file per kind of stage: its settings, what it costs, how it runs. A new kind is a new file with a `KIND`; nothing lists them."""

from __future__ import annotations

import sys
from typing import Any

from rl_core.registry import by_name, modules_of
from tasks.kind import Kind, ModelKind

KINDS: dict[str, Kind[Any]] = by_name("kind", (module.KIND for module in modules_of(sys.modules[__name__])))
MODEL_KINDS: dict[str, ModelKind[Any]] = {name: kind for name, kind in KINDS.items() if isinstance(kind, ModelKind)}


def kinds_that_make(product: str) -> list[str]:
    """Kinds whose stages can be named where such a product is wanted."""
    return [name for name, kind in KINDS.items() if product in kind.makes or product == "files"]
