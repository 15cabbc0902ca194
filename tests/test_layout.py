"""The shape of the code: short functions, folders that can be overlooked, imports without circles."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "evals", "rl_core")
REGISTRIES = {
    "rl_core/environments",
    "evals/analytics/external/formats",
    "evals/endpoints",
    "rl_core/rewards/components",
    "rl_core/rollout/engines",
}  # each file is one entry: of these there may be any number
MOST_FILES, MOST_LINES = 12, 60


def sources() -> list[Path]:
    return [path for package in (*PACKAGES, "infra") for path in sorted((ROOT / package).rglob("*.py"))]


def test_no_function_is_long() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= MOST_LINES
    ]
    assert long == []


def test_no_folder_is_crowded() -> None:
    files = [*sources(), *(ROOT / "tests").rglob("*.py")]
    count = Counter(path.parent.relative_to(ROOT).as_posix() for path in files if path.name not in ("__init__.py", "conftest.py"))
    assert {folder: number for folder, number in count.items() if number > MOST_FILES and folder not in REGISTRIES} == {}


def test_no_module_needs_itself() -> None:
    """Also by imports inside of functions."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while ready := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in ready:
            del left[module]
    # What is left needs, directly or not, a circle; take away also what no one in it needs.
    while idle := [module for module in left if not any(module in needs for needs in left.values())]:
        for module in idle:
            del left[module]
    assert sorted(left) == []
