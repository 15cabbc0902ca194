"""Typed settings of data preparation, supervised fine-tuning and reinforcement learning.

Importable without torch, Ray or transformers, so that a plan or `--help` stays light. Every default of a recipe lives here and is
printed by `r1flow show`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from rl_core.addresses import holds_secret

BOX = r"\boxed{{answer}}"  # see `MathData.answer_form`
TOKENS_PER_BATCH_CPU, TOKENS_PER_BATCH_GPU = 2048, 16384  # defaults of `Resources.tokens_per_batch`
# Logits that training has in work at once, in float32. Of 16,384 tokens and a vocabulary of 152,000 all of them are 10 GB a copy.
HEAD_BYTES = 640 * 2**20


Precision = Literal["auto", "bfloat16", "float32"]


@dataclass(frozen=True)
class Added:
    """Marks a setting that came after stages had been finished without it: at its default it is no part of a fingerprint."""


@dataclass(frozen=True)
class Revised:
    """Marks a setting with which stages came out otherwise once: away from its default the number is part of a fingerprint."""

    number: int


class Settings(BaseModel):
    """Base of every settings class: unknown keys are errors and values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Resources(Settings):
    """How and where a stage is executed. Never part of a fingerprint: results must not depend on it."""

    ray: bool = Field(True, description="Run rollout, scoring and training as Ray actors; false runs the same classes in one process.")
    cluster: str | None = Field(
        None,
        description="Ray cluster: http://HOST:8265 submits the stage there as a job, HOST:6379 starts only its workers there; default: "
        "RAY_ADDRESS, else a local cluster for this stage.",
    )
    scoring_workers: int = Field(1, ge=1, le=64, description="Processes that verify answers.")
    tokens_per_batch: int | None = Field(
        None, ge=256, description="Padded tokens in one forward-backward pass; bounds memory. Default: 2,048 on CPU, 16,384 on GPU."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads of torch; default: all cores.")

    @model_validator(mode="after")
    def _cluster_is_ray(self) -> Resources:
        if self.cluster and not self.ray:
            raise ValueError("`cluster` has no effect with `ray: false`; remove one of them")
        if self.cluster and holds_secret(self.cluster):
            raise ValueError(
                "`cluster` holds a password or a query, which records would show; give it by RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
            )
        return self


class RlResources(Resources):
    """Placement of the workers of an RL stage. Gradients do not depend on their number, nor on how DeepSpeed shares out the state."""

    rollout_workers: int = Field(1, ge=1, le=512, description="Engines that sample; each takes a share of the prompts.")
    tensor_parallel: int = Field(1, ge=1, le=64, description="Devices of one vLLM engine.")
    training_workers: int = Field(1, ge=1, le=512, description="Processes that train, each on a share of the responses.")
    placement: Literal["colocated", "separate"] = Field(
        "colocated", description="Engines and trainers take turns on the same devices (vLLM sleeps meanwhile), or have their own."
    )
    zero_stage: Literal[1, 2, 3] = Field(2, description="What DeepSpeed shards: 1 optimizer state, 2 and gradients, 3 and weights.")
    offload: Literal["none", "optimizer", "all"] = Field("none", description="What DeepSpeed keeps in CPU memory; `all` adds the weights.")
    gradient_checkpointing: bool = Field(False, description="Recompute activations in the backward pass: less memory, a third more work.")
    engine_memory: float = Field(0.5, gt=0, lt=1, description="Share of a GPU's memory that vLLM may take.")
    weight_transfer: Literal["direct", "copy"] = Field(
        "direct", description="How weights reach vLLM on GPUs: from device to device (NCCL, CUDA IPC), or by shared memory, as on CPUs."
    )
    start_timeout: float = Field(180.0, gt=0, description="Seconds for workers to be placed, load models, meet, and hand weights over.")


class Schedule(Settings):
    """A value that moves from `start` (or `peak`, after warm-up) to `end` over a stage."""

    schedule: Literal["constant", "linear", "cosine"] = Field("linear", description="The way from `start` to `end`.")
    start: float = Field(
        validation_alias=AliasChoices("start", "peak"), ge=0, description="Value at the first step after warm-up; `peak` is the same."
    )
    end: float | None = Field(None, ge=0, description="Value at the last step; default: 0 for linear and cosine.")
    warmup: int = Field(0, ge=0, description="Steps of linear rise from 0 to `start`.")


AdamBetas = Annotated[
    tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]],
    Added(),
    Field(
        description="Decay of AdamW's means of gradients and of their squares. 0.95, as OpenRLHF and oat have it, forgets a burst of large "
        "gradients within 60 steps, and RL stages are short; verl and TRL keep torch's 0.999."
    ),
]
AdamEpsilon = Annotated[
    float, Added(), Field(gt=0, description="Added to AdamW's divisor; torch's, verl's, TRL's and DeepSpeed's default.")
]


