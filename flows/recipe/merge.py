"""Merging recipes: which of two values of a setting counts."""

from __future__ import annotations

from typing import Any

from flows.recipe.explain import dotted
from flows.recipe.schema import RecipeError
from rl_core.nearest import nearest

SAME_SETTING = {"peak": "start", "start": "peak"}  # two names of one setting of a schedule


class Replaced(dict[str, Any]):
    """A mapping that nothing is merged into: `--set` gave it as a whole."""


def merged(below: Any, above: Any) -> Any:
    """Two values of one setting: mappings key by key; everything else is that of `above`, which may be a short form."""
    if not isinstance(below, dict) or not isinstance(above, dict) or isinstance(above, Replaced):
        return above
    kept = {key: value for key, value in below.items() if SAME_SETTING.get(key) not in above}
    return kept | {key: merged(kept.get(key), value) for key, value in above.items()}


def extended(base: dict[str, Any], variant: dict[str, Any]) -> dict[str, Any]:
    """A recipe merged into the one that it extends; what is null in `stages` and `defaults` is removed.

    Raises:
        RecipeError: a stage is removed that is not there.
    """
    below, above = base.get("stages"), variant.get("stages")
    if isinstance(below, dict) and isinstance(above, dict):
        for name, stage in above.items():
            if stage is None and name not in below:
                raise RecipeError(f"{dotted(['stages', name])}: there is no such stage to remove; {nearest(name, below)}")
        base = base | {"stages": {name: _shared(stage, above.get(name)) for name, stage in below.items()}}
    whole: dict[str, Any] = merged(base, variant)
    for part in ("stages", "defaults"):
        if isinstance(whole.get(part), dict):
            whole[part] = {name: settings for name, settings in whole[part].items() if settings is not None}
    return whole


def _shared(stage: Any, variant: Any) -> Any:
    """What a stage keeps under a variant of it: of another kind or task it has other settings."""
    if not isinstance(stage, dict) or not isinstance(variant, dict):
        return stage
    other = any(key in variant and variant[key] != stage.get(key) for key in ("kind", "task"))
    return {key: value for key, value in stage.items() if key == "kind"} if other else stage
