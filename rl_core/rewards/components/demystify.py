"""demystify-long-cot, openrlhf/reward/classic.py; where the penalty `cosine_length` gives its cosine reward, this one has weight 0."""

PRESETS = {"demystify": {"accuracy": 1.0}}
