"""Evaluation beside generation alone, and grading beside plain math-verify: `python tests/benchmarks/evaluation_overhead.py [MODEL]`.

The engine's own loop and the whole evaluation take turns on the same prompts, greedy; both are told the same number of tokens. MODEL is a
checkpoint with a chat template; without one a small model made on the spot, whose tokens cost next to nothing: the worst case. Seconds of
the processor, for a busy machine would blur a difference of hundredths.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

PROBLEMS, TOKENS, ROUNDS = 64, 128, 5
ANSWERS = 5000


def small_model(directory: Path) -> str:
    from rl_core.config.model import ScratchModel
    from rl_core.data.knights_knaves import generate
    from rl_core.model.scratch import make_model, train_tokenizer

    config = ScratchModel(hidden_size=128, intermediate_size=384, layers=4, context=2048)
    tokenizer = train_tokenizer([prompt.question for prompt in generate(3, 60, "train", 0)], 1024, config.context)
    make_model(config, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, 0).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


def seconds(body: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    body()
    return clock() - started


def overhead(model: str, directory: Path) -> None:
    from evals import cell_work
    from evals.benchmarks import registry
    from evals.cell_work import Progress, Work
    from evals.cells import Partial
    from evals.config import BenchmarkSettings, EvalConfig, EvalJob, NamedCheckpoint
    from evals.engines.start import start_engine
    from evals.runner import plan
    from rl_core.data.templates import find_template
    from rl_core.rewards.pool import ScoringPool
    from rl_core.rollout.engine import Request, Sampling, generate_all
    from rl_core.rollout.responses import encode_prompts

    settings = BenchmarkSettings(name="countdown", limit=PROBLEMS)
    config = EvalConfig(benchmarks=[settings], template="plain", max_tokens=TOKENS)
    job = EvalJob(config=config, checkpoints=[NamedCheckpoint(name="model", path=model)], output=directory)
    [cell] = plan(job)
    engine = start_engine(job.checkpoints[0], config, 0)
    local = engine.engine  # type: ignore[attr-defined]
    problems = registry.load(settings, None)
    plain, whole = [], []

    def loop() -> None:
        encoded = encode_prompts(problems, find_template("plain"), local.tokenizer)
        requests = [Request(e.token_ids, 1, cell_work.seed_of(0, e.prompt)) for e in encoded]
        generate_all(local, requests, Sampling(0.0, TOKENS))

    with ScoringPool(1, 2.0) as pool:
        for number in range(ROUNDS + 1):  # the first of each warms up
            plain.append(seconds(loop, time.process_time))
            with Partial(directory / f"{number}.jsonl", cell.identity) as partial:
                whole.append(seconds(Work(cell, partial, engine, pool, Progress(job, [cell], None), config).run, time.process_time))
    mine, theirs = median(whole[1:]), median(plain[1:])
    print(
        f"generation of {PROBLEMS} x {TOKENS} tokens: plain loop {theirs:.2f} s, evaluation {mine:.2f} s of CPU: {mine / theirs - 1:+.1%}"
    )


def grading(directory: Path) -> None:
    import math_verify

    from evals.grade import grade

    drawn = random.Random(0)
    rows = []
    for _ in range(ANSWERS):
        gold = drawn.randint(2, 90_000)
        said = gold if drawn.random() < 0.6 else gold + 1
        steps = " ".join(f"Then {drawn.randint(2, 99)} * {drawn.randint(2, 99)} is added." for _ in range(12))
        rows.append({"gold": f"{gold:,}", "response": f"{steps} The answer is \\boxed{{{said:,}}}."})
    file = directory / "in.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    small = directory / "small.jsonl"
    small.write_text("".join(json.dumps(row) + "\n" for row in rows[:10]))
    grade(small, "gsm8k", directory / "out.jsonl")
    ours = seconds(lambda: grade(file, "gsm8k", directory / "out.jsonl"))
    part = rows[: ANSWERS // 10]
    plain = seconds(lambda: [math_verify.verify(math_verify.parse(row["gold"]), math_verify.parse(row["response"])) for row in part])
    print(f"grading of {ANSWERS:,} answers: {ours:.2f} s, plain math-verify about {10 * plain:.1f} s")


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        model = arguments[0] if arguments else small_model(directory / "model")
        grading(directory)
        overhead(model, directory)


if __name__ == "__main__":
    main(sys.argv[1:])
