"""The group of commands, and what they share: options, exit codes, errors in one line."""

import errno
import gc
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from rl_core.addresses import without_secrets
from rl_core.errors import InputError
from tasks.format import visible
from tasks.interrupts import hear_signals, is_interrupted, leave_at_once
from tasks.workspace import Workspace, make_addresses_absolute, named_address, why_not_writable

OUR_PACKAGES = {"flows", "tasks", "evals", "rl_core"}
FAILED, BAD_INPUT, STOPPED = 1, 2, 75
INTERRUPTED = 130
STOPPED_BY_HAND = INTERRUPTED, "stopped"


class Output(click.Path):
    """Where a command writes: refused before any work if nothing can be written there."""

    def __init__(self, *, directory: bool) -> None:
        super().__init__(path_type=Path, file_okay=not directory, dir_okay=directory)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if not self.dir_okay and not path.parent.is_dir():
            raise InputError(f"{_called(param)} {path}: no directory {path.parent}; make it first")
        if why := why_not_writable(path):
            raise InputError(f"{_called(param)} {path}: {why}, or name another place")
        return path


class Command(click.Command):
    """A command that refuses blank values, which mostly come from a shell variable that is not set."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for param in self.params:
            value = given.get(param.name or "")
            for text in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else ():
                if isinstance(text, str) and not text.strip():
                    optional = isinstance(param, click.Option) and not param.required
                    raise InputError(f"{_called(param)}: blank; give a value{', or leave it out' if optional else ''}")
        return super().parse_args(ctx, args)


def _called(param: click.Parameter | None) -> str:
    """A parameter as a person knows it: --output, RECIPE."""
    return max(param.opts, key=len) if isinstance(param, click.Option) else param.human_readable_name if param else "path"


class Commands(click.Group):
    """Prints the errors of our own making as one line."""

    command_class = Command

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:  # which prints help and version
        with _in_one_line():
            return super().make_context(*arguments, **extra)

    def invoke(self, context: click.Context) -> Any:
        with _in_one_line():
            return super().invoke(context)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Print an error of the input, or an interruption, as one line, and exit with its code."""
    try:
        yield
    except (click.exceptions.Exit, click.Abort, click.ClickException, SystemExit) as left:  # the cause has been printed
        _drop_frames(left.__context__)
        raise
    except Exception as error:
        found = STOPPED_BY_HAND if is_interrupted() else _code_and_line(error)
        if found is None:
            raise
        _drop_frames(error)
    except KeyboardInterrupt:
        found = STOPPED_BY_HAND
    else:
        return
    code, line = found
    if code == INTERRUPTED:
        leave_at_once()
    click.echo(visible(without_secrets(line)), err=True)
    raise click.exceptions.Exit(code)


def _drop_frames(error: BaseException | None) -> None:
    """Drop the frames of an error that has been printed, and of those that caused it.

    Prefect keeps a flow's error to the end of the process. With it a connection in one of its frames would be kept, and DuckDB would print
    dozens of lines about that as the interpreter exits.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _code_and_line(error: Exception) -> tuple[int, str] | None:
    """Exit code and line of an error of the input; None for a defect, which keeps its traceback."""
    if isinstance(error, ValueError):
        return (BAD_INPUT, f"error: {error}") if type(error).__module__.partition(".")[0] in OUR_PACKAGES else None
    if isinstance(error, OSError) and error.errno != errno.EPIPE:  # the reader of a pipe has closed it: click exits quietly
        return BAD_INPUT, f"error: {error.filename or 'the output'}: {error.strerror or error}{_remedy(error)}"
    return None


def _remedy(error: OSError) -> str:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return "; ask its owner for the right, or name another place"
        case errno.EROFS:
            return "; name a place on a disk that can be written"
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG if error.filename:
            return "; make room, and give the command again"
    return ""


DIRECTORY: Any = {"type": click.Path(path_type=Path)}
WORKSPACE = DIRECTORY | {"default": Path("runs"), "envvar": "R1FLOW_WORKSPACE", "help": "Directory where everything is kept."}
workspace_option = click.option("--workspace", **WORKSPACE, show_default=True, callback=lambda context, param, path: Workspace.at(path))
data_dir_option = click.option(
    "--data-dir", **DIRECTORY, envvar="R1FLOW_DATA_DIR", help="Directory of local data files; without it the hub is used."
)
set_option = click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Change a setting, such as stages.five.temperature=0.9. Repeatable."
)

profile_option = click.option(
    "--profile", type=click.Choice(["smoke"]), help="smoke: the same stages on a small model and few prompts, in a minute or two on a CPU."
)


anyway_option = click.option("--anyway", is_flag=True, help="Run also where a stage wants more than this machine has.")


def stage_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--force", multiple=True, metavar="STAGE", help="Rerun STAGE and what depends on it. Repeatable."),
        click.option("--until", metavar="STAGE", help="Stop after STAGE: make it and what it needs."),
        click.option("--from", "rerun_from", metavar="STAGE", help="Rerun STAGE and what follows; reuse what comes before, or refuse."),
        click.option("--workspace", **WORKSPACE, show_default=True),
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
    from flows.servers.login import use_login

    gc.set_threshold(50_000)  # new objects; with Python's 700 a quarter of the time of imports goes into looking for garbage
    hear_signals()
    make_addresses_absolute()
    for stream in (sys.stdout, sys.stderr):  # a terminal may not have every character: then it shows an escape
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    use_login()
    for name in ("NO_PROXY", "no_proxy"):  # a proxy does not reach this machine's own servers
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost")))
    # Libraries quote addresses in their errors.
    sys.excepthook = lambda *error: sys.stderr.write(without_secrets("".join(traceback.format_exception(*error))))
    named_address("HF_ENDPOINT")  # the hub's client writes it into logs
