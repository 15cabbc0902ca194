"""Short forms of a benchmark: a name, a file of problems, settings in a YAML file, a name of one's own with a source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationInfo

from rl_core.config.own_files import code_inside, inside, located, read_mapping
from rl_core.data.rows import READERS
from rl_core.environments.registry import ENVIRONMENTS


def benchmark_entry(written: Any, info: ValidationInfo) -> Any:
    """The settings of a benchmark (`BenchmarkSettings`) as they stand for what a recipe or a command says."""
    entry = {"name": written} if isinstance(written, str) else written
    if not isinstance(entry, dict) or entry.get("name") in ENVIRONMENTS:
        return entry
    name = Path(str(entry.get("name", "")))
    if name.suffix in (".yaml", ".yml"):
        entry = _from_file(Path(located(entry["name"], info))) | {key: value for key, value in entry.items() if key != "name"}
    elif name.suffix.lower() in READERS and "source" not in entry:
        entry = entry | {"name": name.stem, "source": entry["name"]}
    family = next((name for name, found in ENVIRONMENTS.items() if found.is_benchmark and found.is_meant(entry)), None)
    if family is None:
        return entry
    return entry | {"name": family} | ({"label": entry["name"]} if entry.get("name") else {})


def _from_file(path: Path) -> dict[str, Any]:
    content = read_mapping(path, "the settings of a benchmark")
    if content is None or "source" not in content:
        raise ValueError(f"{path}: settings with a `source` are wanted, such as source: mine.jsonl")
    places = {"source": inside(content["source"], path.parent)}
    if "verifier" in content:
        places["verifier"] = code_inside(content["verifier"], path.parent)
    return {"name": path.stem} | content | places
