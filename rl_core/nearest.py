"""What was probably meant by a name that is not known."""

import difflib
from collections.abc import Iterable

CLOSE = 0.75  # difflib's ratio: one letter wrong, missing or swapped in a word of four; `lr` and `lora` have 0.67
OFFERED = 3
SHORTEST_PART = 3  # letters of a part of a name that is taken for the whole


def near(name: str, known: Iterable[str]) -> list[str]:
    """Known names that differ by a slip of the keyboard, or of which `name` is the first or last part; the nearest first."""
    name, names = str(name), {_plain(other): other for other in known}
    plain = _plain(name)
    close = [names[other] for other in difflib.get_close_matches(plain, names, n=1, cutoff=CLOSE)]
    # RUN/STAGE where STAGE is wanted, `oat` for `oat_zero`, `tokens` for `max_tokens`.
    parts = [other for other in names.values() if other in name.split("/")]
    words = [names[other] for other in names if len(plain) >= SHORTEST_PART and f"_{plain}_" in f"_{other}_"]
    return close or parts or (words if len(words) <= OFFERED else [])


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'steps'?`, or which names there are."""
    names = list(known)
    found = near(name, names)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else f"known: {listed(names)}"


def listed(names: Iterable[str]) -> str:
    """Names with commas between; `none` for none."""
    return ", ".join(names) or "none"


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
