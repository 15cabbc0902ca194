"""Settings of reinforcement learning."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rl_core.config.algorithm import Algorithm
from rl_core.config.base import Added, Settings
from rl_core.config.model import Lora
from rl_core.config.own_files import OwnFiles
from rl_core.config.penalties import Penalties
from rl_core.config.resources import Precision, RlResources
from rl_core.config.schedules import AdamBetas, AdamEpsilon, Schedule, constant_schedules
from rl_core.judge.settings import Judge
from rl_core.rollout.description import names_of
from rl_core.rollout.engines import DEFAULT, ENGINES
from rl_core.templates.own import DESCRIPTION, TemplateSetting

if TYPE_CHECKING:
    EngineName = str
else:
    EngineName = Literal[tuple(name for name, engine in ENGINES.items() if engine.trains)]
# Settings of resources that some engines have, and what it is of an engine that has them.
OF_ENGINES = {"tensor_parallel": "spans_devices", "engine_memory": "takes_share", "weight_transfer": "by_device"}


class RewardErrors(Settings):
    """What becomes of responses on which a reward function or verifier of your own raises, is late, or returns no finite number."""

    most: float = Field(0.05, ge=0, lt=1, description="Share of a step's responses; if more fail, the stage ends with the first error.")
    value: float | None = Field(
        None, description="What the function counts as there, before its weight; default: the response is left out of the update."
    )


class RlConfig(Settings):
    """Reinforcement learning from verifiable rewards."""

    template: TemplateSetting = Field("think_answer", description=DESCRIPTION)
    reward: Annotated[dict[str, float] | str, OwnFiles()] = Field(
        "knights_knaves_format",
        description="A preset of rl_core/rewards, or component: weight; a component may be `file.py:function` or `module:function`.",
    )
    reward_errors: Annotated[RewardErrors, Added()] = Field(
        RewardErrors(), description="Where a reward function or verifier of your own fails."
    )
    penalties: Penalties = Field(Penalties(), description="Of length and repetition, added to the reward.")
    algorithm: Algorithm = Field(Algorithm(), description="The estimator and its loss.")
    prompts_per_step: int = Field(16, ge=1, description="Prompts of one step, each answered `group_size` times.")
    group_size: int = Field(16, ge=1, description="Responses per prompt; those that compare within a group need two.")
    steps: int | None = Field(None, ge=1, description="Optimizer steps; default: from `epochs`.")
    epochs: float | None = Field(None, gt=0, description="Passes over the prompts; used where `steps` is absent.")
    updates_per_step: int = Field(1, ge=1, description="Passes over the rollouts of one step.")
    minibatches: int = Field(1, ge=1, description="Optimizer updates of one pass, each on an equal share of the prompts.")
    learning_rate: Schedule = Field(Schedule(schedule="constant", start=1e-6), description="Of the optimizer: a number, or a schedule.")
    temperature: Schedule = Field(Schedule(schedule="constant", start=1.0), description="Of sampling: a number, or a schedule.")
    max_response_tokens: int = Field(512, ge=1, description="A longer response is cut off.")
    max_prompt_tokens: Annotated[int | None, Added()] = Field(
        None, ge=1, description="Longer prompts are dropped and counted, as are those that leave a response too little of the context."
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        description="Of matrices (verl: vectors too). At RL's rates it does little: 0.01 at 1e-6 takes a millionth in 100 updates.",
    )
    adam_betas: AdamBetas = (0.9, 0.95)
    adam_epsilon: AdamEpsilon = 1e-8
    max_grad_norm: float = Field(1.0, gt=0, description="A longer gradient is scaled down to this length.")
    judge: Annotated[Judge | None, Added()] = Field(None, description="A model that gives a second opinion on answers; default: none.")
    scoring_deadline: float = Field(5.0, gt=0, description="Seconds per answer; past it the outcome is `timeout`.")
    checkpoint_every: int = Field(20, ge=1, description="Steps between checkpoints.")
    keep_last: int = Field(2, ge=1, description="Newest checkpoints that are kept, the final one among them; `keep_best` adds one.")
    keep_best: Literal["reward", "outcome/correct"] | None = Field(
        None, description="Keep the checkpoint, too, whose steps since the one before had the highest mean of this metric."
    )
    asynchronous: bool = Field(False, description="Sample a step's responses while the step before trains: one step off policy.")
    lora: Lora | None = Field(None, description="Train low-rank adapters only; default: all weights.")
    precision: Precision = Field(
        "auto",
        description="Of products in trainer and engines (auto: bfloat16 where that is fast); the weights that are trained are float32.",
    )
    engine: EngineName = Field(DEFAULT, description="What samples responses.")
    backend: Literal["torch", "deepspeed"] = Field("torch", description="What trains.")
    resources: RlResources = Field(RlResources(), description="Where and how; never changes what is computed.")

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_constant_schedules(cls, values: Any) -> Any:
        return constant_schedules(values, ("learning_rate", "temperature"))

    @model_validator(mode="after")
    def _length_is_given(self) -> Self:
        if self.steps is None and self.epochs is None:
            raise ValueError("give `steps` or `epochs`")
        if self.steps is not None and self.epochs is not None:
            raise ValueError("`steps` and `epochs` exclude each other: remove one")
        if self.group_size == 1 and (self.algorithm.advantage not in ("returns", "gae") or self.algorithm.max_refills):
            raise ValueError(f"`group_size: 1` leaves nothing to compare for `algorithm: {self.algorithm.name}`; give 2 or more")
        dense = self.penalties.dense_repetition
        if dense and dense.discount and self.algorithm.advantage not in ("returns", "gae"):
            raise ValueError(
                f"`penalties.dense_repetition.discount` has no effect with `advantage: {self.algorithm.advantage}`; remove it, or use "
                "returns or gae"
            )
        if self.penalties.overlong and self.penalties.overlong.buffer > self.max_response_tokens:
            raise ValueError(f"penalties.overlong.buffer is more than `max_response_tokens` ({self.max_response_tokens})")
        if self.minibatches > self.prompts_per_step:
            raise ValueError(f"`minibatches` ({self.minibatches}) is more than there are prompts in a step ({self.prompts_per_step})")
        return self

    @model_validator(mode="after")
    def _resources_fit(self) -> Self:
        resources, engine = self.resources, ENGINES[self.engine]
        changed = {key for key, field in RlResources.model_fields.items() if getattr(resources, key) != field.default}
        for key, trait in OF_ENGINES.items():
            if key in changed and not getattr(engine, trait):
                raise ValueError(f"`resources.{key}` needs `engine: {names_of(ENGINES, trait)}`, not {self.engine}")
        if resources.training_workers * resources.rollout_workers > 1 and not resources.ray:
            raise ValueError("more than one worker needs Ray: remove `resources.ray: false`, or ask for one")
        if self.asynchronous and resources.placement == "colocated" and engine.takes_share:
            raise ValueError("`asynchronous` needs engines that need not give way to the training: set `resources.placement: separate`")
        if "zero_stage" in changed and self.backend != "deepspeed":
            raise ValueError(f"`resources.zero_stage` needs `backend: deepspeed`, not {self.backend}")
        if resources.offload != "none" and self.backend != "deepspeed":
            raise ValueError(f"`resources.offload` needs `backend: deepspeed`, not {self.backend}")
        if resources.offload == "all" and resources.zero_stage < 3:
            raise ValueError(f"`resources.offload: all` keeps sharded weights on the CPU: set zero_stage: 3, not {resources.zero_stage}")
        return self
