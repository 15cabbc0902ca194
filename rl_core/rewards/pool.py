"""Scoring many answers: cheap judgements at once, symbolic ones in processes that are killed at their deadline."""

from __future__ import annotations

import importlib
import math
import multiprocessing
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rl_core.environments.registry import environment_of
from rl_core.errors import InputError
from rl_core.outcome import Outcome
from rl_core.own_code.processes import Failure, OwnWorkers
from rl_core.own_code.reference import is_own
from rl_core.own_code.rewards import OwnRewards, Values, info_of
from rl_core.own_code.verifier import decision_of, judgement
from rl_core.rewards.readers import Reader
from rl_core.rewards.reward import Score, own_functions, reader, rules_of, score
from rl_core.rewards.rules import NONE, Rules
from rl_core.rewards.verdict import Decision, OpenQuestion, Verdict
from rl_core.rewards.verify import decide, settle, verdict_of

if TYPE_CHECKING:
    from pebble import ProcessFuture, ProcessPool

    from rl_core.judge.opinions import Opinions

MEMORY = 2 * 1024**3  # bytes of address space of one worker: a huge power becomes a MemoryError there, not a problem of the machine


@dataclass(frozen=True)
class ScoreItem:
    """One response to be scored."""

    task: str
    response: str  # the assistant's whole turn, with what the template supplied of it
    gold: str
    finish_reason: str = "stop"  # stop | length
    prompt: str = ""  # the question, and what else its row says (a JSON object): for judges and functions of a user's own
    info: str | None = None


