"""The packages as syntax trees, for tests of what may stand where."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tests.end_to_end.command import ROOT

PACKAGES = ("flows", "tasks", "evals", "rl_core")


def nodes_outside(homes: str | tuple[str, ...], packages: Sequence[str] = PACKAGES) -> Iterator[tuple[str, ast.AST]]:
    """Every node of every module but those whose places begin with one of `homes`, with the place of its module."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            if not where.startswith(homes):
                yield from ((where, node) for node in ast.walk(ast.parse(path.read_text())))
