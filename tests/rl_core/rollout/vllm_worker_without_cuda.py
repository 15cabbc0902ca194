"""What vLLM's workers load in tests of its weight transfer."""

from rl_core.rollout.shared_memory_transfer import WorkerExtension
from tests.rl_core.rollout.without_cuda import install

__all__ = ["WorkerExtension"]

install()
