"""Number formats: bfloat16 where products of it are fast."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from rl_core.config.resources import Precision

INSTRUCTIONS = ("amx_bf16", "avx512_bf16")  # of CPUs that multiply bfloat16 matrices; on one without, float32 was 7 to 9 times as fast


def fast_dtype() -> torch.dtype:
    """bfloat16 on GPUs and on CPUs with instructions for it, else float32."""
    import torch

    if torch.cuda.is_available():
        return torch.bfloat16
    instructions = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(instructions.get(name) for name in INSTRUCTIONS) else torch.float32


def dtype_of(precision: Precision) -> torch.dtype:
    """The format of a recipe's setting."""
    import torch

    return {"auto": fast_dtype(), "bfloat16": torch.bfloat16, "float32": torch.float32}[precision]


def products_in(dtype: torch.dtype, device: str) -> AbstractContextManager[None]:
    """Matrix products in `dtype`, whatever the weights are; sums and softmax stay in float32."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
