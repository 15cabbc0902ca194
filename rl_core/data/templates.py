"""Prompt templates: how a question becomes the text that a model continues.

Prompts of reproduced projects are exact, down to their blanks; what is marked "ours" is not from them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from rl_core.data.prompts import DataError, Prompt
from rl_core.nearest import nearest
from rl_core.templates.own import QUESTION, OwnTemplate


@dataclass(frozen=True)
class Template:
    """A chat of one turn; the checkpoint's own chat template writes the markup around it, unless the text is `raw`."""

    user: str = "{question}"
    system: str | None = None
    prefill: str = ""  # text written on the assistant's behalf; part of the response for verifiers
    raw: bool = False  # `user` and `prefill` are the whole prompt: for base models, which know no chat
    think: tuple[str, str] | None = None  # marks of thinking where they are not <think> and </think>
    name: str = ""

    def identity(self) -> dict[str, Any]:
        """All that a prompt depends on, as JSON."""
        return {name: value for name, value in asdict(self).items() if name != "think" or value}

    def as_judged(self, response: str) -> str:
        """A response as rewards and verifiers are given it: with <think> and </think> for the template's own marks."""
        return response.replace(self.think[0], "<think>").replace(self.think[1], "</think>") if self.think else response


TEMPLATES = {
    # Only the question: for models trained from scratch on traces, where an instruction would teach nothing.
    "plain": Template(),
    # Ours, after the system prompt of Logic-RL: it asks for the same tags and opens <think> for the model.
    "think_answer": Template(
        system=(
            "You are a helpful assistant. First think about the problem step by step, then give the answer. Put your reasoning between "
            "<think> and </think> and the final answer between <answer> and </answer>, for example: <think> reasoning </think>"
            "<answer> answer </answer>. For a puzzle about several people, state the identity of each one within the answer tags, "
            "for example: <answer> (1) Zoey is a knight\n(2) Oliver is a knave </answer>."
        ),
        prefill="<think>",
    ),
    # Logic-RL, examples/data_preprocess/kk.py: qwen-instruct and base.
    "logic_rl_instruct": Template(
        system=(
            "You are a helpful assistant. The assistant first thinks about the reasoning process in the mind and then provides the user "
            "with the answer. The reasoning process and answer are enclosed within <think> </think> and<answer> </answer> tags, "
            "respectively, i.e., <think> reasoning process here </think><answer> answer here </answer>.  Now the user asks you to solve "
            "a logical reasoning problem. After thinking, when you finally reach a conclusion, clearly state the identity of each "
            "character within <answer> </answer> tags. i.e., <answer> (1) Zoey is a knight\n(2) ... </answer>.\n"
        ),
        user="{question}\n",
        prefill="<think>",
    ),
    "logic_rl_base": Template(
        user=(
            "The user asks a question, and the Assistant solves it.The assistant first thinks about the reasoning process in the mind "
            "and then provides the user with the final answer. The reasoning process and answer are enclosed within <think> </think> and "
            "<answer> </answer> tags, respectively, i.e., <think> reasoning process here </think><answer> answer here </answer>. Now the "
            "user asks you to solve a logical reasoning problem. After thinking, when you finally reach a conclusion, clearly state the "
            "identity of each character within <answer> </answer> tags. List the identity of each person one by one, for example, "
            "<answer> (1) Zoey is a knight\n(2) Oliver is a knight\n(3)... </answer>.\n\nUser:{question}\nAssistant: "
        ),
        prefill="<think>",
        raw=True,
    ),
    # TinyZero, examples/data_preprocess/countdown.py, base. The puzzle itself is worded by the question: ours.
    "tinyzero": Template(
        user=(
            "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first "
            "thinks about the reasoning process in the mind and then provides the user with the answer.\nUser: {question} Show your work "
            "in <think> </think> tags. And return the final answer in <answer> </answer> tags, for example <answer> (1 + 2) / 3 "
            "</answer>.\nAssistant: "
        ),
        prefill="Let me solve this step by step.\n<think>",
        raw=True,
    ),
    # nano-aha-moment, nano_r1_script.py. The puzzle itself is worded by the question: ours.
    "nano_aha": Template(
        system=(
            "You are a helpful assistant. You first think about the reasoning process in the mind and then provide the user with the "
            "answer."
        ),
        user=(
            "{question} Show your work in <think> </think> tags. And return the final equation and answer in <answer> </answer> tags, "
            "for example <answer>(1 + 2) / (3 * 5)</answer>."
        ),
        prefill="Let me solve this step by step.\n<think>",
    ),
    # The instruction of Qwen2.5-Math's evaluation: simpleRL-reason v0, and the template qwen_math of oat-zero.
    "boxed": Template(system="Please reason step by step, and put your final answer within \\boxed{}."),
    # SimpleRL-Zoo: for strong base models, and abel for weak ones.
    "qwen_boxed": Template(
        system="You are a helpful assistant.",
        user="{question}\nPlease reason step by step, and put your final answer within \\boxed{{}}.",
    ),
    "abel": Template(user="Question:\n{question}\nAnswer:\nLet's think step by step.\n", raw=True),
    # oat-zero, train_zero_math.py.
    "r1": Template(
        user=(
            "A conversation between User and Assistant. The User asks a question, and the Assistant solves it. The Assistant first "
            "thinks about the reasoning process in the mind and then provides the User with the answer. The reasoning process is enclosed "
            "within <think> </think> and answer is enclosed within <answer> </answer> tags, respectively, i.e., <think> reasoning process "
            "here </think> <answer> answer here </answer>.\nUser: {question}\nAssistant: "
        ),
        prefill="<think>",
        raw=True,
    ),
    # open-r1, recipes/Qwen2.5-1.5B-Instruct/grpo/config_demo.yaml.
    "open_r1": Template(
        system=(
            "You are a helpful AI Assistant that provides well-reasoned and detailed responses. You first think about the reasoning "
            "process as an internal monologue and then provide the user with the answer. Respond in the following format: "
            "<think>\n...\n</think>\n<answer>\n...\n</answer>"
        )
    ),
    # LightEval, the prompt of its mathematical tasks, by which open-r1 is evaluated.
    "lighteval_math": Template(
        user=(
            "Solve the following math problem efficiently and clearly.  The last line of your response should be of the following format: "
            "'Therefore, the final answer is: $\\boxed{{ANSWER}}$. I hope it is correct' (without quotes) where ANSWER is just the final "
            "number or expression that solves the problem. Think step by step before answering.\n\n{question}"
        )
    ),
    # DeepScaleR, scripts/data/deepscaler_dataset.py.
    "deepscaler": Template(user="{question} Let's think step by step and output the final answer within \\boxed{{}}."),
    # DAPO, the prompts of DAPO-Math-17k.
    "dapo": Template(
        user=(
            "Solve the following math problem step by step. The last line of your response should be of the form Answer: $Answer (without "
            "quotes) where $Answer is the answer to the problem.\n\n{question}\n\n"
            'Remember to put your answer on its own line after "Answer:".'
        )
    ),
    # Unsloth, the notebook of Qwen2.5 (3B) with GRPO.
    "unsloth": Template(system="\nRespond in the following format:\n<reasoning>\n...\n</reasoning>\n<answer>\n...\n</answer>\n"),
}