def constant_schedules(values: Any, keys: tuple[str, ...]) -> Any:
    """`learning_rate: 1e-6` means a constant schedule of that value."""
    if not isinstance(values, dict):
        return values
    return values | {key: {"schedule": "constant", "start": values[key]} for key in keys if isinstance(values.get(key), int | float | str)}


class ScratchModel(Settings):
    """A small Qwen2-architecture model trained from random weights, with a tokenizer trained on the SFT texts."""

    architecture: Literal["qwen2"] = Field("qwen2", description="The family of models that it is one of.")
    hidden_size: int = Field(256, ge=32, le=4096, multiple_of=32, description="Width of a position's state.")
    intermediate_size: int = Field(768, ge=32, description="Width of the feed-forward layers.")
    layers: int = Field(4, ge=1, le=64, description="Transformer blocks.")
    heads: int = Field(4, ge=1, description="Attention heads of a layer.")
    key_value_heads: int = Field(2, ge=1, description="Heads of keys and values, shared by groups of `heads`.")
    vocabulary: int = Field(1024, ge=320, description="Upper bound of the tokenizer's size.")
    context: int = Field(1024, ge=64, description="Positions.")

    @model_validator(mode="after")
    def _heads_divide(self) -> ScratchModel:
        if self.hidden_size % self.heads or self.heads % self.key_value_heads:
            raise ValueError("hidden_size must be a multiple of heads, and heads a multiple of key_value_heads")
        return self


class TrainingData(Settings):
    """What every set of prompts has."""

    contaminated: Literal["drop", "refuse", "keep"] = Field(
        "drop",
        description="Training problems that are also in a benchmark which the recipe evaluates; `refuse`: stop and name them.",
    )
    task: str = Field(description="The family of problems.")


class KnightsKnavesData(TrainingData):
    """Knights and Knaves puzzles with a unique solution; train and test never share a puzzle."""

    task: Literal["knights_knaves"] = Field("knights_knaves", description="The family of problems.")
    people: list[Annotated[int, Field(ge=2, le=8)]] = Field(min_length=1, description="Numbers of people that a puzzle is about.")
    source: Literal["auto", "generate", "files"] = Field(
        "auto", description="`files`: kk/{n}ppl/*.parquet of the data directory; `auto`: files where they exist, else generated."
    )
    names: int | None = Field(
        None, ge=8, le=51, description="Generated puzzles use only the first so many of the names; default: all. Fewer are learned sooner."
    )
    doubt: float = Field(
        0.0, ge=0, le=1, description="Chance that the worked response of a generated puzzle doubts its finding and calls everyone a knight."
    )
    bare_answers: bool = Field(False, description="Worked responses give the answer without the reasoning.")
    train: int = Field(900, ge=1, description="Training puzzles per number of people.")
    test: int = Field(100, ge=0, description="Held-out puzzles per number of people: the same whatever the seed.")

    @model_validator(mode="after")
    def _settings_of_the_generator(self) -> KnightsKnavesData:
        if self.source != "generate" and (self.names or self.doubt):
            raise ValueError("`names` and `doubt` are settings of generated puzzles: add `source: generate`")
        return self


