"""Generation with vLLM, on GPUs or with its CPU build.

The engine never loads the checkpoint's weights: it starts from random ones and gets the policy's by vLLM's weight transfer, so that
weights that do not arrive show in the first comparison of log-probs instead of passing for the right ones.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from rl_core.config.model import Lora
from rl_core.errors import InputError
from rl_core.model.context import context_length
from rl_core.model.precision import fast_dtype
from rl_core.model.pretrained import ATTENTION_LAYERS, device, end_tokens, layer_kinds, load_config, load_tokenizer
from rl_core.rollout.description import Transfer
from rl_core.rollout.engine import Completion, Request, Sampling, at_stop_text, check_context
from rl_core.rollout.vllm_weights import Form, for_vllm
from rl_core.training.lora import is_adapter, save_adapters

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig
    from vllm.lora.request import LoRARequest
    from vllm.v1.engine.llm_engine import LLMEngine

DIRECTORY = "r1flow-engine-"  # followed by the number of the process
WORKER_EXTENSION = "rl_core.rollout.shared_memory_transfer.WorkerExtension"  # makes vLLM's workers know that transfer
SEQUENCES_ON_CPU = 128  # responses that a CPU writes at the same time
CACHE_SHARE = 0.25  # of a CPU's free memory, at most, for keys and values
BLOCK_ON_CPU = 32  # tokens of a cache block; of vLLM's 128 the responses of a group share too little of their prompt


class VllmEngine:
    """A `RolloutEngine`. Its model has an output head of its own, where it can, and rows only for tokens that exist.

    vLLM's CPU build repacks the output head and does not refresh a tied one. And with embedding rows that no token stands for cut off,
    probabilities are those of the tokens that can be drawn, as with the other engine.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        tensor_parallel: int = 1,
        memory_share: float = 0.5,
        dtype: torch.dtype | None = None,
        longest: int | None = None,
        transfer: Transfer = "shared_memory",
        lora: Lora | None = None,
    ) -> None:
        """Start without the checkpoint's weights.

        Args:
            tensor_parallel: devices of this engine.
            memory_share: of a GPU's memory, for weights and cache.
            dtype: default: bfloat16 where that is fast.
            longest: tokens of a prompt and its response together; default: the model's context.
            transfer: how weights come: for `update_weights` by shared memory, else by a `weight_sender`.
            lora: adapters beside the weights; they always come by `update_weights`.
        """
        dtype = dtype or fast_dtype()
        self.tokenizer = load_tokenizer(checkpoint)
        config = load_config(checkpoint)
        vocabulary = min(len(self.tokenizer), config.get_text_config().vocab_size)
        lengths = [length for length in (context_length(config), longest) if length]  # of a model without a bound the latter
        self.context: int = min(lengths)
        self.end_tokens = end_tokens(checkpoint, self.tokenizer)
        self.on_gpu = device() == "cuda"
        self.lora = lora
        self.adapters: LoRARequest | None = None  # the last ones that came
        by_device = {"gpu_memory_utilization": memory_share} if self.on_gpu else _on_cpu(config, self.context, dtype, tensor_parallel)
        by_device |= _room_for(lora)
        self.directory = _directory()
        try:
            for_engine(config, vocabulary).save_pretrained(self.directory)
            self.engine = self._start(dtype, tensor_parallel, transfer, by_device)
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        self.form = Form(vocabulary, self.engine.collective_rpc("has_own_head")[0])
        self.numbers = count(1)
        self.close = weakref.finalize(self, _close, self.engine, self.directory)

    def _start(self, dtype: torch.dtype, tensor_parallel: int, transfer: Transfer, settings: dict[str, Any]) -> LLMEngine:
        import torch

        with _environment(tensor_parallel):
            os.environ["VLLM_RPC_BASE_PATH"] = str(self.directory)  # of its sockets, which stay when it is killed
            from vllm.config.weight_transfer import WeightTransferConfig
            from vllm.engine.arg_utils import EngineArgs
            from vllm.envs import disable_envs_cache
            from vllm.usage.usage_lib import UsageContext
            from vllm.v1.engine.llm_engine import LLMEngine

            disable_envs_cache()  # of an earlier engine of this process, which had another directory
            arguments = EngineArgs(
                model=str(self.directory),
                skip_tokenizer_init=True,
                load_format="dummy",
                use_tqdm_on_load=False,
                dtype="bfloat16" if dtype == torch.bfloat16 else "float32",
                max_model_len=self.context,
                tensor_parallel_size=tensor_parallel,
                distributed_executor_backend="mp",
                logprobs_mode="processed_logprobs",
                generation_config="vllm",
                enable_sleep_mode=self.on_gpu,
                enforce_eager=not self.on_gpu,
                weight_transfer_config=WeightTransferConfig(backend=transfer),
                worker_extension_cls=WORKER_EXTENSION,
                disable_log_stats=True,
                **settings,
            )
            # In this usage (no stream of tokens to a client) vLLM takes far more sequences at once.
            return LLMEngine.from_engine_args(arguments, usage_context=UsageContext.LLM_CLASS)

    def generate(self, requests: list[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import RequestOutputKind

        check_context(requests, sampling, self.context)
        waiting: dict[str, tuple[int, int]] = {}
        written: defaultdict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        finished: defaultdict[int, dict[int, Completion]] = defaultdict(dict)
        try:
            for index, request in enumerate(requests):
                for sample in range(request.first, request.first + request.samples):
                    name = str(next(self.numbers))
                    waiting[name] = index, sample
                    parameters = SamplingParams(
                        temperature=sampling.temperature,
                        max_tokens=sampling.max_tokens,
                        top_p=sampling.top_p,
                        seed=_seed(request.seed, sample),
                        logprobs=0,
                        detokenize=False,
                        stop_token_ids=sorted(self.end_tokens),
                        output_kind=RequestOutputKind.DELTA if sampling.stop else RequestOutputKind.FINAL_ONLY,
                    )
                    prompt = TokensPrompt(prompt_token_ids=request.prompt_token_ids)
                    self.engine.add_request(name, prompt, parameters, lora_request=self.adapters)
            while waiting:
                output: Any
                for output in self.engine.step():
                    part = output.outputs[0]
                    token_ids, logprobs = written[output.request_id]
                    token_ids += part.token_ids
                    logprobs += [entry[token].logprob for entry, token in zip(part.logprobs, part.token_ids, strict=True)]
                    ended = token_ids[-1] in self.end_tokens
                    by_text = not ended and at_stop_text(self.tokenizer, token_ids, sampling.stop)
                    if by_text and not output.finished:
                        self.engine.abort_request([output.request_id])
                    elif not output.finished:
                        continue
                    completion = Completion(token_ids, logprobs, "stop" if ended or by_text else "length", by_text)
                    index, sample = waiting.pop(output.request_id)
                    del written[output.request_id]
                    finished[index][sample] = completion
                    if len(finished[index]) == requests[index].samples:
                        yield index, [finished[index][number] for number in sorted(finished[index])]
        finally:
            if waiting:
                self.engine.abort_request(list(waiting))

    def update_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """See `RolloutEngine.update_weights`: by a copy in shared memory that vLLM's workers read."""
        adapters = {name: tensor for name, tensor in weights.items() if is_adapter(name)}
        if len(adapters) < len(weights):
            self._update_model(weights)
        if adapters:
            self._update_adapters(adapters)

    def _update_model(self, weights: dict[str, torch.Tensor]) -> None:
        from safetensors.torch import save_file

        copy = self.directory / "model.safetensors"
        save_file(dict(for_vllm(weights.items(), self.form)), copy)
        try:
            self.transfer_step("start_weight_update", {})
            self.transfer_step("update_weights", {"update_info": {"path": str(copy)}})
            self.transfer_step("finish_weight_update", {})
        finally:
            copy.unlink()

    def _update_adapters(self, adapters: dict[str, torch.Tensor]) -> None:
        """As another adapter of another name: vLLM keeps what it has read under a name."""
        from vllm.lora.request import LoRARequest

        assert self.lora
        number = next(self.numbers)
        directory = save_adapters(self.directory, adapters, self.lora, str(self.directory))
        try:
            if self.adapters:
                self.engine.remove_lora(self.adapters.lora_int_id)
            self.adapters = LoRARequest(str(number), number, str(directory))
            self.engine.add_lora(self.adapters)
        finally:
            shutil.rmtree(directory)
        self.engine.reset_prefix_cache()

    def transfer_step(self, step: str, arguments: dict[str, Any]) -> None:
        """A step of vLLM's weight transfer, by its name there, on all devices of the engine."""
        self.engine.collective_rpc(step, kwargs=arguments)
        if step == "finish_weight_update":
            self.engine.reset_prefix_cache()

    def sleep(self) -> None:
        """See `RolloutEngine.sleep`. Weights are dropped, for all of them follow the next `wake`; beside adapters they are kept."""
        if self.on_gpu and not self.engine.is_sleeping():
            self.engine.sleep(level=1 if self.lora else 2)

    def wake(self) -> None:
        if self.on_gpu and self.engine.is_sleeping():
            self.engine.wake_up()


def for_engine(config: PreTrainedConfig, vocabulary: int) -> PreTrainedConfig:
    """A model's configuration for vLLM: with an output head of its own, and without what the trainer does not do.

    Some models come with the settings of a mode that transformers does not have (dual chunk attention of Qwen2.5-1M, for contexts longer
    than `context_length`). vLLM must not enter it either.
    """
    changed = deepcopy(config)
    known = type(config)().to_dict()
    for name, value in config.to_dict().items():
        if isinstance(value, dict) and name not in known:
            delattr(changed, name)
            print(f"note: vLLM starts without {name} of the model's configuration, for training does without", file=sys.stderr, flush=True)
    changed.update({"tie_word_embeddings": False})
    changed.get_text_config().update({"vocab_size": vocabulary})
    return changed


def _room_for(lora: Lora | None) -> dict[str, Any]:
    """vLLM's settings for adapters. Raises InputError if their rank is more than vLLM takes."""
    if lora is None:
        return {}
    from vllm.config.lora import MaxLoRARanks

    if not (rooms := [room for room in get_args(MaxLoRARanks) if room >= lora.rank]):
        raise InputError(
            f"engine: vllm takes adapters of rank {max(get_args(MaxLoRARanks))} at most, not {lora.rank}; lower lora.rank, or use engine: "
            "transformers"
        )
    return {"enable_lora": True, "max_lora_rank": min(rooms), "max_loras": 1}


def _close(engine: Any, directory: Path) -> None:
    engine.engine_core.shutdown()
    shutil.rmtree(directory, ignore_errors=True)


def _directory() -> Path:
    """For this engine's copy of the weights, in shared memory where there is some; those of killed processes go."""
    import psutil

    parent = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
    for old in parent.glob(f"{DIRECTORY}*"):
        owner = old.name.removeprefix(DIRECTORY).split("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{DIRECTORY}{os.getpid()}-", dir=parent))


def _on_cpu(config: Any, context: int, dtype: torch.dtype, tensor_parallel: int) -> dict[str, Any]:
    """Settings of vLLM's CPU build. The cache holds SEQUENCES_ON_CPU of the longest responses, within CACHE_SHARE, and always two.

    Raises InputError if the model keeps a state that is not of tokens, or its heads are of a width that it does not take.
    """
    import psutil

    text = config.get_text_config()
    if not layer_kinds(config) <= ATTENTION_LAYERS or not getattr(text, "num_attention_heads", None):
        # Their states want prompts that may be read in parts, which seeded requests on a CPU do not survive.
        raise InputError("engine: vllm writes on a CPU with layers of attention only; take a model of such layers, or a GPU")
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    with _environment(tensor_parallel):
        from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend
    if width not in (widths := CPUAttentionBackend.get_supported_head_sizes()):
        raise InputError(f"engine: vllm takes heads of {widths} on a CPU, this model's are {width} wide; use engine: transformers")
    tokens = context + BLOCK_ON_CPU
    response = 2 * text.num_hidden_layers * text.num_key_value_heads * width * dtype.itemsize * tokens
    cache = max(2 * response, min(SEQUENCES_ON_CPU * response, int(CACHE_SHARE * psutil.virtual_memory().available)))
    return {
        "kv_cache_memory_bytes": cache // tensor_parallel,
        "max_num_seqs": SEQUENCES_ON_CPU,
        "block_size": BLOCK_ON_CPU,
        # A prompt read in two parts crashes seeded requests there: the CPU's random generator cannot be set back.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(context, 4096),
    }


@contextmanager
def _environment(tensor_parallel: int) -> Iterator[None]:
    """What vLLM and its processes read while they start, and nothing else should: it sets some variables itself."""
    import torch

    before = dict(os.environ)
    # Nothing is reported or fetched, and warnings of a library's start-up are not the user's.
    os.environ.update(VLLM_NO_USAGE_STATS="1", VLLM_LOGGING_LEVEL="ERROR", VLLM_ENABLE_V1_MULTIPROCESSING="0")
    if device() == "cpu":
        threads, cores = torch.get_num_threads(), sorted(os.sched_getaffinity(0))
        shares = [cores[part::tensor_parallel] or cores for part in range(tensor_parallel)]
        # Left to itself vLLM leaves a core idle. An engine that shares the machine by its number of threads is not bound to any.
        bound = "|".join(",".join(map(str, share)) for share in shares) if threads >= len(cores) else "nobind"
        os.environ.update(VLLM_CPU_OMP_THREADS_BIND=bound, OMP_NUM_THREADS=str(max(threads // tensor_parallel, 1)))
        os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # compiling costs more at the start than it gains here
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # its processes are on one machine
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _seed(seed: int, sample: int) -> int:
    """The seed of one response: of the request's seed and the number of the response alone, different for neighbours of either."""
    return int(np.random.SeedSequence([seed % 2**64, sample]).generate_state(1, np.uint64)[0] >> 1)
