"""The files that a user's own code consists of: the one that is named, and what it imports from its own folder."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rl_core.errors import InputError
from rl_core.files import in_one_piece
from rl_core.own_code.reference import Reference, find, parse, read_source

CODE = "code"  # in the directory of a stage: what it ran with
OURS = ("flows", "tasks", "evals", "rl_core")  # packages that workers have anyway
WITHOUT_COPY = "installed"  # the folder for files of installed packages, from which nothing is imported


def sources(names: Iterable[str], what: str = "function") -> dict[str, str]:
    """Texts of the files of own code by their place in the copy.

    An `import` statement anywhere in a file counts, also one inside of a function; what is imported otherwise is not seen. Of an installed
    package there is the named file alone: it is read where it is installed.

    Raises:
        InputError: a file is missing or no Python, or two folders have different files of one name.
    """
    found: dict[str, str] = {}
    for name in names:
        reference = find(name, what)
        for place, text in _files_of(reference).items():
            if found.setdefault(place, text) != text:
                raise InputError(f"{name}: its file {place} is another one than that of the same name beside it; rename one of them")
    return dict(sorted(found.items()))


def digests(files: Mapping[str, str]) -> dict[str, str]:
    """sha256 by place."""
    return {place: hashlib.sha256(text.encode()).hexdigest() for place, text in files.items()}


def write(files: Mapping[str, str], directory: Path) -> None:
    """Write the copy that workers import from."""
    for place, text in files.items():
        path = directory / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_one_piece(path) as aside:
            aside.write_text(text, encoding="utf-8")


def _files_of(reference: Reference) -> dict[str, str]:
    root = reference.root
    if reference.installed:
        return {f"{WITHOUT_COPY}/{reference.file.relative_to(root).as_posix()}": read_source(reference.file)}
    found: dict[str, str] = {}
    waiting = [reference.file, *_modules(root, reference.file.relative_to(root).with_suffix("").parts)]
    while waiting:
        path = waiting.pop()
        place = path.relative_to(root).as_posix()
        if place not in found:
            found[place] = read_source(path)
            waiting += _imported(parse(path, found[place]), path.relative_to(root).parent.parts, root)
    return found


def _imported(tree: ast.Module, package: Sequence[str], root: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            yield from _modules(root, module)
            for alias in node.names:
                yield from _modules(root, (*module, alias.name))


def _modules(root: Path, parts: Sequence[str]) -> Iterator[Path]:
    """Files below `root` that an import of a dotted name runs."""
    if not parts or parts[0] in OURS:
        return
    for count in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:count])
        yield from (path for path in (place / "__init__.py", place.with_name(f"{place.name}.py")) if path.is_file())
