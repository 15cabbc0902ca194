"""Numbers as people read them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


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
