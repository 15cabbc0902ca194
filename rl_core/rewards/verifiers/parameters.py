"""Parameters that a recipe gives a verifier: they travel with a prompt, as JSON around its gold answer."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TypeVar

from pydantic import ValidationError

from rl_core.config.base import Settings
from rl_core.errors import InputError

P = TypeVar("P", bound=Settings)
_BEGINNING = '{"gold": '


def with_parameters(gold: str, parameters: Settings) -> str:
    """The gold answer as prompts have it; the bare text where every parameter is at its default."""
    given = parameters.model_dump(mode="json", exclude_defaults=True)
    return json.dumps({"gold": gold} | given, ensure_ascii=False) if given or gold.startswith(_BEGINNING) else gold


def split_parameters(gold: str, kind: type[P]) -> tuple[str, P]:
    """The bare gold answer and the parameters that came with it.

    Raises:
        InputError: they are not those of this verifier.
    """
    if not gold.startswith(_BEGINNING):
        return gold, kind()
    try:
        values = json.loads(gold)
        return str(values.pop("gold")), kind.model_validate(values)
    except (ValueError, AttributeError, ValidationError) as error:
        raise InputError(f"the gold answer {gold[:80]!r} has no parameters of this verifier") from error


def bare_gold(gold: str) -> str:
    """The gold answer without what came with it."""
    if gold.startswith(_BEGINNING):
        with suppress(ValueError, AttributeError, KeyError):
            return str(json.loads(gold)["gold"])
    return gold


def in_words(gold: str) -> str | None:
    """`3.14 (tolerance 0.01)`; None for a bare gold answer."""
    if not gold.startswith(_BEGINNING):
        return None
    try:
        values = json.loads(gold)
        bare = values.pop("gold")
    except (ValueError, AttributeError):
        return None
    given = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
    return f"{bare} ({given})" if bare and given else given or str(bare)
