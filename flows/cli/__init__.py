"""The command line: `r1flow …`. Everything heavy is imported by the command that needs it."""

from flows.cli import analysis, evaluation, history, recipes, servers  # each adds its commands to the group
from flows.cli.group import main

__all__ = ["analysis", "evaluation", "history", "main", "recipes", "servers"]
