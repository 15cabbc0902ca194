import json
import os
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction
from typing import Any

import pytest

from rl_core.data.prompts import DataError
from rl_core.environments.reasoning_gym_problems import MIXTURE, REFUSED, Made, Part, Wanted, make, settings_of
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.verifiers.reasoning_gym import read_gold, score, write_gold

PROBLEMS = 800  # of all data sets together, so that each has several
# Texts that a model may write for any problem.
CONSTANTS = ("0", "1", "nan", "inf", "True", "no", "[]", "{}", "None", "x", "the answer", "[0]", '{"0": 1}', "(", "A", "0.5", "-1", "...")


def part(dataset: str, config: dict[str, Any] | None = None, levels: dict[str, int] | None = None) -> Part:
    return Part(dataset, 1.0, config or {}, levels or {})


def names() -> list[str]:
    from reasoning_gym.factory import DATASETS

    return sorted(DATASETS.keys() - {MIXTURE})


def boxes_home(state: dict[str, list[str]]) -> str:
    """Every box to its target, along one axis, then the other, one move at a time."""
    moves = []
    places = [(square, item) for square, items in state.items() for item in items if item.startswith("box_")]
    for square, box in places:
        [row, column] = map(float, square.split("_"))
        target = next(other for other, items in state.items() if f"target_{box[4:]}" in items)
        goal_row, goal_column = map(float, target.split("_"))
        while (row, column) != (goal_row, goal_column):
            step_row = (goal_row > row) - (goal_row < row)
            step_column = 0 if step_row else (goal_column > column) - (goal_column < column)
            moves.append({f"Agent[{row}, {column}]": f"move({box}, square[{row + step_row}, {column + step_column}])"})
            row, column = row + step_row, column + step_column
        moves.append({f"Agent[{row}, {column}]": f"move({box}, target_{box[4:]})"})
    return json.dumps(moves)


def solution(problem: Made) -> str | None:
    """The answer, or one that the metadata of a data set without answers leads to; None: only a search would find one."""
    metadata = read_gold(problem.gold)["metadata"]
    match problem.dataset:
        case "graph_color":
            return json.dumps(metadata["possible_answer"])
        case "propositional_logic":
            return str(metadata["example_answer"])
        case "rubiks_cube":
            return str(metadata["example_correct_answer"])
        case "boxnet":
            return boxes_home(metadata["initial_state"])
        case "rush_hour":
            return None
    return problem.answer


@pytest.fixture(scope="module")
def problems() -> dict[str, list[Made]]:
    [made] = make([part(name) for name in names() if name not in REFUSED], [Wanted("train", PROBLEMS, 3)])
    found = defaultdict(list)
    for problem in made:
        found[problem.dataset].append(problem)
    return found


@pytest.fixture(scope="module")
def pool() -> Any:
    with ScoringPool(2, 60.0) as pool:
        yield pool


@pytest.mark.slow
def test_all_data_sets_make_problems_and_score_their_own_answers(problems: dict[str, list[Made]], pool: ScoringPool) -> None:
    assert sorted({*problems, *REFUSED}) == names()
    assert min(map(len, problems.values())) >= 2
    items, asked = [], []
    for problem in [problem for those in problems.values() for problem in those]:
        if (answer := solution(problem)) is not None:
            asked.append(problem.dataset)
            items.append(ScoreItem("reasoning_gym", f"<think>so</think>\n<answer>\n{answer}\n</answer>", problem.gold))
    assert {*problems} - {*asked} == {"rush_hour"}
    missed = {name: verdict for name, verdict in zip(asked, pool.judge(items), strict=True) if verdict.outcome is not Outcome.CORRECT}
    assert missed == {}


