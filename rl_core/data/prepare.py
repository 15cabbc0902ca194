"""A data stage: from its settings to `train.parquet` and `test.parquet`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rl_core.config.data import TrainingData
from rl_core.data.prompts import DataError, write_prompts
from rl_core.environments.registry import environment_of
from rl_core.rewards.verify import judged_by_text


def prepare(config: TrainingData, output: Path, *, data_dir: Path | None, seed: int) -> dict[str, Any]:
    """Write both splits into `output` and describe them. `seed` bears on the training problems alone.

    Raises:
        DataError: a file is missing or broken, or no training problem is left.
    """
    environment = environment_of(config.task)
    files = environment.inputs(config, data_dir)
    source = ", ".join(map(str, files)) or f"the set {environment.set_name(config)!r}"
    train, test, left_out, contradicting, _, more = environment.problems(config, data_dir, seed)
    if not train and not test:
        what = f"none of its {left_out:,} rows has an answer to compare with" if left_out else "it holds no problem that the settings take"
        raise DataError(f"no training problem in {source}: {what}; put the whole set there, or name another one")
    shared = {prompt.prompt_id for prompt in train} & {prompt.prompt_id for prompt in test}
    # The public files are split by their makers; a problem in both would be trained on and then counted as held out.
    train = [prompt for prompt in train if prompt.prompt_id not in shared]
    if not train:
        raise DataError(
            f"no training problem is left in {source}: all are among the {len(test):,} held-out ones; set a smaller `test`, or add problems"
        )
    for split, prompts in (("train", train), ("test", test)):
        write_prompts(output / f"{split}.parquet", prompts)
    by_text = sum(judged_by_text(prompt.task, prompt.gold) for prompt in train)
    return {
        "train": len(train),
        "test": len(test),
        "dropped_overlap": len(shared),
        "dropped_rows": left_out,  # without an answer, or a problem again
        "source": "files" if files else "hub" if environment.public else "generated",
        "by_difficulty": dict(Counter(prompt.difficulty or "all" for prompt in train)),
        # Golds that cannot be read, so answers are compared with them as texts; rows with another answer to a problem that came before
        **{name: count for name, count in (("golds_by_text", by_text), ("contradicting_rows", contradicting)) if count},
        **more,
    }
