"""Sizes of the smoke profile that several kinds of stages share."""

from rl_core.config.schedules import Schedule

THREADS = 1  # matrices this small are not worth more
LONGEST, SHORTEST = 192, 48  # tokens of a response


def at_most(number: int | None, most: int) -> int:
    """A count, or `most` where it is open or larger."""
    return most if number is None else min(number, most)


def shorter(tokens: int, scale: float) -> int:
    """The length of a response, scaled, within what a small model can write in a moment."""
    return max(min(tokens, SHORTEST), min(LONGEST, round(tokens * scale)))


def short_warmup(schedule: Schedule) -> Schedule:
    """The same form with one step of warm-up at most."""
    return schedule.model_copy(update={"warmup": min(schedule.warmup, 1)})
