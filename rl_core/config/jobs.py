"""The job files of processes that work for a stage."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from rl_core.config.base import Settings
from rl_core.config.model import ScratchModel
from rl_core.config.rl import RlConfig
from rl_core.config.sft import SftConfig


class HeldLease(Settings):
    """The right to write into a stage's directory: while `file` (JSON) names `owner` as its owner's id."""

    file: Path
    owner: str


class Job(Settings):
    """The job of a process that works for a stage."""

    output: Path
    replies: Path | None = Field(None, description="Where the replies of a judge are kept; default: nowhere.")
    lease: HeldLease | None = Field(None, description="Of the stage that it works for; default: nobody else writes into `output`.")


class TrainJob(Job):
    """The job of a trainer: `python -m rl_core.train JOB.json`."""

    kind: Literal["sft", "rl"]
    sft: SftConfig | None = None
    rl: RlConfig | None = None
    model: str | ScratchModel = Field(description="Hub id or directory of the start checkpoint, or a model to make.")
    reference: str | None = Field(None, description="Checkpoint of the KL term's reference policy; default: `model`.")
    prompts: list[Path] = Field(min_length=1, description="Prompt files (train.parquet of the data stages).")
    seed: int = 0
