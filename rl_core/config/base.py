"""What settings classes are made of. Unknown keys are errors, and a fingerprint says which values are part of it."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Added:
    """Marks a setting that came after stages had been finished without it: at its default it is no part of a fingerprint."""


@dataclass(frozen=True)
class OnlyHow:
    """Marks a setting that says how or where something is done, and bears on no result: it is no part of a fingerprint."""


@dataclass(frozen=True)
class Revised:
    """Marks a setting with which stages came out otherwise once: away from its default the number is part of a fingerprint."""

    number: int


class Settings(BaseModel):
    """Base of every settings class: unknown keys are errors and values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
