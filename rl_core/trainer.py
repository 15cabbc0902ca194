"""The reinforcement-learning loop: sample, score, advantage, update, sync, log, checkpoint."""

import hashlib
import math
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from rl_core.algorithms.schedules import value_at
from rl_core.config.jobs import TrainJob
from rl_core.config.rl import RlConfig
from rl_core.data.prompts import DataError, read_prompts
from rl_core.data.sampler import EpochSampler
from rl_core.data.templates import find_template
from rl_core.errors import InputError
from rl_core.fence import Fence
from rl_core.judge.start import start_judge
from rl_core.model.context import context_length, fitting_prompts
from rl_core.model.pretrained import load_config, load_tokenizer
from rl_core.own_code.sources import CODE
from rl_core.own_code.try_out import try_out
from rl_core.own_code.verifier import copies
from rl_core.rewards.pool import ScoringPool
from rl_core.rewards.reward import own_functions, resolve
from rl_core.rollout.engine import Request, Sampling
from rl_core.rollout.responses import EncodedPrompt, encode_prompts
from rl_core.steps import reward_errors
from rl_core.steps.collection import DENSE, Collected, Collector, Rollout
from rl_core.steps.records import drop_rollouts_after, rollout_rows, summary, write_rollouts
from rl_core.training.checkpoint import best, checkpoints, drop_others, latest_whole, save_checkpoint
from rl_core.training.journal import Journal, Stopped, StopRequest
from rl_core.training.policy import Experience, StepSettings
from rl_core.training.sequences import TokenSequence
from rl_core.workers.interface import Models, WorkerLost, Workers
from rl_core.workers.start import start_workers

# Mean |log-prob difference| between engine and trainer after the first sync. Rounding gives about 0.01; weights that did not arrive (a
# stale copy of a tied output head, say) give about 1.
LARGEST_FIRST_DIFFERENCE = 0.3
PROBES, PROBE_TOKENS = 4, 16  # prompts, and tokens of the response to each, that this is measured on
RESTARTS = 3  # after worker deaths without a finished step between them


def total_steps(config: RlConfig, prompts: int) -> int:
    """Steps of a stage over a prompt set: `steps`, or as many as `epochs` need."""
    return config.steps or math.ceil((config.epochs or 0) * prompts / config.prompts_per_step)


def train_rl(job: TrainJob, config: RlConfig) -> None:
    """Run or continue an RL stage in `job.output`.

    Raises:
        DataError: no usable prompt, or none that fits the model's context.
        InputError: a setting does not fit, or the prompts are not those of the checkpoint.
        Stopped: after a signal; the checkpoint of the last finished step is written.
    """
    stop = StopRequest()
    resolve(config.reward)
    prompts = [prompt for path in job.prompts for prompt in read_prompts(path)]
    if not prompts:
        raise DataError(f"{job.prompts[0]}: no prompts to train on")
    if own := own_functions(resolve(config.reward)):
        try_out(own, code_of(job), config.scoring_deadline, prompts[0])
    encoded = encode_prompts(prompts, find_template(config.template), load_tokenizer(str(job.model)))
    encoded = fitting_prompts(encoded, config, context_length(load_config(str(job.model))), job.prompts[0])
    total = total_steps(config, len(encoded))
    run = _Run(job, config, encoded, Journal(job.output, total, Fence(job.lease)), total, stop)
    started, deaths = time.time(), 0
    while True:
        before = run.finished
        try:
            run.go_on()
            break
        except WorkerLost as error:
            deaths = 1 if run.finished > before else deaths + 1
            if deaths > RESTARTS:
                raise
            print(f"warning: {error}; all workers are started again from the last checkpoint", file=sys.stderr, flush=True)
    kept = checkpoints(job.output / "checkpoints")
    result = {
        "checkpoint": str(kept[-1].relative_to(job.output)),
        "checkpoints": [str(path.relative_to(job.output)) for path in kept],
        "steps": total,
        "prompts": len(encoded),
        "dropped_prompts": len(prompts) - len(encoded),
        "tokens": run.tokens,
        "seconds": time.time() - started,
    }
    if config.keep_best and (found := best(job.output / "checkpoints")):
        result["best_checkpoint"] = str(found.relative_to(job.output))
    run.journal.finish(result)


