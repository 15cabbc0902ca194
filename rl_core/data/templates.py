"""Prompt templates: how a question becomes the text that a model continues."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from rl_core.data.prompts import DataError


@dataclass(frozen=True)
class Template:
    """A chat of one turn; the checkpoint's own chat template writes the markup around it."""

    system: str | None
    user: str = "{question}"
    prefill: str = ""  # text written on the assistant's behalf; part of the response for verifiers


TEMPLATES = {
    # Only the question: for models trained from scratch on traces, where an instruction would teach nothing.
    "plain": Template(system=None),
    # The system prompt of Logic-RL (examples/data_preprocess/kk.py) asks for the same tags; it opens <think> for the model.
    "think_answer": Template(
        system=(
            "You are a helpful assistant. First think about the problem step by step, then give the answer. Put your reasoning between "
            "<think> and </think> and the final answer between <answer> and </answer>, for example: <think> reasoning </think>"
            "<answer> answer </answer>. For a puzzle about several people, state the identity of each one within the answer tags, "
            "for example: <answer> (1) Zoey is a knight\n(2) Oliver is a knave </answer>."
        ),
        prefill="<think>",
    ),
    # The instruction of Qwen2.5-Math's evaluation, used by simpleRL-reason.
    "boxed": Template(system="Please reason step by step, and put your final answer within \\boxed{}."),
}


def find_template(name: str) -> Template:
    """Raises DataError naming the nearest known template."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    nearest = difflib.get_close_matches(name, TEMPLATES, n=1)
    raise DataError(f"unknown template {name!r}; " + (f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(TEMPLATES)}"))


def render(name: str, question: str, tokenizer: Any) -> str:
    """The whole prompt as text, up to and including the assistant's header and the prefill.

    Raises:
        DataError: the tokenizer has no chat template.
    """
    template = find_template(name)
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(f"{getattr(tokenizer, 'name_or_path', 'the tokenizer')}: no chat template, which template {name!r} needs")
    messages = [{"role": "system", "content": template.system}] if template.system else []
    messages.append({"role": "user", "content": template.user.format(question=question)})
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)) + template.prefill
