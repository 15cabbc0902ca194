"""A model that is made here, and adapters of any model."""

from typing import Literal, Self

from pydantic import Field, model_validator

from rl_core.config.base import Settings


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
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.heads or self.heads % self.key_value_heads:
            raise ValueError("hidden_size must be a multiple of heads, and heads a multiple of key_value_heads")
        return self


class Lora(Settings):
    """Low-rank adapters (arXiv 2106.09685): only they are trained; checkpoints hold the merged model and the adapter.

    A stage that starts from a checkpoint with adapters goes on with them.
    """

    rank: int = Field(16, ge=1, description="Of the matrices that are trained.")
    alpha: int | None = Field(None, ge=1, description="Scale of the update, over the rank; default: the rank.")
    targets: list[str] | None = Field(
        None, min_length=1, description="Names of the adapted layers; default: every linear one of the blocks."
    )
