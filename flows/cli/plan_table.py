"""A plan as a person reads it before a run, and where to look after one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from flows.planning.estimate import Estimate
    from flows.planning.plan import Plan
    from tasks.costs.machine import Machine


def print_plan(plan: Plan, console: Console, machine: Machine | None = None) -> None:
    """Which stages run, why, what they cost and want; on this machine, or on one that is named."""
    from rich.table import Table

    from flows.planning.estimate import Estimate, estimates
    from flows.runs.summary import contamination
    from tasks.format import between, count

    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace, machine)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "kind", "action", "why", "tokens", "time", "memory", "time from"):
        table.add_column(name, justify="right" if name in ("tokens", "time", "memory") else "left", overflow="fold")
    for stage in plan.stages:
        cost = costs.get(stage.spec.stage, Estimate())
        more = f", {len(stage.reasons) - 3} more" if len(stage.reasons) > 3 else ""
        why = ", ".join(stage.reasons[:3]) + more if stage.runs else ""
        tokens = f"<= {count(cost.tokens)}" if cost.tokens else ""
        time = between(cost.seconds.low, cost.seconds.high) if cost.seconds else ""
        row = stage.spec.stage, stage.spec.kind, stage.action, why, tokens, time, _memory(cost), cost.basis
        table.add_row(*row, style=None if stage.runs else "dim")
    console.print(table)
    for line in contamination(plan):
        console.print(line, style="yellow", highlight=False)
    if plan.stand_ins:
        console.print(f"stand-in problems, made up: {', '.join(plan.stand_ins)}; --data-dir DIR takes the real ones", highlight=False)
    console.print(_in_all(plan, costs, machine), highlight=False, soft_wrap=True)
    for line, style in _wants(plan, costs, machine):
        console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def _memory(cost: Estimate) -> str:
    from rl_core.devices import GIB
    from tasks.format import gigabytes

    if not cost.memory:
        return ""
    return f"~ {cost.memory / GIB:.0f} GB a GPU" if cost.of_gpu else f"~ {gigabytes(cost.memory)}"


def _in_all(plan: Plan, costs: dict[str, Estimate], machine: Machine | None) -> str:
    from tasks.format import between, gigabytes

    reused = sum(stage.action == "reuse" for stage in plan.stages)
    text = f"{len(plan.to_run)} of {len(plan.stages)} stages run, {reused} reused"
    if plan.request.profile:
        text += f"; profile {plan.request.profile}"
    known = [cost.seconds for cost in costs.values() if cost.seconds is not None]
    if known:
        where = f" on {machine.label}" if machine else ""
        text += f"; {between(sum(time.low for time in known), sum(time.high for time in known))}{where}"
    unknown = [name for name, cost in costs.items() if cost.tokens and cost.seconds is None]
    if unknown:
        text += f"{' without' if known else '; no time is known of'} {', '.join(unknown)}"
    disk = sum(cost.disk for cost in costs.values())
    return f"{text}, {gigabytes(disk)} of disk" if disk else text


def _wants(plan: Plan, costs: dict[str, Estimate], machine: Machine | None) -> Iterator[tuple[str, str | None]]:
    """What stages need and what the machine has, one line for stages that need the same; then what does not fit."""
    from flows.planning.estimate import machine_of
    from flows.planning.requirements import model_stages, short_of, wanted, wants_of
    from tasks.costs.models import describe_model
    from tasks.kinds import MODEL_KINDS

    model = describe_model(plan.recipe.model)
    short: list[str] = []
    groups: dict[tuple[str, str], list[str]] = {}
    for planned, stage in model_stages(plan):
        name, kind = planned.spec.stage, MODEL_KINDS[stage.kind]
        cluster = None if machine else kind.cluster(stage)
        there = machine_of(stage, machine)
        if cluster:
            there_is = f"the Ray cluster at {cluster} says what it has when the stage starts"
            groups.setdefault((str(wants_of(stage, model)), there_is), []).append(name)
            continue
        missing = short_of(stage, model, there, costs[name])
        short += [f"does not fit: {name}: {reason}" for reason in missing]
        if not missing and (crowd := kind.crowding(stage, there)):
            short.append(f"{name}: {crowd}")
        if there.gpus or missing:
            here = f"{'there' if machine else 'here'}: {there}"
            groups.setdefault((wanted(stage, model, there, missing), here), []).append(name)
    for (asked, there_is), names in groups.items():
        yield f"{', '.join(names)} want{'s' if len(names) == 1 else ''} {asked}; {there_is}", None
    for line in short:
        yield line, "yellow"


def print_summary(plan: Plan, console: Console) -> None:
    """Scores, where there are any, what to look into, and the places where a run left what it made."""
    from flows.runs.summary import places, print_scores, score_rows, warnings

    header, rows = score_rows(plan)
    if rows:
        print_scores(header, rows, console)
    console.print()
    for text in warnings(plan):
        console.print(f"warning     {text}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    for title, where in places(plan):
        console.print(f"{title:<11} {where}", highlight=False, markup=False, soft_wrap=True)
