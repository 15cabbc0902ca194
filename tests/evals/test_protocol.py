from typing import Any

import pytest
import yaml

from evals.answer_readers import find_reader
from evals.benchmarks import registry
from evals.config import EvalConfig
from evals.protocol import SHIPPED, ProtocolError, find_protocol, names, overrides
from rl_core.data.templates import find_template


@pytest.mark.parametrize("name", names())
def test_every_protocol_is_usable_and_cited(name: str) -> None:
    protocol = find_protocol(name)
    find_template(protocol.template.value)
    find_reader(protocol.reader.value)
    assert set(protocol.benchmarks.value) <= set(registry.NAMES)
    assert set(protocol.samples_by_benchmark.value) <= set(protocol.benchmarks.value)
    for value in yaml.safe_load((SHIPPED / f"{name}.yaml").read_text()).values():
        assert value["source"]
    config = EvalConfig.model_validate({"protocol": name})
    assert [benchmark.name for benchmark in config.benchmarks] == protocol.benchmarks.value
    assert config.greedy == (protocol.temperature.value == 0)
    assert EvalConfig.model_validate(config.model_dump()) == config
    assert overrides(config.model_dump()) == {}


def test_the_protocols_of_the_reproduced_projects_are_there() -> None:
    wanted = {"simplerl_v0", "simplerl_zoo", "oat_zero", "open_r1", "deepscaler", "dapo", "logic_rl", "tinyzero", "demystify", "unsloth"}
    assert set(names()) == wanted


@pytest.mark.parametrize(
    ("name", "rules"), [("dapo", ["simplified"]), ("logic_rl", ["logic_rl"]), ("tinyzero", ["tinyzero"]), ("open_r1", [])]
)
def test_projects_that_judge_otherwise_say_so(name: str, rules: list[str]) -> None:
    config = EvalConfig.model_validate({"protocol": name})
    assert config.rules == rules
    assert EvalConfig.model_validate(config.model_dump(mode="json")) == config
    assert overrides(config.model_dump(mode="json") | {"rules": ["simplified", "logic_rl"]}) == {"rules": ["simplified", "logic_rl"]}
    with pytest.raises(ValueError, match="rules"):
        EvalConfig.model_validate({"protocol": name, "rules": ["strict"]})


def test_what_is_given_stands_before_the_protocol() -> None:
    config = EvalConfig.model_validate({"protocol": "open_r1", "benchmarks": ["aime24", {"name": "math500", "limit": 5}], "max_tokens": 99})
    assert (config.temperature, config.top_p, config.max_tokens, config.samples) == (0.6, 0.95, 99, 4)
    assert [(benchmark.name, benchmark.samples, benchmark.limit) for benchmark in config.benchmarks] == [
        ("aime24", 64, None),
        ("math500", None, 5),
    ]
    assert overrides(config.model_dump()) == {"max_tokens": 99}
    # Samples that are asked for hold for every benchmark.
    assert EvalConfig.model_validate({"protocol": "open_r1", "samples": 2}).benchmarks[1].samples is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"protocol": "open-r1"}, "did you mean 'open_r1'"),
        ({"protocol": "zzz"}, "known: dapo, deepscaler"),
        ({"protocol": "tinyzero", "samples": 8}, "greedy: `samples` needs a `temperature`"),
    ],
)
def test_wrong_protocols(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EvalConfig.model_validate(values)
    if "samples" not in values:
        with pytest.raises(ProtocolError, match=message):
            find_protocol(values["protocol"])
