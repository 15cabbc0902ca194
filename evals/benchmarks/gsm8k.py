"""GSM8K (Cobbe et al., 2110.14168): the 1,319 held-out word problems."""

from evals.benchmarks.problems import ProblemSet
from rl_core.environments import gsm8k

_GSM8K = ProblemSet(
    name="gsm8k",
    label="GSM8K",
    task=gsm8k.TASK,
    hub_id=gsm8k.HUB_ID,
    hub_config="main",
    revision=gsm8k.REVISION,
    hub_split="test",
    file="gsm8k/test.jsonl",
    rows=1319,
    digest="bb3478cc4e103847",
    gold=gsm8k.after_hashes,
)

BENCHMARKS = (_GSM8K,)
