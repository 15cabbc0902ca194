"""The work on one cell: sampling what is missing of it, judging, keeping what is finished."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from itertools import groupby

from evals import statistics
from evals.answer_readers import find_reader
from evals.cells import Cell, Mode, Partial, Row
from evals.config import EvalConfig, EvalJob
from evals.engines.interface import EvalEngine, Question, was_asked
from evals.provenance import software
from rl_core.data.prompts import Prompt
from rl_core.errors import InputError
from rl_core.fence import Fence
from rl_core.outcome import Outcome
from rl_core.rewards.pool import ScoreItem, ScoringPool
from rl_core.rewards.verify import judged_by_text
from rl_core.training.journal import Journal

PILOT = 4  # samples per problem from which `samples: auto` judges how many it needs
JUDGED_TOGETHER = 256  # responses that are kept back at most, so that verdicts cost little of their own
KEPT_BACK = 1.0  # seconds that a finished response is kept back at most
OnProgress = Callable[[int, int, dict[str, float]], None]  # responses done, all of them, metrics


class Progress:
    """The progress of an evaluation over all of its cells."""

    def __init__(self, job: EvalJob, cells: list[Cell], on_progress: OnProgress | None) -> None:
        self.total = sum(len(cell.benchmark.problems) * (mode.samples or PILOT) for cell in cells for mode in cell.modes)
        self.journal = Journal(job.output, self.total, Fence(job.lease))
        self.on_progress = on_progress
        self.done = 0
        self.journal.progress(0, {})

    def skip(self, cell: Cell) -> None:
        """A cell that was finished before."""
        self.done += sum(len(cell.benchmark.problems) * (mode.samples or PILOT) for mode in cell.modes)
        self.report({})

    def grow(self, responses: int) -> None:
        self.total += responses
        self.journal.total = self.total

    def report(self, metrics: dict[str, float]) -> None:
        self.journal.progress(self.done, metrics)
        if self.on_progress:
            self.on_progress(self.done, self.total, metrics)


class Work:
    """One cell while it is worked on."""

    def __init__(self, cell: Cell, partial: Partial, engine: EvalEngine, pool: ScoringPool, progress: Progress, config: EvalConfig) -> None:
        self.cell = cell
        self.partial = partial
        self.engine = engine
        self.pool = pool
        self.progress = progress
        self.read = find_reader(config.reader)
        self.rules = frozenset(config.rules)
        self.width = config.width
        self.started = time.perf_counter()
        self.before = len(partial.rows)
        self.tokens = self.correct = 0

    def run(self) -> None:
        self.progress.done += self.before
        for number, mode in enumerate(self.cell.modes):
            target = mode.samples or PILOT
            while True:
                self._sample(number, mode, target)
                if mode.samples is not None:
                    break
                wanted, attainable = statistics.samples_for(self.correct_by_problem(number), self.width)
                if wanted <= target:
                    if not attainable:
                        print(f"{self.cell.benchmark.name}: no number of samples makes the interval {self.width:.1%} wide", flush=True)
                    break
                self.progress.grow((wanted - target) * len(self.cell.benchmark.problems))
                target = wanted

    def correct_by_problem(self, number: int) -> list[list[bool]]:
        found: list[list[bool]] = [[] for _ in self.cell.benchmark.problems]
        for mode, problem, row in self.partial.rows:
            if mode == number:
                found[problem].append(row["correct"])
        return found

    def _sample(self, number: int, mode: Mode, target: int) -> None:
        seed = self.cell.identity["seed"]
        there = {(problem, row["sample"]) for other, problem, row in self.partial.rows if other == number}
        wanted, questions = [], []
        for index, problem in enumerate(self.cell.benchmark.problems):
            for first, samples in runs([sample for sample in range(target) if (index, sample) not in there]):
                wanted.append(index)
                questions.append(Question(problem, seed_of(seed, problem), samples, first))
        back: list[tuple[int, Row]] = []
        since = time.perf_counter()
        answers = self.engine.answer(questions, self.cell.template, mode.sampling)
        try:
            for index, row in answers:
                back.append((wanted[index], row | {"seed": questions[index].seed}))
                if len(back) >= JUDGED_TOGETHER or time.perf_counter() - since > KEPT_BACK:
                    ready, back, since = back, [], time.perf_counter()
                    self._keep(number, mode, ready)
        finally:
            if back:
                self._keep(number, mode, back)

    def _keep(self, number: int, mode: Mode, answers: list[tuple[int, Row]]) -> None:
        """Judge responses and put them down."""
        template, problems = self.cell.template, self.cell.benchmark.problems
        items = [
            ScoreItem(row["task"], template.as_judged(row["response"]), row["gold"], row["finish_reason"], problems[index].question)
            for index, row in answers
        ]
        verdicts = self.pool.judge(items, self.read, self.rules)
        rows = [
            row
            | {
                "checkpoint": self.cell.checkpoint.name,
                "benchmark": self.cell.benchmark.name,
                "mode": mode.name,
                "outcome": verdict.outcome.value,
                "extracted": verdict.extracted,
                "correct": verdict.outcome is Outcome.CORRECT,
            }
            for (_, row), verdict in zip(answers, verdicts, strict=True)
        ]
        self.partial.add([(number, problem, row) for (problem, _), row in zip(answers, rows, strict=True)])
        self.tokens += sum(row["response_tokens"] for row in rows)
        self.correct += sum(row["correct"] for row in rows)
        made = len(self.partial.rows) - self.before
        self.progress.done += len(rows)
        self.progress.report(
            {
                "accuracy": self.correct / made,
                "response_tokens": self.tokens / made,
                "tokens_per_second": self.tokens / (time.perf_counter() - self.started),
            }
        )


def run(cell: Cell, engine: EvalEngine, pool: ScoringPool, progress: Progress, config: EvalConfig) -> None:
    with cell.at_work() as partial:
        if cell.finished():  # by another process, meanwhile
            progress.skip(cell)
            return
        work = Work(cell, partial, engine, pool, progress, config)
        work.run()
        if not any(was_asked(row, cell.template) for _, _, row in work.partial.rows):
            raise InputError(
                f"{cell.checkpoint.name} on {cell.benchmark.name}: every problem is too long for the model with max_tokens "
                f"{cell.modes[0].sampling.max_tokens}; lower max_tokens"
            )
        rows = [row for _, _, row in sorted(partial.rows, key=lambda entry: (entry[0], entry[1], entry[2]["sample"]))]
        facts = {"engine": engine.facts, "software": software(), "seconds": time.perf_counter() - work.started}
        cell.finish(rows, facts | ({"judge": pool.opinions.take_counts()} if pool.opinions else {}))
    outcomes = Counter(row["outcome"] for row in rows).most_common()
    by_text = len({row["gold"] for row in rows if judged_by_text(row["task"], row["gold"])})
    shares = ", ".join(f"{outcome} {count / len(rows):.1%}" for outcome, count in outcomes)
    print(
        f"{cell.checkpoint.name} on {cell.benchmark.name}: {len(cell.benchmark.problems)} problems, {len(rows)} responses: {shares}"
        + (f"; golds that cannot be read: {by_text}, compared as texts" if by_text else ""),
        flush=True,
    )


def runs(numbers: list[int]) -> list[tuple[int, int]]:
    """First and length of each run of numbers without a gap: endpoints answer the samples of a problem in any order."""
    found = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    return [(run[0][1], len(run)) for run in (list(pairs) for _, pairs in found)]


def seed_of(seed: int, problem: Prompt) -> int:
    """A problem has the same random numbers in every evaluation with the same seed, whatever other problems there are."""
    digest = hashlib.sha256(f"{seed}/{problem.prompt_id}".encode()).digest()
    return int.from_bytes(digest[:7], "big")
