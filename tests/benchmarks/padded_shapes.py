"""Training speed and memory with and without rounded batch shapes: `python tests/benchmarks/padded_shapes.py`.

Each variant runs three times in a process of its own, in turns, on the same random batches of Knights and Knaves lengths.
"""

import multiprocessing
import random
import resource
import time
from statistics import median

STEPS = 40
PROMPT_TOKENS, RESPONSE_TOKENS = (40, 80), (40, 300)


def train(exact: bool, results: "multiprocessing.Queue[tuple[float, int]]") -> None:
    from rl_core.config.model import ScratchModel
    from rl_core.model.scratch import make_model
    from rl_core.training import log_probs, sequences
    from rl_core.training.backends.torch_backend import TorchBackend

    if exact:
        sequences.WIDTH_STEP = log_probs.HEAD_STEP = 1
    rng = random.Random(0)

    def tokens(low: int, high: int) -> list[int]:
        return [rng.randrange(500) for _ in range(rng.randint(low, high))]

    model = make_model(ScratchModel(hidden_size=128, intermediate_size=384, layers=4), 550, eos=1, pad=0, seed=0)
    backend = TorchBackend(model, weight_decay=0.1, adam_betas=(0.9, 0.95), adam_epsilon=1e-8, max_grad_norm=1.0)
    rates = []
    for _ in range(STEPS):
        batch = [sequences.TokenSequence(tokens(*PROMPT_TOKENS), tokens(*RESPONSE_TOKENS)) for _ in range(32)]
        count = sum(len(sequence) for sequence in batch)
        began = time.perf_counter()
        backend.update(
            list(sequences.micro_batches(batch, backend.tokens_per_batch)),
            lambda batch, count=count: -backend.run(log_probs.response_scores, batch, 1.0).log_probs_N.sum() / count,
            learning_rate=1e-4,
        )
        rates.append(count / (time.perf_counter() - began))
    results.put((median(rates[STEPS // 2 :]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def main() -> None:
    spawn = multiprocessing.get_context("spawn")
    variants = {"exact shapes": True, "rounded shapes": False}
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in variants}
    for _ in range(3):
        for name, exact in variants.items():
            results = spawn.Queue()
            process = spawn.Process(target=train, args=(exact, results))
            process.start()
            found[name].append(results.get())
            process.join()
    for name, runs in found.items():
        print(f"{name}: {median(rate for rate, _ in runs):.0f} tokens/s, peak {median(peak for _, peak in runs):.0f} MB")


if __name__ == "__main__":
    main()