class Gsm8kData(TrainingData):
    """Grade-school word problems (openai/gsm8k)."""

    task: Literal["gsm8k"] = Field("gsm8k", description="The family of problems.")
    train: int | None = Field(None, ge=1, description="Use only the first rows of a seeded shuffle; default: all.")
    test: int | None = Field(None, ge=0, description="Held-out rows: the same whatever the seed; default: all.")


class CountdownData(TrainingData):
    """Countdown: reach a target with given numbers; train and test never share a set of numbers."""

    task: Literal["countdown"] = Field("countdown", description="The family of problems.")
    numbers: list[Annotated[int, Field(ge=2, le=6)]] = Field([3, 4], min_length=1, description="How many numbers a problem gives.")
    source: Literal["auto", "generate", "files"] = Field(
        "auto", description="`files`: countdown/{train,test}.parquet of the data directory; `auto`: files where they exist, else generated."
    )
    train: int = Field(1000, ge=1, description="Training problems per amount of numbers.")
    test: int = Field(100, ge=0, description="Held-out problems per amount of numbers: the same whatever the seed.")


class MathData(TrainingData):
    """Mathematical problems with a short answer, of one public set."""

    task: Literal["math"] = Field("math", description="The family of problems.")
    dataset: str = Field(description="A set of rl_core/data/math_sets.py: math, simplerl_8k, deepscaler, dapo, open_r1, aime.")
    levels: list[Annotated[int, Field(ge=1, le=5)]] | None = Field(
        None, min_length=1, description="Only problems of these levels, for sets that have them; default: all."
    )
    bare_answers: bool = Field(
        False,
        description="The worked response of a problem without a solution is its answer alone; false: it has none, and SFT skips it.",
    )
    answer_form: str = Field(
        BOX, pattern=r"\{answer\}", description="How a worked response gives the answer that its solution does not; {answer} stands for it."
    )
    unreadable_golds: Annotated[Literal["keep", "drop", "refuse"], Added()] = Field(
        "keep",
        description="Problems whose answer cannot be read as mathematics; `keep`: compare responses with its text, and count them; "
        "`refuse`: stop and name one.",
    )
    train: int | None = Field(None, ge=1, description="Use only the first rows of a seeded shuffle; default: all.")
    test: int = Field(0, ge=0, description="Held-out problems, chosen by digest: the same whatever the seed.")


DataConfig = Annotated[KnightsKnavesData | Gsm8kData | CountdownData | MathData, Field(discriminator="task")]


class SftConfig(Settings):
    """Supervised fine-tuning on the traces of the data stages."""

    template: str = Field("think_answer", description="Prompt template (rl_core/data/templates.py).")
    steps: int = Field(ge=1, description="Optimizer steps.")
    batch_size: int = Field(32, ge=1, description="Sequences per optimizer step.")
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="`muon`: hidden matrices by Muon, the rest by AdamW; learns much faster from random weights."
    )
    learning_rate: Schedule = Field(
        Schedule(schedule="cosine", start=1e-3, end=1e-4, warmup=20), description="Of the optimizer: a number, or a schedule."
    )
    weight_decay: float = Field(0.1, ge=0, description="Of AdamW.")
    adam_betas: AdamBetas = (0.9, 0.95)
    adam_epsilon: AdamEpsilon = 1e-8
    max_grad_norm: float = Field(1.0, gt=0, description="A longer gradient is scaled down to this length.")
    max_tokens: int = Field(1024, ge=16, description="Longer examples, and those too long for the model, are dropped and counted.")
    shortest_first: float = Field(
        1.0, gt=0, le=1, description="Share of the shortest examples that the first step draws from; grows to all at half of the steps."
    )
    checkpoint_every: int = Field(200, ge=1, description="Steps between checkpoints.")
    resources: Resources = Field(Resources(), description="Where and how; never changes what is computed.")


AdvantageEstimator = Literal["group_normalized", "group_centered", "leave_one_out", "returns", "gae"]
Aggregation = Literal["token_mean", "sequence_mean_token_mean", "sequence_mean_token_sum", "sequence_mean_constant_length"]
KlEstimator = Literal["k1", "k2", "k3"]
Mismatch = Literal["truncate", "mask_sequence", "off"]
RatioLevel = Literal["token", "sequence"]

