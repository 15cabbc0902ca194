"""Engines of an evaluation: problems in, rows of responses out, each as soon as it is finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evals.config import NamedCheckpoint
from evals.engines.interface import NOT_ASKED, Question
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.templates import Template
from rl_core.model.context import context_length
from rl_core.model.pretrained import load_config, load_tokenizer
from rl_core.rollout.engine import Completion, Request, RolloutEngine, Sampling
from rl_core.rollout.responses import EncodedPrompt, encode_prompts, response_fields, response_text


class LocalEngine:
    """A model in this process."""

    def __init__(self, engine: RolloutEngine, facts: dict[str, Any], context: int | None) -> None:
        self.engine: RolloutEngine | None = engine
        self.facts = facts
        self.context = context

    def answer(self, questions: Sequence[Question], template: Template, sampling: Sampling) -> Iterator[tuple[int, dict[str, Any]]]:
        """See `EvalEngine.answer`. A problem too long for the context gets empty responses, cut off by the limit."""
        engine = self.engine
        assert engine is not None
        encoded = encode_prompts([question.prompt for question in questions], template, engine.tokenizer)

        def rows(index: int, completions: Sequence[Completion]) -> Iterator[tuple[int, dict[str, Any]]]:
            for sample, completion in enumerate(completions, start=questions[index].first):
                yield index, _row(encoded[index], sample, completion, sampling, engine.tokenizer)

        asked = [index for index, e in enumerate(encoded) if _fits(len(e.token_ids), sampling.max_tokens, self.context)]
        for index in sorted(set(range(len(encoded))) - set(asked)):
            yield from rows(index, [NOT_ASKED] * questions[index].samples)
        requests = [Request(encoded[index].token_ids, (q := questions[index]).samples, q.seed, q.first) for index in asked]
        for position, completions in engine.generate(requests, sampling):
            yield from rows(asked[position], completions)

    def close(self) -> None:
        """See `EvalEngine.close`."""
        if self.engine is not None:
            self.engine.close()
        self.engine = None


def _row(encoded: EncodedPrompt, sample: int, completion: Completion, sampling: Sampling, tokenizer: Any) -> dict[str, Any]:
    prefill = encoded.template.prefill
    text = response_text(completion, prefill, tokenizer)
    if completion.by_text:
        text = cut_at(text, sampling.stop, len(prefill))
    return response_fields(encoded, sample, text, completion, sampling.temperature, tokenizer)


def _fits(prompt: int, response: int, context: int | None) -> bool:
    return context is None or prompt + response <= context


def cut_at(text: str, stop: Sequence[str], start: int) -> str:
    """A text up to the end of the first stop text in it: the last token may go beyond."""
    ends = [position + len(mark) for mark in stop if (position := text.find(mark, start)) >= 0]
    return text[: min(ends)] if ends else text


def longest_prompt(checkpoint: NamedCheckpoint, benchmark: str, problems: Sequence[Prompt], template: Template, max_tokens: int) -> int:
    """Tokens of the longest prompt that leaves room for a response, before any model is loaded; says how many do not.

    Raises:
        InputError: the checkpoint has no tokenizer, or no chat template where the template needs one, or no prompt fits the context with
            its response; the shortest is named.
    """
    tokenizer = load_tokenizer(checkpoint.path)
    lengths = [len(encoded.token_ids) for encoded in encode_prompts(list(problems), template, tokenizer)]
    context = context_length(load_config(checkpoint.path))
    fitting = [length for length in lengths if _fits(length, max_tokens, context)]
    if context is None or len(fitting) == len(lengths):
        return max(lengths)
    where = f"{checkpoint.name} on {benchmark}"
    if not fitting:
        number, shortest = min(enumerate(lengths, start=1), key=lambda pair: pair[1])
        raise DataError(
            f"{where}: problem {number} ({problems[number - 1].prompt_id}) has the shortest prompt, {shortest} tokens, and with max_tokens "
            f"{max_tokens} exceeds the model's context of {context}; lower max_tokens to at most {max(context - shortest, 0)}"
        )
    longest = max(lengths)
    remedy = f"; max_tokens up to {context - longest:,} leaves room for all" if longest < context else ""
    count = f"{len(lengths) - len(fitting):,} of {len(lengths):,} problems are too long for the model's context of {context:,} tokens"
    print(
        f"warning: {where}: {count} with max_tokens {max_tokens:,} (the longest has {longest:,}); they are not asked, and count as not "
        f"solved{remedy}",
        flush=True,
    )
    return max(fitting)
