"""Folders in which each file is one entry of a registry: nothing lists the files."""

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import Protocol, TypeVar


class Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=Named)


def modules_of(package: ModuleType) -> list[ModuleType]:
    """The modules of a package's folder, imported, by name in alphabetical order."""
    return [importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]


def by_name(what: str, found: Iterable[Entry]) -> dict[str, Entry]:
    """Entries by name; raises TypeError where two have the same. `what`: a word for an entry."""
    known: dict[str, Entry] = {}
    for entry in found:
        if other := known.get(entry.name):
            where, there = type(entry).__module__, type(other).__module__
            raise TypeError(f"{where}: the {what} {entry.name!r} is that of {there}, too; rename one of them")
        known[entry.name] = entry
    return known
