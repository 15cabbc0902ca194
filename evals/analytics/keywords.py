"""Words that show how a chain of thought works: two families, counted in SQL and highlighted in the report.

`step_wise` words order the reasoning, `reflection` words question it. The list is that of published R1 reproductions; each keyword is
one RE2 pattern (no look-around), word-bounded, so that "close button" is not "close but" and a decimal is not a list number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Family = Literal["step_wise", "reflection"]


@dataclass(frozen=True)
class Keyword:
    """A keyword under the name that tables show, with a pattern that RE2 and `re` read alike."""

    family: Family
    name: str
    pattern: str


KEYWORDS: tuple[Keyword, ...] = (
    Keyword("step_wise", "step N", r"(?i)\bstep\s+\d+\b"),
    Keyword("step_wise", "N.", r"(?m)^[ \t]*(?:\*\*)?\d{1,2}\.(?:\*\*)?[ \t]"),  # a list number opens its line
    # As an ordering word it opens a clause: "First we", "first, we", but not "the first person".
    Keyword("step_wise", "first", r"\bFirst(?:ly)?\b|\bfirst(?:ly)?,"),
    Keyword("step_wise", "second", r"\bSecond(?:ly)?\b|\bsecond(?:ly)?,"),
    Keyword("step_wise", "next", r"\bNext\b|\bnext,"),
    Keyword("step_wise", "finally", r"(?i)\bfinally\b"),
    Keyword("reflection", "rethink", r"(?i)\bre-?think(?:s|ing)?\b"),
    Keyword("reflection", "recheck", r"(?i)\bre-?check(?:s|ed|ing)?\b"),
    Keyword("reflection", "re-evaluate", r"(?i)\bre-?evaluat(?:e|es|ed|ing)\b"),
    Keyword("reflection", "try again", r"(?i)\btry(?:ing)?\s+again\b"),  # also "let's try again"
    Keyword("reflection", "check again", r"(?i)\bcheck(?:ing)?\s+again\b"),
    Keyword("reflection", "think again", r"(?i)\bthink(?:ing)?\s+again\b"),  # also "let's think again"
    Keyword("reflection", "verify the steps again", r"(?i)\bverify\s+the\s+steps\s+again\b"),
    Keyword("reflection", "too high", r"(?i)\btoo\s+high\b"),
    Keyword("reflection", "too low", r"(?i)\btoo\s+low\b"),
    Keyword("reflection", "close but", r"(?i)\bclose,?\s+but\b"),
    Keyword("reflection", "another approach", r"(?i)\btry(?:ing)?\s+another\s+approach\b"),
    Keyword("reflection", "try different", r"(?i)\btry(?:ing)?\s+(?:an?\s+|something\s+)?different\b"),
    Keyword("reflection", "made a mistake", r"(?i)\bI(?:'ve|\s+have)?\s+made\s+a\s+mistake\b"),  # the aha line
)


@dataclass(frozen=True)
class Span:
    """One occurrence of a keyword: character offsets into the text."""

    start: int
    end: int
    family: Family
    name: str


def find(text: str) -> list[Span]:
    """Occurrences in `text`, in order; where two overlap the one that starts first stays (the longer of two that start together)."""
    found = [
        Span(match.start(), match.end(), keyword.family, keyword.name)
        for keyword in KEYWORDS
        for match in re.finditer(keyword.pattern, text, re.ASCII)
    ]
    kept: list[Span] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def count_expression(keyword: Keyword, column: str) -> str:
    """SQL that counts a keyword in a text column.

    The pattern is a literal: DuckDB compiles a constant pattern once, one that comes from a column for every row.
    """
    return f"len(regexp_extract_all({column}, {literal(keyword.pattern)}))"


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
