import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_core.rewards.verifiers.roles import stated_roles

NAMES = ["Mia", "Theo", "Nora"]
ROLES = {"Mia": "knave", "Theo": "knight", "Nora": "knight"}


@pytest.mark.parametrize(
    "answer",
    [
        "(1) Mia is a knave\n(2) Theo is a knight\n(3) Nora is a knight",
        "(1) **Mia** is a **knave**\n(2) **Theo** is a **knight**\n(3) **Nora** is a **knight**",
        "_Mia_ is a _knave_, _Theo_ is a _knight_, _Nora_ is a _knight_",
        "### Answer\n**Mia is a knave**\n**Theo is a knight**\n**Nora is a knight**",
        "- Mia is a knave\n- Theo is a knight\n- Nora is a knight",
        "* **Mia**: Knave\n* **Theo**: Knight\n* **Nora**: Knight",
        "1. Mia is a knave.\n2. Theo is a knight.\n3. Nora is a knight.",
        "Mia is a knave.\\nTheo is a knight.\\nNora is a knight.",  # line breaks as two characters
        "Mia is\na knave, Theo is a knight, Nora is a knight",
        "MIA IS A KNAVE THEO IS A KNIGHT NORA IS A KNIGHT",
        "Mia is a knave and Theo is a knight and Nora is a knight",
        "Mia is the knave, Theo is a knight, Nora is a knight",
        "So, the final answer is: Mia is a knave, Theo is a knight, and Nora is a knight.",
        "Theo and Nora are knights, Mia is a knave.",
        "Both Theo and Nora are knights. Mia is a knave.",
        "Theo and Nora are both knights; Mia is a knave",
        "The knights are Theo and Nora, and the knave is Mia.",
        "Knights: Theo, Nora; Knaves: Mia",
        "Knights:\n- Theo\n- Nora\nKnaves:\n- Mia",
        "Mia: knave\nTheo: knight\nNora: knight",
        "Mia - knave, Theo - knight, Nora \u2013 knight",
        "Mia \u2192 knave; Theo \u2192 knight; Nora \u2192 knight",
        "Mia=knave, Theo=knight, Nora=KNIGHT",
        "Mia (knave), Theo (knight), Nora (knight)",
        "Mia,knave,Theo,knight,Nora,knight",
        '{"Mia": "knave", "Theo": "knight", "Nora": "knight"}',
        "| Name | Role |\n|---|---|\n| Mia | knave |\n| Theo | Knight |\n| Nora | knight |",
        "| 1 | Mia | knave |\n| 2 | Theo | knight |\n| 3 | Nora | knight |",
        r"\text{Mia is a knave, Theo is a knight, Nora is a knight}",
        r"$\text{Mia} = \text{knave}$, $\text{Theo} = \text{knight}$, $\text{Nora}=\text{knight}$",
        r"\boxed{\text{Mia is a knave}, \text{Theo is a knight}, \text{Nora is a knight}}",
        r"\begin{aligned} \text{Mia} &: \text{knave} \\ \text{Theo} &: \text{knight} \\ \text{Nora} &: \text{knight} \end{aligned}",
        "Mia is a knave, Theo is a knight, Nora is a knight. Mia is a knave.",  # twice the same
        "Here are the identities:\nMia is a knave\nTheo is a knight\nNora is a knight",
        "Mia is the only knave. Theo and Nora are knights.",
        "Name | Role\n--- | ---\nMia | knave\nTheo | knight\nNora | knight",
        "Knights: [Theo, Nora]\nKnaves: [Mia]",
        "Knight: Theo, Knight: Nora, Knave: Mia",
        "<b>Mia</b> is a knave<br>Theo is a knight<br>Nora is a knight",
        r"\begin{itemize}\item Mia is a knave \item Theo is a knight \item Nora is a knight\end{itemize}",
        "Mia is a Knave\nTheo is a Knight\nNora is a Knight\n\nThis is the final answer.",
    ],
)
def test_statements_in_any_layout(answer: str) -> None:
    assert stated_roles(NAMES, answer) == ROLES


