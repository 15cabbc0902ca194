import pytest

from rl_core.rewards.equivalence.cleaning import RULES, Rule, clean, may_have_thousands


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_each_rule_makes_of_its_example(rule: Rule) -> None:
    assert rule.apply(rule.example) == rule.becomes


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (r"\text{ the answer is } \dfrac{\pi}{2}.", r"\frac{\u03c0}{2}".replace(r"\u03c0", "\u03c0")),
        (r"9.8 \mathrm{~m} / \mathrm{s}^2", "9.8 meter / second ^2"),
        (r"m\text{ is odd}", "m is odd"),
        (r"\frac{\mathrm{d}y}{\mathrm{d}x}", r"\frac{ d y}{ d x}"),
        (r"3\text{A}_{16}", "3 A _{16}"),
        (r"47 \text{ OR } 48", "47 OR 48"),
        ("**5**", "5"),
    ],
)
def test_rules_together(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(("text", "may"), [("10,080", True), ("18,36,144", False), ("2,400, 1,350", True), ("2500,7500", False)])
def test_commas_that_may_separate_thousands(text: str, may: bool) -> None:
    assert may_have_thousands(text) is may
