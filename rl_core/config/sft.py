"""Settings of supervised fine-tuning."""

from typing import Literal

from pydantic import Field

from rl_core.config.base import Settings
from rl_core.config.resources import Resources
from rl_core.config.schedules import AdamBetas, AdamEpsilon, Schedule
from rl_core.templates.own import DESCRIPTION, TemplateSetting


class SftConfig(Settings):
    """Supervised fine-tuning on the traces of the data stages."""

    template: TemplateSetting = Field("think_answer", description=DESCRIPTION)
    steps: int = Field(ge=1, description="Optimizer steps.")
    batch_size: int = Field(32, ge=1, description="Sequences per optimizer step.")
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="`muon`: hidden matrices by Muon, the rest by AdamW; learns much faster from random weights."
    )
    learning_rate: Schedule = Field(
        Schedule(schedule="cosine", start=1e-3, end=1e-4, warmup=20), description="Of the optimizer: a number, or a schedule."
    )
    weight_decay: float = Field(0.1, ge=0, description="Of AdamW.")
    adam_betas: AdamBetas = (0.9, 0.95)
    adam_epsilon: AdamEpsilon = 1e-8
    max_grad_norm: float = Field(1.0, gt=0, description="A longer gradient is scaled down to this length.")
    max_tokens: int = Field(1024, ge=16, description="Longer examples, and those too long for the model, are dropped and counted.")
    shortest_first: float = Field(
        1.0, gt=0, le=1, description="Share of the shortest examples that the first step draws from; grows to all at half of the steps."
    )
    checkpoint_every: int = Field(200, ge=1, description="Steps between checkpoints.")
    resources: Resources = Field(Resources(), description="Where and how; never changes what is computed.")
