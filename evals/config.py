"""Typed settings of evaluation, analytics and the report. Importable without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationInfo, create_model, field_validator, model_validator

from evals.benchmarks.entries import benchmark_entry
from evals.engines import ENGINES, NAMES
from evals.protocol import fill
from rl_core.addresses import holds_secret, is_web_address
from rl_core.config.base import Added, Settings
from rl_core.config.jobs import Job
from rl_core.config.own_files import code_within
from rl_core.config.resources import Precision, Resources
from rl_core.environments.registry import ENVIRONMENTS, made_to_order
from rl_core.judge.settings import Judge
from rl_core.rewards.rules import Rule
from rl_core.rollout.description import BATCH_TOKENS, names_of
from rl_core.rollout.engines import DEFAULT
from rl_core.templates.own import DESCRIPTION, TemplateSetting

MOST_SAMPLES = 64  # per problem that `samples: auto` asks for
ENDPOINTS = f"engine {names_of(ENGINES, 'endpoint')}"


class _BenchmarkSettings(Settings):
    name: str = Field(description="Such as gsm8k, math500, aime24, knights_knaves.")
    label: Annotated[str | None, Added()] = Field(
        None, pattern=r"^[\w-]+$", description="Put behind the name, where one benchmark is listed several times with other settings."
    )
    limit: int | None = Field(
        None, ge=1, description="Problems (per number of people for puzzles), the same for every run and seed; default: all."
    )


if TYPE_CHECKING:
    EngineName = str
    _WithOptions = _BenchmarkSettings
else:
    EngineName = Literal[NAMES]
    # Settings that one benchmark alone has
    _OWN = [found.options for found in ENVIRONMENTS.values() if found.options is not Settings]
    _WithOptions = create_model("_WithOptions", __base__=(*_OWN, _BenchmarkSettings))


class BenchmarkSettings(_WithOptions):
    """One benchmark of an evaluation; a bare name takes its defaults."""

    samples: int | None = Field(None, ge=1, description="Sampled responses per problem; overrides the evaluation's own.")
    max_tokens: int | None = Field(None, ge=1, description="Overrides the evaluation's own.")
    template: TemplateSetting | None = Field(None, description="Overrides the evaluation's own.")

    @property
    def shown(self) -> str:
        """What tables, SQL and files call it: the name, the part of it that its settings choose, and the label, with dots between."""
        found = ENVIRONMENTS.get(self.name)
        return ".".join(filter(None, (self.name, found.part(self) if found else None, self.label)))

    def problems_held_out(self) -> dict[str, Any]:
        """What says which problems no training set may hold: all of a public set, of a generated one as many as are evaluated."""
        without = {"samples", "max_tokens", "template"} | (set() if made_to_order(self.name) else {"limit"})
        return self.model_dump(exclude=without)


class EvalResources(Resources):
    """Where responses are generated. Scores do not depend on it, but for rounding."""

    tensor_parallel: int = Field(1, ge=1, le=64, description=f"Devices of one engine ({names_of(ENGINES, 'spans_devices')}).")
    engine_memory: float = Field(
        0.8, gt=0, lt=1, description=f"Share of a GPU's memory that an engine may take ({names_of(ENGINES, 'takes_share')})."
    )
    base_url: str | None = Field(None, description=f"{ENDPOINTS}: address of the endpoint, such as http://localhost:8000/v1.")
    concurrency: int = Field(16, ge=1, le=1024, description=f"{ENDPOINTS}: requests under way at a time.")
    retries: int = Field(8, ge=0, le=50, description=f"{ENDPOINTS}: of one request, with growing pauses; then the evaluation stops.")

    @model_validator(mode="after")
    def _endpoint_can_be_shown(self) -> EvalResources:
        if self.base_url and holds_secret(self.base_url):
            raise ValueError("`base_url` holds a password or a query, which records and results would show; give a key by OPENAI_API_KEY")
        if self.base_url and not is_web_address(self.base_url):
            raise ValueError(f"`base_url` {self.base_url!r} is no address of a web server; give one such as http://localhost:8000/v1")
        return self


class EvalConfig(Settings):
    """Checkpoints x benchmarks, greedy and sampled."""

    protocol: str | None = Field(None, description="Published settings that stand wherever none are given here: evals/protocols/.")
    benchmarks: list[BenchmarkSettings] = Field(min_length=1, description="Names, or settings of each.")
    template: TemplateSetting = Field("think_answer", description=DESCRIPTION)
    reader: str = Field("anywhere", description="Where the answer is looked for: a name of READERS in evals/answer_readers.py.")
    rules: Annotated[list[Rule], Added()] = Field(
        [], description="What is judged otherwise than by default: names in rl_core/rewards/rules.py."
    )
    stop: list[Annotated[str, Field(min_length=1)]] = Field([], description="Texts that end a response, beside its end token.")
    greedy: bool = Field(True, description="One greedy response per problem.")
    samples: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        0, description="Sampled responses per problem: avg@k, pass@k, maj@k. auto: as many as `width` needs."
    )
    width: float = Field(0.05, gt=0, lt=1, description="samples auto: how wide the 95% interval of avg@k may be.")
    temperature: float = Field(1.0, gt=0, description="Of sampled responses.")
    top_p: float = Field(1.0, gt=0, le=1, description="Of sampled responses: only the likeliest tokens of this probability together.")
    max_tokens: int = Field(512, ge=1, description="A longer response is cut off.")
    engine: EngineName = Field(
        DEFAULT, description=f"What generates; {names_of(ENGINES, 'endpoint')}: an endpoint at `resources.base_url`."
    )
    dtype: Precision = Field("auto", description="auto: bfloat16 where that is fast.")
    batch_tokens: int = Field(
        BATCH_TOKENS, ge=256, description="Tokens generated together; a larger batch is faster and takes more memory."
    )
    judge: Annotated[Judge | None, Added()] = Field(None, description="A model that gives a second opinion on answers; default: none.")
    scoring_deadline: float = Field(2.0, gt=0, description="Seconds per answer.")
    resources: EvalResources = Field(EvalResources(), description="Where and how; never changes what is computed.")

    @model_validator(mode="before")
    @classmethod
    def _as_published(cls, values: Any) -> Any:
        return fill(values) if isinstance(values, dict) and isinstance(values.get("protocol"), str) else values

    @field_validator("benchmarks", mode="before")
    @classmethod
    def _names_are_settings(cls, value: Any, info: ValidationInfo) -> Any:
        return [benchmark_entry(item, info) for item in value] if isinstance(value, list) else value

    def with_code_in(self, folder: Path) -> EvalConfig:
        """The same with verifiers of a user's own from copies in a folder."""
        moved = [
            benchmark.model_copy(update={"verifier": code_within(verifier, folder)})
            if (verifier := getattr(benchmark, "verifier", None))
            else benchmark
            for benchmark in self.benchmarks
        ]
        return self.model_copy(update={"benchmarks": moved})

    @model_validator(mode="after")
    def _something_to_measure(self) -> EvalConfig:
        if not self.greedy and not self.samples:
            raise ValueError("`greedy: false` without `samples` leaves nothing to evaluate: give `samples`")
        names = [benchmark.shown for benchmark in self.benchmarks]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"benchmark {repeated!r} is listed twice: use one entry, or give one of them a `label`")
        if ENGINES[self.engine].endpoint != (self.resources.base_url is not None):
            raise ValueError(f"{ENDPOINTS} needs `resources.base_url`, and no other engine takes one")
        return self


