"""Knights and Knaves puzzles in the field's own form, and solver traces that reason by cases.

Statements are drawn by reasoning-gym's sampler (the generator of "On Memorization of Large Language Models in Logical Reasoning",
arXiv 2410.23123), keeping puzzles with exactly one solution. Whether a puzzle is for training or held out is a function of its
logical content, so a training set and a test set never share one, whatever their sizes and seeds.
"""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rl_core.data.prompts import DataError, Prompt, read_columns
from rl_core.data.splits import Split, side_of

Statement = tuple[Any, ...]  # ("telling-truth" | "lying", person) or (operator, *statements)

TASK = "knights_knaves"
HELD_OUT_SHARE = 0.2  # of all puzzles, by digest
PATIENCE = 20_000  # draws without a new puzzle after which all count as used

NAMES = [
    "Abigail", "Aiden", "Alexander", "Amelia", "Aria", "Aurora", "Ava", "Avery", "Benjamin", "Charlotte", "Chloe", "Daniel", "David",
    "Elizabeth", "Ella", "Emily", "Emma", "Ethan", "Evelyn", "Grace", "Harper", "Henry", "Isabella", "Jack", "Jackson", "Jacob", "James",
    "Joseph", "Liam", "Lily", "Logan", "Lucas", "Luke", "Mason", "Matthew", "Mia", "Michael", "Noah", "Oliver", "Olivia", "Owen",
    "Penelope", "Riley", "Samuel", "Scarlett", "Sebastian", "Sofia", "Sophia", "Victoria", "William", "Zoey",
]  # fmt: skip

SAYINGS = (
    "{name} said that {content}.",
    "{name} told you that {content}.",
    '{name} said, "{content}."',
    '{name} stated, "{content}".',
    'According to {name}, "{content}".',
    'In {name}\'s words: "{content}".',
    '{name} remarked, "{content}".',
    '"{content}," {name} declared.',
    '{name} was heard saying, "{content}".',
    "{name} expressed that {content}.",
    '"{content}" - {name}.',
    'As {name} put it, "{content}".',
    '{name} asserted: "{content}".',
    '"{content}," {name} mentioned.',
    '{name} commented, "{content}".',
    'In a statement by {name}: "{content}".',
    '{name} noted, "{content}".',
    '"{content}," {name} claimed.',
)


def generate(people: int, count: int, split: Split, seed: int, names: int | None = None, doubt: float = 0.0) -> list[Prompt]:
    """`count` puzzles of `people` inhabitants from one side of the train/test division, named from the first `names` of NAMES.

    `doubt` is the chance that a worked response does not trust what it found and calls everyone a knight.
    No two are logically the same until all are used (325 for two people in training); then they come again with other names and words.
    """
    from reasoning_gym.logic.knights_knaves import KKProblemSampler

    words = random.Random(f"{seed}/{people}/{split}")
    sampler = KKProblemSampler(words.getrandbits(32), people)
    seen: set[tuple[Statement, ...]] = set()
    prompts: list[Prompt] = []
    misses = 0
    while len(prompts) < count:
        statements = sampler.sample()
        if statements in seen or split_of(statements) != split or len(found := solutions(statements)) != 1:
            misses += 1
            if misses > PATIENCE:
                seen.clear()
                misses = 0
            continue
        misses = 0
        seen.add(statements)
        inhabitants = words.sample(NAMES[:names], people)
        question = render_question(inhabitants, statements, words)
        trace = solve_aloud(inhabitants, statements, doubt, words)
        prompts.append(Prompt(TASK, question, gold(inhabitants, found[0]), str(people), trace))
    return prompts


def public_file(data_dir: Path, people: int, split: Split) -> Path:
    """Where a data directory keeps the public puzzles of `people` inhabitants."""
    return data_dir / "kk" / f"{people}ppl" / f"{split}.parquet"


def read_public(path: Path) -> list[Prompt]:
    """Rows of a public kk/{n}ppl Parquet file (columns quiz, names, solution, statements)."""
    prompts = []
    for number, row in enumerate(read_columns(path, ["quiz", "names", "solution", "statements"]), start=1):
        try:
            statements = ast.literal_eval(row["statements"])
            names, solution = row["names"], tuple(bool(value) for value in row["solution"])
            unique = solutions(statements) == [solution] and len(names) == len(solution)
        except (ValueError, SyntaxError, TypeError, KeyError, IndexError) as error:
            raise DataError(f"{path}: row {number} cannot be read ({error}); repair or remove it") from error
        if not unique or not row["quiz"]:
            raise DataError(f"{path}: row {number}: its solution is not the only one of its statements; repair or remove it")
        prompts.append(Prompt(TASK, row["quiz"], gold(names, solution), str(len(names)), solve_aloud(names, statements)))
    return prompts


