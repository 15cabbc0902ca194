"""The group of commands, and what several of them share: options, exit codes, errors in one line."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

OUR_PACKAGES = {"flows", "tasks", "evals", "rl_core"}
FAILED, BAD_INPUT, STOPPED = 1, 2, 75
INTERRUPTED = 130


class Commands(click.Group):
    """Prints the errors of our own making as one line."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ValueError as error:
            # A person can mend these; any other ValueError is a defect and keeps its traceback.
            if type(error).__module__.partition(".")[0] not in OUR_PACKAGES:
                raise
            click.echo(f"error: {error}", err=True)
            context.exit(BAD_INPUT)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read the output has enough; click leaves quietly
                raise
            click.echo(f"error: {error.filename or 'the output'}: {error.strerror or error}", err=True)
            context.exit(BAD_INPUT)


workspace_option = click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    envvar="R1FLOW_WORKSPACE",
    show_default=True,
    help="Directory where everything is kept.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="R1FLOW_DATA_DIR",
    help="Directory of local data files; without it the hub is used.",
)
set_option = click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Change a setting, such as stages.five.temperature=0.9. Repeatable."
)

profile_option = click.option(
    "--profile", type=click.Choice(["smoke"]), help="smoke: the same stages on a small model and few prompts, in a minute or two on a CPU."
)


anyway_option = click.option("--anyway", is_flag=True, help="Run also where a stage wants more than this machine has.")


def stage_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which stages are chosen."""
    for option in (
        click.option("--force", multiple=True, metavar="STAGE", help="Rerun STAGE and what depends on it. Repeatable."),
        click.option("--until", metavar="STAGE", help="Stop after STAGE: make it and what it needs."),
        click.option("--from", "rerun_from", metavar="STAGE", help="Rerun STAGE and what follows; reuse what comes before, or refuse."),
        workspace_option,
        data_dir_option,
        profile_option,
        set_option,
    ):
        command = option(command)
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="r1flow", message="%(version)s")
def main() -> None:
    """R1-style reinforcement learning of language models as pipelines.

    A RECIPE is the name of a shipped one (`r1flow recipes`) or a path to a .yaml file.
    """
    from flows.login import use_login

    for stream in (sys.stdout, sys.stderr):  # a terminal may not have every character: then it shows an escape
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    use_login()
