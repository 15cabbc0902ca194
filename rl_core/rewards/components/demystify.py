"""demystify-long-cot, openrlhf/reward/classic.py; its cosine reward stands in its place: weight 0 beside that penalty."""

from __future__ import annotations

PRESETS = {"demystify": {"accuracy": 1.0}}
