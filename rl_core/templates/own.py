"""Settings of a prompt template: the name of one that ships, or one of the user's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from rl_core.config.base import Settings
from rl_core.config.own_files import located, read_mapping

QUESTION = "{question}"
Tag = Annotated[str, Field(min_length=1)]


class OwnTemplate(Settings):
    """A prompt template of the user's own. Braces stand for themselves, but for `{question}`."""

    user: str = Field(QUESTION, description="The user's turn; {question} stands for the problem.")
    system: str | None = Field(None, description="The system message; that of a row of the data takes its place.")
    prefill: str = Field("", description="What is written on the assistant's behalf; for rewards and verifiers it is part of the response.")
    think: tuple[Tag, Tag] | None = Field(
        None,
        description="The marks of thinking, where they are not <think> and </think>; rewards and verifiers are given those in their place.",
    )
    raw: bool = Field(False, description="`user` and `prefill` are the whole prompt, without the chat markup: for base models.")
    name: str | None = Field(None, pattern=r"^[\w.-]+$", description="By which tables show it; default: own, and a digest.")

    @field_validator("user")
    @classmethod
    def _has_the_question(cls, user: str) -> str:
        if user.count(QUESTION) == 1:
            return user
        meant = re.search(r"\{\{?\s*(\w+)\s*\}?\}", user)
        hint = f" in place of {meant[0]}" if meant and QUESTION not in user else ""
        raise ValueError(f"{QUESTION} has to stand in it once: write it where the problem belongs{hint}")

    @model_validator(mode="after")
    def _raw_has_no_system(self) -> OwnTemplate:
        if self.raw and self.system:
            raise ValueError("a raw template has no system message: write its text into `user`")
        if self.think and self.think[0] == self.think[1]:
            raise ValueError("`think` wants two different marks")
        return self


def _from_file(value: Any, info: ValidationInfo) -> Any:
    """The content of the YAML file that a text names; all else as it is."""
    if not isinstance(value, str) or not value.endswith((".yaml", ".yml")):
        return value
    path = Path(located(value, info))
    content = read_mapping(path, "a template")
    if content is None:
        raise ValueError(f"{path}: a mapping with `user` is wanted, such as user: '{QUESTION} Think first.'")
    return {"name": path.stem} | content


TemplateSetting = Annotated[str | OwnTemplate, BeforeValidator(_from_file)]
DESCRIPTION = "A prompt template: a name of rl_core/data/templates.py, settings of one's own, or a YAML file with them."
