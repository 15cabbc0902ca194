"""DeepScaleR, deepscaler/rewards/math_reward.py."""

from rl_core.config.data import BOX
from rl_core.rewards.component import Component, accuracy
from rl_core.rewards.readers import box_after_thinking

COMPONENTS = {"box_after_thinking": Component(accuracy, 0.0, box_after_thinking, answer_form=f"</think>\n{BOX}")}
PRESETS = {"deepscaler": {"box_after_thinking": 1.0}}
