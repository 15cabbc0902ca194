"""The command line: `r1flow …`. Everything heavy is imported by the command that needs it."""

try:
    from flows.cli import analysis, evaluation, history, recipes, servers  # each adds its commands to the group
    from flows.cli.group import main
except KeyboardInterrupt:  # while it is imported, nothing has begun yet
    raise SystemExit(130) from None

__all__ = ["analysis", "evaluation", "history", "main", "recipes", "servers"]
