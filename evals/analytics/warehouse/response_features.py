"""What is read in a response: segments, keywords, turns and their effect, repetition, copying, leaks.

Everything is computed once, when a response comes into the warehouse, so that a question over all of them is a scan of numbers. The steps
are in sql/response_features.sql.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from evals.analytics.keywords import CODE, OUTPUT, Keyword, count_expression, first_turn, literal

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parent / "sql"


def read_responses(connection: duckdb.DuckDBPyConnection, table: str, source: str, keywords: Sequence[Keyword]) -> None:
    """Make a temporary table with every column of `source` and what is read in the response.

    Args:
        source: a relation with the columns `response_id` (unique), `response`, the spans, `prompt`, `gold`, `extracted` and `outcome`;
            each of these four may be null.
        keywords: counted as `keyword_0`, `keyword_1`, …; sums of families by name follow from them.
    """
    counts = (count_expression(keyword, "prose", "lowered", "coalesce(prompt, '')") for keyword in keywords)
    select = statement(
        "response_features",
        source=source,
        code=literal(CODE),
        output=literal(f"^(?:{'|'.join(OUTPUT)})"),
        keyword_counts=", ".join(f"{count} AS keyword_{at}" for at, count in enumerate(counts)),
        step_wise=family_sum(keywords, "step_wise"),
        reflection=family_sum(keywords, "reflection"),
        turns=" + ".join(f"keyword_{at}" for at, keyword in enumerate(keywords) if keyword.turn) or "0",
        before_turn=literal(f"(?s)^(.*?)(?:{first_turn(keywords)})"),
    )
    connection.execute((SQL / "response_macros.sql").read_text())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {select}")


def statement(name: str, **parts: str) -> str:
    """`sql/NAME.sql` with its `$parts`."""
    return Template((SQL / f"{name}.sql").read_text()).substitute(parts)


def family_sum(keywords: Sequence[Keyword], family: str) -> str:
    """The hits of a family in a response, as SQL."""
    return "(" + (" + ".join(f"keyword_{at}" for at, keyword in enumerate(keywords) if keyword.family == family) or "0") + ")"
