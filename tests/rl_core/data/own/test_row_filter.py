from pathlib import Path
from typing import Any

import pytest

from rl_core.data.own.row_filter import RowFilter, check_expression
from rl_core.data.prompts import DataError

ROWS: list[dict[str, Any]] = [
    {"level": 1, "tags": ["a"], "info": {"kind": "x"}, "mixed": 1, "the name": "A"},
    {"level": 2, "tags": [], "info": {"kind": "y", "more": 1}, "mixed": "two", "the name": "B"},
    {"level": None, "tags": ["b", "a"], "info": None, "mixed": {"a": 1}, "the name": None},
    {"level": 3.5},
]


def places(expression: str, rows: list[dict[str, Any]] = ROWS) -> set[int]:
    chosen = RowFilter(expression)
    for row in rows:
        chosen.add(row)
    return chosen.places()


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("level >= 2", {1, 3}),
        ("LEVEL >= 2 -- as in SQL", {1, 3}),
        ("level IS NULL OR level = 1", {0, 2}),
        ("info.kind = 'x'", {0}),
        ("len(tags) = 2 AND tags[1] = 'b'", {2}),
        ("list_contains(tags, 'a')", {0, 2}),
        ("len(list_filter(tags, lambda tag: tag = 'a')) > 0", {0, 2}),
        ("mixed = 'two' OR mixed = '1'", {0, 1}),
        ("\"the name\" = 'B'", {1}),
        ("regexp_matches(\"the name\", '^[AB]$')", {0, 1}),
        ("true", {0, 1, 2, 3}),
        ("level > (SELECT avg(level) FROM rows)", {3}),
    ],
)
def test_rows_of_which_it_is_true(expression: str, found: set[int]) -> None:
    assert places(expression) == found


def test_what_is_random_is_the_same_every_time() -> None:
    rows = [{"a": number} for number in range(1000)]
    assert places("random() < 0.5", rows) == places("random() < 0.5", rows)
    assert 400 < len(places("random() < 0.5", rows)) < 600


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("levl > 1", "where 'levl > 1': the rows have no column 'levl'; did you mean 'level'"),
        ("info.knd = 'x'", 'Could not find key "knd" in struct Candidate Entries'),
        ("lenght(tags) > 1", 'Did you mean "length"'),
        ("count(*) > 1", "cannot contain aggregates"),
        ("tags > 1", "where 'tags > 1': "),
        ("error('no')", "no"),
    ],
)
def test_a_wrong_expression_is_one_line_with_the_reason(expression: str, message: str) -> None:
    check_expression(expression)
    with pytest.raises(DataError, match=message) as caught:
        places(expression)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("expression", ["level >", "", "  ", "1) FROM rows WHERE (true", "1; DROP TABLE rows", "level > 'a", "*"])
@pytest.mark.follows("this is no expression; write one that is true or false of a row, such as level >= 3")
def test_what_is_no_expression_is_refused_before_any_row_is_read(expression: str) -> None:
    with pytest.raises(DataError, match=r"^where "):
        check_expression(expression)
    assert places("level >= 3") == {3}


@pytest.mark.parametrize(
    "expression",
    [
        "(SELECT count(*) FROM read_csv('{file}')) > 0",
        "(SELECT count(*) FROM '{file}') > 0",
        "(SELECT count(*) FROM ROWS_OF_PYTHON) > 0",
        "(SELECT count(*) FROM duckdb_secrets()) > 0 AND (SELECT count(*) FROM glob('{file}')) > 0",
    ],
)
def test_it_reads_no_file_and_no_variable(expression: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    ROWS_OF_PYTHON = ROWS  # noqa: F841
    with pytest.raises(DataError):
        places(expression.format(file=file))
