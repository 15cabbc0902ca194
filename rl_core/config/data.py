"""What the settings of every data stage have; those of a family of problems are in its file (rl_core/environments)."""

from typing import Literal

from pydantic import Field

from rl_core.config.base import Settings

BOX = r"\boxed{{answer}}"  # see `WorkedResponses.answer_form`


class TrainingData(Settings):
    """What every set of prompts has."""

    contaminated: Literal["drop", "refuse", "keep"] = Field(
        "drop",
        description="Training problems that are also in a benchmark which the recipe evaluates; `refuse`: stop and name them.",
    )
    task: str = Field(description="The family of problems.")


class WorkedResponses(TrainingData):
    """How worked responses are made of the solutions and answers of a set."""

    bare_answers: bool = Field(
        False,
        description="The worked response of a problem without a solution is its answer alone; false: it has none, and SFT skips it.",
    )
    answer_form: str = Field(
        BOX, pattern=r"\{answer\}", description="How a worked response gives the answer that its solution does not; {answer} stands for it."
    )
