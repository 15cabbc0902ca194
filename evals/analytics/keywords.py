"""Words that show how a chain of thought works: families of patterns, counted in SQL and highlighted in the report.

The families are in `keywords.yaml`; a recipe adds its own. The step-wise and reflection families are those of published R1 reproductions.
Keywords are counted in prose: code blocks and what they seem to print are left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rl_core.config.base import Settings
from rl_core.errors import InputError, first_line

CODE = r"(?s)```.*?(?:```|\z)"  # RE2; an unclosed block runs to the end
# A heading of the blocks in which models write what their code would print.
OUTPUT = ("```output", "```result", "```stdout", "```console", "```text")


class PatternSettings(Settings):
    """A pattern and the lower-case texts one of which each of its matches contains."""

    pattern: str = Field(description="A regular expression.")
    needs: tuple[str, ...] = Field((), description="Lower-case texts one of which each match contains; saves the search in other texts.")


class FamilySettings(Settings):
    """One keyword family of `keywords.yaml` or of a recipe."""

    version: int = Field(1, ge=1, description="Grows with every change of its patterns.")
    about: str = Field("", description="What its words show.")
    turn: bool = Field(False, description="Its words turn the reasoning round: answers before and after are compared.")
    unless_prompt: bool = Field(False, description="Counted only where the prompt has no such text.")
    beyond_ascii: bool = Field(False, description="Every match has a character beyond ASCII; saves the search in texts without one.")
    patterns: dict[str, str | PatternSettings] = Field(min_length=1, description="By the name that tables show.")


Families = dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], FamilySettings]


@dataclass(frozen=True)
class Keyword:
    """A keyword under the name that tables show."""

    family: str
    version: int
    name: str
    pattern: str
    needs: tuple[str, ...] = ()
    turn: bool = False
    unless_prompt: bool = False
    beyond_ascii: bool = False


class KeywordError(InputError):
    """A pattern or family is wrong; the message names it."""


@cache
def shipped() -> tuple[Keyword, ...]:
    import yaml

    document = yaml.safe_load((Path(__file__).parent / "keywords.yaml").read_text(encoding="utf-8"))
    return _flat({name: FamilySettings.model_validate(family) for name, family in document.items()})


def with_own(families: Mapping[str, FamilySettings]) -> tuple[Keyword, ...]:
    """The shipped keywords and a user's; a family of the same name replaces the shipped one.

    Raises KeywordError if RE2 or `re` does not read a pattern.
    """
    import duckdb

    own = _flat(families)
    for keyword in own:
        try:
            re.compile(keyword.pattern)
            duckdb.execute(f"SELECT regexp_matches('', {literal(keyword.pattern)})")
        except (re.error, duckdb.Error) as error:
            reason = first_line(error)
            raise KeywordError(
                f"keywords.{keyword.family}.patterns.{keyword.name}: not a pattern of RE2 and Python alike: {reason}"
            ) from error
    return (*(keyword for keyword in shipped() if keyword.family not in families), *own)


def _flat(families: Mapping[str, FamilySettings]) -> tuple[Keyword, ...]:
    found = []
    for family, settings in families.items():
        for name, given in settings.patterns.items():
            pattern = given if isinstance(given, PatternSettings) else PatternSettings(pattern=given)
            flags = settings.turn, settings.unless_prompt, settings.beyond_ascii
            found.append(Keyword(family, settings.version, name, pattern.pattern, pattern.needs, *flags))
    return tuple(found)


@dataclass(frozen=True)
class Span:
    """One occurrence of a keyword: character offsets into the text."""

    start: int
    end: int
    family: str
    name: str


def find(text: str, keywords: Sequence[Keyword] | None = None) -> list[Span]:
    """Occurrences in the prose of `text`, in order; where two overlap the one that starts first stays (the longer of two that start
    together)."""
    prose = without_code(text)
    found = [
        Span(match.start(), match.end(), keyword.family, keyword.name)
        for keyword in (shipped() if keywords is None else keywords)
        for match in re.finditer(keyword.pattern, prose, re.ASCII)
    ]
    kept: list[Span] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def without_code(text: str) -> str:
    """The text with code blocks blanked out, of the same length."""
    for start, end, _ in code_blocks(text):
        text = text[:start] + "\n" * (end - start) + text[end:]
    return text


def code_blocks(text: str) -> list[tuple[int, int, str]]:
    """Start, end and kind (`code`, or `output`: what code would print) of the blocks between fences."""
    found = re.finditer(CODE.replace(r"\z", r"\Z"), text) if "```" in text else ()
    return [(match.start(), match.end(), "output" if match[0].startswith(OUTPUT) else "code") for match in found]


def count_expression(keyword: Keyword, text: str, lowered: str, prompt: str) -> str:
    """SQL that counts a keyword in the column `text`; `lowered` is its lower case, `prompt` the question's column.

    The pattern is a literal: DuckDB compiles a constant pattern once, one that comes from a column for every row.
    """
    count = f"len(regexp_extract_all({text}, {literal(keyword.pattern)}))"
    conditions = [" OR ".join(f"contains({lowered}, {literal(need)})" for need in keyword.needs)] if keyword.needs else []
    if keyword.beyond_ascii:
        conditions.append(f"strlen({text}) > length({text})")  # bytes, characters
    if keyword.unless_prompt:
        conditions.append(
            f"regexp_matches({text}, {literal(keyword.pattern)}) AND NOT regexp_matches({prompt}, {literal(keyword.pattern)})"
        )
    return f"CASE WHEN ({') AND ('.join(conditions)}) THEN {count} ELSE 0 END" if conditions else count


def first_turn(keywords: Sequence[Keyword]) -> str:
    """One RE2 pattern for any word that turns the reasoning round; matches nothing where no family does."""
    turns = [f"(?:{keyword.pattern})" for keyword in keywords if keyword.turn]
    return "|".join(turns) or r"[^\s\S]"


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def document(families: Mapping[str, Any]) -> dict[str, FamilySettings]:
    """Families of a recipe's analyze stage as plain data."""
    return {name: FamilySettings.model_validate(family) for name, family in families.items()}
