from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from flows.planning.plan import Plan
from flows.runs.prefect_page import pictures
from tasks.workspace import read_json, write_record


@pytest.mark.parametrize(
    ("notes", "shown"),
    [
        ({"tracking_uri": "sqlite:///a", "run": "abc", "sent": ["settings", "files"]}, True),
        ({"tracking_uri": "sqlite:///a", "run": "abc", "sent": ["settings"]}, False),
        ({"tracking_uri": "sqlite:///another", "run": "abc", "sent": ["settings", "files"]}, False),
    ],
)
def test_figures_are_shown_from_the_run_that_made_them(
    plan_of: Callable[..., Plan], make: Callable[..., None], notes: dict[str, object], shown: bool
) -> None:
    plan = plan_of()
    for stage in plan.stages:
        make(stage.spec)
    report = plan.stages[-1].spec.directory
    (report / "figures").mkdir()
    (report / "figures" / "reward.png").write_bytes(b"")
    write_record(report / "mlflow.json", notes | {"models": {}})
    place = "http://127.0.0.1:5000/get-artifact?run_uuid=abc&path=figures"
    wanted = f"![reward]({place}/reward.png)\n\n[reward.svg]({place}/reward.svg)" if shown else ""
    assert pictures(plan, "http://127.0.0.1:5000", "sqlite:///a") == wanted


def test_figures_stand_in_the_order_of_the_report(plan_of: Callable[..., Plan], make: Callable[..., None]) -> None:
    plan = plan_of()
    for stage in plan.stages:
        make(stage.spec)
    report = plan.stages[-1].spec.directory
    (report / "figures").mkdir()
    for name in ("degeneration", "reward", "length", "of_another_version"):
        (report / "figures" / f"{name}.png").write_bytes(b"")
    write_record(report / "mlflow.json", {"tracking_uri": "sqlite:///a", "run": "abc", "sent": ["files"], "models": {}})
    manifest = read_json(report / "manifest.json")
    files = ["report.html", *(f"figures/{name}.{ending}" for name in ("reward", "length", "degeneration") for ending in ("png", "svg"))]
    write_record(report / "manifest.json", manifest | {"result": {"files": files}})
    shown = re.findall(r"!\[(\w+)\]", pictures(plan, "http://127.0.0.1:5000", "sqlite:///a"))
    assert shown == ["reward", "length", "degeneration", "of_another_version"]
