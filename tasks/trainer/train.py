"""What SFT and RL stages share: their inputs as files, and the check that training went all the way."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rl_core.config.jobs import TrainJob
from rl_core.config.model import ScratchModel
from rl_core.files import write_json
from tasks.format import count
from tasks.ray_cluster import job_address
from tasks.stage.lease import Lease, StageFailed
from tasks.stage.spec import JOB, StageSpec, Upstream, read_manifest
from tasks.trainer.local_process import Progress, run_module
from tasks.trainer.ray_job import run_as_job
from tasks.workspace import read_json


def start_model(spec: StageSpec) -> str | ScratchModel:
    """The directory of the checkpoint that a stage continues, or the recipe's model."""
    return _checkpoint_or_model(spec, "start")


def reference_model(spec: StageSpec) -> str | None:
    """The checkpoint that the KL term compares with, where the recipe names one."""
    return str(_checkpoint_or_model(spec, "reference")) if "reference" in spec.upstream else None


def _checkpoint_or_model(spec: StageSpec, role: str) -> str | ScratchModel:
    if stages := spec.upstream.get(role):
        return str(final_checkpoint(stages[0]))
    if spec.model is None:
        raise ValueError(f"stage {spec.stage} has neither a stage nor a model as its {role}")
    return spec.model


def final_checkpoint(upstream: Upstream) -> Path:
    """The Hugging Face directory that a training stage ended with."""
    manifest = read_manifest(upstream.directory)
    if manifest is None:
        raise StageFailed(f"stage {upstream.stage}: not finished, so it has no checkpoint")
    return upstream.directory / str(manifest["result"]["checkpoint"])


def prompt_files(spec: StageSpec) -> list[Path]:
    """Training prompts of the data stages, in the order in which the recipe names them."""
    return [upstream.directory / "train.parquet" for upstream in spec.upstream["data"]]


def training_note(spec: StageSpec, result: Mapping[str, Any], examples: str) -> str:
    """Steps, tokens and checkpoint of a finished training stage, in a few words; `examples`: what was left out as too long."""
    left = result.get(f"dropped_{examples}", 0)
    dropped = f", left out as too long: {left:,} of {left + result[examples]:,} {examples}" if left else ""
    checkpoint = f"{spec.experiment}/{spec.stage}/{Path(result['checkpoint']).name}"  # as commands take it
    return f"{result['steps']} steps, {count(result.get('tokens', 0))} tokens{dropped} -> {checkpoint}"


def train(
    job: TrainJob, lease: Lease, on_progress: Callable[[Progress], None], *, steps: int | None, needs_gpu: bool = False
) -> dict[str, Any]:
    """Run the trainer to its end.

    Args:
        steps: how many it must have done, where the settings say so.
        needs_gpu: as a job of a cluster it asks for a GPU itself; RL stages ask for those of their workers.

    Raises:
        StageFailed: it ended without its steps or its checkpoint, whatever its exit code.
    """
    path = job.output / JOB
    if address := job_address(getattr(job, job.kind).resources):
        write_json(path, _on_cluster(job).model_dump(mode="json"))
        run_as_job(address, "rl_core.train", path, lease, on_progress, needs_gpu=needs_gpu)
    else:
        write_json(path, job.model_dump(mode="json"))
        run_module("rl_core.train", path, lease, on_progress)
    result: dict[str, Any] | None = read_json(job.output / "result.json")
    if result is None:
        raise StageFailed(f"stage {job.output.name}: the trainer left no result.json; see {job.output / 'log.txt'}")
    if steps is not None and result["steps"] != steps:
        raise StageFailed(f"stage {job.output.name}: {result['steps']} of {steps} steps were done; run again to go on")
    if not (job.output / result["checkpoint"]).is_dir():
        raise StageFailed(f"stage {job.output.name}: the checkpoint {result['checkpoint']} is missing; run again to go on")
    return result


def _on_cluster(job: TrainJob) -> TrainJob:
    """A job as a node of the cluster reads it: directories from the root, and the cluster that it finds itself in."""
    model = str(Path(job.model).resolve()) if isinstance(job.model, str) and Path(job.model).is_dir() else job.model
    config = getattr(job, job.kind)
    here = config.model_copy(update={"resources": config.resources.model_copy(update={"cluster": None})})
    return job.model_copy(update={"model": model, job.kind: here})
