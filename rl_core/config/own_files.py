"""Files of a user's own that settings name: found beside the recipe, and in fingerprints known by name and content alone."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from rl_core.errors import first_line

FOLDERS = "folders"  # of the validation context: where relative paths are looked for, the first one first
# `data/mine.jsonl`, `rewards.py:brevity`; not `hub:org/name`, `package.module:brevity` or the name of anything known
_PATH = re.compile(r"(?P<path>[^:]*\.py)(?P<member>:.*)|(?P<file>[^:]*\.\w+)", re.DOTALL)


@dataclass(frozen=True)
class OwnFiles:
    """Marks a setting whose texts, keys of mappings included, may be paths of files, with `:name` for what is meant in a file of code.

    Relative paths become absolute: beside the recipe that is read, else beside one that it extends. The fingerprint of a stage has the
    file's name in their place, so that a folder may be moved; the kind of the stage names the files, whose contents are part of it.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(located, handler(source))


@dataclass(frozen=True)
class OwnCode:
    """Marks a setting that is a name, or a mapping with names as its keys, of which one may be that of code in a file.

    As `OwnFiles`, but what the mapping holds is left as it is.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(_located_code, handler(source))


def split_path(text: str) -> tuple[Path, str] | None:
    """The file that a text names, and what is meant in it (empty: all); None where it is no path."""
    match = _PATH.fullmatch(text)
    return (Path(match["path"] or match["file"]), (match["member"] or "").removeprefix(":")) if match else None


def paths_in(value: Any) -> list[Path]:
    """The files that the value of a marked setting names, each once."""
    if isinstance(value, str):
        found = split_path(value)
        return [found[0]] if found else []
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return list(dict.fromkeys(path for part in parts for path in paths_in(part)))


def by_name(value: Any) -> Any:
    """The value of a marked setting without the folders of its files."""
    return _mapped(value, lambda path: Path(path.name))


def code_by_name(value: Any) -> Any:
    """The value of a setting marked as code without the folder of its file."""
    return _mapped_code(value, lambda path: Path(path.name))


def code_within(value: Any, folder: Path) -> Any:
    """The same with its file in another folder."""
    return _mapped_code(value, lambda path: folder / path.name)


def code_inside(value: Any, folder: Path) -> Any:
    """The same with a relative path of its file in a folder."""
    return _mapped_code(value, _placed([folder]))


def _located_code(value: Any, info: ValidationInfo) -> Any:
    return _mapped_code(value, _placed(_folders(info)))


def _mapped_code(value: Any, change: Callable[[Path], Path]) -> Any:
    if isinstance(value, dict):
        return {_mapped_code(key, change): part for key, part in value.items()}
    return _mapped(value, change) if isinstance(value, str) and ".py" in value else value


def located(value: Any, info: ValidationInfo) -> Any:
    """A value as it was written, with its paths absolute where it comes from a recipe."""
    return _mapped(value, _placed(_folders(info)))


def inside(value: Any, folder: Path) -> Any:
    """A value with its relative paths in a folder."""
    return _mapped(value, _placed([folder]))


def read_mapping(path: Path, what: str) -> dict[str, Any] | None:
    """What a YAML file of settings says; None where it is no mapping.

    Args:
        what: is in it, for the message.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        raise ValueError(f"a file with {what} is wanted ({path}: {reason})") from error
    return content if isinstance(content, dict) else None


def _folders(info: ValidationInfo) -> Sequence[Path]:
    found: Sequence[Path] = (info.context or {}).get(FOLDERS, ())
    return found


def _placed(folders: Sequence[Path]) -> Callable[[Path], Path]:
    """Makes a relative path absolute: in the first of the folders that has it, else in the first."""

    def place(path: Path) -> Path:
        path = path.expanduser()
        candidates = [Path(os.path.abspath(folder / path)) for folder in folders] or [path]
        return next((found for found in candidates if found.exists()), candidates[0])

    return place


def _mapped(value: Any, change: Callable[[Path], Path]) -> Any:
    if isinstance(value, str) and (found := split_path(value)):
        path, member = found
        return f"{change(path)}{f':{member}' if member else ''}"
    if isinstance(value, dict):
        return {_mapped(key, change): _mapped(part, change) for key, part in value.items()}
    return [_mapped(part, change) for part in value] if isinstance(value, list | tuple) else value
