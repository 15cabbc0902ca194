"""The places in which a protocol may look for the answer, by name."""

from rl_core.errors import InputError
from rl_core.nearest import nearest
from rl_core.rewards.readers import Reader, answer_line, answer_tags, box, box_after_thinking, box_or_r1_tags

LENIENT = "anywhere"
# `anywhere` is the extraction that takes all usual places.
READERS: dict[str, Reader | None] = {
    LENIENT: None,
    "boxed": box,
    "box_after_thinking": box_after_thinking,
    "box_or_r1_tags": box_or_r1_tags,
    "answer_line": answer_line,
    "answer_tags": answer_tags,
}


def find_reader(name: str) -> Reader | None:
    """Raises InputError for an unknown name, with the nearest."""
    if name not in READERS:
        raise InputError(f"unknown reader {name!r}; {nearest(name, READERS)}")
    return READERS[name]