class _Run:
    """One process's work on a stage."""

    def __init__(
        self, job: TrainJob, config: RlConfig, prompts: list[EncodedPrompt], journal: Journal, total: int, stop: StopRequest
    ) -> None:
        self.job, self.config, self.prompts, self.journal, self.total, self.stop = job, config, prompts, journal, total, stop
        self.digest = hashlib.sha256("\n".join(p.prompt.prompt_id + p.prompt.gold for p in prompts).encode()).hexdigest()
        self.tokens = 0  # of the whole stage
        self.finished = 0  # last step whose metrics are written
        self.watched: list[float] = []  # the metric of `keep_best` in the steps since the last checkpoint

    def go_on(self) -> None:
        """From the last whole checkpoint to the end."""
        job, config = self.job, self.config
        resumed = latest_whole(job.output / "checkpoints", before=self.journal.first_damaged())
        state: dict[str, Any] = resumed[1] if resumed else {"step": 0, "drawn": 0, "prompts": self.digest}
        if state.get("prompts") != self.digest:
            raise InputError(
                f"{job.output}: its checkpoints were made on other prompts than {job.prompts[0]} has now; bring those back, or remove the "
                "directory to start over"
            )
        first = self.finished = state["step"]
        self.tokens = state.get("tokens", 0)  # older versions did not keep it
        self.watched = []
        self.journal.rewind(first)
        drop_rollouts_after(job.output, first)
        reward_errors.drop_after(job.output, first)
        drop_others(job.output / "checkpoints", first)
        self.journal.progress(first, {})
        if first == self.total:
            return
        start = str(job.model)
        reference = (job.reference or start) if config.algorithm.uses_reference else None
        longest = max(len(encoded.token_ids) for encoded in self.prompts) + config.max_response_tokens
        models = Models(start, resumed[0] if resumed else None, reference, job.seed, job.output, longest)
        workers = start_workers(models, config, self.stop)
        try:
            scorers, deadline = config.resources.scoring_workers, config.scoring_deadline
            opinions = start_judge(config.judge, job.replies)
            with ScoringPool(scorers, deadline, code_of(job), opinions) as pool, ThreadPoolExecutor(1) as ahead:
                sampler = EpochSampler(len(self.prompts), job.seed, state["drawn"])
                collector = Collector(workers, pool, self.prompts, sampler, config, job.seed)
                workers.sync()
                short = Sampling(self._settings(first + 1).temperature, min(PROBE_TOKENS, config.max_response_tokens))
                check_agreement(workers, self.prompts, short)
                self._loop(workers, collector, ahead, first)
        finally:
            workers.close()

    def _loop(self, workers: Workers, collector: Collector, ahead: ThreadPoolExecutor, first: int) -> None:
        version, drawn = first, collector.sampler.drawn
        coming: Future[Collected] | None = None
        for step in range(first + 1, self.total + 1):
            settings = self._settings(step)
            try:
                collected = coming.result() if coming else collector.collect(step, settings.temperature, version)
            except Stopped:
                self._checkpoint(workers, step - 1, drawn)
                raise
            self.journal.fence.require()
            reward_errors.require_few(self.job.output, step, collected.rollouts, self.config.reward_errors)
            collected = reward_errors.without_failures(collected, self.config)
            drawn = collected.drawn
            saves = step % self.config.checkpoint_every == 0 or step == self.total
            coming = None
            if self.config.asynchronous and not saves:  # a checkpoint has no room for responses that wait: a resumed run has none
                coming = ahead.submit(collector.collect, step + 1, self._settings(step + 1).temperature, version)
            metrics = self._train(workers, step, collected, settings)
            if coming:
                wait([coming])  # an engine must not change under the responses it writes
            began = time.perf_counter()
            workers.sync()
            version = step
            self._log(workers, step, metrics | {"seconds/sync": time.perf_counter() - began})
            if saves or self.stop.requested:
                self._checkpoint(workers, step, drawn)
            if self.stop.requested and step < self.total:
                raise Stopped

    def _settings(self, step: int) -> StepSettings:
        config, algorithm = self.config, self.config.algorithm
        schedules = config.learning_rate, config.temperature, algorithm.kl_coefficient, algorithm.value_learning_rate
        return StepSettings(*(value_at(schedule, step - 1, self.total) for schedule in schedules))

    def _train(self, workers: Workers, step: int, collected: Collected, settings: StepSettings) -> dict[str, float]:
        """Update the policy on what was collected, write the rollouts; returns the metrics of the step."""
        rollouts = list(collected.rollouts)
        experiences = [experience_of(rollouts[row]) for row in collected.used]
        # Responses of a step that was sampled ahead were drawn at its own temperature, which `settings` has too.
        began = time.perf_counter()
        trained = workers.train(experiences, settings)
        seconds = time.perf_counter() - began
        for row, advantage in zip(collected.used, trained.advantages, strict=True):
            rollouts[row] = replace(rollouts[row], advantage=advantage)
        rows = rollout_rows(rollouts, step, collected, workers.tokenizer)
        self.journal.fence.require()
        write_rollouts(self.job.output, step, rows)
        tokens = sum(row["response_tokens"] for row in rows)
        self.tokens += tokens
        return (
            summary(rollouts, rows)
            | reward_errors.shares(rollouts, self.config)
            | trained.metrics
            | {f"seconds/{phase}": spent for phase, spent in collected.seconds.items()}
            | collected.judge
            | {
                "seconds/train": seconds,
                "learning_rate": settings.learning_rate,
                "temperature": settings.temperature,
                "tokens": float(tokens),
                "rollout_tokens_per_second": tokens / collected.seconds["rollout"],
                "train_tokens_per_second": sum(len(experience.sequence) for experience in experiences) / seconds,
                "train_flops_per_second": trained.flops / seconds,
                "flop_utilisation": trained.flops / seconds / trained.peak_flops,
                "prompts_sampled": len(rollouts) / self.config.group_size,
                "prompts_used": len(collected.used) / self.config.group_size,
                "staleness": float(step - 1 - collected.policy_version),
            }
        )

    def _log(self, workers: Workers, step: int, metrics: dict[str, float]) -> None:
        phases = [value for name, value in metrics.items() if name.startswith("seconds/")]
        metrics["tokens_per_second"] = metrics["tokens"] / sum(phases)
        self.journal.log(step, metrics | workers.memory())
        self.finished = step
        if self.config.keep_best:
            self.watched.append(metrics[self.config.keep_best])

    def _checkpoint(self, workers: Workers, step: int, drawn: int) -> None:
        state: dict[str, Any] = {"step": step, "drawn": drawn, "tokens": self.tokens, "seed": self.job.seed, "prompts": self.digest}
        if self.watched:
            state["mean"] = fmean(self.watched)
        self.watched = []
        root = self.job.output / "checkpoints"
        keep_last, keep_best = self.config.keep_last, self.config.keep_best is not None
        save_checkpoint(root, step, workers.save, state, keep_last=keep_last, keep_best=keep_best, fence=self.journal.fence)


