"""Folders in which each file is one entry of a registry: nothing lists the files."""

import importlib
import pkgutil
from types import ModuleType


def modules_of(package: ModuleType) -> list[ModuleType]:
    """The modules of a package's folder, imported, by name in alphabetical order."""
    return [importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
