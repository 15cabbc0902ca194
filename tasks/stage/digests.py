"""sha256 of files, remembered by size and modification time so that gigabytes are read once."""

import hashlib
from contextlib import suppress
from pathlib import Path

from tasks.workspace import read_sealed, write_record


class Digests:
    """Digests remembered in a JSON file. Losing the file, or entries of it, costs time and nothing else."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known = _remembered(memory)
        self._learned = False
        self._read: dict[tuple[int, int, int, int], str] = {}  # of a file under several names: by device, number, size and time

    def of(self, path: Path, *, again: bool = False) -> str:
        """sha256 of a file as hex.

        Args:
            again: read it even if it seems unchanged: a bad disk changes neither size nor time.

        Raises:
            OSError: it cannot be read.
        """
        state = path.stat()
        seen = self._known.get(str(path))
        if seen and not again and seen[:2] == [state.st_size, state.st_mtime_ns]:
            return str(seen[2])
        file_of = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        digest = None if again else self._read.get(file_of)
        if digest is None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._read[file_of] = digest
        self._known[str(path)] = [state.st_size, state.st_mtime_ns, digest]
        self._learned = True
        return digest

    def save(self) -> None:
        """Remember, if the directory for it exists, for a plan leaves no trace, and can be written."""
        if self._learned and self._memory.parent.is_dir():
            with suppress(OSError):
                write_record(self._memory, _remembered(self._memory) | self._known)
            self._learned = False


def _remembered(memory: Path) -> dict[str, list[object]]:
    """Entries of three parts: size, time, digest. What cannot be read is forgotten."""
    content = None
    with suppress(PermissionError):
        content = read_sealed(memory)
    return {name: entry for name, entry in (content or {}).items() if isinstance(entry, list) and len(entry) == 3}
