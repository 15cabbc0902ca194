"""Protocols: the evaluation settings of published projects, each value with its source. Importable without torch."""

from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import Field, ValidationError

from rl_core.config.base import Settings
from rl_core.errors import InputError, first_line
from rl_core.nearest import nearest
from rl_core.rewards.rules import Rule

SHIPPED = Path(__file__).parent / "protocols"
T = TypeVar("T")


class ProtocolError(InputError):
    """A protocol is unknown or its file is wrong."""


class Cited(Settings, Generic[T]):
    """A value and where it was published, or that it is a choice of ours."""

    value: T
    source: str = Field(min_length=1)


class Protocol(Settings):
    """How a project evaluates. Its system prompt is part of the template."""

    template: Cited[str]
    reader: Cited[str]
    rules: Cited[list[Rule]] = Cited(value=[], source="none differ")
    stop: Cited[list[str]]
    temperature: Cited[float]  # 0: greedy
    top_p: Cited[float]
    max_tokens: Cited[int]
    samples: Cited[int]
    samples_by_benchmark: Cited[dict[str, int]] = Cited(value={}, source="none differ")
    benchmarks: Cited[list[str]]

    def settings(self) -> dict[str, Any]:
        """The settings of an evaluation (`EvalConfig`) that a protocol fixes."""
        found: dict[str, Any] = {name: getattr(self, name).value for name in ("template", "reader", "rules", "stop", "top_p", "max_tokens")}
        if self.temperature.value == 0:
            return found | {"greedy": True, "samples": 0}
        return found | {"greedy": False, "samples": self.samples.value, "temperature": self.temperature.value}


def names() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


@cache
def find_protocol(name: str) -> Protocol:
    """Raises ProtocolError naming the nearest known protocol."""
    if name not in names():
        raise ProtocolError(f"unknown protocol {name!r}; {nearest(name, names())}")
    path = SHIPPED / f"{name}.yaml"
    try:
        return Protocol.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ProtocolError(f"{path}: {first_line(error)}") from error


def fill(values: dict[str, Any]) -> dict[str, Any]:
    """Settings of an evaluation with those of its protocol put where none are given.

    Raises ValueError if samples are asked of a greedy protocol without a temperature to draw them at.
    """
    protocol = find_protocol(values["protocol"])
    given = {name: value for name, value in values.items() if value is not None}
    if protocol.temperature.value == 0 and given.get("samples") and "temperature" not in given:
        raise ValueError(f"protocol {values['protocol']} is greedy: `samples` needs a `temperature`")
    by_benchmark = {} if "samples" in given else protocol.samples_by_benchmark.value
    benchmarks = given.get("benchmarks", protocol.benchmarks.value)
    if isinstance(benchmarks, list) and by_benchmark:
        named = [{"name": item} if isinstance(item, str) else item for item in benchmarks]
        benchmarks = [
            {"samples": by_benchmark[item["name"]]} | item if isinstance(item, dict) and item.get("name") in by_benchmark else item
            for item in named
        ]
    return protocol.settings() | given | {"benchmarks": benchmarks}


def overrides(values: dict[str, Any]) -> dict[str, Any]:
    """What an evaluation has in another way than its protocol."""
    return {name: values[name] for name, published in find_protocol(values["protocol"]).settings().items() if values[name] != published}
