"""The terminal, or a file or pipe in its place."""

import os

from rich.console import Console


def make_console() -> Console:
    """Standard output; in a file or a pipe wide enough that paths and tables are not cut at 80 columns."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=160)
