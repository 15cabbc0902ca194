import re
from pathlib import Path

import pytest

import evals.analytics.saved_queries
from evals.analytics import query
from evals.analytics.query import QueryError
from evals.analytics.saved_queries import expand, saved_queries


def test_every_saved_query_answers_its_question(database: Path, tmp_path: Path) -> None:
    known = saved_queries(tmp_path)
    assert len(known) == 11
    for name, found in known.items():
        assert "?" in found.question, name
        sql, values = expand(f"@{name}", {"run": "quickstart"}, known)
        assert query.run(database, sql, values).num_rows > 0 or name == "unsolved", name
        assert query.run(database, sql, values | {"run": "other"}).num_rows == 0
    listed = query.run(database, *expand("@queries", {}, known)).to_pylist()
    assert [row["name"] for row in listed] == [f"@{name}" for name in known]


def test_the_page_shows_the_queries_that_are_shipped() -> None:
    folder = Path(evals.analytics.saved_queries.__file__).parent
    shown = dict(re.findall(r"```sql\n-- r1flow sql @(\w+)[^\n]*\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL))
    assert len(shown) == 10
    for name, sql in shown.items():
        lines = (folder / "queries" / f"{name}.sql").read_text().splitlines()
        assert sql.strip() == "\n".join(line for line in lines if not line.startswith("--")).strip(), name


def test_own_queries_go_first(database: Path, tmp_path: Path) -> None:
    (tmp_path / "reward.sql").write_text("-- Mine?\n-- least: steps\nSELECT count(*) AS n FROM rollouts WHERE step > $least")
    known = saved_queries(tmp_path)
    assert query.run(database, *expand("@reward;", {"least": "13"}, known)).to_pylist() == [{"n": 32}]
    with pytest.raises(QueryError, match="@reward needs least="):
        expand("@reward", {}, known)
    with pytest.raises(QueryError, match="has no parameter 'lest'; did you mean 'least'"):
        expand("@reward", {"lest": "1"}, known)
    with pytest.raises(QueryError, match="no saved query @rewards; did you mean '@reward'"):
        expand("@rewards", {}, known)


@pytest.mark.follows("has no value: add")
def test_parameters_and_scripts(database: Path) -> None:
    assert query.run(database, "SELECT 1; SELECT $a AS a, $b AS b;", {"a": "2", "b": "x"}).to_pylist() == [{"a": 2, "b": "x"}]
    with pytest.raises(QueryError, match=r"\$a has no value: add a="):
        query.run(database, "SELECT $a")
    assert query.run(database, "SELECT $a AS a", {"a": "2"}).to_pylist() == [{"a": 2}]
    with pytest.raises(QueryError, match=r"the query has no \$b"):
        query.run(database, "SELECT 1", {"b": "1"})
    with pytest.raises(QueryError, match=r"evals/analytics/README\.md"):
        query.run(database, "SELECT nothing_like_it")


def test_files_only_when_told(database: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    sql = f"SELECT * FROM read_csv('{tmp_path}/a.csv')"
    with pytest.raises(QueryError, match="disabled"):
        query.run(database, sql)
    assert query.run(database, sql, files=True).to_pylist() == [{"x": 1}]
