"""The size and shape of a recipe's model, as far as costs depend on them; known without a hub for the models that are used most."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_core.config.model import ScratchModel
from tasks.workspace import read_json


@dataclass(frozen=True)
class Model:
    """A decoder as costs see it."""

    parameters: float
    layers: int
    width: int
    intermediate: int
    attention: int  # heads x head width
    key_value: int  # key-value heads x head width
    vocabulary: int
    guessed: bool = False  # from the size in its name

    @property
    def cache_width(self) -> int:
        """Numbers that are kept per token while it generates."""
        return 2 * self.layers * self.key_value

    @property
    def products(self) -> float:
        """Parameters that every token is multiplied with; a tied head counts once, a look-up not at all."""
        body = self.layers * _layer(self.width, self.intermediate, self.attention, self.key_value)
        return body + self.vocabulary * self.width


def _layer(width: int, intermediate: int, attention: int, key_value: int) -> int:
    return width * (2 * attention + 2 * key_value) + 3 * width * intermediate


def _shape(
    layers: int, width: int, heads: int, key_value_heads: int, intermediate: int, vocabulary: int, *, tied: bool, head: int | None = None
) -> Model:
    attention, key_value = heads * (head or width // heads), key_value_heads * (head or width // heads)
    parameters = layers * _layer(width, intermediate, attention, key_value) + vocabulary * width * (1 if tied else 2)
    return Model(parameters, layers, width, intermediate, attention, key_value, vocabulary)


_QWEN_7B = _shape(28, 3584, 28, 4, 18944, 152064, tied=False)
_LLAMA_8B = _shape(32, 4096, 32, 8, 14336, 128256, tied=False)
_QWEN_1_5B = _shape(28, 1536, 12, 2, 8960, 151936, tied=True)

# From the config.json of each repository on the hub. Variants (`-Base`, `-Instruct`) and copies by others have the shape of their namesake.
KNOWN = {
    "Qwen/Qwen2.5-0.5B": _shape(24, 896, 14, 2, 4864, 151936, tied=True),
    "Qwen/Qwen2.5-1.5B": _QWEN_1_5B,
    "Qwen/Qwen2.5-Math-1.5B": _QWEN_1_5B,
    "Qwen/Qwen2.5-3B": _shape(36, 2048, 16, 2, 11008, 151936, tied=True),
    "Qwen/Qwen2.5-7B": _QWEN_7B,
    "Qwen/Qwen2.5-Math-7B": _QWEN_7B,
    "Qwen/Qwen2.5-Coder-7B": _QWEN_7B,
    "Qwen/Qwen2.5-14B": _shape(48, 5120, 40, 8, 13824, 152064, tied=False),
    "Qwen/Qwen2.5-32B": _shape(64, 5120, 40, 8, 27648, 152064, tied=False),
    "Qwen/Qwen3-0.6B": _shape(28, 1024, 16, 8, 3072, 151936, tied=True, head=128),
    "Qwen/Qwen3-1.7B": _shape(28, 2048, 16, 8, 6144, 151936, tied=True, head=128),
    "Qwen/Qwen3-4B": _shape(36, 2560, 32, 8, 9728, 151936, tied=True, head=128),
    "Qwen/Qwen3-8B": _shape(36, 4096, 32, 8, 12288, 151936, tied=False, head=128),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": _shape(28, 1536, 12, 2, 8960, 151936, tied=False),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": _QWEN_7B,
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": _LLAMA_8B,
    "meta-llama/Llama-3.1-8B": _LLAMA_8B,
    "meta-llama/Llama-3.2-1B": _shape(16, 2048, 32, 8, 8192, 128256, tied=True),
    "meta-llama/Llama-3.2-3B": _shape(28, 3072, 24, 8, 8192, 128256, tied=True),
    "HuggingFaceTB/SmolLM2-135M": _shape(30, 576, 9, 3, 1536, 49152, tied=True),
    "HuggingFaceTB/SmolLM2-360M": _shape(32, 960, 15, 5, 2560, 49152, tied=True),
    "HuggingFaceTB/SmolLM2-1.7B": _shape(24, 2048, 32, 32, 8192, 49152, tied=True),
}
_VARIANT = re.compile(r"-(Base|Instruct(-1M)?)$")
_BY_NAME = {name.rpartition("/")[2]: model for name, model in KNOWN.items()}
_EXPERTS = re.compile(r"\d[bB]-[aA]\d")  # 30B-A3B: a mixture of experts, which these formulas do not know
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([mMbB])\b")


def describe_model(model: str | ScratchModel) -> Model | None:
    """From the recipe, a config.json (of a directory, or that the hub's cache has), the table, else guessed from the size in the name.

    None where nothing tells the size.
    """
    if isinstance(model, ScratchModel):
        heads = model.heads, model.key_value_heads
        return _shape(model.layers, model.hidden_size, *heads, model.intermediate_size, model.vocabulary, tied=True)
    if Path(model).is_dir():
        return _from_config(read_json(Path(model) / "config.json"))
    return _BY_NAME.get(_VARIANT.sub("", model.rpartition("/")[2])) or _from_config(_cached_config(model)) or _guess(model)


def _from_config(config: Any) -> Model | None:
    try:
        return _shape(
            config["num_hidden_layers"],
            config["hidden_size"],
            config["num_attention_heads"],
            config.get("num_key_value_heads") or config["num_attention_heads"],
            config["intermediate_size"],
            config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings", str(config.get("model_type")).startswith("gemma"))),  # Gemma leaves its default out
            head=config.get("head_dim"),
        )
    except (KeyError, TypeError, AttributeError):
        return None


def _cached_config(model: str) -> Any:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(model, "config.json")
    except HFValidationError:  # a path of a directory that is not there
        return None
    return read_json(Path(path)) if isinstance(path, str) else None


def _guess(name: str) -> Model | None:
    """Width and depth that models of this size have: parameters = 12 x layers x width^2, width = 128 x layers."""
    size = _SIZE.search(name)
    if not size or _EXPERTS.search(name):
        return None
    parameters = float(size[1]) * (1e9 if size[2] in "bB" else 1e6)
    layers = max(1, round((parameters / (12 * 128**2)) ** (1 / 3)))
    width = 128 * layers
    return Model(parameters, layers, width, 8 * width // 3, width, width // 4, 150_000, guessed=True)
