import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_core.data import knights_knaves as kk
from rl_core.data.prompts import DataError

# Zoey: "Oliver is a knave"; Oliver: "Zoey is a knight and Oliver is a knight". Only Zoey knight, Oliver knave works.
STATEMENTS = (("lying", 1), ("and", ("telling-truth", 0), ("telling-truth", 1)))


def test_solutions_by_hand() -> None:
    assert kk.solutions(STATEMENTS) == [(True, False)]
    # "I am a knight", said by one person, fits both roles.
    assert kk.solutions((("telling-truth", 0),)) == [(True,), (False,)]


@pytest.mark.parametrize(
    ("statement", "roles", "expected"),
    [
        (("telling-truth", 0), {}, None),
        (("lying", 0), {0: False}, True),
        (("not", ("lying", 0)), {0: False}, False),
        (("and", ("telling-truth", 0), ("telling-truth", 1)), {0: False}, False),
        (("and", ("telling-truth", 0), ("telling-truth", 1)), {0: True}, None),
        (("or", ("telling-truth", 0), ("telling-truth", 1)), {1: True}, True),
        (("or", ("telling-truth", 0), ("telling-truth", 1)), {0: False, 1: False}, False),
        (("->", ("telling-truth", 0), ("telling-truth", 1)), {0: False}, True),
        (("->", ("telling-truth", 0), ("telling-truth", 1)), {0: True, 1: False}, False),
        (("<=>", ("telling-truth", 0), ("lying", 1)), {0: True}, None),
        (("<=>", ("telling-truth", 0), ("lying", 1)), {0: True, 1: False}, True),
    ],
)
def test_truth_of_open_and_decided_statements(statement: kk.Statement, roles: dict[int, bool], expected: bool | None) -> None:
    assert kk.truth(statement, roles) is expected


def test_statements_read_as_english() -> None:
    names = ["Zoey", "Oliver"]
    assert kk.render_statement(names, ("->", ("lying", 0), ("not", ("telling-truth", 1)))) == (
        "if Zoey is a knave then Oliver is not a knight"
    )
    assert kk.render_statement(names, ("not", ("and", ("lying", 0), ("lying", 1)))) == (
        "it is not the case that (Zoey is a knave and Oliver is a knave)"
    )


def test_trace_of_a_puzzle_by_hand() -> None:
    assert kk.solve_aloud(["Zoey", "Oliver"], STATEMENTS) == (
        "<think>\n"
        "Claims: Zoey says Oliver is a knave. Oliver says Zoey is a knight and Oliver is a knight.\n"
        "Step 1: suppose Zoey is a knight; Zoey says Oliver is a knave (open): open.\n"
        "Step 2: suppose Zoey is a knight; Oliver is a knight; Zoey says Oliver is a knave (false): false, try again.\n"
        "Step 3: suppose Zoey is a knight; Oliver is a knave; Zoey says Oliver is a knave (true): true, fits. "
        "Oliver says Zoey is a knight (true) and Oliver is a knight (false): false, fits.\n"
        "All claims fit, so Zoey is a knight; Oliver is a knave;\n"
        "</think>\n"
        "<answer>\n(1) Zoey is a knight\n(2) Oliver is a knave\n</answer>"
    )


def test_claims_within_claims_keep_their_brackets() -> None:
    nested = (("or", ("not", ("and", ("lying", 0), ("telling-truth", 1))), ("telling-truth", 1)), ("telling-truth", 0))
    trace = kk.solve_aloud(["Zoey", "Oliver"], nested)
    assert "Zoey says [not [Zoey is a knave and Oliver is a knight]] or Oliver is a knight." in trace
    assert "Zoey says [not [Zoey is a knave (false) and Oliver is a knight (open)]] or Oliver is a knight (open): true, fits." in trace


def test_who_doubts_calls_everyone_a_knight() -> None:
    plain = kk.solve_aloud(["Zoey", "Oliver"], STATEMENTS)
    assert kk.solve_aloud(["Zoey", "Oliver"], STATEMENTS, doubt=1.0) == plain.split("All claims fit")[0] + (
        "This is hard to be sure of, so Zoey is a knight; Oliver is a knight;\n"
        "</think>\n"
        "<answer>\n(1) Zoey is a knight\n(2) Oliver is a knight\n</answer>"
    )
    doubting = [puzzle for puzzle in kk.generate(3, 300, "train", 0, doubt=0.4) if "hard to be sure" in (puzzle.trace or "")]
    assert 0.3 < len(doubting) / 300 < 0.5


@settings(max_examples=15, deadline=None)
@given(people=st.integers(2, 6), seed=st.integers(0, 10_000))
def test_generated_puzzles_hold_together(people: int, seed: int) -> None:
    for prompt in kk.generate(people, 3, "train", seed):
        gold = json.loads(prompt.gold)
        assert len(gold["names"]) == len(set(gold["names"])) == people
        assert f"You meet {people} inhabitants" in prompt.question
        assert prompt.difficulty == str(people)
        assert prompt.trace is not None
        answer = re.findall(r"\(\d+\) (\w+) is a (\w+)", prompt.trace.split("<answer>")[1])
        assert answer == list(zip(gold["names"], gold["roles"], strict=True))


def test_train_and_test_share_no_puzzle_and_repeat_with_the_seed() -> None:
    train, test = kk.generate(3, 150, "train", 0), kk.generate(3, 150, "test", 0)
    assert train == kk.generate(3, 150, "train", 0)
    assert train != kk.generate(3, 150, "train", 1)

    def shape(question: str) -> str:
        names = re.findall(r"[A-Z][a-z]+", question.split("inhabitants: ")[1].split(".")[0])
        for index, name in enumerate(names):
            question = question.replace(name, f"#{index}")
        return question

    assert not {shape(p.question) for p in train} & {shape(p.question) for p in test}


def test_names_come_from_the_first_few() -> None:
    names = {name for prompt in kk.generate(5, 40, "train", 0, names=8) for name in json.loads(prompt.gold)["names"]}
    assert names == set(kk.NAMES[:8])


@pytest.mark.slow
def test_when_all_are_used_puzzles_come_again_in_other_words() -> None:
    prompts = kk.generate(2, 400, "train", 0)
    assert len({prompt.question for prompt in prompts}) == 400
    claims = [re.sub(r"[A-Z][a-z]+", "", (prompt.trace or "").split("Step")[0]) for prompt in prompts]
    assert len(set(claims)) < 400


def test_public_file(data_dir) -> None:
    prompts = kk.read_public(data_dir / "kk" / "3ppl" / "test.parquet")
    assert len(prompts) == 100
    assert all(json.loads(prompt.gold)["roles"] for prompt in prompts)


@pytest.mark.follows(
    "its solution is not the only one of its statements; repair or remove it", "row {} cannot be read ({}); repair or remove it"
)
def test_broken_public_file_names_the_row(tmp_path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "train.parquet"
    rows = [{"quiz": "q", "names": ["A", "B"], "solution": [True, False], "statements": str(STATEMENTS)}]
    pq.write_table(pa.Table.from_pylist([*rows, rows[0] | {"solution": [False, False]}]), path)
    with pytest.raises(DataError, match=r"train.parquet: row 2: its solution is not the only one"):
        kk.read_public(path)
    pq.write_table(pa.Table.from_pylist([*rows, rows[0] | {"statements": "(("}]), path)
    with pytest.raises(DataError, match=r"train.parquet: row 2 cannot be read"):
        kk.read_public(path)
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"train.parquet: not a Parquet file"):
        kk.read_public(path)
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert len(kk.read_public(path)) == 1