# What a name stands for, as in its paper; every setting can be changed beside the name. KL coefficients and learning rates belong to an
# experiment, not to an algorithm, and are left to the recipe.
ALGORITHMS: dict[str, dict[str, Any]] = {
    "grpo": {"advantage": "group_normalized", "aggregation": "sequence_mean_token_mean"},  # arXiv 2402.03300
    "dr_grpo": {"advantage": "group_centered", "aggregation": "sequence_mean_constant_length"},  # arXiv 2503.20783
    "rloo": {"advantage": "leave_one_out", "aggregation": "sequence_mean_token_sum", "kl_in": "reward", "kl_estimator": "k1"},  # 2402.14740
    "reinforce_plus_plus": {"advantage": "returns", "whiten_advantages": True, "kl_in": "reward", "kl_estimator": "k1"},  # arXiv 2501.03262
    "reinforce_plus_plus_baseline": {"advantage": "group_centered", "whiten_advantages": True, "kl_estimator": "k2"},  # arXiv 2501.03262
    "ppo": {"advantage": "gae", "whiten_advantages": True, "kl_in": "reward", "kl_estimator": "k1"},  # arXiv 1707.06347
    "dapo": {"advantage": "group_normalized", "clip_high": 0.28, "max_refills": 9},  # arXiv 2503.14476; 10 generations in its script
    "gspo": {  # arXiv 2507.18071, section 5.1
        "advantage": "group_normalized",
        "aggregation": "sequence_mean_token_mean",
        "ratio": "sequence",
        "clip_low": 3e-4,
        "clip_high": 4e-4,
    },
}


class Algorithm(Settings):
    """The policy-gradient estimator and its loss: a preset by name, and what differs from it."""

    name: Literal["grpo", "dr_grpo", "rloo", "reinforce_plus_plus", "reinforce_plus_plus_baseline", "ppo", "dapo", "gspo"] = Field(
        "grpo", description="A preset: choices of its paper, which the settings below can change."
    )
    advantage: AdvantageEstimator = Field(
        "group_normalized", description="Rewards against those of the group; `returns`: rewards to go; `gae`: against a critic."
    )
    aggregation: Aggregation = Field("token_mean", description="How the losses of tokens become that of a step; see `token_weights`.")
    ratio: RatioLevel = Field("token", description="`sequence`: one probability ratio per response (GSPO).")
    clip_low: float = Field(0.2, gt=0, lt=1, description="How far below 1 the probability ratio of a token counts.")
    clip_high: float = Field(0.2, gt=0, description="How far above 1 it counts.")
    dual_clip: float | None = Field(None, gt=1, description="Bound of the loss of a bad token, in advantages.")
    entropy_coefficient: float = Field(0.0, ge=0, description="Weight of the entropy bonus.")
    kl_coefficient: Schedule = Field(
        Schedule(schedule="constant", start=0.0), description="Weight of the KL term against the reference; 0: no reference."
    )
    kl_estimator: KlEstimator = Field(
        "k3",
        description="How the KL of a token is estimated from one sample: k1 for the reward (in the loss it has no gradient on average), k2 "
        "or k3 for the loss.",
    )
    kl_in: Literal["loss", "reward"] = Field("loss", description="Whether the KL term is part of the loss or of each token's reward.")
    kl_clamp: Annotated[float | None, Added()] = Field(
        None,
        gt=0,
        le=80,
        description="Largest size of a token's estimate. verl and OpenRLHF take 10; default: unbounded, for the estimate stays unbiased.",
    )
    kl_discounts: Annotated[list[Annotated[float, Field(gt=0, le=1)]] | None, Added()] = Field(
        None,
        min_length=1,
        description="Of later terms of a KL in the reward: each discounts an equal share of it; default: `discount`, for all of it.",
    )
    mismatch: Mismatch = Field("truncate", description="Correction where engine and trainer disagree on a token's probability.")
    importance_cap: float = Field(
        2.0, gt=1, description="Truncation of the importance weight, or the bound past which a response is masked."
    )
    whiten_rewards: bool = Field(
        False, description="Rewards of a step, with their dense penalties, to mean 0 and deviation 1, before advantages."
    )
    whiten_advantages: bool = Field(False, description="Advantages of a step's tokens to mean 0 and deviation 1.")
    discount: float = Field(1.0, gt=0, le=1, description="Of later token rewards, for `returns` and `gae`.")
    trace: float = Field(1.0, ge=0, le=1, description="Lambda of `gae`.")
    value_clip: float | None = Field(None, gt=0, description="How far a value may move from its old one in one step.")
    value_aggregation: Annotated[Aggregation, Added()] = Field(
        "token_mean",
        description="How the critic's losses of tokens become that of a step; verl: token_mean, OpenRLHF: sequence_mean_token_mean.",
    )
    value_learning_rate: Schedule = Field(Schedule(schedule="constant", start=1e-5), description="Of the critic, for `gae`.")
    max_refills: int = Field(
        0, ge=0, description="Dynamic sampling: how often prompts whose responses all score the same are replaced by new ones; 0: kept."
    )

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = constant_schedules(values, ("kl_coefficient", "value_learning_rate"))
        return ALGORITHMS.get(str(values.get("name", "grpo")), {}) | values

    @model_validator(mode="after")
    def _settings_that_need_others(self) -> Algorithm:
        given = self.model_fields_set
        if self.kl_discounts and self.kl_in != "reward":
            raise ValueError("`kl_discounts` has no effect with `kl_in: loss`; remove it, or set kl_in: reward")
        for key in ("discount", "kl_discounts", "trace", "value_clip", "value_aggregation", "value_learning_rate"):
            wanted = ("returns", "gae") if "discount" in key else ("gae",)
            if key in given and self.advantage not in wanted and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"`{key}` has no effect with `advantage: {self.advantage}`; remove it, or use {' or '.join(wanted)}")
        return self

    @property
    def uses_reference(self) -> bool:
        """Whether the KL term is ever more than nothing."""
        return max(self.kl_coefficient.start, self.kl_coefficient.end or 0) > 0


