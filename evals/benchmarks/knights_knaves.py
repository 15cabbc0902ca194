"""Knights and Knaves by number of people: puzzles that training never sees."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rl_core.data import knights_knaves
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.splits import HELD_OUT_SEED
from rl_core.errors import InputError
from rl_core.rewards.verify import settle

PEOPLE = (2, 3, 4, 5, 6, 7, 8)
PUZZLES = 100  # per number of people, as in the public test files


def local_file(people: int, names: int | None, data_dir: Path | None) -> Path | None:
    """The file of the data directory that puzzles of `people` inhabitants may come from; None where there is none, or with `names`."""
    path = knights_knaves.public_file(data_dir, people, "test") if data_dir and names is None else None
    return path if path and path.is_file() else None


def load(people: Sequence[int] | None, names: int | None, limit: int | None, data_dir: Path | None) -> list[Prompt]:
    """`limit` puzzles for each number of people, with `names` generated ones that use only the first so many of the generator's names.

    They come from `local_file` where that has enough of them, else from the held-out side of the generator.

    Raises:
        DataError: a file is broken, or there are not as many different puzzles.
    """
    return [replace(prompt, trace=None) for count in people or PEOPLE for prompt in _of(count, names, limit or PUZZLES, data_dir)]


def _of(people: int, names: int | None, limit: int, data_dir: Path | None) -> list[Prompt]:
    path = local_file(people, names, data_dir)
    if path:
        prompts = knights_knaves.read_public(path)
        if len(prompts) >= limit:
            random.Random(HELD_OUT_SEED).shuffle(prompts)
            return prompts[:limit]
    return knights_knaves.generate(people, limit, "test", HELD_OUT_SEED, names)


_ROLE = re.compile(r"([A-Za-z]+)\s+is\s+a\s+(knight|knave)\b")


def read_gold(answer: Any, where: str) -> str:
    """The verifier's form of a solution: its own JSON, or text such as `(1) Zoey is a knight (2) Oliver is a knave`.

    Raises:
        DataError: neither; `where` is put in front.
    """
    text = answer if isinstance(answer, str) else json.dumps(answer)
    if roles := _ROLE.findall(text):
        text = json.dumps({"names": [name for name, _ in roles], "roles": [role for _, role in roles]})
    try:
        settle(knights_knaves.TASK, "", text)
    except InputError as error:
        raise DataError(f"{where}: {error}, nor text like '(1) Zoey is a knight'") from error
    return text
