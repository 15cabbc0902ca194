"""nano-aha-moment, nano_r1_script.py: format_reward_func; its equation_reward_func is `accuracy` by the same rule as TinyZero's."""

import re

from rl_core.rewards.component import Component, of_text
from rl_core.rewards.rules import Rule


def equation_format(response: str) -> float:
    """1 for thinking and then an answer in tags that is digits, signs and brackets, 0.5 where it is more, else 0 (nano-aha-moment).

    What a template wrote before `<think>` is passed over.
    """
    thinking, between, answer = response[max(0, response.find("<think>")) :].partition("</think>\n<answer>")
    if not (between and answer.endswith("</answer>") and thinking.startswith("<think>")):
        return 0.0
    if thinking.count("<think>") > 1 or "</think>" in thinking:
        return 0.0
    return 1.0 if re.fullmatch(r"[0-9+\-*/().\s]+", answer.removesuffix("</answer>").strip()) else 0.5


COMPONENTS = {"equation_format": Component(of_text(equation_format), 0.0, rule=Rule.TINYZERO)}
PRESETS = {"nano_aha": {"equation_format": 1.0, "accuracy": 1.0}}
