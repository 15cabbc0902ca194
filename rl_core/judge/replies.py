"""What a judge has answered, kept by what it was asked: a resumed stage gets the same verdicts, and nothing is paid for twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from rl_core.errors import InputError


class Reply(NamedTuple):
    """An answer of a judge."""

    text: str
    prompt_tokens: int
    response_tokens: int


def key_of(body: dict[str, Any]) -> str:
    """sha256 (hex) of a request: model, messages and settings, whatever the address."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class Replies:
    """A file of replies, which any number of processes may use at once; each object belongs to one thread."""

    def __init__(self, path: Path | None) -> None:
        """`path`: None keeps them in memory. Raises InputError where the file is none."""
        try:
            self._database = sqlite3.connect(path or ":memory:", timeout=60.0, isolation_level=None, check_same_thread=False)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, text TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, "
                "response_tokens INTEGER NOT NULL)"
            )
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: the judge's replies cannot be read ({error}); remove it, and the judge is asked again") from error

    def find(self, key: str) -> Reply | None:
        """The reply to a request, if there is one."""
        row = self._database.execute("SELECT text, prompt_tokens, response_tokens FROM replies WHERE key = ?", [key]).fetchone()
        return Reply(*row) if row else None

    def add(self, key: str, reply: Reply) -> None:
        """Keep a reply; of two processes that asked the same at once, the first one's counts."""
        self._database.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)", (key, *reply))

    def close(self) -> None:
        self._database.close()
