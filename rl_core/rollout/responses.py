"""From generated tokens to the columns that every stored response has."""

from dataclasses import dataclass
from typing import Any

from rl_core.data.prompts import Prompt
from rl_core.data.templates import Template, render
from rl_core.rewards.spans import THINKING, find_spans
from rl_core.rollout.engine import Completion


@dataclass(frozen=True)
class EncodedPrompt:
    """A problem as the model sees it."""

    prompt: Prompt
    text: str  # without the prefill
    token_ids: list[int]  # with the prefill
    template: Template


def encode_prompts(prompts: list[Prompt], template: Template, tokenizer: Any) -> list[EncodedPrompt]:
    """Render and tokenise problems; raises DataError as `render`."""
    texts = [render(template, prompt, tokenizer) for prompt in prompts]
    tokens = tokenizer(texts, add_special_tokens=False).input_ids if texts else []
    return [
        EncodedPrompt(prompt, text.removesuffix(template.prefill), token_ids, template)
        for prompt, text, token_ids in zip(prompts, texts, tokens, strict=True)
    ]


def response_text(completion: Completion, prefill: str, tokenizer: Any) -> str:
    """The assistant's turn: prefill and generated text without the end token. Other special tokens stay visible."""
    ended = completion.finish_reason == "stop" and not completion.by_text
    token_ids = completion.token_ids[:-1] if ended else completion.token_ids
    return prefill + str(tokenizer.decode(token_ids, skip_special_tokens=False))


def response_fields(
    encoded: EncodedPrompt, sample: int, response: str, completion: Completion, temperature: float, tokenizer: Any | None
) -> dict[str, Any]:
    """The columns of RESPONSE_FIELDS that do not depend on the verdict.

    Token counts of the think and answer parts are those of the parts tokenised alone; None without a tokenizer.
    """
    marks = encoded.template.think
    spans = find_spans(response, (marks,) if marks else THINKING)

    def tokens_in(span: tuple[int, int] | None) -> int | None:
        return None if span is None or tokenizer is None else len(tokenizer(response[slice(*span)], add_special_tokens=False).input_ids)

    return {
        "prompt_id": encoded.prompt.prompt_id,
        "task": encoded.prompt.task,
        "difficulty": encoded.prompt.difficulty,
        "sample": sample,
        "prompt": encoded.text,
        "response": response,
        "think_start": spans.think[0] if spans.think else None,
        "think_end": spans.think[1] if spans.think else None,
        "answer_start": spans.answer[0] if spans.answer else None,
        "answer_end": spans.answer[1] if spans.answer else None,
        "prompt_tokens": len(encoded.token_ids),
        "response_tokens": len(completion.token_ids),
        "think_tokens": tokens_in(spans.think),
        "answer_tokens": tokens_in(spans.answer),
        "finish_reason": completion.finish_reason,
        "gold": encoded.prompt.gold,
        "temperature": temperature,
    }
