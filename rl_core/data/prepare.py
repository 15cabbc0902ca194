"""A data stage: from its settings to `train.parquet` and `test.parquet`."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from rl_core.config import CountdownData, DataConfig, Gsm8kData, KnightsKnavesData, MathData
from rl_core.data import countdown, gsm8k, knights_knaves, math_sets
from rl_core.data.prompts import DataError, Prompt, write_prompts
from rl_core.data.splits import HELD_OUT_SEED, Split
from rl_core.rewards.verify import judged_by_text


def inputs(config: DataConfig, data_dir: Path | None) -> list[Path]:
    """The local files that the stage reads; empty if it generates its data or loads it from the hub.

    Raises:
        DataError: a file that is needed is missing, or a set unknown.
    """
    if isinstance(config, Gsm8kData):
        files = [gsm8k.local_file(split, data_dir) for split in ("train", "test")]
        return [path for path in files if path]
    if isinstance(config, MathData):
        math_sets.check(config.dataset, config.levels)
        file = math_sets.local_file(config.dataset, data_dir)
        return [file] if file else []
    if config.source == "generate" or (config.source == "auto" and data_dir is None):
        return []
    if data_dir is None:
        wanted = "countdown" if isinstance(config, CountdownData) else "kk/{n}ppl"
        raise DataError(f"source: files needs a data directory with {wanted}/{{train,test}}.parquet: give --data-dir")
    splits: tuple[Split, Split] = ("train", "test")
    if isinstance(config, CountdownData):
        paths = [countdown.public_file(data_dir, split) for split in splits]
    else:
        paths = [knights_knaves.public_file(data_dir, people, split) for people in config.people for split in splits]
    missing = [path for path in paths if not path.is_file()]
    if missing and config.source == "files":
        raise DataError(f"{missing[0]}: no such file; put it there, or set source: generate")
    return [] if missing else paths


def prepare(config: DataConfig, output: Path, *, data_dir: Path | None, seed: int) -> dict[str, Any]:
    """Write both splits into `output` and describe them. `seed` bears on the training problems alone.

    Raises:
        DataError: a file is missing or broken, or a held-out problem is also in the training split.
    """
    dropped = contradicting = 0
    if isinstance(config, Gsm8kData):
        train, test = _gsm8k(config, data_dir, seed)
    elif isinstance(config, MathData):
        train, test, dropped, contradicting = _math(config, data_dir, seed)
    elif isinstance(config, CountdownData):
        train, test = _countdown(config, data_dir, seed)
    else:
        train, test = _knights_knaves(config, data_dir, seed)
    if not train and not test:
        what = f"none of its {dropped:,} rows has an answer to compare with" if dropped else "it holds no problem that the settings take"
        raise DataError(f"no training problem in {_source(config, data_dir)}: {what}; put the whole set there, or name another one")
    shared = {prompt.prompt_id for prompt in train} & {prompt.prompt_id for prompt in test}
    # The public files are split by their makers; a problem in both would be trained on and then counted as held out.
    train = [prompt for prompt in train if prompt.prompt_id not in shared]
    if not train:
        raise DataError(
            f"no training problem is left in {_source(config, data_dir)}: all are among the {len(test):,} held-out ones; "
            "set a smaller `test`, or add problems"
        )
    for split, prompts in (("train", train), ("test", test)):
        write_prompts(output / f"{split}.parquet", prompts)
    by_text = sum(judged_by_text(prompt.task, prompt.gold) for prompt in train)
    return {
        "train": len(train),
        "test": len(test),
        "dropped_overlap": len(shared),
        "dropped_rows": dropped,  # without an answer, or a problem again
        "source": "files" if inputs(config, data_dir) else "hub" if isinstance(config, Gsm8kData | MathData) else "generated",
        "by_difficulty": dict(Counter(prompt.difficulty or "all" for prompt in train)),
        # Golds that cannot be read, so answers are compared with them as texts; rows with another answer to a problem that came before
    } | {name: count for name, count in (("golds_by_text", by_text), ("contradicting_rows", contradicting)) if count}


def _source(config: DataConfig, data_dir: Path | None) -> str:
    return ", ".join(map(str, inputs(config, data_dir))) or f"the set {getattr(config, 'dataset', config.task)!r}"


def _gsm8k(config: Gsm8kData, data_dir: Path | None, seed: int) -> tuple[list[Prompt], list[Prompt]]:
    def part(split: Split, count: int | None) -> list[Prompt]:
        return _first(gsm8k.load(split, data_dir), count, split, seed)

    return part("train", config.train), part("test", config.test)


def _math(config: MathData, data_dir: Path | None, seed: int) -> tuple[list[Prompt], list[Prompt], int, int]:
    prompts, dropped, contradicting = math_sets.load(
        config.dataset, config.levels, data_dir, bare_answers=config.bare_answers, answer_form=config.answer_form
    )
    if config.unreadable_golds != "keep":
        readable = [prompt for prompt in prompts if not judged_by_text(prompt.task, prompt.gold)]
        if config.unreadable_golds == "refuse" and len(readable) < len(prompts):
            first = next(prompt for prompt in prompts if judged_by_text(prompt.task, prompt.gold))
            count = len(prompts) - len(readable)
            raise DataError(
                f"set {config.dataset!r}: {count:,} answers cannot be read, such as {first.gold[:80]!r} of {first.question[:60]!r}; repair "
                "them, or set unreadable_golds: drop, or keep"
            )
        dropped += len(prompts) - len(readable)
        prompts = readable
    held_out = {prompt.prompt_id for prompt in sorted(prompts, key=lambda prompt: prompt.prompt_id)[: config.test]}
    train = [prompt for prompt in prompts if prompt.prompt_id not in held_out]
    test = [prompt for prompt in prompts if prompt.prompt_id in held_out]
    return _first(train, config.train, "train", seed), test, dropped, contradicting


def _knights_knaves(config: KnightsKnavesData, data_dir: Path | None, seed: int) -> tuple[list[Prompt], list[Prompt]]:
    from_files = bool(inputs(config, data_dir))

    def part(split: Split, count: int) -> list[Prompt]:
        prompts: list[Prompt] = []
        for people in config.people:
            if from_files and data_dir:
                prompts += _first(knights_knaves.read_public(knights_knaves.public_file(data_dir, people, split)), count, split, seed)
            else:
                prompts += knights_knaves.generate(people, count, split, _seed_of(split, seed), config.names, config.doubt)
        return [knights_knaves.without_reasoning(prompt) for prompt in prompts] if config.bare_answers else prompts

    return part("train", config.train), part("test", config.test)


def _countdown(config: CountdownData, data_dir: Path | None, seed: int) -> tuple[list[Prompt], list[Prompt]]:
    files = inputs(config, data_dir)
    if not files:

        def made(split: Split, count: int) -> list[Prompt]:
            return [prompt for amount in config.numbers for prompt in countdown.generate(amount, count, split, _seed_of(split, seed))]

        return made("train", config.train), made("test", config.test)
    public_train, public_test = (countdown.read_public(path) for path in files)
    # The public files share some sets of numbers between their splits: those stay held out, also where `test` takes only some.
    held_out = {countdown.number_set(prompt) for prompt in public_test}

    def some(public: list[Prompt], count: int, split: Split) -> list[Prompt]:
        by_amount = [[prompt for prompt in public if prompt.difficulty == str(amount)] for amount in config.numbers]
        return [prompt for prompts in by_amount for prompt in _first(prompts, count, split, seed)]

    train = [prompt for prompt in some(public_train, config.train, "train") if countdown.number_set(prompt) not in held_out]
    return train, some(public_test, config.test, "test")


def _first(prompts: list[Prompt], count: int | None, split: Split, seed: int) -> list[Prompt]:
    """The first `count` of a seeded shuffle; all in their order without `count`."""
    if count is None:
        return prompts
    random.Random(_seed_of(split, seed)).shuffle(prompts)
    return prompts[:count]


def _seed_of(split: Split, seed: int) -> int:
    """Of the choice of problems: held-out ones are the same whatever the seed of the run."""
    return seed if split == "train" else HELD_OUT_SEED
