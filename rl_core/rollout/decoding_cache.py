"""Key-value cache and attention of the decoding loop.

The transformers defaults copy the whole cache at every token (`torch.cat`) and repeat each key-value head for the query heads that share
it. Here the cache grows by doubling, and the query heads of one key-value head are laid out as query positions.
"""

from typing import Any

import torch
from transformers import AttentionInterface, Cache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

ATTENTION = "r1flow_decoding"


class _DoublingLayer(DynamicLayer):
    """`keys` and `values` are views (B, heads, used, D) of buffers whose capacity doubles when they are full."""

    _buffers: tuple[torch.Tensor, torch.Tensor] | None

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._set(key_states, value_states)
            return key_states, value_states
        used, new = self._keys.shape[2], key_states.shape[2]
        if self._buffers is None or self._buffers[0].shape[2] < used + new:
            self._buffers = (_doubled(self._keys, used + new), _doubled(self._values, used + new))
        keys, values = self._buffers
        keys[:, :, used : used + new] = key_states
        values[:, :, used : used + new] = value_states
        self._set(keys[:, :, : used + new], values[:, :, : used + new], self._buffers)
        return self._keys, self._values

    def select_rows(self, rows: torch.Tensor) -> None:
        """Keep (or repeat) the given rows of the batch."""
        self._set(self._keys[rows], self._values[rows])

    def _set(self, keys: torch.Tensor, values: torch.Tensor, buffers: tuple[torch.Tensor, torch.Tensor] | None = None) -> None:
        self.keys = self._keys = keys  # the base class and the mask functions read `keys` and `values`
        self.values = self._values = values
        self._buffers = buffers


def _doubled(part: torch.Tensor, length: int) -> torch.Tensor:
    """A buffer of twice the length that begins with `part`; keys and values may have different widths."""
    rows, heads, used, width = part.shape
    buffer = part.new_empty((rows, heads, 2 * length, width))
    buffer[:, :, :used] = part
    return buffer


class DecodingCache(Cache):
    """A cache whose batch can shrink as responses finish."""

    def __init__(self, config: PreTrainedConfig) -> None:
        self._doubling = [_DoublingLayer() for _ in range(config.get_text_config(decoder=True).num_hidden_layers)]
        super().__init__(layers=[*self._doubling])

    def select_rows(self, rows: torch.Tensor) -> None:
        """Keep (or repeat) the given rows of the batch in every layer."""
        for layer in self._doubling:
            layer.select_rows(rows)


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """`query` (B, query heads, T, D), `key` and `value` (B, key-value heads, S, D) -> (B, T, query heads, D)."""
    rows, heads, length, width = query.shape
    if length > 1 or kwargs.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    grouped = query.view(rows, key.shape[1], heads // key.shape[1], width)
    output = torch.nn.functional.scaled_dot_product_attention(grouped, key, value, attn_mask=attention_mask, scale=scaling)
    return output.reshape(rows, 1, heads, value.shape[-1]), None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
