"""Generation with transformers in this process: any causal language model, on CPU or one GPU."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from transformers import PreTrainedModel

from rl_core.config.model import Lora
from rl_core.errors import InputError
from rl_core.model.context import context_length
from rl_core.model.logits import logits_at
from rl_core.model.precision import fast_dtype
from rl_core.model.pretrained import (
    ATTENTION_LAYERS,
    device,
    end_tokens,
    layer_kinds,
    load_model,
    load_tokenizer,
    release_memory,
    takes_fused_attention,
)
from rl_core.rollout.decoding_cache import ATTENTION, DecodingCache
from rl_core.rollout.description import BATCH_TOKENS
from rl_core.rollout.engine import Completion, Request, Sampling, at_stop_text, check_context
from rl_core.training.lora import add_adapters, in_format, is_adapter, load_with_adapters

SHRINK_BELOW = 0.8  # share of unfinished rows under which the batch is cut to them
ROW_STEP = 32  # ... rounded up to a multiple of it, for few shapes (see `rl_core.training.sequences.WIDTH_STEP`)


@dataclass
class _Row:
    """A response being written."""

    request: int
    sample: int
    uniforms: np.ndarray  # (max_tokens,) in [0, 1): the row's own random numbers, whatever else is in the batch
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finished: bool = False
    by_text: bool = False


class TransformersEngine:
    """Batched decoding: the prompt of a group is read once, finished rows leave the batch."""

    def __init__(
        self, checkpoint: str, *, batch_tokens: int = BATCH_TOKENS, dtype: torch.dtype | None = None, lora: Lora | None = None
    ) -> None:
        """
        Args:
            dtype: default: bfloat16 where that is fast.
            lora: adapters beside the weights, to be filled by `update_weights`.

        Raises:
            InputError: the model keeps a state that is not of tokens.
        """
        self.tokenizer = load_tokenizer(checkpoint)
        dtype = dtype or fast_dtype()
        model = (load_model if lora else load_with_adapters)(checkpoint, dtype=dtype, fused=ATTENTION)
        if model._is_stateful or not layer_kinds(model.config) <= ATTENTION_LAYERS:
            raise InputError(f"{checkpoint}: engine: transformers writes with layers of attention only; use engine: vllm on a GPU")
        if lora:
            add_adapters(model, lora, seed=0)
            in_format(model, dtype)
        self.model: PreTrainedModel = model.to(device()).eval()  # type: ignore[arg-type]
        # One mask serves all layers of full attention; the model makes those of layers with a window.
        self.one_mask = layer_kinds(model.config) == {"full_attention"} and takes_fused_attention(model.config)
        self.batch_tokens = batch_tokens
        # Rows of the embedding without a token must never be drawn.
        self.vocabulary = min(len(self.tokenizer), self.model.config.get_text_config().vocab_size)
        self.end_tokens = end_tokens(checkpoint, self.tokenizer)

    def update_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """Copy `weights` into the running model."""
        missing, unexpected = self.model.load_state_dict(weights, strict=False)
        missing = sorted(set(missing) - set(self.model.all_tied_weights_keys)) if not all(map(is_adapter, weights)) else []
        if unexpected or missing:
            raise ValueError(f"weights of another architecture: {', '.join([*unexpected, *missing][:3])} …")

    def sleep(self) -> None:
        """The weights stay where they are; what the calls before left reserved is freed."""
        release_memory()

    def wake(self) -> None:
        """Always awake."""

    def close(self) -> None:
        """Nothing outlives the process."""

    @torch.inference_mode()
    def generate(self, requests: list[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """See `RolloutEngine.generate`. Requests are sorted by prompt length and cut into batches of `batch_tokens`."""
        check_context(requests, sampling, context_length(self.model.config))
        order = sorted(range(len(requests)), key=lambda index: len(requests[index].prompt_token_ids), reverse=True)
        while order:
            batch: list[int] = []
            tokens = 0
            while order:
                request = requests[order[0]]
                tokens += request.samples * (len(request.prompt_token_ids) + sampling.max_tokens)
                if batch and tokens > self.batch_tokens:
                    break
                batch.append(order.pop(0))
            for rows in self._decode([(index, requests[index]) for index in batch], sampling):
                yield (
                    rows[0].request,
                    [Completion(row.token_ids, row.logprobs, "stop" if row.finished else "length", row.by_text) for row in rows],
                )

    def _decode(self, batch: list[tuple[int, Request]], sampling: Sampling) -> Iterator[list[_Row]]:
        """The rows of each request of the batch when the last of them is finished."""
        device = self.model.device
        logits_PV, mask_PT, positions_P, cache = self._read_prompts([request.prompt_token_ids for _, request in batch])
        width = mask_PT.shape[1]
        rows = {
            index: [
                _Row(index, sample, _uniforms(request.seed, sample, sampling.max_tokens))
                for sample in range(request.first, request.first + request.samples)
            ]
            for index, request in batch
        }
        prompt_of_row = torch.tensor([prompt for prompt, (_, request) in enumerate(batch) for _ in range(request.samples)])
        cache.select_rows(prompt_of_row.to(device))
        logits_BV = logits_PV[prompt_of_row.to(device)]
        # The mask's columns for tokens still to come are open: a row never pads after its prompt.
        mask_BS = torch.nn.functional.pad(mask_PT[prompt_of_row], (0, sampling.max_tokens), value=True).to(device)
        positions_B = positions_P[prompt_of_row].to(device)
        alive = [row for group in rows.values() for row in group]
        writing = {index: len(group) for index, group in rows.items()}  # rows of each request that are not finished
        for step in range(sampling.max_tokens):
            tokens_B, logprobs_B = self._sample(logits_BV, [row.uniforms[step] for row in alive], sampling)
            for row, token, logprob in zip(alive, tokens_B.tolist(), logprobs_B.tolist(), strict=True):
                if not row.finished:
                    row.token_ids.append(token)
                    row.logprobs.append(logprob)
                    row.finished = token in self.end_tokens
                    if not row.finished and at_stop_text(self.tokenizer, row.token_ids, sampling.stop):
                        row.finished = row.by_text = True
                    writing[row.request] -= row.finished
            for index in [index for index, count in writing.items() if count == 0 or step + 1 == sampling.max_tokens]:
                del writing[index]
                yield rows[index]
            unfinished = [index for index, row in enumerate(alive) if not row.finished]
            if not writing:
                break
            if len(unfinished) < SHRINK_BELOW * len(alive):
                finished = (index for index, row in enumerate(alive) if row.finished)
                kept = [*unfinished, *islice(finished, -len(unfinished) % ROW_STEP)]
                alive = [alive[index] for index in kept]
                keep = torch.tensor(kept, device=device)
                cache.select_rows(keep)
                tokens_B, mask_BS, positions_B = tokens_B[keep], mask_BS[keep], positions_B[keep]
            positions_B = positions_B + 1
            seen_BS = mask_BS[:, : width + step + 1]
            logits_BV = logits_at(
                self.model,
                torch.arange(len(alive), device=device),
                input_ids=tokens_B[:, None],
                attention_mask=seen_BS[:, None, None] if self.one_mask else seen_BS,
                position_ids=positions_B[:, None],
                past_key_values=cache,
                use_cache=True,
            )

    def _read_prompts(self, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, DecodingCache]:
        """One pass over prompts: logits of what follows (P, V), which tokens are no padding (P, T), last positions (P,), and the cache."""
        device = self.model.device
        width = max(map(len, prompts))
        tokens_PT = torch.full((len(prompts), width), self.tokenizer.pad_token_id or 0)
        mask_PT = torch.zeros((len(prompts), width), dtype=torch.bool)
        for prompt, token_ids in enumerate(prompts):  # left padding: the last prompt tokens line up
            tokens_PT[prompt, width - len(token_ids) :] = torch.tensor(token_ids)
            mask_PT[prompt, width - len(token_ids) :] = True
        positions_PT = (mask_PT.cumsum(1) - 1).clamp(min=0)
        cache = DecodingCache(self.model.config)
        logits_PV = logits_at(
            self.model,
            width * torch.arange(1, len(prompts) + 1, device=device) - 1,
            input_ids=tokens_PT.to(device),
            attention_mask=mask_PT.to(device),
            position_ids=positions_PT.to(device),
            past_key_values=cache,
            use_cache=True,
        )
        return logits_PV, mask_PT, positions_PT[:, -1], cache

    def _sample(self, logits_BV: torch.Tensor, uniforms: list[float], sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
        """Next tokens and their log-probabilities, both (B,), by inversion of the cumulative distribution."""
        logits_BV = logits_BV.float()
        logits_BV[:, self.vocabulary :] = -torch.inf
        log_probs_BV = torch.log_softmax(logits_BV / (sampling.temperature or 1.0), dim=-1)
        if sampling.top_p < 1 and sampling.temperature > 0:
            log_probs_BV = _nucleus(log_probs_BV, sampling.top_p)
        if sampling.temperature == 0:
            tokens_B = log_probs_BV.argmax(-1)
        else:
            cumulative_BV = log_probs_BV.exp().cumsum(-1)
            draws_B1 = torch.tensor(uniforms, device=logits_BV.device, dtype=torch.float32)[:, None] * cumulative_BV[:, -1:]
            tokens_B = torch.searchsorted(cumulative_BV, draws_B1, right=True)[:, 0].clamp(max=self.vocabulary - 1)
        return tokens_B, log_probs_BV.gather(-1, tokens_B[:, None])[:, 0]


def _nucleus(log_probs_BV: torch.Tensor, top_p: float) -> torch.Tensor:
    """Log-probabilities among the most probable tokens that together have `top_p` or just more (Holtzman et al., 1904.09751)."""
    sorted_BV, order_BV = log_probs_BV.sort(dim=-1, descending=True)
    probs_BV = sorted_BV.exp()
    outside_BV = probs_BV.cumsum(-1) - probs_BV >= top_p  # what comes before a token has the share already
    kept_BV = torch.empty_like(log_probs_BV).scatter_(-1, order_BV, sorted_BV.masked_fill(outside_BV, -torch.inf))
    return torch.log_softmax(kept_BV, dim=-1)


def _uniforms(seed: int, sample: int, count: int) -> np.ndarray:
    """The random numbers of one response: a function of seed and sample index alone (counter-based generator)."""
    return np.random.Generator(np.random.Philox(key=[seed % 2**64, sample])).random(count, dtype=np.float32)