def gold(names: Sequence[str], solution: Sequence[bool]) -> str:
    """The answer as the verifier reads it: JSON with names and roles in the puzzle's order."""
    return json.dumps({"names": list(names), "roles": [_role(value) for value in solution]})


def split_of(statements: tuple[Statement, ...]) -> Split:
    """Which side of the train/test division a puzzle's logical content falls on."""
    return side_of(repr(statements), HELD_OUT_SHARE)


def solutions(statements: tuple[Statement, ...]) -> list[tuple[bool, ...]]:
    """All assignments (True: knight) under which every statement is true exactly if its speaker is a knight."""
    found: list[tuple[bool, ...]] = []
    people = len(statements)

    def extend(roles: dict[int, bool]) -> None:
        if len(roles) == people:
            found.append(tuple(roles[person] for person in range(people)))
            return
        for role in (True, False):
            grown = roles | {len(roles): role}
            if all(truth(statements[p], grown) in (None, grown[p]) for p in grown):
                extend(grown)

    extend({})
    return found


def truth(statement: Statement, roles: dict[int, bool]) -> bool | None:
    """Truth of a statement under a partial assignment; None while it is open (Kleene's three-valued logic)."""
    operator = statement[0]
    if operator in ("telling-truth", "lying"):
        role = roles.get(int(statement[1]))
        return None if role is None else role == (operator == "telling-truth")
    parts = [truth(part, roles) for part in statement[1:]]
    if operator == "not":
        return None if parts[0] is None else not parts[0]
    if operator == "->":
        operator, parts[0] = "or", None if parts[0] is None else not parts[0]
    if operator in ("and", "or"):
        decisive = operator == "or"
        return decisive if decisive in parts else None if None in parts else not decisive
    if operator == "<=>":
        return None if None in parts else parts[0] == parts[1]
    raise ValueError(f"unknown operator {operator!r} in a Knights and Knaves statement")


def render_question(names: Sequence[str], statements: tuple[Statement, ...], words: random.Random) -> str:
    """The puzzle in English, each statement in a randomly chosen way of saying it."""
    said = " ".join(
        words.choice(SAYINGS).format(name=name, content=render_statement(names, statement))
        for name, statement in zip(names, statements, strict=True)
    )
    # The public data sets keep the comma before "and" for two people too.
    return (
        "A very special island is inhabited only by knights and knaves. Knights always tell the truth, and knaves always lie. "
        f"You meet {len(names)} inhabitants: {', '.join(names[:-1])}, and {names[-1]}. {said} So who is a knight and who is a knave?"
    )


def render_statement(names: Sequence[str], statement: Statement) -> str:
    """One statement in English; nested operators get parentheses."""

    def inner(part: Statement) -> str:
        text = render_statement(names, part)
        return text if part[0] in ("telling-truth", "lying", "not") else f"({text})"

    operator = statement[0]
    if operator in ("telling-truth", "lying"):
        return f"{names[statement[1]]} is a {_role(operator == 'telling-truth')}"
    if operator == "not":
        kind, *rest = statement[1]
        if kind in ("telling-truth", "lying"):
            return f"{names[rest[0]]} is not a {_role(kind == 'telling-truth')}"
        return f"it is not the case that {inner(statement[1])}"
    parts = [inner(part) for part in statement[1:]]
    joined: dict[str, Callable[[], str]] = {
        "and": lambda: " and ".join(parts),
        "or": lambda: " or ".join(parts),
        "->": lambda: f"if {parts[0]} then {parts[1]}",
        "<=>": lambda: f"{parts[0]} if and only if {parts[1]}",
    }
    return joined[operator]()


def _role(knight: bool) -> str:
    return "knight" if knight else "knave"


