"""What a person should know of a stage that ended as done: it may have learned nothing. Pure functions of what the stage recorded."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

Metrics = Sequence[Mapping[str, float]]  # a row per step, as in metrics.jsonl

MOST = 0.5  # share of steps or responses from which a warning is given
UNREADABLE = 0.9  # share of responses without a readable answer: a model that has yet to learn the format has many
LATE = 0.1  # share of answers that missed the verifier's deadline
SKIPPED = 0.05  # share of updates
TENTH = 10  # the loss of the first tenth of the steps is compared with that of the last


def rl_warnings(settings: Mapping[str, Any], metrics: Metrics, result: Mapping[str, Any]) -> list[str]:
    """Lines about an RL stage, each with numbers and the setting to look at.

    Args:
        settings: of the stage, as in its spec.
        result: of the stage, as in its manifest.
    """
    if not metrics:
        return []
    steps, late = len(metrics), metrics[len(metrics) // 2 :]  # what a model does after half of its training it keeps doing
    found = _not_finite(metrics)
    still = [row for row in metrics if row.get("reward_std") == 0 or row.get("zero_advantage") == 1]
    if len(still) >= MOST * steps:
        found.append(
            f"no gradient in {len(still)} of {steps} steps, for all responses to a prompt got the same reward "
            f"({fmean(row['reward'] for row in still):.2f} on average); look at `reward`, and whether `data` is too hard or too easy"
        )
    if all(row["learning_rate"] == 0 for row in metrics if "learning_rate" in row):
        found.append(f"`learning_rate` was 0 in all {steps} steps")
    if (cut := _share(late, "outcome/truncated")) >= MOST:
        found.append(
            f"{_percent(cut)} of the responses in the last {_steps(late)} were cut off at `max_response_tokens: "
            f"{settings['max_response_tokens']}`; raise it, or read in the report how they go on"
        )
    if all(row.get("outcome/correct", 1) == 0 for row in metrics):
        found.append(f"no response was right in {steps} steps: `data` may be too hard, or `template` and `reward` may not fit the model")
    if (unread := _share(late, "outcome/unparseable") + _share(late, "outcome/format_error")) >= UNREADABLE:
        found.append(f"{_percent(unread)} of the responses in the last {_steps(late)} had no readable answer; look at `template`")
    if (missed := _share(metrics, "outcome/timeout")) >= LATE:
        found.append(f"{_percent(missed)} of the answers missed `scoring_deadline: {settings['scoring_deadline']}` s")
    if failed := _share(metrics, "reward_errors"):
        found.append(f"reward functions failed on {100 * failed:.2g} % of the responses; its `reward_errors.jsonl` has the errors")
    updates, skipped = (sum(row.get(name, 0) for row in metrics) for name in ("updates", "skipped_updates"))
    if skipped and skipped >= SKIPPED * updates:
        found.append(f"{skipped:.0f} of {updates:.0f} updates were skipped, for their gradient was not finite; lower `learning_rate`")
    return found + _left_out("prompts", result.get("dropped_prompts", 0), result.get("prompts", 0))


def sft_warnings(metrics: Metrics, result: Mapping[str, Any]) -> list[str]:
    """Lines about an SFT stage; arguments as for `rl_warnings`."""
    found = _not_finite(metrics)
    part = len(metrics) // TENTH
    if part:
        first, last = (fmean(row["loss"] for row in rows) for rows in (metrics[:part], metrics[-part:]))
        if last >= first:
            found.append(f"the loss did not fall: {first:.3g} in the first {part} steps, {last:.3g} in the last; look at `learning_rate`")
    return found + _left_out("examples", result.get("dropped_examples", 0), result.get("examples", 0))


def eval_warnings(settings: Mapping[str, Any], scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines about an evaluation: scores as in its scores.json."""
    if scores and all(score["value"] == 0 for score in scores):
        names = ", ".join(dict.fromkeys(score["checkpoint"] for score in scores))
        where = f"`template`, at `max_tokens: {settings['max_tokens']}`, and at the responses in the report"
        return [f"every score of {names} is 0; look at {where}"]
    return []


def _left_out(what: str, dropped: int, kept: int) -> list[str]:
    many = dropped and dropped >= MOST * (dropped + kept)
    return [f"{dropped:,} of {dropped + kept:,} {what} are too long and were left out"] if many else []


def _not_finite(metrics: Metrics) -> list[str]:
    first = next((row for row in metrics if not math.isfinite(row.get("loss", 0.0))), None)
    return [f"the loss is not finite from step {first['step']:.0f} on; lower `learning_rate`"] if first else []


def _share(metrics: Metrics, name: str) -> float:
    return fmean(row.get(name, 0.0) for row in metrics)


def _steps(metrics: Metrics) -> str:
    return f"{len(metrics)} steps" if len(metrics) > 1 else "step"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
