import json
import time
from pathlib import Path

import pytest

from rl_core.data.knights_knaves import generate, gold
from rl_core.data.prompts import read_columns
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.verifiers.knights_knaves import judge

GOLD = json.dumps({"names": ["Zoey", "Liam"], "roles": ["knight", "knave"]})


def respond(answer: str) -> str:
    return f"<think>because</think>\n<answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("(1) Zoey is a knight\n(2) Liam is a knave", Outcome.CORRECT),
        ("(2) Liam is a knave (1) Zoey is a knight", Outcome.CORRECT),
        ("zoey IS A Knight, LIAM is a  knave.", Outcome.CORRECT),
        ("Zoey\tis\na knight; Liam is a knave", Outcome.CORRECT),
        ("Zoey is a knave, Liam is a knave", Outcome.WRONG),
        ("Zoey is a knave, Liam is a knight", Outcome.WRONG),
        ("Zoey is a knight", Outcome.UNPARSEABLE),
        ("Zoey is a knight, Liam is a knave, Zoey is a knave", Outcome.UNPARSEABLE),  # hedging: three roles for two people
        ("Zoey is a knight, Zoey is a knave", Outcome.UNPARSEABLE),
        ("Zoey is knight, Liam is knave", Outcome.UNPARSEABLE),
        ("Zoey is a knightly person, Liam is a knave", Outcome.UNPARSEABLE),
        ("Zoeys is a knight, Liam is a knave", Outcome.UNPARSEABLE),
        ("AZoey is a knight, Liam is a knave", Outcome.UNPARSEABLE),
        ("Zoey is a \u212anight, Liam is a knave", Outcome.UNPARSEABLE),  # Kelvin sign
        ("Zoey i\u017f a knight, Liam is a knave", Outcome.UNPARSEABLE),  # long s
        ("Zo\u0435y is a knight, Liam is a knave", Outcome.UNPARSEABLE),  # Cyrillic e
        ("", Outcome.UNPARSEABLE),
    ],
)
def test_answers(answer: str, outcome: Outcome) -> None:
    assert judge(respond(answer), GOLD).outcome is outcome


@pytest.mark.parametrize(
    "response",
    [
        "Zoey is a knight, Liam is a knave",
        "<answer>Zoey is a knight, Liam is a knave</answer>",
        "<think>a</think><think>b</think><answer>Zoey is a knight, Liam is a knave</answer>",
        "<think>a</think><answer>Zoey is a knight, Liam is a knave",
        "<answer>Zoey is a knight, Liam is a knave</answer><think>late</think>",
    ],
)
def test_broken_tags_are_a_format_error_whatever_is_said(response: str) -> None:
    verdict = judge(response, GOLD)
    assert verdict.outcome is Outcome.FORMAT_ERROR
    assert verdict.extracted is None


@pytest.mark.parametrize(
    ("answer", "strict", "logic_rl"),
    [
        ("(1) Zoey is a knight\n(2) Liam is a knave", Outcome.CORRECT, Outcome.CORRECT),
        ("It is not true that Zoey is a knight or that Liam is a knave", Outcome.UNPARSEABLE, Outcome.CORRECT),
        ("If Zoey is a knight then Liam is a knave", Outcome.UNPARSEABLE, Outcome.CORRECT),
        ("Zoey is a knight says Liam is a knave", Outcome.UNPARSEABLE, Outcome.CORRECT),
        ("**Zoey** is a **knight**, **Liam** is a **knave**", Outcome.CORRECT, Outcome.UNPARSEABLE),
        ("Zoey: knight, Liam: knave", Outcome.CORRECT, Outcome.UNPARSEABLE),
        ("Zoey: knave, Liam: knave", Outcome.WRONG, Outcome.UNPARSEABLE),
        ("Zoey is a knight, Liam is a knave. The knave lies.", Outcome.UNPARSEABLE, Outcome.UNPARSEABLE),
        ("Zoey is a knave, Liam is a knave", Outcome.WRONG, Outcome.WRONG),
        ("Zoey is knight, Liam is knave", Outcome.UNPARSEABLE, Outcome.UNPARSEABLE),
    ],
)
def test_the_strict_reading_beside_that_of_logic_rl(answer: str, strict: Outcome, logic_rl: Outcome) -> None:
    assert judge(respond(answer), GOLD).outcome is strict
    assert judge(respond(answer), GOLD, logic_rl=True).outcome is logic_rl


def test_the_worked_responses_of_a_small_model_are_read() -> None:
    for prompt in generate(3, 20, "train", 0, names=8):
        assert prompt.trace
        assert judge(prompt.trace, prompt.gold).outcome is Outcome.CORRECT
        assert judge(prompt.trace, prompt.gold, logic_rl=True).outcome is Outcome.CORRECT


def test_published_solutions_are_read(data_dir: Path) -> None:
    for people in (3, 7):
        for row in read_columns(
            data_dir / "kk" / f"{people}ppl" / "test.parquet", ["names", "solution", "solution_text", "solution_text_format"]
        ):
            for text in (row["solution_text"], row["solution_text_format"]):
                assert judge(respond(text), gold(row["names"], row["solution"])).outcome is Outcome.CORRECT


def test_extracted_is_canonical() -> None:
    shuffled = judge(respond("LIAM is a knave and zoey is a  Knight"), GOLD)
    assert shuffled.extracted == "Zoey is a knight, Liam is a knave"


def test_names_are_literal() -> None:
    gold = json.dumps({"names": ["J.R.", "(A|B)*"], "roles": ["knight", "knave"]})
    assert judge(respond("J.R. is a knight, (A|B)* is a knave"), gold).outcome is Outcome.CORRECT
    assert judge(respond("JxRx is a knight, A is a knave"), gold).outcome is Outcome.UNPARSEABLE


@pytest.mark.parametrize("gold", ["", "[]", "Zoey is a knight", '{"names": ["Zoey"]}', '{"names": ["Zoey"], "roles": ["king"]}'])
def test_broken_gold_is_refused(gold: str) -> None:
    with pytest.raises(InputError, match="gold of a knights_knaves prompt"):
        judge(respond("Zoey is a knight"), gold)


def test_megabytes_take_linear_time() -> None:
    started = time.perf_counter()
    for text in ("Zoey" + " " * 10**6, "Zoey " * 10**5, "Zoey is a " * 10**5, "knight" * 10**5, "\n" * 10**6):
        assert judge(respond(text), GOLD).outcome is Outcome.UNPARSEABLE
    assert time.perf_counter() - started < 2
