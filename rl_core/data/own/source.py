"""Where a user's own problems are: files, or a set on the hub by its address."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rl_core.data.prompts import DataError
from rl_core.data.rows import READERS, Row, hub_rows, iterate_rows
from rl_core.errors import first_line
from rl_core.nearest import near

HUB = "hub:"
FORM = "hub:ORG/NAME[/CONFIG][@REVISION][#SPLIT]"
_ADDRESS = re.compile(r"hub:(?P<id>[\w.-]+/[\w.-]+)(?:/(?P<config>[^@#\s]+))?(?:@(?P<revision>[^#\s]+))?(?:#(?P<split>\S+))?")
PATIENCE = 10  # seconds until the hub counts as out of reach


@dataclass(frozen=True)
class HubSet:
    """A split of a set on the hub."""

    id: str
    config: str | None
    revision: str | None  # None: its newest
    split: str

    def commit(self) -> str | None:
        """The commit that is read; None where the hub cannot be asked."""
        from huggingface_hub import HfApi

        try:
            return HfApi().dataset_info(self.id, revision=self.revision, timeout=PATIENCE).sha
        except Exception:  # offline, or the errors of its HTTP client: the set may be in the cache
            return None

    def rows(self, commit: str | None) -> Iterator[Row]:
        """Raises DataError where it is out of reach, or has no such split."""
        found = hub_rows(self.id, self.split, None, config=self.config, revision=commit or self.revision)
        return (Row(f"{self.id}: row {number}", content) for number, content in enumerate(found, start=1))


def is_own(source: object) -> bool:
    """Whether a `source` is meant to name files or a set on the hub; it is a single word where a family has sources of its own."""
    return isinstance(source, list) or (isinstance(source, str) and re.search(r"\W", source) is not None)


def check_source(text: str) -> None:
    """Raises DataError for what is neither an address nor a file that can be read."""
    if text.startswith(HUB):
        if not _ADDRESS.fullmatch(text):
            raise DataError(f"{text!r} is no address of a set on the hub; write {FORM}")
        return
    path, mark, split = text.partition("#")
    if Path(text).suffix.lower() not in READERS:
        if mark and Path(path).suffix.lower() in READERS:
            raise DataError(f"{text!r}: a file has no splits; remove #{split}")
        raise DataError(f"{text!r} is neither {FORM} nor a file that ends with {', '.join(READERS)}; give one of them")


def hub_sets(sources: Sequence[str]) -> list[HubSet]:
    """Those of the sources that are on the hub."""
    found = [match for text in sources if (match := _ADDRESS.fullmatch(text))]
    return [HubSet(match["id"], match["config"], match["revision"], match["split"] or "train") for match in found]


def local_files(sources: Sequence[str]) -> list[Path]:
    """The files, each once; `*` and `?` in a name stand for any letters.

    Raises:
        DataError: one is missing.
    """
    found: dict[Path, None] = {}
    for text in sources:
        if text.startswith(HUB):
            continue
        paths = sorted(map(Path, glob.glob(text))) if re.search(r"[*?]", text) else [Path(text)]
        for path in paths:
            if path.is_file():
                found[path] = None
        if not any(path.is_file() for path in paths):
            beside = near(Path(text).name, (path.name for path in _listed(Path(text).parent)))
            raise DataError(f"{text}: no such file; {f'did you mean {beside[0]!r}?' if beside else 'put it there, or name another one'}")
    return list(found)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def read_file(path: Path) -> Iterator[Row]:
    """Rows of a file; raises DataError where it cannot be read at all."""
    try:
        yield from iterate_rows(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({first_line(error)}); repair it, or name another one") from error
