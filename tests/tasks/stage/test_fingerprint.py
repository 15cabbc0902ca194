from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.config.resources import RlResources
from rl_core.config.rl import RlConfig
from tasks.stage.fingerprint import differences, fingerprint, meaning

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
IDENTITIES = st.dictionaries(st.text(min_size=1, max_size=4), LEAVES | st.lists(LEAVES, max_size=2), max_size=4)


def test_resources_are_left_out_at_any_depth() -> None:
    assert "resources" not in meaning(RlConfig(steps=1))
    assert meaning(RlConfig(steps=1)) == meaning(RlConfig(steps=1, resources=RlResources(threads=7, training_workers=2)))
    assert meaning(RlConfig(steps=1)) != meaning(RlConfig(steps=2))


def test_a_setting_that_was_added_later_is_left_out_at_its_default() -> None:
    found = meaning(RlConfig(steps=1))
    assert not {"adam_betas", "adam_epsilon", "max_prompt_tokens"} & found.keys()
    assert not {"kl_clamp", "kl_discounts", "value_aggregation"} & found["algorithm"].keys()
    assert found["weight_decay"] == 0.0  # an old one stays, whatever its value
    assert meaning(RlConfig(steps=1, adam_betas=(0.9, 0.999)))["adam_betas"] == [0.9, 0.999]
    assert meaning(RlConfig(steps=1, adam_betas=(0.9, 0.95))) == found


def test_a_setting_that_was_computed_wrongly_makes_another_stage() -> None:
    def dense(discount: float | None) -> dict[str, object]:
        settings = {"steps": 1, "algorithm": {"name": "ppo"}, "penalties": {"dense_repetition": {"discount": discount}}}
        return meaning(RlConfig.model_validate(settings))["penalties"]["dense_repetition"]

    assert dense(None) == {"ngram": 40, "penalty": -0.05, "discount": None}
    assert dense(0.99) == {"ngram": 40, "penalty": -0.05, "discount": 0.99, "discount, revision": 2}


@given(IDENTITIES)
def test_the_order_of_keys_does_not_matter(identity: dict[str, object]) -> None:
    assert fingerprint(identity) == fingerprint(dict(reversed(identity.items())))


@given(IDENTITIES, IDENTITIES)
def test_differences_are_empty_only_between_equals(first: dict[str, object], second: dict[str, object]) -> None:
    changes = differences("s", {"settings": first}, {"settings": second})
    assert bool(changes) == (first != second)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        fingerprint({"setting": value})


def test_differences_read_like_the_recipe() -> None:
    constant = {"schedule": "constant", "start": 1.0, "end": None, "warmup": 0}
    old = {"version": 1, "seed": 0, "settings": {"temperature": constant}, "inputs": {"start": {"cold": "a"}}, "files": {}}
    new = {
        "version": 2,
        "seed": 0,
        "settings": {"temperature": constant | {"start": 0.9}, "steps": 3},
        "inputs": {"start": {"cold": "b"}, "data": {"kk3": "c"}},
        "files": {"kk/3ppl/train.parquet": "d"},
    }
    assert differences("five", old, new) == [
        "kk/3ppl/train.parquet added",
        "kk3 added",
        "cold changed",
        "five.steps (absent) -> 3",
        "five.temperature 1.0 -> 0.9",
        "five: version 1 -> 2",
    ]