class ScoringPool:
    """Scores responses; a context manager.

    Knights and Knaves, and mathematical answers that are equal as text or plain numbers, are judged in the caller's process. What
    needs symbolic work, or the code of others, goes to `workers` processes, which start when there is the first such answer and import no
    torch.
    """

    def __init__(self, workers: int, deadline: float, code: Sequence[Path] = (), opinions: Opinions | None = None) -> None:
        """A pool without processes yet.

        Args:
            deadline: seconds for one answer, counted from when a worker takes it up.
            code: directories of a user's own code.
            opinions: of a judge, which is asked where it wants to be; closed with the pool.
        """
        self.opinions = opinions
        self.workers = workers
        self.deadline = deadline
        self._pool: ProcessPool | None = None
        self._imported: set[str] = set()  # modules that its workers import when they start
        self._closed = False
        self._code = code
        self._failures: set[str] = set()  # of verifiers of a user's own, whose tracebacks are printed

    @cached_property
    def _own_workers(self) -> OwnWorkers:
        return OwnWorkers(self._code, self.workers, self.deadline)

    @cached_property
    def own(self) -> OwnRewards:
        """Reward functions of a user's own, in processes of their own."""
        return OwnRewards(self._own_workers)

    def tell(self) -> None:
        """Print what functions of a user's own have printed since the last time."""
        if "own" in vars(self):
            self.own.tell(sys.stdout)

    def __enter__(self) -> ScoringPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers for good: a call that another thread waits in ends as if its deadlines had passed."""
        self._closed = True
        self._stop()
        if self.opinions:
            self.opinions.close()
        if "_own_workers" in vars(self):
            self._own_workers.close()

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None

    def score(self, items: Sequence[ScoreItem], components: Mapping[str, float]) -> list[Score]:
        """Scores in the order of the items. A missed deadline or a dead worker is the outcome `timeout` of its own answer only.

        Raises:
            InputError: a task without verifier, an empty or broken gold answer.
        """
        return self.score_later(items, components)()

    def score_later(
        self, items: Sequence[ScoreItem], components: Mapping[str, float], failed: float | None = None
    ) -> Callable[[], list[Score]]:
        """As `score`, for the workers to do while the caller goes on; the call of what is returned waits for them.

        For a function of a user's own that compares responses, the items are a group: those to one prompt. `failed` is what a function
        counts as where it fails; see `reward.score`.
        """
        verdicts = cache(self.judge_later(items, reader(components), rules_of(components)))
        names = own_functions(components)
        own = self._own_values(names, items, verdicts) if names and items else dict

        def scores() -> list[Score]:
            judged, found = verdicts(), own()
            parts: list[dict[str, float | Failure]] = [{name: found[name][row] for name in names} for row in range(len(items))]
            for item, verdict, part in zip(items, judged, parts, strict=True):
                if verdict.error:
                    part[item.task] = Failure(verdict.error)
            together = zip(items, judged, parts, strict=True)
            return [score(components, item.response, verdict, part, failed) for item, verdict, part in together]

        return scores

    def _own_values(
        self, names: Sequence[str], items: Sequence[ScoreItem], verdicts: Callable[[], list[Verdict]]
    ) -> Callable[[], dict[str, Values]]:
        first = items[0]
        about = {"gold": first.gold, "prompt": first.prompt, "info": info_of(first.info), "task": first.task}
        return self.own.ask(names, [item.response for item in items], about, verdicts)

    def judge(self, items: Sequence[ScoreItem], read: Reader | None = None, rules: Rules = NONE) -> list[Verdict]:
        """Verdicts in the order of the items; see `score`, and `settle` for `read` and `rules`.

        Raises:
            InputError: as `score`, and where a verifier of a user's own fails: no score may stand on that.
        """
        verdicts = self.judge_later(items, read, rules)()
        self.tell()
        for item, verdict in zip(items, verdicts, strict=True):
            if verdict.error:
                raise InputError(f"verifier {item.task}: {verdict.error}; the gold answer is {item.gold[:80]!r}")
        return verdicts

    def judge_later(self, items: Sequence[ScoreItem], read: Reader | None = None, rules: Rules = NONE) -> Callable[[], list[Verdict]]:
        """As `judge`; see `score_later`."""
        found = [settle(item.task, item.response, item.gold, read, rules) for item in items]
        # Samples of one prompt often agree: each different question is asked once.
        questions = {question for question in found if isinstance(question, OpenQuestion)}
        own = self._ask_own({question for question in questions if is_own(question.task)}, read, rules)
        decisions = self._ask({question for question in questions if not is_own(question.task)})
        early = self._asked(items, [None if isinstance(entry, OpenQuestion) else entry for entry in found])

        def verdicts() -> list[Verdict]:
            known = decisions() | own()
            judged = [verdict_of(entry, known[entry]) if isinstance(entry, OpenQuestion) else entry for entry in found]
            reviews = early | self._asked(items, [None if row in early else verdict for row, verdict in enumerate(judged)])
            finished = [_truncated(item, verdict) for item, verdict in zip(items, judged, strict=True)]
            return [reviews[row](verdict) if row in reviews else verdict for row, verdict in enumerate(finished)]

        return verdicts

    def _asked(self, items: Sequence[ScoreItem], verdicts: Sequence[Verdict | None]) -> dict[int, Callable[[Verdict], Verdict]]:
        """Begins to ask the judge about those verdicts that it wants; by the place of the item."""
        if self.opinions is None:
            return {}
        from rl_core.judge.opinions import Question

        found = {}
        for row, (item, verdict) in enumerate(zip(items, verdicts, strict=True)):
            if verdict is not None and not verdict.error and self.opinions.wants(_truncated(item, verdict)):
                gold = environment_of(item.task).in_words(item.gold) or item.gold
                found[row] = self.opinions.ask(Question(item.prompt, gold, item.response))
        return found

    def _ask_own(self, questions: set[OpenQuestion], read: Reader | None, rules: Rules) -> Callable[[], dict[OpenQuestion, Decision]]:
        futures = {
            question: self._own_workers.call("judge", question.task, judgement(question, read, rules)) for question in sorted(questions)
        }

        def decisions() -> dict[OpenQuestion, Decision]:
            replies = {question: future.result() for question, future in futures.items()}
            for question, reply in replies.items():
                self.own.hear(question.task, reply)
                if reply.failure and reply.failure.why not in self._failures:
                    self._failures.add(reply.failure.why)
                    print(reply.failure.trace, end="", file=sys.stderr, flush=True)
            return {question: decision_of(reply) for question, reply in replies.items()}

        return decisions

    def _ask(self, questions: set[OpenQuestion]) -> Callable[[], dict[OpenQuestion, Decision]]:
        asked = self._schedule(sorted(questions))

        def decisions() -> dict[OpenQuestion, Decision]:
            nonlocal asked
            found: dict[OpenQuestion, Decision] = {}
            for _ in range(3):
                pool, futures = asked
                if pool is not None:
                    found |= _answers(pool, futures)
                waiting = [question for question in sorted(questions) if question not in found]
                if not waiting or self._closed:
                    break
                if pool is self._pool:  # it lost all its workers at once: ask again in a new one
                    self._stop()
                asked = self._schedule(waiting)
            return dict.fromkeys(questions, Decision(Outcome.TIMEOUT)) | found

        return decisions

    def _schedule(self, questions: Sequence[OpenQuestion]) -> tuple[ProcessPool | None, dict[OpenQuestion, ProcessFuture]]:
        if not questions or self._closed:
            return None, {}
        pool = self._running({module for question in questions for module in environment_of(question.task).worker_imports})
        futures: dict[OpenQuestion, ProcessFuture] = {}
        with suppress(RuntimeError):  # the pool is broken: a worker that died while none had work breaks it, too
            for question in questions:
                futures[question] = pool.schedule(_work, (question, self.deadline), timeout=self.deadline)
        return pool, futures

    def _running(self, imports: set[str]) -> ProcessPool:
        if not imports <= self._imported:
            self._stop()  # its workers would import them in the time of an answer; what they are at is asked again
        if self._pool is None:
            from pebble import ProcessPool

            # Forked from a small server that has imported what takes long, where it starts with this pool: safe beside threads and CUDA,
            # and a killed worker is replaced in milliseconds.
            self._imported |= imports
            modules = sorted(self._imported)
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([*modules, __name__])
            self._pool = ProcessPool(max_workers=self.workers, context=context, initializer=_start_worker, initargs=[modules])
        return self._pool


def _answers(pool: ProcessPool, futures: Mapping[OpenQuestion, ProcessFuture]) -> dict[OpenQuestion, Decision]:
    """Waits; questions that were lost with their pool have none."""
    from pebble import ProcessExpired

    found: dict[OpenQuestion, Decision] = {}
    for question, future in futures.items():
        while not future.done() and pool.active:  # what a pool had not yet taken up when it broke is never done
            wait([future], timeout=1)
        if not future.done():
            continue
        try:
            found[question] = future.result()
        except (TimeoutError, ProcessExpired, MemoryError):
            found[question] = Decision(Outcome.TIMEOUT)
        except (BrokenProcessPool, CancelledError):
            continue
    return found


def _start_worker(modules: Sequence[str]) -> None:
    # Die at once when told to: a handler in Python would wait for the end of a long multiplication.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for module in modules:
        importlib.import_module(module)


def _work(question: OpenQuestion, deadline: float) -> Decision:
    # The pool enforces the deadline; this limit only ends a worker whose pool was killed and cannot.
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime + deadline) + 2, hard))
    return decide(question)


def _truncated(item: ScoreItem, verdict: Verdict) -> Verdict:
    if item.finish_reason != "length":
        return verdict
    kept = verdict.outcome in (Outcome.CORRECT, Outcome.TIMEOUT)
    return replace(verdict, outcome=verdict.outcome if kept else Outcome.TRUNCATED, truncated=True)
