"""Responses of a step on which a reward function of a user's own failed: kept, counted, left out of the update, or too many."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from rl_core.config.rl import RewardErrors, RlConfig
from rl_core.errors import InputError
from rl_core.files import in_one_piece
from rl_core.own_code.reference import is_own
from rl_core.rewards.reward import own_functions, resolve
from rl_core.steps.collection import Collected, Rollout

KEPT = "reward_errors.jsonl"  # in the directory of a stage


def without_failures(collected: Collected, config: RlConfig) -> Collected:
    """What is trained on: responses that have their whole reward. Where responses are compared, a single one of a prompt goes, too."""
    if config.reward_errors.value is not None:
        return collected
    rollouts = collected.rollouts
    kept = [row for row in collected.used if not rollouts[row].score.failures]
    if config.algorithm.advantage not in ("returns", "gae"):
        of_group = Counter(rollouts[row].group for row in kept)
        kept = [row for row in kept if of_group[rollouts[row].group] > 1]
    return replace(collected, used=kept)


def shares(rollouts: Sequence[Rollout], config: RlConfig) -> dict[str, float]:
    """Metrics: the share of responses on which any function or verifier of a user's own failed, and each; none without such."""
    tasks = {rollout.encoded.prompt.task for rollout in rollouts}
    names = [*own_functions(resolve(config.reward)), *sorted(filter(is_own, tasks))]
    failed = {f"reward_errors/{name}": fmean(name in rollout.score.failures for rollout in rollouts) for name in names}
    return {"reward_errors": fmean(bool(rollout.score.failures) for rollout in rollouts)} | failed if names else {}


def keep(output: Path, step: int, rollouts: Sequence[Rollout]) -> None:
    """Add the failures of a step to `reward_errors.jsonl`, each traceback once."""
    seen: set[tuple[str, str]] = set()
    with (output / KEPT).open("a") as file:
        for rollout in rollouts:
            for name, failure in rollout.score.failures.items():
                trace = {} if (name, failure.why) in seen else {"trace": failure.trace}
                seen.add((name, failure.why))
                row = {"step": step, "prompt_id": rollout.encoded.prompt.prompt_id, "group": rollout.group, "sample": rollout.sample}
                file.write(json.dumps(row | {"component": name, "error": failure.why} | trace) + "\n")


def drop_after(output: Path, step: int) -> None:
    """Forget the failures of later steps: a resumed run meets them again."""
    if (path := output / KEPT).exists():
        lines = path.read_text().splitlines(keepends=True)
        with in_one_piece(path) as aside:
            aside.write_text("".join(line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step))


def require_few(output: Path, step: int, rollouts: Sequence[Rollout], settings: RewardErrors) -> None:
    """Keep the failures of a step, if there are any.

    Raises:
        InputError: they are more than the settings allow. The first traceback goes to the log.
    """
    failed = [rollout for rollout in rollouts if rollout.score.failures]
    if not failed:
        return
    keep(output, step, failed)
    if len(failed) <= settings.most * len(rollouts):
        return
    name, failure = next(iter(failed[0].score.failures.items()))
    print(failure.trace, end="", file=sys.stderr, flush=True)
    raise InputError(
        f"step {step}: reward functions or verifiers failed on {len(failed)} of {len(rollouts)} responses, more than `reward_errors.most` "
        f"({settings.most:g}); the first: {name}: {failure.why}; {output / KEPT} has all of them; correct the code and run again"
    )
