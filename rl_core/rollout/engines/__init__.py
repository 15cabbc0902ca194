"""One file per engine that runs a checkpoint here. A new engine is a new file with an `ENGINE`; nothing lists them."""

from __future__ import annotations

import sys

from rl_core.registry import by_name, modules_of
from rl_core.rollout.description import Engine

DEFAULT = "transformers"  # it runs on every machine, and needs no package that an installation may lack
ENGINES: dict[str, Engine] = by_name("engine", (module.ENGINE for module in modules_of(sys.modules[__name__])))