@pytest.mark.slow
def test_no_answer_is_right_for_all_problems_of_a_data_set(problems: dict[str, list[Made]], pool: ScoringPool) -> None:
    items, about = [], []
    for name, those in problems.items():
        for answer in {*CONSTANTS, *(problem.answer for problem in those[:4] if problem.answer)}:
            for problem in those[:6]:
                if (problem.answer or "").strip().lower() != answer.strip().lower():
                    about.append((name, answer))
                    items.append(ScoreItem("reasoning_gym", f"<answer>{answer}</answer>", problem.gold))
    right = defaultdict(list)
    for key, verdict in zip(about, pool.judge(items), strict=True):
        assert verdict.outcome in (Outcome.CORRECT, Outcome.WRONG), key
        assert verdict.score is not None
        assert (verdict.score == 1.0) == (verdict.outcome is Outcome.CORRECT)
        right[key].append(verdict.outcome is Outcome.CORRECT)
    assert {key for key, found in right.items() if len(found) >= 2 and all(found)} == set()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "answer"), [("coin_flip", "0"), ("game_of_life_halting", "no idea"), ("puzzle24", "8*3*1*1")])
def test_a_data_set_that_is_refused_gives_full_marks_to_a_wrong_answer(name: str, answer: str) -> None:
    from reasoning_gym.factory import create_dataset

    data = create_dataset(name, seed=1, size=20)
    entries = [data[number] for number in range(20)]
    if name == "coin_flip":
        entries = [entry for entry in entries if entry["answer"].startswith("0.0") and float(entry["answer"]) > 0.001]
    assert len({entry["answer"] for entry in entries}) > 1
    assert [data.score_answer(answer, entry) for entry in entries] == [1.0] * len(entries)
    with pytest.raises(InputError, match=f"reasoning-gym's '{name}' cannot be trained or evaluated on: its scorer"):
        settings_of(part(name))
    assert name in REFUSED


def test_three_are_refused() -> None:
    assert REFUSED.keys() == {"coin_flip", "game_of_life_halting", "puzzle24"}


@pytest.mark.slow
def test_a_rush_hour_is_solved_by_what_a_search_finds() -> None:
    from itertools import product

    from reasoning_gym.games.rush_hour import Board

    [made] = make([part("rush_hour", {"max_moves": 2})], [Wanted("train", 3, 0)])
    for problem in made:
        board = read_gold(problem.gold)["metadata"]["board_config"]
        moves = [f"{car}{sign}{steps}" for car in sorted({*board} - {"o", "x"}) for sign in "+-" for steps in range(1, 5)]

        def solves(answer: str, board: str = board) -> bool:
            tried = Board(board)
            tried.perform_moves(answer)
            return bool(tried.solved)

        found = next(" ".join(pair) for length in (1, 2) for pair in product(moves, repeat=length) if solves(" ".join(pair)))
        assert score(problem.gold, found) == 1.0
        assert score(problem.gold, "A-9") < 1


@pytest.mark.slow
def test_the_metadata_of_all_data_sets_is_the_same_after_json() -> None:
    import numpy as np
    import sympy
    from reasoning_gym.factory import create_dataset

    for name in names():
        entry = create_dataset(name, seed=5, size=10)[0]
        back = read_gold(write_gold(name, {}, entry["answer"], entry["metadata"]))
        assert back["answer"] == entry["answer"]
        assert back["metadata"] == entry["metadata"], name
    back = read_gold(
        write_gold("x", {}, None, {"a": np.int64(3), "b": np.array([[1, 2]]), "c": sympy.Integer(2), "d": sympy.Rational(1, 2)})
    )
    assert back["metadata"] == {"a": 3, "b": [[1, 2]], "c": 2, "d": Fraction(1, 2)}
    assert type(back["metadata"]["c"]) is int
    with pytest.raises(TypeError, match="object has no JSON form"):
        write_gold("x", {}, None, {"a": object()})


HASHED = ["isomorphic_strings", "word_ladder", "ransom_note"]  # go through sets of texts


