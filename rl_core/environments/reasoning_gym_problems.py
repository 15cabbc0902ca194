"""Problems of reasoning-gym, made in a process of its own: `python -m rl_core.environments.reasoning_gym_problems`, JSON in, JSON out.

Some of its generators go through sets of texts, so that what they make depends on how Python hashes texts in that process; that process
has a fixed hash seed, and the same seed makes the same problems everywhere. Generators that write to the terminal or to files, set
global random states or never come to an end do no harm there, and no other process imports reasoning-gym to make problems.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rl_core.data.prompts import DataError
from rl_core.data.splits import Split, side_of
from rl_core.errors import InputError, first_line
from rl_core.nearest import nearest
from rl_core.rewards.verifiers.reasoning_gym import write_gold

HELD_OUT_SHARE = 0.2  # of all problems, by digest
CHUNK = 500  # problems of one seed: what some data sets make at once
PATIENCE = 5_000  # draws without a new problem after which all count as used
STALL = 60  # seconds without a new problem
ALL = "*"  # all attributes of a curriculum
MIXTURE = "composite"  # its name for several data sets at once
NOT_SET_HERE = ("seed", "size")
# Data sets whose scorers give an answer full marks that is wrong; the test of this file shows it for each.
REFUSED = {
    "coin_flip": "its scorer compares the beginnings of numbers, so that 0 is right for nearly every probability",
    "game_of_life_halting": "its scorer takes every answer that is not empty for the right one",
    "puzzle24": "its scorer does not look at the numbers of the problem, so that one solution is right for all",
}


class Part(NamedTuple):
    """One data set of a mixture."""

    dataset: str
    weight: float
    config: dict[str, Any]  # its settings, by reasoning-gym's names
    attribute_levels: dict[str, int]  # of its curriculum; ALL: of all attributes


class Wanted(NamedTuple):
    """Problems of one side of the train/test division."""

    split: Split
    number: int
    seed: int


class Made(NamedTuple):
    """A problem."""

    dataset: str
    question: str
    answer: str | None  # None: any that the scorer accepts
    gold: str
    difficulty: str | None


def settings_of(part: Part) -> dict[str, Any]:
    """A part's settings: those of the levels of its curriculum, with its own ones in their place.

    Raises:
        InputError: an unknown data set, setting, attribute or level, or a value that reasoning-gym refuses.
    """
    from reasoning_gym.factory import CURRICULA, DATASETS

    name = part.dataset
    if name in REFUSED:
        raise InputError(f"reasoning-gym's {name!r} cannot be trained or evaluated on: {REFUSED[name]}")
    if name not in DATASETS or name == MIXTURE:
        raise InputError(f"reasoning-gym has no data set {name!r}; {nearest(name, sorted(DATASETS.keys() - REFUSED.keys() - {MIXTURE}))}")
    config_class: Any = DATASETS[name][1]
    known = [field.name for field in dataclasses.fields(config_class) if field.name not in NOT_SET_HERE]
    for setting in part.config:
        if setting in NOT_SET_HERE:
            raise InputError(f"{name}: `{setting}` is no setting here, where a stage says how many problems there are, and a seed which")
        if setting not in known:
            raise InputError(f"{name} has no setting {setting!r}; {nearest(setting, known)}")
    levels = _of_levels(CURRICULA[name](), part) if name in CURRICULA and part.attribute_levels else {}
    if part.attribute_levels and not levels:
        raise InputError(f"{name} has no curriculum, so no `attribute_levels`; it has the settings {', '.join(known)}")
    values = {setting: value for setting, value in levels.items() if setting in known} | part.config
    try:
        made = config_class(**values)
        if hasattr(made, "validate"):
            made.validate()
    except Exception as error:
        raise InputError(f"{name}: {first_line(error)}") from error
    return values


def _of_levels(curriculum: Any, part: Part) -> dict[str, Any]:
    """The settings that a curriculum has at these levels; a higher one than an attribute has is, for ALL, its highest."""
    for attribute, level in sorted(part.attribute_levels.items(), key=lambda pair: pair[0] != ALL):
        if attribute != ALL and attribute not in curriculum.attributes:
            raise InputError(f"{part.dataset}: its curriculum has no attribute {attribute!r}; {nearest(attribute, curriculum.attributes)}")
        if type(level) is not int:
            raise InputError(f"{part.dataset}: a level is a whole number, not {level!r} for {attribute!r}")
        try:
            curriculum.set_global_level(level) if attribute == ALL else curriculum.set_attr_level(attribute, level)
        except ValueError as error:
            raise InputError(f"{part.dataset}: {first_line(error)}") from error
    values: dict[str, Any] = {}
    found = curriculum.generate_configuration()
    for attribute in curriculum.attributes.values():
        for name in ("field_name", "lower_field_name", "upper_field_name"):
            if hasattr(attribute, name):
                values[getattr(attribute, name)] = getattr(found, getattr(attribute, name))
    return values


def make(parts: Sequence[Part], wanted: Sequence[Wanted]) -> list[list[Made]]:
    """Different problems for each of `wanted`; which side a problem is on follows from its question alone.

    Raises:
        DataError: the settings are wrong, or there are not as many problems.
    """
    request = json.dumps({"parts": [part._asdict() for part in parts], "wanted": [each._asdict() for each in wanted]})
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(paths)}
    with TemporaryDirectory() as directory:  # codeio runs programs by others, and some of them write files
        command = [sys.executable, "-m", __name__]
        done = subprocess.run(command, input=request, capture_output=True, text=True, env=environment, cwd=directory)
    names = _names(parts)
    if done.returncode == -signal.SIGALRM:
        raise DataError(f"reasoning-gym made no new problem of {names} in {STALL} seconds; widen its settings, or ask for fewer problems")
    if done.returncode:
        raise DataError(f"reasoning-gym failed on {names}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise DataError(answer["error"])
    return [[Made(*problem) for problem in problems] for problems in answer["problems"]]


def _names(parts: Sequence[Part]) -> str:
    return " and ".join(part.dataset for part in parts)


def _generate(parts: Sequence[Part], wanted: Wanted) -> list[Made]:
    problems: dict[str, Made] = {}
    misses = 0
    for entry in _draw({part.dataset: (part.weight, settings_of(part)) for part in parts}, wanted.seed) if wanted.number else ():
        misses += 1
        if misses > PATIENCE:
            names = _names(parts)
            raise DataError(
                f"only {len(problems):,} different problems of {names} were found to {wanted.split} on; ask for fewer, or widen settings"
            )
        if entry.question in problems or side_of(entry.question, HELD_OUT_SHARE) != wanted.split:
            continue
        problems[entry.question] = entry
        misses = 0
        signal.alarm(STALL)  # ends this process, whatever a generator is doing
        if len(problems) == wanted.number:
            break
    return list(problems.values())


def _draw(parts: Mapping[str, tuple[float, dict[str, Any]]], seed: int) -> Iterator[Made]:
    """Entry after entry of a mixture, by reasoning-gym's own; a part's weight is how often it comes, relative to the others'."""
    from reasoning_gym.composite import CompositeConfig, CompositeDataset, DatasetSpec

    specs = [DatasetSpec(name, weight, config) for name, (weight, config) in parts.items()]
    for chunk in itertools.count():
        # It adds the number of an entry to the seed: seeds that follow each other would give nearly the same problems.
        mixture = CompositeDataset(CompositeConfig(size=CHUNK, seed=Random(f"{seed}/{chunk}").getrandbits(31), datasets=specs))
        for place in range(CHUNK):
            entry = mixture[place]
            name, answer, metadata = entry["metadata"]["source_dataset"], entry["answer"], entry["metadata"]
            try:
                gold = write_gold(name, parts[name][1], answer, metadata)
            except TypeError as error:
                raise DataError(f"reasoning-gym's {name} made a problem that cannot be stored: {first_line(error)}") from error
            yield Made(name, entry["question"], answer, gold, _difficulty(metadata))


def _difficulty(metadata: Mapping[str, Any]) -> str | None:
    """What `metadata.difficulty` names, as text: with the problem's own value where the metadata has it, else with the range."""
    found = metadata.get("difficulty")
    if not isinstance(found, dict):
        return None if found is None else str(found)

    def text(value: Any) -> str | None:
        if isinstance(value, tuple) and len(value) == 2:
            return f"{value[0]}" if value[0] == value[1] else f"{value[0]} to {value[1]}"
        return str(value) if isinstance(value, str | int | float) else None

    values = {name: text(metadata.get(name)) or text(value) for name, value in found.items()}
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None) or None


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    parts = [Part(**part) for part in request["parts"]]
    signal.alarm(STALL)
    warnings.simplefilter("ignore")
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing):
        try:
            answer: dict[str, Any] = {"problems": [_generate(parts, Wanted(**wanted)) for wanted in request["wanted"]]}
        except InputError as error:
            answer = {"error": str(error)}
        except Exception as error:  # a generator that cannot do what its settings ask for
            answer = {"error": f"reasoning-gym failed on {_names(parts)}: {first_line(error)}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
