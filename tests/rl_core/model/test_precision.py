"""Number formats: what "auto" comes to, and that products follow it."""

from __future__ import annotations

import pytest
import torch

from rl_core.model.precision import INSTRUCTIONS, dtype_of, fast_dtype, products_in


@pytest.mark.parametrize("instruction", [*INSTRUCTIONS, None])
def test_bfloat16_only_where_a_cpu_multiplies_it(instruction: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True} | ({instruction: True} if instruction else {}))
    assert fast_dtype() == dtype_of("auto") == (torch.bfloat16 if instruction else torch.float32)
    assert dtype_of("float32") == torch.float32
    assert dtype_of("bfloat16") == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_products_are_in_the_format_asked_for(dtype: torch.dtype) -> None:
    with products_in(dtype, "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
