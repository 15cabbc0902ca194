"""`EXPERIMENT@best` moves by itself: to the checkpoint with the highest score, if the difference is not noise."""

from pathlib import Path
from typing import Any

from flows.history.lineage import Subject, read
from flows.history.promote import promote, promoted
from flows.planning.plan import Plan
from flows.recipe.schema import Best
from tasks.stage.records import SCORES, read_record


def move_best(plan: Plan, best: Best) -> str:
    """Promote the best checkpoint that an evaluation of this plan found; returns in a line what was done and why.

    Raises InputError if MLflow does not know the checkpoint, or its files are damaged.
    """
    target = f"{plan.recipe.name}@best"
    spec = next(stage.spec for stage in plan.stages if stage.spec.stage == best.stage)
    judged = {upstream.stage: upstream.directory for upstream in spec.upstream["checkpoints"]}
    values = {
        score["checkpoint"]: score["value"]
        for score in (read_record(spec.directory / SCORES) or {"scores": []})["scores"]
        if (score["benchmark"], score["subset"], score["metric"]) == (best.benchmark, None, best.metric) and score["checkpoint"] in judged
    }
    if not values:
        return f"{target}: {best.stage} has no {best.metric} on {best.benchmark}, so nothing is promoted"
    champion = max(values, key=lambda name: values[name])  # the earlier of equals
    root = plan.workspace.root
    samples = spec.directory / "samples" / champion / f"{best.benchmark}.parquet"
    current = promoted(plan.workspace).get(target)
    why = f"{best.metric} {100 * values[champion]:.1f} on {best.benchmark}"
    if current:
        if root / current["stage"] == judged[champion]:
            return f"{target} stays at {champion}: {why}"
        before = next((name for name, directory in judged.items() if directory == root / current["stage"]), None)
        known = spec.directory / "samples" / before / samples.name if before else root / current.get("samples", "none")
        change = _difference(known, samples, best)
        if change is None:
            return f"{target} stays at {current['stage']}: it was not judged on the same problems as {champion}"
        difference = (
            f"{champion} differs by {100 * change['difference']:+.1f} points [{100 * change['low']:.1f}, {100 * change['high']:.1f}]"
        )
        if change["noise"] or change["difference"] <= 0:
            verdict = "noise" if change["noise"] else "less"
            return f"{target} stays at {current['stage']}: {difference} on {best.benchmark}, which is {verdict}"
        why = f"{difference} on {best.benchmark}"
    facts = {"samples": str(samples.relative_to(root)), "judged": str(spec.directory.relative_to(root))}
    promote(plan.workspace, Subject(read(judged[champion])), target, facts)
    return f"{target} is {champion}: {why}"


def _difference(before: Path, after: Path, best: Best) -> dict[str, Any] | None:
    """The paired comparison of two checkpoints' samples; None if they cannot be paired."""
    import pyarrow.parquet as pq

    from evals.scores import ScoredCell, compare

    if not before.is_file() or not after.is_file():
        return None
    first, second = (ScoredCell(path.parent.name, best.benchmark, pq.read_table(path).to_pylist()) for path in (before, after))
    try:
        table = compare(first, second)
    except ValueError:  # other problems
        return None
    return next((row for row in table if row["subset"] is None and row["metric"] == best.metric), None)
