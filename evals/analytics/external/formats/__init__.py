"""The formats that are read: a module each, which any other module of this package need not know."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from evals.analytics.external.files import File
from evals.analytics.external.response import Response, Row
from rl_core.registry import modules_of


@dataclass(frozen=True)
class Format:
    """A format, under the name `FORMAT` in its module.

    Attributes:
        name: as its authors write it.
        recognises: whether a file is of this format, by its first row.
        columns: whether `--map` may name its columns.
        read: the responses of a row; a format that needs several rows for a response reads them from the iterator itself.
    """

    name: str
    recognises: Callable[[Row, File], bool]
    read: Callable[[Iterator[Row], File], Iterator[Response]]
    columns: bool = False


@cache
def formats() -> tuple[Format, ...]:
    return tuple(module.FORMAT for module in modules_of(sys.modules[__name__]) if hasattr(module, "FORMAT"))
