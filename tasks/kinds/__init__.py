"""One file per kind of stage: its settings, what it costs, how it runs. A new kind is a new file with a `KIND`; nothing lists them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rl_core.registry import modules_of
from tasks.kind import Kind, ModelKind


def by_name(found: Iterable[Kind[Any]]) -> dict[str, Kind[Any]]:
    """Kinds by name; raises TypeError where two have the same."""
    known: dict[str, Kind[Any]] = {}
    for kind in found:
        if kind.name in known:
            raise TypeError(f"{type(kind).__module__}: the kind {kind.name!r} is that of {type(known[kind.name]).__module__}, too")
        known[kind.name] = kind
    return known


KINDS = by_name(module.KIND for module in modules_of(sys.modules[__name__]))
MODEL_KINDS: dict[str, ModelKind[Any]] = {name: kind for name, kind in KINDS.items() if isinstance(kind, ModelKind)}


def kinds_that_make(product: str) -> list[str]:
    """Kinds whose stages can be named where such a product is wanted."""
    return [name for name, kind in KINDS.items() if product in kind.makes]
