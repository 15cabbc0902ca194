"""Figures of a warehouse. A module of this folder with `FIGURES` adds its own; nothing lists the modules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rl_core.registry import modules_of

if TYPE_CHECKING:
    import duckdb

    from evals.analytics.figures.plotting import Figure


def draw(connection: duckdb.DuckDBPyConnection) -> list[Figure]:
    """Every figure that the warehouse has data for, in the order in which the report shows them within its sections.

    `FIGURES` of a module has functions by their place in that order; each returns a figure, several, or None.
    """
    import matplotlib as mpl

    from evals.analytics.figures.plotting import STYLE

    places = [entry for module in modules_of(sys.modules[__name__]) for entry in getattr(module, "FIGURES", {}).items()]
    with mpl.rc_context(STYLE):
        drawn = [function(connection) for _, function in sorted(places, key=lambda entry: entry[0])]
    return [figure for some in drawn for figure in (some if isinstance(some, list) else [some]) if figure is not None]
