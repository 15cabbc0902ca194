"""Everything that can be found wrong before anything expensive starts."""

from collections.abc import Iterator
from pathlib import Path

from flows.planning.estimate import estimates
from flows.planning.model_files import check_hub_model
from flows.planning.plan import Plan
from flows.planning.requirements import require_machine
from flows.recipe.schema import Recipe
from flows.servers.prefect_server import has_server
from rl_core.errors import naming
from tasks.stage.lease import refuse_if_busy
from tasks.stage.spec import JOB, LOG, PROGRESS
from tasks.workspace import RECORDS

SPARE_DISK = 200e6  # bytes: databases, logs, figures


def check_names(recipe: Recipe) -> None:
    """Templates, rewards, mathematical sets and keyword patterns, which a recipe names and the schema does not know.

    Raises:
        InputError: with the path in the recipe and the nearest name.
    """
    for name, stage in recipe.stages.items():
        recipe.kind(name).check_names(stage, f"stages.{name}")


def check_before_run(plan: Plan) -> None:
    """What only a run needs: a writable workspace, free stages, the machine, disk, readable data, a model within reach.

    Raises:
        InputError: one line with the remedy.
    """
    plan.workspace.create(*_written(plan))
    for stage in plan.to_run:
        refuse_if_busy(stage.spec.directory)
    if not plan.request.anyway:
        require_machine(plan)
    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    plan.workspace.require_space(int(sum(cost.disk for cost in costs.values()) + SPARE_DISK))
    if any(stage.spec.model is not None for stage in plan.to_run) and isinstance(plan.recipe.model, str):
        with naming("model"):
            check_hub_model(plan.recipe.model, "a directory with --set model=DIR")
    for stage in plan.to_run:
        name = stage.spec.stage
        plan.recipe.kind(name).check_before_run(plan.recipe.stages[name], stage.spec, f"stages.{name}")


def check_with_data(plan: Plan) -> None:
    """What needs data stages to be done: a reward function is called with an answer to a prompt of theirs.

    Raises:
        InputError: one line with the remedy.
    """
    for stage in plan.to_run:
        name = stage.spec.stage
        plan.recipe.kind(name).check_with_data(plan.recipe.stages[name], stage.spec, f"stages.{name}")


def _written(plan: Plan) -> Iterator[Path]:
    """What a run writes, as far as it may be there and belong to somebody else."""
    workspace = plan.workspace
    yield from (workspace.cells, workspace.warehouse.with_name(f"{workspace.warehouse.name}.lock"))
    if workspace.tracking_uri == workspace.own_mlflow_database:
        yield from (workspace.mlflow_file, workspace.mlflow_lock)
    if not has_server():
        yield from (workspace.prefect_home, workspace.prefect_file)
    experiment = workspace.root / plan.recipe.name
    yield from (experiment, experiment / RECORDS)
    for stage in plan.to_run:
        directory = stage.spec.directory
        yield from (directory, directory.with_name(f".{directory.name}.lock"), *(directory / name for name in (LOG, PROGRESS, JOB)))
