"""demystify-long-cot, openrlhf/reward/classic.py; its cosine reward stands in its place: weight 0 beside that penalty."""

PRESETS = {"demystify": {"accuracy": 1.0}}
