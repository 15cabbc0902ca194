"""The Knights and Knaves verifier: whether an answer states the role of everyone, by a strict reading or by Logic-RL's rule."""

import json
import re
from collections.abc import Sequence

from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.rewards.formats import tags_in_order
from rl_core.rewards.spans import find_spans
from rl_core.rewards.verdict import Verdict
from rl_core.rewards.verifiers.roles import stated_roles


def judge(response: str, gold: str, *, logic_rl: bool = False) -> Verdict:
    """Compare the roles that the answer states with the solution.

    The tags must be whole and in order. What stands between the answer's must be nothing but statements about all of the people
    (`roles`): what is denied, conditional, undecided or said by somebody states nothing.

    Args:
        response: the assistant's whole turn, including what the template supplied of it.
        gold: JSON with `names` and `roles`.
        logic_rl: read the answer as Logic-RL's training reward does (verl/utils/reward_score/kk.py). The words knight and knave must
            occur as often as there are people, and every name must be followed by `is a knight` or `is a knave`; the first such statement
            about a name counts, whatever stands around it.
    """
    names, roles = _solution(gold)
    if not tags_in_order(response):
        return Verdict(Outcome.FORMAT_ERROR, None)
    span = find_spans(response).answer
    if span is None:  # tags_in_order has seen both of them
        raise AssertionError("ordered tags without an answer")
    answer = response[slice(*span)]
    stated = _by_logic_rl(names, answer) if logic_rl else stated_roles(names, answer)
    if stated is None:
        return Verdict(Outcome.UNPARSEABLE, None)
    extracted = ", ".join(f"{name} is a {stated[name]}" for name in names)
    right = [stated[name] for name in names] == roles
    return Verdict(Outcome.CORRECT if right else Outcome.WRONG, extracted)


def _solution(gold: str) -> tuple[list[str], list[str]]:
    try:
        solution = json.loads(gold)
        names, roles = list(solution["names"]), list(solution["roles"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f'gold of a knights_knaves prompt must be {{"names": [...], "roles": [...]}}, not {gold[:80]!r}') from error
    if len(names) != len(roles) or not names or not set(roles) <= {"knight", "knave"}:
        raise InputError(f"gold of a knights_knaves prompt needs one knight or knave per name, not {gold[:80]!r}")
    return names, roles


def _by_logic_rl(names: Sequence[str], answer: str) -> dict[str, str] | None:
    if sum(answer.lower().count(role) for role in ("knight", "knave")) != len(names):
        return None
    stated = {name: role for name in names if (role := _first_role(name, answer))}
    return stated if len(stated) == len(names) else None


def _first_role(name: str, answer: str) -> str | None:
    # Ignoring case in ASCII only: otherwise the Kelvin sign passes for a k and the long s for an s.
    match = re.search(rf"(?<!\w)(?ai:{re.escape(name)}\s+is\s+a\s+(knight|knave)\b)", answer)
    return match[1].lower() if match else None
