"""What runs by itself: schedules of recipes, kept in the workspace and applied by its runner."""

from pathlib import Path
from typing import Any

from pydantic import Field

from flows.recipe.request import RunRequest
from rl_core.config.base import Settings
from rl_core.errors import InputError
from rl_core.files import write_json
from tasks.workspace import Workspace, read_json


class Schedule(Settings):
    """A recipe, when it runs, and with which options."""

    request: RunRequest = Field(alias="order")  # as files of schedules have it
    cron: str | None = Field(None, description="Without it the recipe is offered in the UI, and nothing more.")
    timezone: str = "UTC"

    @property
    def name(self) -> str:
        """The deployment's name."""
        return Path(self.request.recipe).stem


def path_of(workspace: Workspace) -> Path:
    return workspace.root / ".servers" / "schedules.json"


def read_schedules(workspace: Workspace) -> dict[str, Schedule]:
    """By deployment name. Raises InputError if the file is there and cannot be read."""
    path = path_of(workspace)
    if not path.exists():
        return {}
    known: Any = read_json(path)
    try:
        return {name: Schedule.model_validate(entry) for name, entry in known.items()}
    except (AttributeError, ValueError) as error:
        raise InputError(f"{path}: cannot be read; remove it, and give each schedule again: r1flow schedule RECIPE --cron LINE") from error


def keep_schedule(workspace: Workspace, schedule: Schedule) -> None:
    """Add a schedule; it replaces one of the same name. Raises InputError if the cron line or the time zone is wrong."""
    check(schedule)
    _write(workspace, read_schedules(workspace) | {schedule.name: schedule})


def drop_schedule(workspace: Workspace, name: str) -> None:
    """Raises InputError if there is no such schedule."""
    known = read_schedules(workspace)
    if name not in known:
        raise InputError(f"no schedule for {name}; known: {', '.join(known) or 'none'}")
    _write(workspace, {key: entry for key, entry in known.items() if key != name})


def check(schedule: Schedule) -> None:
    """Raises InputError if Prefect would not take the cron line or the time zone."""
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        CronSchedule(cron=schedule.cron or "* * * * *", timezone=schedule.timezone)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][-1])
        reason = first["msg"].removeprefix("Value error, ")
        given = schedule.cron if name == "cron" else schedule.timezone
        raise InputError(f"--{name} {given!r}: {reason}; write it as in --cron '0 2 * * *' --timezone Europe/Berlin") from error


def _write(workspace: Workspace, schedules: dict[str, Schedule]) -> None:
    path = path_of(workspace)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_json(path, {name: entry.model_dump(mode="json", by_alias=True) for name, entry in schedules.items()})
