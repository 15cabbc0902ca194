"""Numbers and texts as people read them."""

import re

# Control characters but for tab and line break, and those that turn the direction of what follows.
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clock(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def duration(seconds: float) -> str:
    """A time as a person takes it in: `40 s`, `25 min`, `9 h`, `3 days`, `7 weeks`, `5 months`, `51 years`."""
    for size, unit in ((365.25 * 86400, "year"), (30.4 * 86400, "month"), (7 * 86400, "week"), (86400, "day")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}s"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def between(low: float, high: float) -> str:
    """A range of time: `5 to 30 min`, `40 min to 4 h`; what may take ten years or more is `years`."""
    if high >= 10 * 365.25 * 86400:
        return "years" if low >= 2 * 365.25 * 86400 else f"{duration(low)} to years"
    first, last = duration(low), duration(high)
    number, _, unit = first.partition(" ")
    if first == last:
        return first
    return f"{number} to {last}" if last.endswith(f" {unit}") else f"{first} to {last}"


def count(number: float) -> str:
    """`950`, `12.3 k`, `4.5 M`, `1.2 G`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if number >= size:
            return f"{number / (1e3 if unit == ' k' else size):.1f}{unit}"
    return f"{number:,.0f}"


def gigabytes(size: float) -> str:
    """`0.6 GB`."""
    return f"{size / 1e9:.1f} GB"


def storage(size: float) -> str:
    """`950 B`, `12.3 kB`, `4.5 MB`, `1.2 GB`."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} B"


def visible(text: str) -> str:
    """Text of a model or of a file for a terminal: characters that would move its cursor, recolour it or turn its direction as escapes."""
    return COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
