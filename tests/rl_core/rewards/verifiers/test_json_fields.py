import pytest

from rl_core.rewards.verifiers.json_fields import NoJson, last_object, parse_object, share_of_fields

GOLD = {"name": "Ada", "age": 36, "tags": ["a", "b"], "home": {"city": "London", "height": 1.5}}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('So it is {"a": 1}.', {"a": 1}),
        ('```json\n{"a": {"b": "}"}}\n```', {"a": {"b": "}"}}),
        ('{"a": 1} no, wait: {"a": 2} {not this}', {"a": 2}),
        ('{ {"a": 3}', {"a": 3}),
    ],
)
def test_an_object_among_other_words(text: str, found: dict[str, object]) -> None:
    assert last_object(text) == found


@pytest.mark.parametrize("text", ["", "none", "{", '{"a": }', "[1, 2]", '{"a":' * 5000])
def test_no_object(text: str) -> None:
    with pytest.raises(NoJson):
        last_object(text)
    with pytest.raises(NoJson):
        parse_object(text)


@pytest.mark.parametrize(
    ("answer", "fields", "tolerance", "share"),
    [
        ({"home": {"height": 1.50, "city": "London "}, "tags": ["a", "b"], "age": 36.0, "name": "Ada", "more": 1}, [], 0.0, 1.0),
        ({"name": "Ada", "age": 37}, [], 0.0, 0.25),
        ({"name": "ada", "age": 36, "tags": ["b", "a"], "home": {"city": "London"}}, [], 0.0, 0.25),
        ({"name": "Ada", "home": {"city": "Paris", "height": 1.51}}, ["name", "home.height"], 0.01, 1.0),
        ({"home": {"height": 1.52}}, ["home.height"], 0.01, 0.0),
        ({"tags": ["x", "b"]}, ["tags.1"], 0.0, 1.0),
        ({"age": True, "name": None}, ["age", "name"], 0.5, 0.0),
        ({"age": "36"}, ["age"], 0.0, 0.0),
        ({"age": float("nan")}, ["age"], 0.5, 0.0),
        ({"age": 10**400}, ["age"], 0.5, 0.0),
    ],
)
def test_share_of_fields(answer: dict[str, object], fields: list[str], tolerance: float, share: float) -> None:
    assert share_of_fields(GOLD, answer, fields, tolerance) == share


def test_truth_values_and_nothing_agree_only_with_themselves() -> None:
    assert share_of_fields({"a": True, "b": None}, {"a": True, "b": None}, [], 0.0) == 1.0
    assert share_of_fields({"a": True, "b": None}, {"a": 1, "b": 0}, [], 0.0) == 0.0
