"""Knights and Knaves for verl, as the recipe `verl_logic_rl` uses it: prompts in verl's columns, and Logic-RL's reward.

`python verl_logic_rl.py --data DIR --output DIR` writes train.parquet and test.parquet. verl imports this file for `compute_score` in its
own environment, so at the top it needs nothing but Python.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TAGS = ("<think>", "</think>", "<answer>", "</answer>")


def compute_score(data_source: str, solution_str: str, ground_truth: Mapping[str, Any], extra_info: Any = None) -> float:
    """Logic-RL's reward (verl/utils/reward_score/kk.py): 3 right, -0.5 wrong, -1 unreadable, -3 without the tags."""
    places = [solution_str.find(tag) for tag in TAGS]
    if any(solution_str.count(tag) != 1 for tag in TAGS) or places != sorted(places):
        return -1.0 - 2.0
    answer = solution_str[places[2] + len(TAGS[2]) : places[3]]
    wanted = dict(re.findall(r"\b(\w+) is a (knight|knave)\b", ground_truth["solution_text_format"]))
    if len(re.findall("knight|knave", answer.lower())) != len(wanted):
        return 1.0 - 2.0
    found = {name: re.search(rf"\b{re.escape(name)}\b\s+is\s+a\s+\b(knight|knave)\b", answer, re.IGNORECASE) for name in wanted}
    roles = {name: match[1].lower() for name, match in found.items() if match}
    if len(roles) < len(wanted):
        return 1.0 - 2.0
    return 1.0 + (2.0 if roles == wanted else -1.5)


def verl_rows(path: Path, split: str) -> Iterator[dict[str, Any]]:
    """The prompts of a data stage's file in the columns of Logic-RL's examples/data_preprocess/kk.py.

    The prompt is a chat without the opening <think>: verl of today adds the chat template itself.
    """
    from rl_core.data.prompts import read_prompts
    from rl_core.data.templates import find_template

    template = find_template("logic_rl_instruct")
    for index, prompt in enumerate(read_prompts(path)):
        gold = json.loads(prompt.gold)
        people = [f"({n}) {name} is a {role}" for n, (name, role) in enumerate(zip(gold["names"], gold["roles"], strict=True), start=1)]
        yield {
            "data_source": "kk_logic",
            "prompt": [
                {"role": "system", "content": template.system},
                {"role": "user", "content": template.user.format(question=prompt.question)},
            ],
            "ability": "logic",
            "reward_model": {"style": "rule", "ground_truth": {"solution_text_format": "\n".join(people)}},
            "extra_info": {"split": split, "index": index, "prompt_id": prompt.prompt_id, "people": prompt.difficulty},
        }


def main() -> None:
    """Convert both splits of a data stage."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    for split in ("train", "test"):
        rows = list(verl_rows(given.data / f"{split}.parquet", split))
        pq.write_table(pa.Table.from_pylist(rows), given.output / f"{split}.parquet")
        print(f"{split}.parquet: {len(rows)} rows")


if __name__ == "__main__":
    main()
