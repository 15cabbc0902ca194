"""Everything that can be found wrong before anything expensive starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flows.planning.estimate import estimates
from flows.planning.plan import Plan
from flows.planning.requirements import require_machine
from flows.planning.stage_files import check_hub_model, naming
from flows.recipe.schema import AnalyzeStage, EvalStage, MathStage, Recipe, RlStage, SftStage
from flows.servers.prefect_server import has_server
from tasks.stage.lease import refuse_if_busy
from tasks.stage.spec import JOB, LOG, PROGRESS
from tasks.trainer.ray_job import cluster_of, connect, job_address, require_answer
from tasks.workspace import RECORDS

SPARE_DISK = 200e6  # bytes: databases, logs, figures


def check_names(recipe: Recipe) -> None:
    """Templates, rewards, mathematical sets and keyword patterns, which a recipe names and the schema does not know.

    Raises:
        InputError: with the path in the recipe and the nearest name.
    """
    from evals.analytics.keywords import with_own
    from rl_core.data.math_sets import check as check_set
    from rl_core.data.templates import find_template
    from rl_core.rewards.reward import resolve

    for name, stage in recipe.stages.items():
        if isinstance(stage, MathStage):
            with naming(f"stages.{name}"):
                check_set(stage.dataset, stage.levels)
        if isinstance(stage, SftStage | RlStage | EvalStage):
            with naming(f"stages.{name}.template"):
                find_template(stage.template)
        if isinstance(stage, AnalyzeStage) and stage.keywords:
            with naming(f"stages.{name}"):
                with_own(stage.keywords)
        if isinstance(stage, RlStage):
            with naming(f"stages.{name}.reward"):
                resolve(stage.reward)
        if isinstance(stage, EvalStage):
            for number, benchmark in enumerate(stage.benchmarks):
                with naming(f"stages.{name}.benchmarks.{number}.template"):
                    find_template(benchmark.template or stage.template)


def check_before_run(plan: Plan) -> None:
    """What only a run needs: a writable workspace, free stages, the machine, disk, readable data, a model within reach.

    Raises:
        InputError: one line with the remedy.
    """
    plan.workspace.create(*_written(plan))
    for stage in plan.to_run:
        refuse_if_busy(stage.spec.directory)
    if not plan.order.anyway:
        require_machine(plan)
    costs = estimates(plan.recipe, {stage.spec.stage: stage.spec for stage in plan.to_run}, plan.workspace)
    plan.workspace.require_space(int(sum(cost.disk for cost in costs.values()) + SPARE_DISK))
    if any(stage.spec.model is not None for stage in plan.to_run) and isinstance(plan.recipe.model, str):
        with naming("model"):
            check_hub_model(plan.recipe.model, "a directory with --set model=DIR")
    for stage in plan.to_run:
        settings = plan.recipe.stages[stage.spec.stage]
        if isinstance(settings, EvalStage):
            _check_benchmark_rows(stage.spec.stage, settings, stage.spec.data_dir)
        with naming(f"stages.{stage.spec.stage}"):
            if isinstance(settings, SftStage | RlStage) and (address := job_address(settings.resources)):
                connect(address)
            elif isinstance(settings, RlStage) and (address := cluster_of(settings.resources)):
                require_answer(address)


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


def _check_benchmark_rows(name: str, stage: EvalStage, data_dir: Path | None) -> None:
    """Read the problems of local files: a broken row must not show after hours of training."""
    from evals.benchmarks import registry

    for number, benchmark in enumerate(stage.benchmarks):
        if registry.local_files(benchmark, data_dir):
            with naming(f"stages.{name}.benchmarks.{number}"):
                registry.load(benchmark, data_dir)
