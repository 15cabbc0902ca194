import pytest

from rl_core.config.base import Settings
from rl_core.errors import InputError
from rl_core.rewards.verifiers.parameters import bare_gold, in_words, split_parameters, with_parameters


class Example(Settings):
    tolerance: float = 0.0
    ignore_case: bool = False


@pytest.mark.parametrize("gold", ["3.14", "", '{"a": 1}', '{"gold": 5}', '{"gold": "x", "tolerance": 0.5}', "\u00e9\n"])
@pytest.mark.parametrize("parameters", [Example(), Example(tolerance=0.1), Example(ignore_case=True, tolerance=0.1)])
def test_they_come_back_as_they_went(gold: str, parameters: Example) -> None:
    joined = with_parameters(gold, parameters)
    assert split_parameters(joined, Example) == (gold, parameters)
    assert bare_gold(joined) == gold


def test_a_gold_without_parameters_is_the_bare_text() -> None:
    assert with_parameters("3.14", Example()) == "3.14"
    assert in_words("3.14") is None


def test_for_people() -> None:
    assert in_words(with_parameters("3.14", Example(tolerance=0.1, ignore_case=True))) == "3.14 (tolerance 0.1, ignore case True)"
    assert in_words(with_parameters("", Example(tolerance=0.1))) == "tolerance 0.1"
    assert in_words('{"gold": "x"}') == "x"
    assert in_words('{"gold": broken') is None


@pytest.mark.parametrize("gold", ['{"gold": "x", "other": 1}', '{"gold": broken'])
def test_parameters_of_another_verifier_are_refused(gold: str) -> None:
    with pytest.raises(InputError, match="has no parameters of this verifier"):
        split_parameters(gold, Example)
