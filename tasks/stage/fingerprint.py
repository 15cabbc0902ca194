"""What makes two stages the same: the settings that bear on results, what goes in, and how an identity changed."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from rl_core.config.base import Added, OnlyHow, Revised
from rl_core.config.own_files import OwnCode, OwnFiles, by_name, code_by_name
from rl_core.config.resources import Resources

CODE = ("reward", "verifier")  # sections of an identity with the digests of a user's own code


def meaning(settings: BaseModel) -> dict[str, Any]:
    """Settings as JSON without those that say how and where to execute: everything of type `Resources` or marked
    `OnlyHow`, at any depth.

    Defaults are part of it: a stage that was finished under one is another stage under the next. A setting that is new (`Added`) changes
    nothing at its default, so it is left out there, and finished stages stay what they are.
    """
    found: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        default = value == field.get_default(call_default_factory=True)
        if isinstance(value, Resources) or OnlyHow() in field.metadata or (default and Added() in field.metadata):
            continue
        plain = _plain(value)
        found[name] = by_name(plain) if OwnFiles() in field.metadata else code_by_name(plain) if OwnCode() in field.metadata else plain
        for mark in field.metadata:
            if isinstance(mark, Revised) and not default:
                found[f"{name}, revision"] = mark.number
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return meaning(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{value!r} has no canonical form")


def fingerprint(identity: Mapping[str, Any]) -> str:
    """sha256 (hex) of the canonical JSON of an identity.

    Raises:
        TypeError, ValueError: a value has no JSON form, or is not finite.
    """
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(stage: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How the identity of a stage changed: `five.temperature 1.0 -> 0.9` for a setting, `warmup changed` for an input."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    found = []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path, _ABSENT) == after.get(path, _ABSENT):
            continue
        section, _, rest = path.partition(".")
        if section in ("inputs", "files", *CODE):
            change = "changed" if path in before and path in after else "added" if path in after else "removed"
            name = rest.partition(".")[2] if section == "inputs" else f"{section} {rest}" if section in CODE else rest
            found.append(f"{name} {change}")
        else:
            name = f"{stage}.{rest}" if section == "settings" else f"{stage}: {path}" if section == "version" else path
            found.append(f"{name} {_shown(before, path)} -> {_shown(after, path)}")
    return found


_ABSENT = object()


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield path, value
    elif value.get("schedule") == "constant":  # a recipe has it as the bare number
        yield path, value["start"]
    else:
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}" if path else str(key))


def _shown(leaves: Mapping[str, Any], path: str) -> str:
    if path not in leaves:
        return "(absent)"
    value = leaves[path]
    return value if isinstance(value, str) and value else json.dumps(value)
