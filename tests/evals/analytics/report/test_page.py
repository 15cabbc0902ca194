import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.analytics import query
from evals.analytics.report.page import QUERIES
from evals.analytics.report.page import write as write_page
from evals.analytics.warehouse import publish as publishing
from evals.analytics.warehouse.publish import Part
from evals.config import StageRun
from rl_core.rollout.records import SAMPLE_SCHEMA

RECIPE = {"name": "quickstart", "stages": {"sft": {"kind": "sft", "steps": 40}}}
VOID = {"meta", "img", "br", "input"}


class Page(HTMLParser):
    """Checks that tags nest, and collects attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def write(database: Path, output: Path) -> list[Path]:
    reading = [{"title": "All rollouts", "where": "runs/warehouse.duckdb", "note": "in SQL"}, {"title": "Charts", "where": "mlflow ui"}]
    return write_page(database, output, recipe=RECIPE, title="quickstart", links=reading)


@pytest.fixture(scope="module")
def files(database: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(database, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(files: list[Path]) -> Page:
    return Page(files[0].read_text())


@pytest.mark.slow
def test_writes_the_page_and_the_figures(files: list[Path]) -> None:
    assert files[0].name == "report.html"
    assert len(files) == 1 + 2 * 17
    assert [path.suffix for path in files[1:]] == [".png", ".svg"] * 17
    assert all(path.parent == files[0].parent / "figures" and path.stat().st_size > 10_000 for path in files[1:])
    assert files[0].stat().st_size < 2_000_000


@pytest.mark.slow
def test_loads_nothing(files: list[Path], page: Page) -> None:
    for tag, name, value in page.attributes:
        if name in ("src", "href", "srcset", "action", "data", "poster"):
            assert value is not None
            assert value.startswith("data:image/svg+xml;base64," if tag == "img" else "#"), (tag, name, value[:60])
    assert not re.search(r"url\(|@import|https?://", files[0].read_text())


@pytest.mark.slow
def test_policy_allows_only_its_own_script(files: list[Path], page: Page) -> None:
    import base64
    import hashlib

    (script,) = re.findall(r"<script>(.*?)</script>", files[0].read_text(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [value for tag, name, value in page.attributes if tag == "meta" and name == "content" and "default-src" in str(value)]
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


@pytest.mark.slow
def test_says_what_was_learned(page: Page, database: Path) -> None:
    (row,) = query.run(
        database,
        "SELECT a.value AS before, b.value AS after, b.low, b.high FROM scores AS a JOIN scores AS b USING (subset, metric) "
        "WHERE a.checkpoint = 'sft' AND b.checkpoint = 'anneal' AND subset = '5 people' AND metric = 'avg@4'",
    ).to_pylist()
    assert f"{100 * row['after']:.1f}% from {100 * row['before']:.1f}%" in page.text
    assert f"{100 * row['low']:.1f} – {100 * row['high']:.1f}" in page.text  # noqa: RUF001
    for words in (
        "5 stages · 1,952 responses read · 4 checkpoints evaluated",
        "Knights and Knaves, 5 people: ",
        ", noise",
        "Training reward rose in warmup",
        "One problem, every checkpoint",
        "step N, N., first",
        "Chain of thought",
        "language switching",
        "What it cost",
        "kind: sft",
        "All rollouts runs/warehouse.duckdb in SQL",
    ):
        assert words in page.text, words


def test_suggested_queries_run(database: Path) -> None:
    for _, sql in QUERIES:
        assert query.run(database, sql).num_columns > 1


@pytest.mark.slow
def test_sections_without_data_are_left_out(tmp_path: Path) -> None:
    stage = StageRun(experiment="e", stage="s", kind="data", fingerprint="f" * 64, directory=tmp_path, position=0)
    publishing.build(Part([stage]), tmp_path / "a.duckdb")
    (html,) = write(tmp_path / "a.duckdb", tmp_path / "out")
    page = Page(html.read_text())
    assert "No training curves and no scores" in page.text
    assert not any(value in ("scores", "samples", "curves") for _, name, value in page.attributes if name == "id")


@pytest.mark.slow
def test_model_text_cannot_act(experiment: list[StageRun], tmp_path: Path) -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)></div></article></pre>"
    stages = []
    for stage in experiment:
        directory = tmp_path / stage.directory.name
        shutil.copytree(stage.directory, directory)
        stages.append(stage.model_copy(update={"directory": directory, "experiment": "x<b>"}))
    for path in (tmp_path / experiment[-1].directory.name).glob("samples/**/*.parquet"):
        rows = pq.read_table(path).to_pylist()
        rows = [row | {"response": attack, "prompt": attack, "gold": attack, "think_end": 20, "answer_start": None} for row in rows]
        pq.write_table(pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA), path)
    publishing.build(Part(stages), tmp_path / "a.duckdb")
    html = write_page(tmp_path / "a.duckdb", tmp_path, recipe={"name": attack}, title=attack, links=[{"title": attack, "where": attack}])[0]
    text = html.read_text()
    page = Page(text)
    assert text.count("<script>") == 1
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert "<script>alert(1)</script><img src=x onerror=alert(2)>" in page.text


@pytest.mark.slow
def test_equal_data_equal_page(files: list[Path], database: Path, tmp_path: Path) -> None:
    again = write(database, tmp_path)
    assert [path.name for path in again] == [path.name for path in files]
    assert [path.name for path, other in zip(again, files, strict=True) if path.read_bytes() != other.read_bytes()] == []


def test_missing_database(tmp_path: Path) -> None:
    with pytest.raises(query.QueryError, match="no such database"):
        write(tmp_path / "none.duckdb", tmp_path / "out")
