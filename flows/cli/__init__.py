"""The command line: `r1flow …`. Everything heavy is imported by the command that needs it."""

from flows.cli import evaluation, keeping, operation, reading, recipes  # each adds its commands to the group
from flows.cli.group import main

__all__ = ["evaluation", "keeping", "main", "operation", "reading", "recipes"]
