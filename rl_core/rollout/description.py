"""What is known of an engine before it runs. Each file of rl_core/rollout/engines describes one; everything else asks this class.

Light to import: what is heavy is imported where an engine starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rl_core.errors import InputError
from rl_core.rollout.engine import RolloutEngine

if TYPE_CHECKING:
    import torch

    from rl_core.config.model import Lora

BATCH_TOKENS = 65536  # prompts and responses that an engine without a scheduler writes at the same time
LAYER_OVERHEAD = 1e-3  # seconds of each layer, beside the work itself, until all responses have their next token: of an engine in Python
Transfer = Literal["nccl", "ipc", "shared_memory"]  # how weights come: from device to device, or by `RolloutEngine.update_weights`


@dataclass(frozen=True)
class Start:
    """What an engine starts with."""

    checkpoint: str
    dtype: torch.dtype
    longest: int | None  # tokens of a prompt and its response together; None: what the model takes
    devices: int
    memory_share: float  # of a GPU, where it takes a fixed one
    batch_tokens: int = BATCH_TOKENS
    transfer: Transfer = "shared_memory"
    lora: Lora | None = None  # adapters beside the weights, to be filled by `update_weights`


class Engine:
    """An engine that runs a checkpoint here, under the name `ENGINE` in its module.

    `name` and `make` are what every engine has.
    """

    name: ClassVar[str]
    trains: ClassVar[bool] = True  # it samples in RL
    evaluates: ClassVar[bool] = True
    endpoint: ClassVar[bool] = False  # it runs elsewhere, at `resources.base_url`; see evals/endpoints

    # The package that it needs
    package: ClassVar[str | None] = None  # what is imported; None: every installation has it
    distributions: ClassVar[tuple[str, ...]] = ()  # what may bring it, for its version
    install: ClassVar[str] = ""  # how to get it

    # How it runs
    takes_share: ClassVar[bool] = False  # of a GPU's memory, `resources.engine_memory`, from which it steps back while the policy trains
    spans_devices: ClassVar[bool] = False  # `resources.tensor_parallel`
    by_device: ClassVar[bool] = False  # weights reach it from device to device by vLLM's weight transfer; `resources.weight_transfer`
    loads_weights: ClassVar[bool] = True  # it starts with the checkpoint's; else they, and its adapters, come by `update_weights`
    outlives: ClassVar[bool] = False  # its `close` removes what would outlive its process

    # How fast: responses in work at the same time, also on GPUs of 70 GB and more that are newer than an A100
    at_once: ClassVar[int] = 256
    at_once_large: ClassVar[int] = 256

    def token_overhead(self, layers: int, *, gpus: bool) -> float:
        """Seconds beside arithmetic and memory until all responses in work have their next token."""
        return LAYER_OVERHEAD * layers

    def start(self, start: Start) -> RolloutEngine:
        """Load it; raises InputError where its package is not installed, or the model is none that it takes."""
        if self.package and find_spec(self.package) is None:
            raise InputError(f"engine: {self.name} needs the package {self.package}: {self.install}")
        return self.make(start)

    def make(self, start: Start) -> RolloutEngine:
        """See `start`; the package is there."""
        raise NotImplementedError

    def batch_limits(self, running: Any, start: Start) -> dict[str, int]:
        """How much a running engine writes at the same time, for the record of an evaluation."""
        return {"tokens": start.batch_tokens}


def names_of(engines: Mapping[str, Engine], trait: str) -> str:
    """The engines that have a trait, for messages."""
    return " or ".join(name for name, engine in engines.items() if getattr(engine, trait))
