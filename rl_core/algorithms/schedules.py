"""Values that change over the steps of a stage: learning rate, temperature."""

import math

from rl_core.config.schedules import Schedule


def value_at(schedule: Schedule, step: int, total: int) -> float:
    """Value at `step` (0-based) of `total`: `start` at the end of the warm-up, `end` at the last step."""
    if step < schedule.warmup:
        return schedule.start * (step + 1) / schedule.warmup
    if schedule.schedule == "constant":
        return schedule.start
    end = schedule.end or 0.0
    last = max(1, total - 1 - schedule.warmup)
    progress = min(1.0, (step - schedule.warmup) / last)
    if schedule.schedule == "cosine":
        progress = (1 - math.cos(math.pi * progress)) / 2
    return schedule.start + (end - schedule.start) * progress
