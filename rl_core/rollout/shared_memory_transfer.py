"""Weights for a vLLM engine from a file in shared memory: a backend of vLLM's weight transfer, loaded in its worker processes.

For CPUs, for which vLLM has no backend of its own, and for weights that are not on the engine's machine as tensors of a GPU.
"""

from dataclasses import dataclass
from typing import Any

from safetensors import safe_open
from vllm.distributed.weight_transfer.base import WeightTransferEngine, WeightTransferInitInfo, WeightTransferUpdateInfo
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
from vllm.model_executor.model_loader.reload import finalize_layerwise_reload, initialize_layerwise_reload

NAME = "shared_memory"


@dataclass
class Nothing(WeightTransferInitInfo):
    """Nobody has to be met first."""


@dataclass
class WeightFile(WeightTransferUpdateInfo):
    """A safetensors file of weights, names as in a Hugging Face checkpoint."""

    path: str


class SharedMemoryTransfer(WeightTransferEngine[Nothing, WeightFile]):
    """The receiving side; the sender writes a file."""

    init_info_cls = Nothing
    update_info_cls = WeightFile

    def init_transfer_engine(self, init_info: Nothing) -> None:
        """See the base class."""

    def start_weight_update(self) -> None:
        initialize_layerwise_reload(self.model)

    def update_weights(self, update_info: dict[str, Any]) -> None:
        """See the base class, which waits for an accelerator even where there is none."""
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: WeightFile) -> None:
        model: Any = self.model
        with safe_open(update_info.path, framework="pt") as file:
            model.load_weights((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118  # it has no other way through

    def finish_weight_update(self) -> None:
        finalize_layerwise_reload(self.model, self.model_config)

    def shutdown(self) -> None:
        """See the base class."""


WeightTransferEngineFactory.register_engine(NAME, SharedMemoryTransfer)


class WorkerExtension:
    """Named to vLLM as its workers' extension, so that they load this module."""

    def has_own_head(self: Any) -> bool:
        """Whether the model has an output head of its own: some architectures always take the embedding."""
        return any("lm_head." in name for name, _ in self.get_model().named_parameters())
