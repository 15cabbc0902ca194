"""Settings of rewards of length and repetition."""

from typing import Annotated

from pydantic import Field

from rl_core.config.base import Revised, Settings


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
