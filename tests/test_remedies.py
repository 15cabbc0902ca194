"""Every message that tells a person what to do is followed by a test, and every command that it names exists.

A test that does what a message says, to the end, carries `@pytest.mark.follows("part of the message")`; a parametrized one carries it in
`pytest.param(…, marks=pytest.mark.follows(…))`. `{}` stands for what is filled in. What no test can do here is in `BEYOND`, with the
reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from flows.cli import main as r1flow
from rl_core.addresses import without_secrets

ROOT = Path(__file__).parents[1]

# What a remedy begins with, behind the fact that it is about.
_VERBS = (
    "add|ask|bring|call|check|choose|copy|delete|end|evaluate|export|free|give|install|leave|let|look|lower|make|mount|move|name|open|point|"
    "promote|put|raise|remove|rename|repair|rerun|resume|run|schedule|set|start|stop|take|train|undo|unset|update|use|wait|write"
)
_REMEDY = re.compile(
    rf"(?:[;:] (?:[^;:]*\bor )?(?:{_VERBS})|\. (?:Run|Try))\b|^(?:{_VERBS})\b.*\bor\b|(?<!of )\br1flow [a-z]+"
    r"|[;:(,] ?--[a-z][a-z-]+|run again"
)
_COMMAND = re.compile(r"(?<!this )(?<!no )r1flow ([a-z]+)([^;`)\n]*)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*(?!\{)")

# Part of a message -> why no test follows it.
BEYOND = {
    # advice on training: what helps shows in the next run's curves
    "; look at": "advice on settings",
    "; lower `learning_rate`": "advice on settings",
    "raise it, or read in the report": "advice on settings",
    # what a test would have to install, break or own
    "needed is 3.11 or 3.12: make quickstart": "another Python",
    "update the older of the two": "another version of r1flow",
    "nvidia-smi does not answer": "a broken driver",
    "check the disk": "a broken disk",
    "more than is free in {}; free space": "a full disk, as `test_a_disk_that_fills_up_is_one_line_and_with_room_the_run_goes_on` has",
    "pip install 'r1flow[gpu]', or set backend: torch": "an environment without DeepSpeed",
    "check the hub id and the connection": "the hub",
    "give a directory with {} by --data-dir": "the hub",
    "ask for fewer workers or add nodes": "a cluster of several nodes",
    "ask for fewer, or give them longer": "a cluster that is too slow",
    "are on several nodes; lower tensor_parallel": "a cluster of several nodes",
    "resources.weight_transfer: copy": "GPUs that disagree",
    "use engine: vllm on a GPU": "a GPU, for on a CPU that engine refuses such models, too",
    "start the database or unset MLFLOW_BACKEND_STORE_URI": "a database server that comes up",
    "start it or unset MLFLOW_TRACKING_URI": "a server that comes up",
    "no Prefect server answers at {}; start it": "a server that comes up",
    "or name a running one by PREFECT_API_URL": "a server that does not come up",
    "start it, or give another address as resources.cluster": "a cluster that comes up",
    "does not stop; end it: ray job stop": "a job that does not stop",
    "servers that others can reach need a login": "servers with a login: tests/infra/test_sites.py reads their files",
    "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN": "a cluster with a token",
    "who has not given you the right; ask for the right": "another user",
    "to read it, or give another --workspace": "another user",
    "on a disk that is mounted read-only; mount it anew": "a disk to mount",
}


class Message(NamedTuple):
    place: str
    text: str


def _strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Texts in code, f-strings with `{}` for what is filled in; no docstrings, and none of what describes settings and options."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.keyword) and node.arg in ("description", "help", "metavar"):
            skipped.update(map(id, ast.walk(node.value)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("option", "compile", "argument"):
            skipped.update(map(id, ast.walk(node)))
        if isinstance(node, ast.JoinedStr):
            skipped.update(map(id, node.values))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


@cache
def remedies() -> list[Message]:
    found = []
    for part in ("flows", "tasks", "evals", "rl_core"):
        for path in sorted((ROOT / part).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith("rl_core/rewards/"):  # patterns of answers
                continue
            for line, text in _strings(ast.parse(path.read_text())):
                if " " in text and "\n" not in text and _REMEDY.search(text):
                    found.append(Message(f"{name}:{line}", text))
    return found


@cache
def followed() -> dict[str, str]:
    """Parts of messages, and the test file that follows them."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pytest.mark.follows", "follows"):
                for argument in node.args:
                    assert isinstance(argument, ast.Constant), f"{path}:{node.lineno}: `follows` takes texts as they are"
                    found[str(argument.value)] = path.relative_to(ROOT).as_posix()
    return found


def test_every_remedy_is_followed_by_a_test() -> None:
    known = [*followed(), *BEYOND]
    unfollowed = [message for message in remedies() if not any(part in message.text for part in known)]
    assert unfollowed == [], (
        "these messages tell a person what to do, and no test does it; write one that ends well, and mark it "
        "@pytest.mark.follows('part of the message'):\n" + "\n".join(f"{place}: {text}" for place, text in unfollowed)
    )


def test_no_remedy_is_taken_for_a_secret() -> None:
    """Errors hide what is written like `key=…`, whatever wrote it."""
    assert [message for message in remedies() if without_secrets(message.text) != message.text] == []


def test_no_test_follows_a_message_that_is_gone() -> None:
    texts = [message.text for message in remedies()]
    assert [part for part in (*followed(), *BEYOND) if not any(part in text for text in texts)] == []


@pytest.mark.parametrize("message", remedies(), ids=lambda message: message.place)
def test_commands_and_options_in_messages_exist(message: Message) -> None:
    for name, rest in _COMMAND.findall(message.text):
        assert name in r1flow.commands, f"{message}: there is no command `r1flow {name}`"
        known = options(r1flow.commands[name])
        assert set(_OPTION.findall(rest)) <= known, f"{message}: `r1flow {name}` has no such option"
    known = set().union(*map(options, r1flow.commands.values()), {"--backend-store-uri"})
    assert set(_OPTION.findall(message.text)) <= known, f"{message}: no command has such an option"


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}