@pytest.mark.parametrize(
    "answer",
    [
        # denied
        "It is not true that Mia is a knave, nor that Theo is a knight, nor that Nora is a knight.",
        "Mia isn't a knight, Theo is a knight, Nora is a knight",
        "Not: Mia is a knave, Theo is a knight, Nora is a knight",
        "It is false that Mia is a knave, Theo is a knight, Nora is a knight",
        "Mia is a knave, Theo is a knight, Nora is a knight (false)",
        "Neither is Mia a knave, nor Theo a knight, nor Nora a knight",
        "~Mia is a knave, Theo is a knight, Nora is a knight",
        "!Mia: knave, Theo: knight, Nora: knight",
        "Mia != knave, Theo = knight, Nora = knight",
        r"Mia \neq knave, Theo: knight, Nora: knight",
        "\u00acMia is a knave, Theo is a knight, Nora is a knight",
        # conditional
        "If Mia is a knave then Theo is a knight, or else Nora is a knight.",
        "Mia is a knave if Theo is a knight and Nora is a knight",
        "Mia is a knave unless Theo is a knight, Nora is a knight",
        "Suppose Mia is a knave, Theo is a knight, Nora is a knight",
        "Mia is a knave -> Theo is a knight, Nora is a knight",
        "Mia is a knave = Theo is a knight, Nora is a knight",
        # undecided
        "Either Mia is a knave or Theo is a knight, Nora is a knight",
        "Mia is a knave or a knight, Theo is a knight, Nora is a knight",
        "Mia is a knave/knight, Theo is a knight, Nora is a knight",
        "Mia might be a knave, Theo is a knight, Nora is a knight",
        "Mia could be a knave, Theo is a knight, Nora is a knight",
        "Mia is a knave, Theo is a knight, Nora is a knight, or the other way round",
        "Mia is a knave? Theo is a knight? Nora is a knight?",
        "Is Mia a knave, Theo is a knight, Nora is a knight",
        # two roles for one
        "Mia is a knave, Mia is a knight, Theo is a knight, Nora is a knight",
        "Mia is a knave and a knight, Theo is a knight, Nora is a knight",
        "Mia is a knave, a knight, Theo is a knight, Nora is a knight",
        "Knights: Theo, Nora, Mia; Knaves: Mia",
        "Knights: Theo, Nora is a knight, Mia is a knave",
        "Knaves: none. Mia is a knave, Theo is a knight, Nora is a knight",
        "Mia is a knave | Theo is a knight | Nora is a knight",
        "Mia is a knave iff Theo is a knight, Nora is a knight",
        "Mia is a knave <=> Theo is a knight, Nora is a knight",
        "When Mia is a knave, Theo is a knight, Nora is a knight",
        "Perhaps Mia is a knave, Theo is a knight, Nora is a knight",
        "Mia is a knave (probably), Theo is a knight, Nora is a knight",
        # somebody's claim
        "Mia says that Theo is a knight. Mia is a knave. Nora is a knight",
        'Mia: "Theo is a knight". Mia is a knave, Nora is a knight',
        '"Mia is a knave", "Theo is a knight", "Nora is a knight"',
        # others, or not everyone
        "Mia is a knave, Theo is a knight, Nora is a knight, Zed is a knave",
        "Mia is a knave, Theo is a knight",
        "Mia and Theo and Nora is a knave",
        "Mia | Theo | Nora\nknave | knight | knight",
        "Knights: Mia or Theo, Nora",
        # letters that only look like it
        "Mia is a \u212anave, Theo is a knight, Nora is a knight",
        "Mia i\u017f a knave, Theo is a knight, Nora is a knight",
        "",
    ],
)
def test_what_states_nothing_of_everyone(answer: str) -> None:
    assert stated_roles(NAMES, answer) is None


def test_what_is_stated_counts_whoever_it_is() -> None:
    assert stated_roles(NAMES, "Knights: none\nKnaves: Mia, Theo, Nora") == dict.fromkeys(NAMES, "knave")
    assert stated_roles(["A", "B"], "A is a knight, B is a knave") == {"A": "knight", "B": "knave"}
    assert stated_roles(["a", "b"], "A: knight\nb: knave") == {"a": "knight", "b": "knave"}


def test_names_within_names() -> None:
    assert stated_roles(["Ann", "Anna", "Mary Ann"], "Mary Ann is a knave. Anna is a knight. Ann is a knave") == {
        "Mary Ann": "knave",
        "Anna": "knight",
        "Ann": "knave",
    }
    assert stated_roles(["Ann", "Anna"], "Annabel is a knave. Ann is a knave. Anna is a knight") is None
    assert stated_roles(["J.R.", "(A|B)*"], "J.R. is a knight, (A|B)* is a knave") == {"J.R.": "knight", "(A|B)*": "knave"}


# Answers that tests of other projects have (data for Knights and Knaves rewards), with their verdicts there.
@pytest.mark.parametrize(
    ("answer", "roles"),
    [
        ("A: knight, B: knave", {"A": "knight", "B": "knave"}),
        ("  A : knight ,  B : knave  ", {"A": "knight", "B": "knave"}),
        ("A: KNIGHT, B: Knave", {"A": "knight", "B": "knave"}),
        ("A=knight, B=knave", {"A": "knight", "B": "knave"}),
        ("A: knight\nB: knave", {"A": "knight", "B": "knave"}),
        ("A: knight", None),
        ("A: knight, A: knave", None),
        ("A is a knight, and B is a knave", {"A": "knight", "B": "knave"}),
        ("A is a knight\nB is a knave", {"A": "knight", "B": "knave"}),
        ("A,knave,B,knave", {"A": "knave", "B": "knave"}),
        ("A is a knight; B is a knave", {"A": "knight", "B": "knave"}),
        ("Knights: A, B\nKnaves: Nobody", {"A": "knight", "B": "knight"}),
        ("Knights: A\nKnaves: B", {"A": "knight", "B": "knave"}),
        ("- A is a knave,\n- B is a knight.", {"A": "knave", "B": "knight"}),
        ("The final answer is:\n(1) A is a knave, (2) B is a knight.", {"A": "knave", "B": "knight"}),
        ("A is a knight. Then her statement is true, so B is a knave.", None),
        ("B is a knave or B is a knight, A is a knight", None),
    ],
)
def test_answers_of_other_projects(answer: str, roles: dict[str, str] | None) -> None:
    assert stated_roles(["A", "B"], answer) == roles


PIECES = ["Mia", " is", " a ", "knave", "knight", "s", ":", ",", "\n", "|", "(1)", "-", "**", '"', " and ", "both ", "\\text{", "}", "not "]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_is_survived(answer: str) -> None:
    roles = stated_roles(["Mia"], answer)
    assert roles is None or ("not" not in answer and roles["Mia"] in answer.lower())


@pytest.mark.parametrize("piece", PIECES)
def test_megabytes_are_refused_at_once(piece: str) -> None:
    started = time.perf_counter()
    assert stated_roles(NAMES, piece * (1_000_000 // len(piece))) is None
    stated_roles(NAMES, piece * (4000 // len(piece)))
    assert time.perf_counter() - started < 2
