"""Whether a gold answer can be read at all: one that cannot would make every answer to its problem wrong."""

import re

from rl_core.rewards.equivalence import families, regions, scalars
from rl_core.rewards.equivalence.cleaning import MAX_CHARACTERS, clean, join_thousands
from rl_core.rewards.equivalence.comparison import is_based
from rl_core.rewards.equivalence.items import ASSIGNED, coordinates
from rl_core.rewards.equivalence.language import words
from rl_core.rewards.equivalence.structure import elements, matrix, split


def is_readable(gold: str) -> bool:
    """Whether a gold answer as written is of a kind that is compared by meaning."""
    text = clean(gold)
    if not text or len(gold) > MAX_CHARACTERS:
        return False
    return families.read(text) is not None or regions.read(text) is not None or all(map(_is_item, elements(join_thousands(text))))


def _is_item(text: str) -> bool:
    if words.is_word(text) or words.is_text(text) or words.option_of(text) or words.clock_of(text) or matrix(text) or is_based(text):
        return True
    if (parts := coordinates(text)) is not None:
        return all(map(_is_item, parts))
    if (assigned := ASSIGNED.fullmatch(text)) and scalars.is_value(assigned["value"]):
        return True
    sides = [side for side in split(text, re.compile("[=\u2248<>\u2264\u2265]")) if side]
    return bool(sides) and all(map(scalars.is_value, sides))
