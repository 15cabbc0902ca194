import pytest

from rl_core.nearest import near, nearest

SETTINGS = ["learning_rate", "lora", "temperature", "steps", "epochs", "max_response_tokens", "max_grad_norm", "keep_last"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("temprature", ["temperature"]),
        ("Learning-Rate", ["learning_rate"]),
        ("step", ["steps"]),
        ("setps", ["steps"]),  # two letters swapped
        ("tokens", ["max_response_tokens"]),
        ("max", ["max_response_tokens", "max_grad_norm"]),
        ("demo/steps", ["steps"]),
        ("lr", []),  # not lora
        ("beta", []),
        ("", []),
    ],
)
def test_only_what_is_near_is_offered(name: str, meant: list[str]) -> None:
    assert near(name, SETTINGS) == meant


def test_without_a_near_name_all_are_listed() -> None:
    assert nearest("lr", ["lora", "steps"]) == "known: lora, steps"
    assert nearest("step", ["lora", "steps"]) == "did you mean 'steps'?"
    assert nearest("max", SETTINGS) == "did you mean 'max_response_tokens' or 'max_grad_norm'?"
    assert nearest("x", []) == "known: none"
