"""What READMEs and CONTRIBUTING.md lead to is there: links, files, functions, commands, recipes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from flows.cli import main as r1flow
from flows.recipe.load import load_recipe

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for folder in (ROOT, *(ROOT / name for name in ("flows", "tasks", "rl_core", "evals", "infra", "tests")))
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
)
PACKAGES = ("flows/", "tasks/", "rl_core/", "evals/", "infra/", "tests/")
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def blocks(page: Path, language: str = "") -> list[str]:
    """Code of a page; without a language, what is typed in a terminal."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def commands() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for block in blocks(page):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                if re.match(r"(\$ )?r1flow [a-z]", line):
                    yield page, line.removeprefix("$ ")


def test_there_are_pages() -> None:
    assert {"README.md", "CONTRIBUTING.md", "flows/README.md", "rl_core/README.md", "tasks/README.md", "evals/README.md"} <= {
        page.relative_to(ROOT).as_posix() for page in PAGES
    }
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for text, target in re.findall(r"\[([^\]]*)\]\(([^)]*)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), f"{page}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", found.read_text(), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, f"{page}: {target}"
        name = re.fullmatch(r"`(\w+)(?:\.(?!py`)(\w+))?`", text)
        if name and found.suffix == ".py":  # a function or class, which may be one of a Protocol
            assert all(re.search(rf"\b{part}\b", found.read_text()) for part in name.groups() if part), f"{page}: {text} in {target}"


@pages
def test_files_that_are_named_exist(page: Path) -> None:
    text = re.sub(r"\]\([^)]*\)", "]", page.read_text())
    named = {name for name in re.findall(r"(?<![\w/.:-])((?:[\w.-]+/)+[\w-]+\.(?:py|sql|md|sh|yaml))\b", text) if name.startswith(PACKAGES)}
    named.update(re.findall(r"`([\w-]+/[\w/-]+\.py)`", text))
    missing = [name for name in sorted(named) if not any((folder / name).exists() for folder in (ROOT, page.parent))]
    assert missing == []


@pytest.mark.parametrize(("page", "line"), list(commands()), ids=lambda value: value if isinstance(value, str) else value.parent.name)
def test_commands_and_their_options_exist(page: Path, line: str) -> None:
    line = re.sub(r"'[^']*'|\"[^\"]*\"", "X", line.partition("#")[0])
    names = re.match(r"r1flow ((?:[a-z]+, )*[a-z]+)", line)
    assert names
    for name in names.group(1).split(", "):
        assert name in r1flow.commands, f"{page}: {line}"
    command = r1flow.commands[name]
    known = {option for parameter in command.params if isinstance(parameter, click.Option) for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.split(r"\s{3,}", line)[0])) <= known | {"--help"}, f"{page}: {line}"


def test_recipes_in_pages_are_recipes(tmp_path: Path) -> None:
    found = []
    for page in PAGES:
        for block in blocks(page, "yaml"):
            if re.search(r"^name: ", block, flags=re.MULTILINE):
                name = re.search(r"^name: (\S+)", block, flags=re.MULTILINE)
                assert name
                path = tmp_path / f"{name.group(1)}.yaml"
                path.write_text(block)
                found.append(load_recipe(str(path)).name)
    assert found == ["my-experiment", "sums", "two-stages", "two-stages-hot"]


def test_the_first_experiment_begins_as_its_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "flows" / "FIRST_EXPERIMENT.md"
    problems, reward = blocks(page, "python")
    [recipe] = blocks(page, "yaml")
    monkeypatch.chdir(tmp_path)
    exec(problems, {})
    (tmp_path / "my_rewards.py").write_text(reward)
    (tmp_path / "sums.yaml").write_text(recipe)
    for command in ("data sums.yaml data", "plan sums.yaml"):
        done = CliRunner().invoke(r1flow, command.split())
        assert done.exit_code == 0, done.output
        told = done.output.splitlines()
        assert told[0].strip() in page.read_text() or command.startswith("plan"), told[0]
