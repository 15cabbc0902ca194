from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_core.errors import InputError
from tasks.command.supervise import BASH
from tasks.command.template import check, fill_in, fill_in_command, placeholders

PLACES = [  # a command that writes what it takes the value for, followed by NUL
    "printf '%s\\0' {x}",
    "printf '%s\\0' \"{x}\"",
    "printf '%s\\0' '{x}'",
    "printf '%s\\0' \"$(printf '%s.' {x})\" | sed -z 's/[.]$//'",
    "printf '%s\\0' \"$(printf '%s.' \"{x}\")\" | sed -z 's/[.]$//'",
    "printf '%s\\0' a\\ b={x} | sed -z 's/^a b=//'  # don't\n",
    "# it isn't \"quoted\n(printf '%s\\0' {x})",
    "v={x}; printf '%s\\0' \"${v}\"",
    "printf '%s\\0' \"it's {x}\" | sed -z \"s/^it's //\"",
]


def bash(command: str) -> str:
    return subprocess.run([*BASH, command], capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize("place", PLACES)
@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
@settings(max_examples=15)
def test_a_value_is_one_word_wherever_it_stands(place: str, value: str) -> None:
    assert bash(fill_in_command(place, {"x": value})) == f"{value}\0"


@pytest.mark.parametrize("value", ["a b", "$HOME", "`id`", "$(id)", "it's", '"', "\\", "*", "~", "a\nb", "{y}", "-n", "; id", "!", "''"])
@pytest.mark.parametrize("place", PLACES)
def test_values_that_bash_would_read(place: str, value: str) -> None:
    assert bash(fill_in_command(place, {"x": value, "y": "never"})) == f"{value}\0"


def test_braces_of_bash_stay() -> None:
    command = "echo ${HOME} {a,b} {1..3} ${x:-{}} | awk '{print $1}' | xargs -I{} echo {} {{name}} '{\"a\": 1}' {x}"
    assert fill_in_command(command, {"x": "v"}) == command.replace("{{name}}", "{name}").replace(" {x}", " v")
    assert placeholders(command) == ["x"]
    assert placeholders("{a.b} {c-d} '{e}' {{f}} ${g} {a.b}") == ["a.b", "c-d", "e"]


def test_outside_of_commands_nothing_is_quoted() -> None:
    assert fill_in("{out}/it's {{out}}", {"out": "/a b"}) == "/a b/it's {out}"


def test_an_unknown_placeholder_is_named_with_the_nearest() -> None:
    check("{output} ${other}", {"output": ""})
    with pytest.raises(InputError, match=r"\{ouput\} stands for nothing here; did you mean 'output'\? \(write \{\{ouput\}\} where"):
        check("--out {ouput}", {"output": "", "seed": ""})
