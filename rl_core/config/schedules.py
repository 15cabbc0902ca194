"""Values that move over a stage, and settings of the optimizer that kinds of training share."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from rl_core.config.base import Added, Settings


class Schedule(Settings):
    """A value that moves from `start` (or `peak`, after warm-up) to `end` over a stage."""

    schedule: Literal["constant", "linear", "cosine"] = Field("linear", description="The way from `start` to `end`.")
    start: float = Field(
        validation_alias=AliasChoices("start", "peak"), ge=0, description="Value at the first step after warm-up; `peak` is the same."
    )
    end: float | None = Field(None, ge=0, description="Value at the last step; default: 0 for linear and cosine.")
    warmup: int = Field(0, ge=0, description="Steps of linear rise from 0 to `start`.")


def constant_schedules(values: Any, keys: tuple[str, ...]) -> Any:
    """`learning_rate: 1e-6` means a constant schedule of that value."""
    if not isinstance(values, dict):
        return values
    return values | {key: {"schedule": "constant", "start": values[key]} for key in keys if isinstance(values.get(key), int | float | str)}


AdamBetas = Annotated[
    tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]],
    Added(),
    Field(
        description="Decay of AdamW's means of gradients and of their squares. 0.95, as OpenRLHF and oat have it, forgets a burst of large "
        "gradients within 60 steps, and RL stages are short; verl and TRL keep torch's 0.999."
    ),
]
AdamEpsilon = Annotated[
    float, Added(), Field(gt=0, description="Added to AdamW's divisor; torch's, verl's, TRL's and DeepSpeed's default.")
]