class Repetition(Settings):
    """Whole-response penalty of repeated n-grams, as in open-r1."""

    ngram: int = Field(3, ge=1, description="Tokens of an n-gram.")
    lowest: float = Field(-1.0, le=0, description="Where every n-gram is the same.")


class DenseRepetition(Settings):
    """Penalty of each token of a repeated n-gram, as in demystify-long-cot."""

    ngram: int = Field(40, ge=1, description="Tokens of an n-gram.")
    penalty: float = Field(-0.05, le=0, description="Added to the reward of each token of a repeated n-gram.")
    discount: Annotated[float | None, Revised(2)] = Field(
        None, gt=0, le=1, description="Of later penalties, for `returns` and `gae`; default: the algorithm's."
    )


class CosineLength(Settings):
    """Reward by length in tokens, from that of an empty response to that at the limit, as in demystify-long-cot."""

    correct_short: float = Field(2.0, description="Of a right response without a token.")
    correct_long: float = Field(1.0, description="Of a right response at the limit of tokens.")
    wrong_short: float = Field(-10.0, description="Of a wrong response without a token.")
    wrong_long: float = Field(0.0, description="Of a wrong response at the limit of tokens.")
    exceeded: float = Field(-10.0, description="At the limit of tokens.")
    margin: int = Field(0, ge=0, description="Tokens before the limit from which a response counts as at it.")


class Overlong(Settings):
    """DAPO's soft punishment of the last tokens before the limit."""

    buffer: int = Field(4096, ge=1, description="Tokens before the limit over which it grows.")
    factor: float = Field(1.0, gt=0, description="What is taken off at the limit.")


