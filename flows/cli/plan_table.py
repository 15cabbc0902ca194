"""A plan as a person reads it before a run, and where to look after one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from flows.plan import Plan


def print_plan(plan: Plan, console: Console) -> None:
    """Which stages run, why, and what they cost."""
    from rich.table import Table

    from flows.estimate import Estimate, estimates
    from flows.format import clock, count, gigabytes
    from flows.summary import contamination

    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "kind", "action", "why", "tokens", "time", "memory", "time from"):
        table.add_column(name, justify="right" if name in ("tokens", "time", "memory") else "left", overflow="fold")
    for stage in plan.stages:
        cost = costs.get(stage.spec.stage, Estimate())
        style = None if stage.runs else "dim"
        table.add_row(
            stage.spec.stage,
            stage.spec.kind,
            stage.action,
            _reasons(stage.reasons) if stage.runs else "",
            f"<= {count(cost.tokens)}" if cost.tokens else "",
            f"~ {clock(cost.seconds)}" if cost.seconds is not None else "",
            f"~ {gigabytes(cost.memory)}" if cost.memory else "",
            cost.basis,
            style=style,
        )
    console.print(table)
    for line in contamination(plan):
        console.print(line, style="yellow", highlight=False)
    known = [cost.seconds for cost in costs.values() if cost.seconds is not None]
    disk = sum(cost.disk for cost in costs.values())
    reused = sum(stage.action == "reuse" for stage in plan.stages)
    text = f"{len(plan.to_run)} of {len(plan.stages)} stages run, {reused} reused"
    if plan.order.profile:
        text += f"; profile {plan.order.profile}"
    if known:
        text += f"; about {clock(sum(known))}, {gigabytes(disk)} of disk"
    console.print(text, highlight=False)


def _reasons(reasons: list[str]) -> str:
    more = f", {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return ", ".join(reasons[:3]) + more


def print_summary(plan: Plan, console: Console) -> None:
    """Scores, where there are any, and the places where a run left what it made."""
    from flows.summary import places, print_scores, score_rows

    header, rows = score_rows(plan)
    if rows:
        print_scores(header, rows, console)
    console.print()
    for title, where in places(plan):
        console.print(f"{title:<11} {where}", highlight=False, markup=False, soft_wrap=True)