@pytest.mark.slow
def test_the_same_seed_makes_the_same_problems_in_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [Wanted("train", 6, 3)]
    parts = [part(name) for name in HASHED]
    made = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        made.append(make(parts, wanted))
    assert made[0] == made[1]
    request = json.dumps({"parts": [each._asdict() for each in parts], "wanted": [wanted[0]._asdict()]})
    loose = [
        subprocess.run(
            [sys.executable, "-m", "rl_core.environments.reasoning_gym_problems"],
            input=request, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert loose[0] != loose[1]


@pytest.mark.slow
def test_sides_and_seeds_and_weights() -> None:
    parts = [Part("chain_sum", 3.0, {"max_terms": 3}, {}), Part("leg_counting", 1.0, {}, {})]
    train, other, test, more = make(
        parts, [Wanted("train", 400, 0), Wanted("train", 400, 1), Wanted("test", 60, 0), Wanted("test", 100, 0)]
    )
    assert [len(train), len(other), len(test)] == [400, 400, 60]
    assert more[:60] == test
    questions = [{problem.question for problem in made} for made in (train, other, test)]
    assert not (questions[0] | questions[1]) & questions[2]
    assert len(questions[0]) == 400
    assert len(questions[0] & questions[1]) < 40  # seeds that follow each other are no shift of each other
    assert 260 < sum(problem.dataset == "chain_sum" for problem in train) < 340
    assert {problem.difficulty for problem in train if problem.dataset == "chain_sum"} == {
        f"num_terms {terms}, num_digits {digits}" for terms in (2, 3) for digits in (1, 2, 3, 4)
    }


@pytest.mark.slow
@pytest.mark.follows("were found to {} on; ask for fewer, or widen settings")
@pytest.mark.follows("in {} seconds; widen its settings, or ask for fewer problems")
def test_asking_for_more_than_there_are_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    with pytest.raises(DataError, match=r"only 1?[0-9]{2} different problems of chain_sum were found to train on; ask for fewer, or widen"):
        make([part("chain_sum", small)], [Wanted("train", 1000, 0)])
    assert len(make([part("chain_sum", small)], [Wanted("train", 50, 0)])[0]) == 50
    assert len(make([part("chain_sum", small | {"max_terms": 3})], [Wanted("train", 1000, 0)])[0]) == 1000


@pytest.mark.slow
def test_levels_of_a_curriculum() -> None:
    assert settings_of(part("leg_counting", {"max_instances": 9}, {"*": 1, "num_animals": 2})) == {
        "min_animals": 1, "max_animals": 3, "min_instances": 2, "max_instances": 9,
    }  # fmt: skip
    hard, easy = (settings_of(part("chain_sum", None, {"*": level})) for level in (99, 0))
    assert hard["max_terms"] > easy["max_terms"]  # the highest there is


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (part("leg_countin"), "reasoning-gym has no data set 'leg_countin'; did you mean 'leg_counting'?"),
        (part("composite"), "reasoning-gym has no data set 'composite'; known: ab, "),
        (part("chain_sum", {"max_term": 3}), "chain_sum has no setting 'max_term'; did you mean 'max_terms'?"),
        (part("chain_sum", {"max_terms": 1}), "chain_sum: max_terms must be >= min_terms"),
        (part("chain_sum", {"max_terms": "x"}), "chain_sum: '>=' not supported between instances of 'str' and 'int'"),
        (part("chain_sum", {"seed": 1}), "chain_sum: `seed` is no setting here"),
        (part("chain_sum", {}, {"num_term": 1}), "chain_sum: its curriculum has no attribute 'num_term'; did you mean 'num_terms'?"),
        (part("chain_sum", {}, {"num_terms": 99}), "chain_sum: Invalid level: 99 for attribute 'ChainSumCurriculum.num_terms'. Must be"),
        (part("chain_sum", {}, {"*": -1}), "chain_sum: Invalid level: -1"),
        (part("chain_sum", {}, {"*": "high"}), "chain_sum: a level is a whole number, not 'high' for '*'"),  # type: ignore[dict-item]
        (part("acre", {}, {"*": 1}), "acre has no curriculum, so no `attribute_levels`; it has the settings train"),
    ],
)
def test_what_is_wrong_is_one_line(wrong: Part, message: str) -> None:
    with pytest.raises(InputError) as error:
        settings_of(wrong)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