class NamedCheckpoint(Settings):
    """A Hugging Face directory (or hub id) under the name that tables show."""

    name: str
    path: str  # for an endpoint: the model's name there
    digest: str | None = Field(None, description="Of its content; without it the path is what it is known by.")


class EvalJob(Job):
    """The job of the evaluation process: `python -m evals.run JOB.json`."""

    config: EvalConfig
    checkpoints: list[NamedCheckpoint] = Field(min_length=1)
    cells: Path | None = Field(None, description="Where finished cells of all evaluations are kept; default: inside `output`.")
    data_dir: Path | None = None
    seed: int = Field(0, description="Of sampling; the problems are the same under every seed.")


class StageRun(Settings):
    """A finished stage as analytics sees it: a directory of Parquet and JSON files."""

    experiment: str
    stage: str
    kind: Literal["data", "sft", "rl", "eval", "command"]
    fingerprint: str
    directory: Path
    position: int = Field(ge=0, description="Topological position in the recipe: the order of curves and tables.")
    start: str | None = Field(None, description="Stage whose checkpoint this one continues.")
    seconds: float | None = Field(None, description="Time that making it took.")
    devices: int | None = Field(None, description="Training and rollout workers at once.")
    external: bool = Field(False, description="Read from files of another framework, which may leave things out.")


class RunInfo(Settings):
    """One run of an experiment, for the warehouse."""

    experiment: str
    run: str
    state: str
    started: float | None = None  # seconds since 1970
    finished: float | None = None
    recipe: dict[str, Any]