class Penalties(Settings):
    """Rewards of length and repetition beside `reward`; what is absent is off. Lengths are in tokens, limits `max_response_tokens`."""

    repetition: Repetition | None = Field(None, description="Of repeated n-grams, for the whole response, as in open-r1.")
    dense_repetition: DenseRepetition | None = Field(None, description="Of repeated n-grams, token by token, as in demystify-long-cot.")
    cosine_length: CosineLength | None = Field(
        None, description="A reward by length in the place of one by outcome, as in demystify-long-cot."
    )
    overlong: Overlong | None = Field(None, description="Of the last tokens before the limit, as in DAPO.")
    group_length: float = Field(0.0, ge=0, description="Weight of Kimi k1.5's preference for the shorter of a prompt's right responses.")


class Lora(Settings):
    """Low-rank adapters (arXiv 2106.09685): only they are trained; checkpoints hold the merged model and the adapter.

    A stage that starts from a checkpoint with adapters goes on with them.
    """

    rank: int = Field(16, ge=1, description="Of the matrices that are trained.")
    alpha: int | None = Field(None, ge=1, description="Scale of the update, over the rank; default: the rank.")
    targets: list[str] | None = Field(
        None, min_length=1, description="Names of the adapted layers; default: every linear one of the blocks."
    )


class RlConfig(Settings):
    """Reinforcement learning from verifiable rewards."""

    template: str = Field("think_answer", description="Prompt template (rl_core/data/templates.py).")
    reward: dict[str, float] | str = Field("knights_knaves_format", description="A preset of rl_core/rewards, or component: weight.")
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
    engine: Literal["transformers", "vllm"] = Field("transformers", description="What samples responses.")
    backend: Literal["torch", "deepspeed"] = Field("torch", description="What trains.")
    resources: RlResources = Field(RlResources(), description="Where and how; never changes what is computed.")

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_constant_schedules(cls, values: Any) -> Any:
        return constant_schedules(values, ("learning_rate", "temperature"))

    @model_validator(mode="after")
    def _length_is_given(self) -> RlConfig:
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
    def _resources_fit(self) -> RlConfig:
        resources = self.resources
        if resources.tensor_parallel > 1 and self.engine != "vllm":
            raise ValueError(f"`resources.tensor_parallel` needs `engine: vllm`, not {self.engine}")
        if resources.training_workers * resources.rollout_workers > 1 and not resources.ray:
            raise ValueError("more than one worker needs Ray: remove `resources.ray: false`, or ask for one")
        if self.asynchronous and resources.placement == "colocated" and self.engine == "vllm":
            raise ValueError("`asynchronous` needs engines that need not give way to the training: set `resources.placement: separate`")
        of_vllm = [(key, "engine: vllm", self.engine) for key in ("engine_memory", "weight_transfer")]
        for key, wanted, there in (("zero_stage", "backend: deepspeed", self.backend), *of_vllm):
            if getattr(resources, key) != RlResources.model_fields[key].default and there not in wanted:
                raise ValueError(f"`resources.{key}` needs `{wanted}`, not {there}")
        if resources.offload != "none" and self.backend != "deepspeed":
            raise ValueError(f"`resources.offload` needs `backend: deepspeed`, not {self.backend}")
        if resources.offload == "all" and resources.zero_stage < 3:
            raise ValueError(f"`resources.offload: all` keeps sharded weights on the CPU: set zero_stage: 3, not {resources.zero_stage}")
        return self


class HeldLease(Settings):
    """The right to write into a stage's directory: while `file` (JSON) names `owner` as its owner's id."""

    file: Path
    owner: str


class Job(Settings):
    """What a process that works for a stage is told in a file."""

    output: Path
    lease: HeldLease | None = Field(None, description="Of the stage that it works for; default: nobody else writes into `output`.")


class TrainJob(Job):
    """What the trainer process is told: `python -m rl_core.train JOB.json`."""

    kind: Literal["sft", "rl"]
    sft: SftConfig | None = None
    rl: RlConfig | None = None
    model: str | ScratchModel = Field(description="Hub id or directory of the start checkpoint, or a model to make.")
    reference: str | None = Field(None, description="Checkpoint of the KL term's reference policy; default: `model`.")
    prompts: list[Path] = Field(min_length=1, description="Prompt files (train.parquet of the data stages).")
    seed: int = 0
