"""Settings of the policy-gradient estimator and its loss, and what the names of published algorithms stand for."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rl_core.config.base import Added, Settings
from rl_core.config.schedules import Schedule, constant_schedules

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
    compare_rewards: Annotated[Literal["summed", "each"], Added()] = Field(
        "summed",
        description="`each`: every component of the reward against its group by itself, weighted, summed, and normalized over the step "
        "(GDPO, arXiv 2601.05242).",
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
    def _settings_that_need_others(self) -> Self:
        given = self.model_fields_set
        if self.kl_discounts and self.kl_in != "reward":
            raise ValueError("`kl_discounts` has no effect with `kl_in: loss`; remove it, or set kl_in: reward")
        if self.compare_rewards == "each" and self.advantage in ("returns", "gae"):
            raise ValueError(f"`compare_rewards: each` has no effect with `advantage: {self.advantage}`, which compares nothing; remove it")
        if self.compare_rewards == "each" and self.whiten_rewards:
            raise ValueError("`whiten_rewards` has no effect with `compare_rewards: each`, which normalizes each of them; remove it")
        for key in ("discount", "kl_discounts", "trace", "value_clip", "value_aggregation", "value_learning_rate"):
            wanted = ("returns", "gae") if "discount" in key else ("gae",)
            if key in given and self.advantage not in wanted and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"`{key}` has no effect with `advantage: {self.advantage}`; remove it, or use {' or '.join(wanted)}")
        return self

    @property
    def uses_reference(self) -> bool:
        """Whether the KL term is ever more than nothing."""
        return max(self.kl_coefficient.start, self.kl_coefficient.end or 0) > 0
