"""`r1flow analyze`: rollouts of other frameworks in the same warehouse, figures and report."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from flows.analysis.sql_shell import parameters_of
from rl_core.errors import InputError, first_line
from rl_core.nearest import nearest

if TYPE_CHECKING:
    from evals.analytics.external.stages import Counts

DATABASE = "analysis.duckdb"


def analyze(
    files: Sequence[Path],
    output: Path,
    *,
    think_tags: str | None,
    mapping: Sequence[str],
    correct_from: float | None,
    keywords: Path | None,
) -> tuple[Path, list[str]]:
    """Write `analysis.duckdb`, `report.html`, `figures/` and the rows as Parquet below `output`.

    Returns:
        The page, and lines about what the files do not say or how they were read.

    Raises:
        InputError: a file, an option or a keyword pattern is wrong; an earlier analysis in `output` is then as it was.
    """
    from evals.analytics.external.stages import write_stages
    from evals.analytics.external.table import ROLES
    from evals.analytics.keywords import document, with_own
    from evals.analytics.report.page import write
    from evals.analytics.warehouse.publish import Part, build

    tags = _tags(think_tags)
    roles = parameters_of(list(mapping))
    if unknown := next((role for role in roles if role not in ROLES), None):
        raise InputError(f"--map {unknown}=…: no such role; {nearest(unknown, ROLES)}")
    chosen = with_own(document(_families(keywords)))
    output.mkdir(parents=True, exist_ok=True)
    fresh = output / ".rows.new"
    shutil.rmtree(fresh, ignore_errors=True)
    name = output.resolve().name
    try:
        stages, counts = write_stages(files, fresh, name=name, mapping=roles, think_tags=tags, correct_from=correct_from)
        shutil.rmtree(output / "rows", ignore_errors=True)
        fresh.rename(output / "rows")
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    part = Part([stage.model_copy(update={"directory": output / "rows" / stage.stage}) for stage in stages], chosen)
    build(part, output / DATABASE)
    settings = {
        "files": [str(path) for path in files],
        "think_tags": list(tags) if tags else "usual",
        "map": roles,
        "correct_from": "unknown without a verdict" if correct_from is None else correct_from,
    }
    page = write(output / DATABASE, output, recipe=settings, title=name, links=_links(counts, output))[0]
    return page, counts.lines()


def _links(counts: Counts, output: Path) -> list[dict[str, Any]]:
    found = [{"title": "SQL", "where": f"r1flow sql --database {quote(str(output / DATABASE))} @queries", "note": "every response"}]
    for missing, total, title, remedy, what in (
        (counts.without_verdict, counts.responses, "Verdicts", "--map correct=COLUMN or --correct-from REWARD", "whether they are right"),
        (counts.without_reward, counts.rollouts, "Rewards", "--map reward=COLUMN", "their reward"),
        (counts.without_ending, counts.responses, "Endings", "--map finish_reason=COLUMN", "whether they are cut off"),
        (counts.without_tokens, counts.responses, "Tokens", "--map response_tokens=COLUMN", "their tokens; characters are counted"),
        (counts.without_step, counts.rollouts, "Steps", "--map step=COLUMN", "their step"),
    ):
        if missing:
            where = remedy if counts.columns else "not in these files"  # whose form leaves nothing to name
            found.append({"title": title, "where": where, "note": f"unknown for {missing:,} of {total:,} responses: {what}"})
    return [*found, *({"title": "Read as", "where": line, "note": ""} for line in counts.lines())]


def _tags(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    opening, comma, closing = text.partition(",")
    if not (opening and comma and closing):
        raise InputError(f"--think-tags {text}: write the opening and the closing tag with a comma between, such as '<think>,</think>'")
    return opening, closing


def _families(path: Path | None) -> dict[str, Any]:
    """A person's own keywords: family -> settings or patterns, as in a recipe."""
    import yaml
    from pydantic import TypeAdapter, ValidationError

    from evals.analytics.keywords import Families
    from flows.recipe.yaml_text import read_yaml

    if path is None:
        return {}
    try:
        found = read_yaml(path.read_text(encoding="utf-8"))
        TypeAdapter(Families).validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][:2]))
        raise InputError(f"--keywords {path}: {where + ': ' if where else ''}{first['msg']}; write families as in a recipe") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"--keywords {path}: cannot be read: {first_line(error)}") from error
    return dict(found)
