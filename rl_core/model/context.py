"""What fits into a model's context."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rl_core.config.rl import RlConfig
from rl_core.data.prompts import DataError
from rl_core.rollout.responses import EncodedPrompt

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def context_length(config: PreTrainedConfig) -> int | None:
    """Tokens of a prompt and its response together; None for an architecture without a bound, such as Mamba.

    Dual chunk attention (Qwen2.5-1M) is plain attention up to the length of one chunk. Nothing here trains with more of it.
    """
    text = config.get_text_config()
    chunks = getattr(text, "dual_chunk_attention_config", None)
    return chunks["chunk_size"] - chunks["local_size"] if chunks else getattr(text, "max_position_embeddings", None)


def fitting_prompts(prompts: list[EncodedPrompt], config: RlConfig, context: int | None, source: Path) -> list[EncodedPrompt]:
    """The prompts of an RL stage that leave room for the longest response, and are no longer than it wants; says how many are dropped.

    Raises DataError if none is left; the message names the setting to change.
    """
    room = None if context is None else context - config.max_response_tokens
    limit = min((bound for bound in (room, config.max_prompt_tokens) if bound is not None), default=None)
    fitting = [prompt for prompt in prompts if limit is None or len(prompt.token_ids) <= limit]
    if len(fitting) == len(prompts):
        return prompts
    lengths = [len(prompt.token_ids) for prompt in prompts]
    if limit == config.max_prompt_tokens:
        why = f"longer than max_prompt_tokens ({config.max_prompt_tokens:,})"
        remedy = f"raise it to at least {min(lengths):,}"
    else:
        response = f"a response of {config.max_response_tokens:,} (max_response_tokens)"
        why = f"too long for the model's context of {context:,} tokens with {response}"
        left = (context or 0) - min(lengths)
        remedy = f"lower max_response_tokens to at most {left:,}" if left > 0 else "take a model with a longer context, or other problems"
    if not fitting:
        raise DataError(f"{source}: every prompt is {why}; the shortest has {min(lengths):,} tokens: {remedy}")
    print(
        f"warning: {len(prompts) - len(fitting):,} of {len(prompts):,} prompts are {why} and are left out; the longest has "
        f"{max(lengths):,} tokens",
        file=sys.stderr,
        flush=True,
    )
    return fitting
