import re
from pathlib import Path

import pytest

from evals.analytics import query
from evals.analytics.query import QueryError
from evals.analytics.warehouse import publish as publishing


def test_returns_an_arrow_table(database: Path) -> None:
    table = query.run(database, "SELECT kind, count(*) AS n FROM stages GROUP BY kind ORDER BY kind")
    assert table.to_pylist() == [{"kind": "eval", "n": 1}, {"kind": "rl", "n": 3}, {"kind": "sft", "n": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "COPY stages TO 'stolen.csv'",
        "ATTACH 'other.duckdb'",
        "INSERT INTO schema_version VALUES (2)",
        "DROP TABLE rollouts",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT * FROM local_variable",
    ],
)
def test_touches_nothing_else(database: Path, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    monkeypatch.chdir(tmp_path)
    local_variable = pa.table({"secret": [1]})
    assert local_variable.num_rows == 1
    with pytest.raises(QueryError) as caught:
        query.run(database, sql)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.follows("the statement returns no rows; write a SELECT", "tables and columns: r1flow sql")
def test_errors_are_one_line_with_the_suggestion(database: Path) -> None:
    with pytest.raises(QueryError, match=r'rolouts.*Did you mean "rollouts"') as caught:
        query.run(database, "SELECT *\nFROM rolouts")
    assert "LINE" not in str(caught.value)
    with pytest.raises(QueryError, match=r"write a SELECT, such as: SELECT \* FROM reward_by_step"):
        query.run(database, "")
    assert query.run(database, "SELECT * FROM reward_by_step").num_rows
    with pytest.raises(QueryError, match="tables and columns: r1flow sql") as caught:
        query.run(database, "SELECT xyzzy")
    (sql,) = re.findall('r1flow sql "([^"]+)"', str(caught.value))
    assert {"rollouts", "reward_by_step"} <= set(query.run(database, sql)["table_name"].to_pylist())


@pytest.mark.follows("no such database; `r1flow ingest` or an analyze stage writes it", "move it away, and `r1flow ingest` makes it again")
def test_missing_or_broken_database(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no such database; `r1flow ingest`"):
        query.run(tmp_path / "none.duckdb", "SELECT 1")
    (tmp_path / "bad.duckdb").write_text("no database" * 1000)
    with pytest.raises(QueryError, match="not a readable DuckDB file"):
        query.run(tmp_path / "bad.duckdb", "SELECT 1")
    for name in ("none.duckdb", "bad.duckdb"):
        (tmp_path / name).unlink(missing_ok=True)
        publishing.publish([], tmp_path / name)
        assert query.run(tmp_path / name, "SELECT * FROM stages").num_rows == 0
