"""The operations of a step of a model, and those per second that a device can do."""

import time
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from rl_core.devices import device_called
from rl_core.model.pretrained import device

MEASURED_FOR = 0.1  # seconds, of a device that is not in the list: what the first products reach is well below its best


@dataclass(frozen=True)
class ModelSize:
    """What the arithmetic of a decoder depends on."""

    parameters: int  # of matrices that every token is multiplied with: all but the embedding look-up
    attention: int  # layers x heads x head width: attention's own products grow with it and with the context

    def forward(self, tokens: int, context: float) -> float:
        """Operations of a forward pass over `tokens` that see `context` tokens on average (PaLM, arXiv 2204.02311, appendix B)."""
        return tokens * (2.0 * self.parameters + 4.0 * self.attention * context)


def size_of(model: PreTrainedModel) -> ModelSize:
    """Sizes from the model's modules and configuration; adapters count, tied heads count once as products."""
    config = model.config.get_text_config(decoder=True)
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    # With ZeRO-3 a process holds a shard; `ds_numel` is the size of the whole.
    parameters = sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters())
    look_up = 0 if config.tie_word_embeddings else config.vocab_size * config.hidden_size
    return ModelSize(parameters - look_up, config.num_hidden_layers * config.num_attention_heads * width)


def peak_flops() -> float:
    """Operations per second that this process's device can do: from its data sheet, else measured on a product of large matrices."""
    if device() == "cuda":
        known = device_called(torch.cuda.get_device_name())
        if known:
            return known.flops
    return max(_measured(dtype) for dtype in (torch.float32, torch.bfloat16))  # on many CPUs bfloat16 is the slower one


def _measured(dtype: torch.dtype) -> float:
    side, rates = 1024, [0.0]
    a = torch.randn(side, side, device=device()).to(dtype)
    until = time.perf_counter() + MEASURED_FOR
    while (began := time.perf_counter()) < until:
        torch.nn.functional.linear(a, a)[0, 0].item()  # waits for the device
        rates.append(2 * side**3 / (time.perf_counter() - began))
    return max(rates)