def code_of(job: TrainJob) -> list[Path]:
    """Copies of a user's own code: of the stage, and of the data stages, which have their verifiers."""
    return copies([job.output / CODE, *(path.parent / CODE for path in job.prompts)])


def experience_of(rollout: Rollout) -> Experience:
    """What the policy learns of a scored response."""
    sequence = TokenSequence(rollout.encoded.token_ids, rollout.completion.token_ids)
    components = {name: value for name, value in rollout.score.components.items() if name != DENSE}
    return Experience(sequence, rollout.completion.logprobs, rollout.response_reward, rollout.group, rollout.token_penalties, components)


def check_agreement(workers: Workers, prompts: list[EncodedPrompt], sampling: Sampling) -> None:
    """Whether engines and policy give the same tokens the same probabilities, measured on a few short responses.

    Raises RuntimeError if they do not; nothing sampled by these engines is worth anything.
    """
    probes = prompts[:PROBES]
    requests = [Request(encoded.token_ids, 1, seed) for seed, encoded in enumerate(probes)]
    answers = dict(workers.generate(requests, sampling))
    completions = [answers[index][0] for index in range(len(probes))]
    sequences = [TokenSequence(e.token_ids, c.token_ids) for e, c in zip(probes, completions, strict=True)]
    mine = workers.log_probs(sequences, sampling.temperature)
    difference = fmean(abs(a - b) for c, row in zip(completions, mine, strict=True) for a, b in zip(c.logprobs, row, strict=True))
    if not difference <= LARGEST_FIRST_DIFFERENCE:
        raise RuntimeError(
            f"engine and trainer disagree on the log-probs of the same tokens by {difference:.2f} on average: the engine does not run "
            "the weights that are trained (vLLM on GPUs: see whether it does with resources.weight_transfer: copy)"
        )
