"""Evaluation stage: checkpoints on benchmarks, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from evals.analytics.health import eval_warnings
from evals.config import MOST_SAMPLES, EvalConfig, EvalJob, EvalResources, NamedCheckpoint
from evals.engines import ENGINES
from rl_core.errors import naming
from rl_core.files import write_json
from rl_core.model.pretrained import MODEL_FILES
from rl_core.own_code.sources import CODE, sources, write
from rl_core.rollout.engines import DEFAULT
from tasks.costs.formulas import (
    BYTES_TOKEN,
    LENGTH,
    PROMPT,
    Changes,
    Memory,
    engine_bytes,
    lighter_engine,
    sampling_seconds,
    start_seconds,
)
from tasks.costs.machine import Machine
from tasks.costs.models import Model
from tasks.format import count
from tasks.kind import ModelKind, Role, Stages, Work, check_template
from tasks.smoke import THREADS, at_most, shorter
from tasks.stage.fingerprint import fingerprint
from tasks.stage.lease import StageFailed
from tasks.stage.records import SCORES, read_record
from tasks.stage.spec import JOB, StageSpec, Upstream, read_manifest
from tasks.trainer.local_process import run_module
from tasks.trainer.train import final_checkpoint
from tasks.workspace import Workspace

SMOKE_PROBLEMS, SMOKE_SAMPLES = 2, 2


class EvalStage(EvalConfig):
    """Scores of checkpoints on benchmarks."""

    kind: Literal["eval"] = Field(description="The kind of stage.")
    checkpoints: Stages = Field(description="`model`, or stages whose checkpoints are scored.")


class Eval(ModelKind[EvalStage]):
    """Responses to benchmarks and their scores."""

    name = "eval"
    version = 3
    settings = EvalStage
    roles: ClassVar[Mapping[str, Role]] = {"checkpoints": Role("checkpoint", model=True)}
    makes = frozenset({"responses", "scores", "page"})

    def run(self, spec: StageSpec, work: Work) -> dict[str, Any]:
        """Evaluate; returns tokens, seconds and memory, the scores are in `scores.json`."""
        config = EvalConfig.model_validate(spec.settings).with_code_in(spec.directory / CODE)
        checkpoints = [_checkpoint(up) for up in spec.upstream["checkpoints"]]
        if isinstance(spec.model, str):
            checkpoints.insert(0, NamedCheckpoint(name="model", path=spec.model, digest=_model_digest(spec)))
        job = EvalJob(
            config=config,
            checkpoints=checkpoints,
            output=spec.directory,
            lease=work.lease.held,
            cells=Workspace(spec.workspace).cells,
            replies=Workspace(spec.workspace).replies,
            data_dir=spec.data_dir,
            seed=spec.seed,
        )
        write(spec.code, spec.directory / CODE)
        path = spec.directory / JOB
        write_json(path, job.model_dump(mode="json"))
        run_module("evals.run", path, work.lease, work.follow)
        scores = read_record(spec.directory / SCORES)
        if scores is None:
            raise StageFailed(f"stage {spec.directory.name}: the evaluation left no scores.json; see {spec.directory / 'log.txt'}")
        judged = {(score["checkpoint"], score["benchmark"]) for score in scores["scores"]}
        wanted = {(checkpoint.name, benchmark.shown) for checkpoint in checkpoints for benchmark in config.benchmarks}
        if wanted - judged:
            checkpoint, benchmark = min(wanted - judged)
            raise StageFailed(f"stage {spec.directory.name}: no score of {checkpoint} on {benchmark}; run again to go on")
        not_asked = sum(cell.get("not_asked", 0) for cell in scores["cells"])
        return {key: scores[key] for key in ("seconds", "tokens", "peak_memory_bytes") if key in scores} | {"not_asked": not_asked}

    # Before a run

    def check_names(self, stage: EvalStage, where: str) -> None:
        """Templates, of the stage and of its benchmarks."""
        check_template(stage.template, f"{where}.template")
        for number, benchmark in enumerate(stage.benchmarks):
            check_template(benchmark.template or stage.template, f"{where}.benchmarks.{number}.template")

    def check_before_run(self, stage: EvalStage, spec: StageSpec, where: str) -> None:
        """Read the problems of local files, and ask the judge once: what is wrong must not show after hours of training."""
        from evals.benchmarks import registry

        if stage.judge:
            from rl_core.judge.opinions import probe

            with naming(f"{where}.judge"):
                probe(stage.judge)
        for number, benchmark in enumerate(stage.benchmarks):
            if registry.local_files(benchmark, spec.data_dir):
                with naming(f"{where}.benchmarks.{number}"):
                    registry.load(benchmark, spec.data_dir)

    def files(self, stage: EvalStage, where: str, data_dir: Path | None) -> list[Path]:
        """Of the data directory."""
        from evals.benchmarks import registry

        found: set[Path] = set()
        for number, benchmark in enumerate(stage.benchmarks):
            with naming(f"{where}.benchmarks.{number}"):
                found.update(registry.local_files(benchmark, data_dir))
        return sorted(found)

    def code(self, stage: EvalStage, where: str) -> dict[str, dict[str, str]]:
        """Environments of a user's own that judge a benchmark of theirs."""
        from evals.benchmarks import registry

        names: list[str] = []
        found: dict[str, str] = {}
        for number, benchmark in enumerate(stage.benchmarks):
            names += registry.own_code(benchmark)
            with naming(f"{where}.benchmarks.{number}.verifier"):
                found = sources(names, "class")  # of all of them: two files must not have one place
        return {"verifier": found} if found else {}

    def held_out(self, stage: EvalStage) -> list[dict[str, Any]]:
        """Its benchmarks."""
        return [benchmark.problems_held_out() for benchmark in stage.benchmarks]

    def benchmarks(self, stage: EvalStage) -> list[str]:
        """As tables call them."""
        return [benchmark.shown for benchmark in stage.benchmarks]

    def public_sets(self, stage: EvalStage) -> list[str]:
        """Benchmarks that are not made here."""
        from evals.benchmarks import registry

        return [benchmark.name for benchmark in stage.benchmarks if benchmark.name in registry.PROBLEM_SETS]

    # Costs

    def tokens(self, stage: EvalStage, prompts: int) -> int:
        """All that its checkpoints can write."""
        return len(stage.checkpoints) * round(sum(limit * number for limit, number in _responses(stage).items()))

    def response_tokens(self, stage: EvalStage) -> int | None:
        """The limit of a response."""
        return stage.max_tokens

    def seconds(self, stage: EvalStage, model: Model, machine: Machine, prompts: int) -> float | None:
        """Of all checkpoints, one after another; not known of an endpoint."""
        if machine.flops is None or machine.bandwidth is None or ENGINES[stage.engine].endpoint:
            return None
        devices = stage.resources.tensor_parallel if machine.gpus else 1
        parts = [
            sampling_seconds(model, machine, number, limit, devices=devices, engine=stage.engine)
            for limit, number in _responses(stage).items()
            if number
        ]
        return len(stage.checkpoints) * (start_seconds(machine) + sum(parts))

    def gpus(self, stage: EvalStage) -> int:
        """Of its engine."""
        return 0 if ENGINES[stage.engine].endpoint else stage.resources.tensor_parallel

    def memory(self, stage: EvalStage, model: Model, *, gpus: bool) -> Memory | None:
        """Of one device of the engine."""
        if ENGINES[stage.engine].endpoint:
            return None
        return Memory(engine=engine_bytes(stage, model, PROMPT + stage.max_tokens, stage.batch_tokens, gpus=gpus))

    def disk(self, stage: EvalStage, model: Model | None, tokens: int) -> float:
        """The responses."""
        return BYTES_TOKEN * tokens * LENGTH

    def pace(self, stage: EvalStage) -> list[str]:
        """Engine, devices and endpoint."""
        return [stage.engine, str(stage.resources.tensor_parallel), stage.resources.base_url or ""]

    def lighter(self, stage: EvalStage, machine: Machine) -> list[Changes]:
        """A smaller engine, on fewer GPUs."""
        fewer = machine.gpus and stage.resources.tensor_parallel > machine.gpus
        return lighter_engine(stage, machine) + ([[("resources.tensor_parallel", machine.gpus)]] if fewer else [])

    def smoke(self, stage: EvalStage, scale: float, answer_form: str) -> dict[str, Any]:
        """Two problems of each benchmark."""
        benchmarks = [
            benchmark.model_copy(
                update={
                    "limit": at_most(benchmark.limit, SMOKE_PROBLEMS),
                    "max_tokens": shorter(benchmark.max_tokens, scale) if benchmark.max_tokens else None,
                    "samples": at_most(benchmark.samples, SMOKE_SAMPLES) if benchmark.samples else None,
                }
            )
            for benchmark in stage.benchmarks
        ]
        return {
            "benchmarks": benchmarks,
            "samples": SMOKE_SAMPLES if stage.samples == "auto" else min(stage.samples, SMOKE_SAMPLES),
            "max_tokens": shorter(stage.max_tokens, scale),
            "engine": DEFAULT,
            "resources": EvalResources(threads=THREADS),
        }

    # After a run

    def note(self, spec: StageSpec, manifest: Mapping[str, Any]) -> str:
        """Tokens, and what was not asked."""
        result = manifest["result"]
        not_asked = f", problems not asked as too long: {left:,}" if (left := result.get("not_asked")) else ""
        return f"{count(result.get('tokens', 0))} tokens{not_asked}"

    def warnings(self, directory: Path, settings: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
        """From its scores."""
        return eval_warnings(settings, (read_record(directory / SCORES) or {"scores": []})["scores"])


def _responses(stage: EvalStage) -> dict[int, float]:
    """How many responses of one checkpoint may have how many tokens."""
    from evals.benchmarks import registry

    found: dict[int, float] = {}
    for benchmark in stage.benchmarks:
        samples = benchmark.samples or (MOST_SAMPLES if stage.samples == "auto" else stage.samples)
        limit = benchmark.max_tokens or stage.max_tokens
        found[limit] = found.get(limit, 0) + registry.size(benchmark) * (int(stage.greedy) + samples)
    return found


def _checkpoint(upstream: Upstream) -> NamedCheckpoint:
    """A trained checkpoint, known by the digests of its files: a stage made again the same keeps its scores."""
    path = final_checkpoint(upstream)
    outputs = (read_manifest(upstream.directory) or {"outputs": {}})["outputs"]
    inside = f"{path.relative_to(upstream.directory).as_posix()}/"
    files = {name.removeprefix(inside): output["sha256"] for name, output in outputs.items() if name.startswith(inside)}
    model = {name: digest for name, digest in files.items() if any(fnmatch(name, pattern) for pattern in MODEL_FILES)}
    return NamedCheckpoint(name=upstream.stage, path=str(path), digest=fingerprint(model) if model else None)


def _model_digest(spec: StageSpec) -> str | None:
    """Of the files of a local model directory; a hub id is known by its name."""
    files = {name.removeprefix("model/"): digest for name, digest in spec.identity["files"].items() if name.startswith("model/")}
    return fingerprint(files) if files else None


KIND = Eval()
