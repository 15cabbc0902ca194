"""Engines that answer the problems of an evaluation: those that run a checkpoint here, then endpoints. Light to import."""

from __future__ import annotations

from evals import endpoints
from rl_core.registry import by_name, modules_of
from rl_core.rollout import engines
from rl_core.rollout.description import Engine

ENGINES: dict[str, Engine] = by_name("engine", [*engines.ENGINES.values(), *(module.ENGINE for module in modules_of(endpoints))])
NAMES = tuple(name for name, engine in ENGINES.items() if engine.evaluates)
