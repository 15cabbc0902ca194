"""What a setting names of a user's own code: `file.py:name` or `package.module:name`. Nothing of it is imported here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from rl_core.config.own_files import by_name, split_path
from rl_core.errors import InputError
from rl_core.nearest import near, nearest

INSTALLED = ("site-packages", "dist-packages")  # folders of which nothing is copied


@dataclass(frozen=True)
class Reference:
    """A function or class of a user's own."""

    name: str  # as settings name it, without folders of the machine
    file: Path
    root: Path  # from where it is imported
    member: str

    @property
    def installed(self) -> bool:
        """Whether it is part of an installed package."""
        return any(folder in self.root.parts for folder in INSTALLED)


def is_own(name: str) -> bool:
    """Whether a name is that of a user's own code; names of ours have no colon."""
    return ":" in name or name.endswith(".py")


def find(text: str, what: str = "function") -> Reference:
    """The code that a text names.

    Args:
        what: function or class, for messages.

    Raises:
        InputError: no such file, module or name, or the file is no Python; with the nearest.
    """
    path = split_path(text)
    place, member = path or (None, text.partition(":")[2])
    if place is not None:
        file = place if place.is_absolute() else Path.cwd() / place
        if not file.is_file():
            there = near(file.name, sorted(other.name for other in file.parent.glob("*.py") if other.is_file()))
            raise InputError(f"{place}: no such file" + (f"; did you mean {there[0]!r}?" if there else ""))
        root = file.parent
    else:
        file, root = _module(text.partition(":")[0])
    known = _names(parse(file, read_source(file)))
    offered = sorted(name for name, offer in known.items() if offer and not name.startswith("_"))
    shown = by_name(text).partition(":")[0]
    if not member:
        raise InputError(f"{shown}: which {what}? write {shown}:NAME; {nearest('', offered)}")
    if "*" not in known and member.partition(".")[0] not in known:
        raise InputError(f"{shown} has no {what} {member!r}; {nearest(member, offered)}")
    return Reference(by_name(text), file, root, member)


def read_source(path: Path) -> str:
    """The text of a file of code.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a text in UTF-8 ({error})") from error


def parse(path: Path, text: str) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        InputError: it is no Python; with the line.
    """
    try:
        return ast.parse(text)
    except SyntaxError as error:
        line = f": {error.text.strip()}" if error.text else ""
        place = f"{path}, line {error.lineno}" if error.lineno else path
        raise InputError(f"{place}: {error.msg}{line}") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _names(tree: ast.Module) -> dict[str, bool]:
    """What the module has at its top level, and whether it is a function or class; `*` for what is not known."""
    found: dict[str, bool] = {}
    for node in _statements(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = True
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                found.setdefault(alias.asname or alias.name.partition(".")[0], False)
        else:
            targets = (part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
            for target in targets:
                found.setdefault(target.id, False)
    return found


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Those that run when the module is imported, also inside of `if` and `try`."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            blocks = (getattr(node, part, []) for part in ("body", "orelse", "finalbody"))
            yield from _statements([inner for block in blocks for inner in block])
            yield from _statements([inner for handler in getattr(node, "handlers", []) for inner in handler.body])


def _module(name: str) -> tuple[Path, Path]:
    """File and root of a module. Its packages are not imported."""
    parts = name.split(".")
    where: list[str] | None = [*sys.path, str(Path.cwd())]
    spec = None
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), where)
        if spec is None:
            whole = f" (of {name})" if count < len(parts) else ""
            raise InputError(
                f"no module {'.'.join(parts[:count])!r}{whole}; install it, put its folder on PYTHONPATH, or name a file: file.py:NAME"
            )
        where = list(spec.submodule_search_locations) if spec.submodule_search_locations is not None else []
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise InputError(f"{name} is no module of Python code; name one that is")
    file = Path(spec.origin)
    return file, file.parents[len(parts) - (file.name != "__init__.py")]