def solve_aloud(names: Sequence[str], statements: tuple[Statement, ...], doubt: float = 0.0, words: random.Random | None = None) -> str:
    """A worked response: restate the claims, assume roles one person at a time, check the claims, reject and try again.

    Every step needs only what is written nearby, which is what a small model can learn: it lists the whole current assumption, then
    repeats each claim that its newest member could decide, notes what its parts and the whole are worth (true, false or still open) and
    whether that fits the speaker's role. A claim that does not fit ends the step. The next person assumed is one that an open claim is
    about, so that claims are decided early. In the end the solver, with chance `doubt`, does not trust it all and calls everyone a knight.
    """
    words = words or random.Random(0)
    claims = [_positive(statement) for statement in statements]
    lines = ["Claims:" + "".join(f" {names[person]} says {_weigh(names, claim)}." for person, claim in enumerate(claims))]
    branch = [(0, True)]
    step = 0
    while True:
        step += 1
        assumed, before, newest = dict(branch), dict(branch[:-1]), branch[-1][0]
        line = f"Step {step}: suppose" + "".join(f" {names[person]} is a {_role(role)};" for person, role in branch)
        contradiction = False
        for person, role in branch:
            decided = person in before and truth(claims[person], before) is not None
            if decided or (person != newest and newest not in _people_of(claims[person])):
                continue
            value = truth(claims[person], assumed)
            contradiction = value is not None and value != role
            finding = "" if value is None else ", try again" if contradiction else ", fits"
            line += f" {names[person]} says {_weigh(names, claims[person], assumed)}: {_worth(value)}{finding}."
            if contradiction:
                break
        lines.append(line)
        if contradiction:
            while branch and not branch[-1][1]:
                branch.pop()
            if not branch:
                raise DataError(f"a puzzle about {', '.join(names)} has no solution")
            branch[-1] = (branch[-1][0], False)
        elif len(branch) == len(names):
            break
        else:
            branch.append((_next_person(claims, assumed), True))
    conclusion = "All claims fit"
    if words.random() < doubt:
        assumed = dict.fromkeys(assumed, True)
        conclusion = "This is hard to be sure of"
    answer = "\n".join(f"({number}) {name} is a {_role(assumed[number - 1])}" for number, name in enumerate(names, 1))
    found = "".join(f" {names[person]} is a {_role(role)};" for person, role in assumed.items())
    return "<think>\n" + "\n".join(lines) + f"\n{conclusion}, so{found}\n</think>\n<answer>\n" + answer + "\n</answer>"


def without_reasoning(prompt: Prompt) -> Prompt:
    """The puzzle with only the answer in its worked response."""
    _, tag, answer = (prompt.trace or "").partition("</think>")
    return replace(prompt, trace=f"<think>\n{tag}{answer}")


def _weigh(names: Sequence[str], statement: Statement, roles: dict[int, bool] | None = None) -> str:
    """A claim, with what its parts are worth under `roles`: `Zoey is a knight (true) or Liam is a knave (open)`."""
    operator, *parts = statement
    if operator in ("telling-truth", "lying"):
        return render_statement(names, statement) + ("" if roles is None else f" ({_worth(truth(statement, roles))})")
    weighed = [_weigh(names, part, roles) if part[0] in ("telling-truth", "lying") else f"[{_weigh(names, part, roles)}]" for part in parts]
    if operator == "not":
        return f"not {weighed[0]}"
    return {"and": " and ", "or": " or ", "->": " implies ", "<=>": " equals "}[operator].join(weighed)


def _worth(value: bool | None) -> str:
    return {True: "true", False: "false", None: "open"}[value]


def _next_person(statements: Sequence[Statement], assumed: dict[int, bool]) -> int:
    """The first unassumed person that the earliest open claim is about; else the first unassumed one."""
    for speaker in assumed:
        if truth(statements[speaker], assumed) is None:
            return min(_people_of(statements[speaker]) - assumed.keys())
    return min(set(range(len(statements))) - assumed.keys())


def _people_of(statement: Statement) -> set[int]:
    if statement[0] in ("telling-truth", "lying"):
        return {int(statement[1])}
    return set().union(*(_people_of(part) for part in statement[1:]))


def _positive(statement: Statement) -> Statement:
    """`not a knave` said as `a knight`: the same claim in its shorter form."""
    if statement[0] == "not" and statement[1][0] in ("telling-truth", "lying"):
        kind, person = statement[1]
        return ("lying" if kind == "telling-truth" else "telling-truth", person)
    return statement
