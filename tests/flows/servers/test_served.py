from __future__ import annotations

from pathlib import Path

import pytest

from flows.recipe.request import RunRequest
from flows.servers.schedules import Schedule, keep_schedule
from flows.servers.served import SERVED, check_served, offered
from rl_core.errors import InputError
from tasks.workspace import Workspace

MINI = str(Path(__file__).parents[2] / "fixtures" / "mini.yaml")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """One whose runner offers the mini recipe with a data directory."""
    found = Workspace.at(tmp_path / "runs")
    keep_schedule(found, Schedule(request=RunRequest(recipe=MINI, workspace=found.root, data_dir=tmp_path / "data")))
    monkeypatch.setenv(SERVED, str(found.root))
    return found


def test_what_is_offered_passes(workspace: Workspace, tmp_path: Path) -> None:
    assert {"quickstart", "logic_rl", "mini"} <= set(offered(workspace))
    check_served(RunRequest(recipe="quickstart", workspace=workspace.root))
    check_served(RunRequest(recipe=MINI, workspace=workspace.root, data_dir=tmp_path / "data", changes=["warm.temperature=0.9"]))
    check_served(RunRequest(recipe=MINI, workspace=workspace.root))


@pytest.mark.follows("this runner does not offer it; r1flow schedule {} does", "r1flow schedule {} --data-dir {}")
def test_what_is_not_offered_is_refused_with_the_command_that_offers_it(workspace: Workspace, tmp_path: Path) -> None:
    for order, message in [
        (
            RunRequest(recipe="quickstart", workspace=tmp_path / "evil"),
            r"^workspace .*evil: this runner works in .*; r1flow up --workspace",
        ),
        (
            RunRequest(recipe="/tmp/evil.yaml", workspace=workspace.root),
            r"^recipe /tmp/evil.yaml: .*; r1flow schedule /tmp/evil.yaml does$",
        ),
        (RunRequest(recipe="quickstart", workspace=workspace.root, data_dir=Path("/etc")), r"^data_dir /etc: .* --data-dir /etc does$"),
        (
            RunRequest(recipe="quickstart", workspace=workspace.root, data_dir=tmp_path / "data"),
            r"^data_dir .*data: this runner does not offer",
        ),
    ]:
        with pytest.raises(InputError, match=message):
            check_served(order)
    keep_schedule(
        workspace, Schedule(request=RunRequest(recipe="quickstart", workspace=workspace.root, data_dir=Path("/etc")))
    )  # what it says helps
    check_served(RunRequest(recipe="quickstart", workspace=workspace.root, data_dir=Path("/etc")))


def test_on_the_command_line_everything_is_allowed(tmp_path: Path) -> None:
    check_served(RunRequest(recipe="/tmp/any.yaml", workspace=tmp_path, data_dir=Path("/etc")))