def find_template(setting: str | OwnTemplate) -> Template:
    """The template of a setting.

    Raises:
        DataError: none has this name; offers the nearest.
    """
    if isinstance(setting, OwnTemplate):
        user = setting.user.replace("{", "{{").replace("}", "}}").replace(f"{{{QUESTION}}}", QUESTION)
        name = setting.name or f"own-{hashlib.sha256(setting.model_dump_json().encode()).hexdigest()[:6]}"
        return Template(user, setting.system, setting.prefill, setting.raw, setting.think, name)
    if setting not in TEMPLATES:
        raise DataError(f"unknown template {setting!r}; {nearest(setting, TEMPLATES)} (or give one of your own: user, system, prefill)")
    return replace(TEMPLATES[setting], name=setting)


def chat(template: Template, prompt: Prompt) -> list[dict[str, str]]:
    """The messages of a prompt. Those that its row has come before the question, and its system message takes the place of the template's.

    Raises:
        DataError: the template is raw, and the row has messages.
    """
    earlier: list[dict[str, str]] = json.loads(prompt.messages) if prompt.messages else []
    if earlier and template.raw:
        raise DataError("the data has messages before the question, and a raw template has no place for them; name a template of a chat")
    given = any(message["role"] == "system" for message in earlier)
    system = [{"role": "system", "content": template.system}] if template.system and not given else []
    return [*system, *earlier, {"role": "user", "content": template.user.format(question=prompt.question)}]


def render(template: Template, prompt: Prompt, tokenizer: Any) -> str:
    """The whole prompt as text, with the token that begins a text where the tokenizer has one, up to and including the prefill.

    Raises:
        DataError: the tokenizer has no chat template and the template is not raw, or as `chat`.
    """
    messages = chat(template, prompt)
    if template.raw:
        return _beginning(tokenizer) + messages[-1]["content"] + template.prefill
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(f"{getattr(tokenizer, 'name_or_path', 'the tokenizer')}: no chat template, which template {template.name!r} needs")
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)) + template.prefill


def _beginning(tokenizer: Any) -> str:
    """What a tokenizer puts before plain text of its own accord. Chat templates write it themselves, so prompts are encoded without it."""
    first = tokenizer("").input_ids[:1]
    return str(tokenizer.bos_token) if first and first[0] == tokenizer.bos_token_id else ""
