"""vLLM's workers forked from a process that has its imports behind it: each would import for twelve seconds, and compute for one."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import context, forkserver, get_context, popen_forkserver
from typing import Any
from unittest.mock import patch

MODULES = ["vllm.v1.executor.multiproc_executor", "vllm.v1.worker.cpu_worker", "vllm.v1.attention.backends.cpu_attn"]
MODULES += ["vllm.model_executor.models.qwen2", "vllm.lora.worker_manager", "vllm.distributed.weight_transfer.factory"]
SERVER = forkserver.ForkServer()  # beside the one of multiprocessing, from which scoring forks
SERVER.set_forkserver_preload(MODULES)


class Popen(popen_forkserver.Popen):
    def _launch(self, process: Any) -> None:
        with patch.object(forkserver, "connect_to_new_process", SERVER.connect_to_new_process):
            super()._launch(process)


class Process(context.ForkServerProcess):
    _Popen = staticmethod(Popen)


class WarmContext:
    """A context of multiprocessing. The environment of its processes is that of their parent, which tells vLLM's workers what to do."""

    def __getattr__(self, name: str) -> Any:
        return getattr(get_context("forkserver"), name)

    def Process(self, *, target: Callable[..., None], kwargs: dict[str, Any], **options: Any) -> Process:
        return Process(target=with_environment, args=(dict(os.environ), target), kwargs=kwargs, **options)


def with_environment(environment: dict[str, str], target: Callable[..., None], /, **arguments: Any) -> None:
    os.environ.clear()
    os.environ.update(environment)
    target(**arguments)


def install() -> None:
    """For the engines that this process starts from now on, on a CPU: a fork cannot use CUDA."""
    import torch
    from vllm.v1.executor import multiproc_executor

    if not torch.cuda.is_available():
        multiproc_executor.get_mp_context = WarmContext
