"""What a run showed, in sentences that carry their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evals.analytics.figures.overview import checkpoint_order, length_unit
from evals.analytics.figures.plotting import rows
from evals.analytics.report import ask
from evals.benchmarks.registry import label_of

if TYPE_CHECKING:
    import duckdb

Tone = Literal["better", "worse", "noise", "neutral", "watch"]
MINUS = "\N{MINUS SIGN}"
EDGE = 0.1  # the first and the last tenth of a curve stand for its start and its end


@dataclass(frozen=True)
class Result:
    """The main score of one benchmark part at the first and at the last checkpoint, as shares; `tone` says whether they differ."""

    label: str
    metric: str
    problems: int
    first: str
    last: str
    before: float
    after: float
    low: float | None  # 95% interval of the difference
    high: float | None
    tone: Tone


@dataclass(frozen=True)
class Remark:
    """A sentence on one topic, with its number; `watch` asks for a second look."""

    tone: Tone
    topic: str
    text: str


def results(connection: duckdb.DuckDBPyConnection) -> list[Result]:
    """First against last checkpoint, for every metric but pass@k and maj@k; sampled before greedy.

    A benchmark with parts (numbers of people) is reported by its parts: their mixture depends on how many of each were asked.
    """
    found = []
    for stage in rows(connection, "SELECT stage_run FROM stages WHERE kind = 'eval' ORDER BY position, stage_run"):
        checkpoints = checkpoint_order(connection, stage["stage_run"])
        if len(checkpoints) < 2:
            continue
        first, last = checkpoints[0], checkpoints[-1]
        for row in ask(connection, "results", [stage["stage_run"], first, last]):
            tone: Tone = "noise" if row["noise"] or row["noise"] is None else "better" if row["after"] > row["before"] else "worse"
            label = label_of(row["benchmark"]) + (f", {row['subset']}" if row["subset"] else "")
            metric = "Greedy accuracy" if row["mode"] == "greedy" else row["metric"]
            found.append(Result(label, metric, row["problems"], first, last, row["before"], row["after"], row["low"], row["high"], tone))
    return found


def verdicts(found: list[Result]) -> list[Remark]:
    """The results in words: one sentence for all parts where a metric rose, one where it fell, one where nothing can be concluded."""
    words: dict[Tone, str] = {"better": "rose", "worse": "fell", "noise": "moved within noise"}
    grouped: dict[tuple[str, str, str, Tone], list[Result]] = {}
    for metric, first, last in dict.fromkeys((result.metric, result.first, result.last) for result in found):
        for tone in words:
            grouped[metric, first, last, tone] = [
                result for result in found if (result.metric, result.first, result.last, result.tone) == (metric, first, last, tone)
            ]
    remarks = []
    for (metric, first, last, tone), parts in grouped.items():
        shown = []
        for part in parts:
            change = f"{signed(100 * (part.after - part.before))} points"
            if part.low is not None and part.high is not None:
                change += f", 95% interval {signed(100 * part.low)} to {signed(100 * part.high)}"
            shown.append(f"{part.label}: {percent(part.before)} → {percent(part.after)} ({change}; {part.problems} problems)")
        if shown:
            remarks.append(Remark(tone, metric, f"{words[tone]} from {first} to {last}. {'; '.join(shown)}."))
    return remarks


def remarks(connection: duckdb.DuckDBPyConnection) -> list[Remark]:
    """Sentences about the training curves, and what deserves a second look."""
    found = _unknown(connection)
    length = length_unit(connection)
    for topic, view, column, show, unit in (
        ("Training reward", "reward_by_step", "reward", two_decimals, ""),
        ("Wrong answers", "errors_by_step", "wrong", percent, ""),
        ("Format errors", "errors_by_step", "format_error", percent, ""),
        ("Thinking length", "length_by_step", f"think_{length}", "{:.0f}".format, f" {length}"),
        ("Answer length", "length_by_step", f"answer_{length}", "{:.0f}".format, f" {length}"),
        ("Step-wise keywords", "keywords_by_step", "step_wise", "{:.1f}".format, " per response"),
        ("Reflection keywords", "keywords_by_step", "reflection", "{:.1f}".format, " per response"),
    ):
        stages: dict[str, list[str]] = {}
        for stage, first, last, steps in edges(connection, view, column):
            if steps < 2:
                continue
            stages.setdefault(_verb(first, last), []).append(f"{stage} ({show(first)} → {show(last)}{unit})")
        if stages:
            parts = [f"{verb} in {_and(names)}" for verb, names in stages.items()]
            found.append(Remark("neutral", topic, f"{'; '.join(parts)}."))
    effect = rows(
        connection, "SELECT sum(helps) AS helps, sum(harms) AS harms, sum(nothing) AS nothing FROM reflection_effects WHERE part = 'test'"
    )
    if effect and sum(counts := [effect[0][name] or 0 for name in ("helps", "harms", "nothing")]):
        helps, harms, nothing = (f"{count:,.0f}" for count in counts)
        text = f"after an answer was stated helped {helps} held-out responses, harmed {harms} and changed nothing in {nothing}."
        found.append(Remark("neutral", "Turning round", text))
    return [*found, *_watch(connection)]


def _unknown(connection: duckdb.DuckDBPyConnection) -> list[Remark]:
    """What the responses do not say; nothing where all is known."""
    (row,) = ask(connection, "known")
    missing = [
        f"{what} ({f'{total - row[column]:,} of {total:,}' if row[column] else f'all {total:,}'} responses)"
        for what, column, total in (
            ("whether the answer is right", "outcome", row["responses"]),
            ("the reward", "reward", row["rollouts"]),
            ("whether the response ended or was cut off", "finish_reason", row["responses"]),
            ("the number of tokens", "response_tokens", row["responses"]),
            ("the step", "step", row["rollouts"]),
        )
        if row[column] < total
    ]
    return [Remark("neutral", "Unknown", f"{_and(missing)}. What follows is about those of which it is known.")] if missing else []


def _watch(connection: duckdb.DuckDBPyConnection) -> list[Remark]:
    """Signs of trouble: a collapse, truncation, missed deadlines, entropy that runs away, groups that teach nothing."""
    found = []
    for row in ask(connection, "collapses"):
        rose = ["responses without an end token"] * bool(row["no_end"]) + ["repetition"] + ["errors"] * bool(row["errors"])
        found.append(f"{row['stage']} collapsed at step {row['onset']}: {_and(rose)} rose{' together' if len(rose) > 1 else ''}.")
    for stage, first, last, _ in edges(connection, "errors_by_step", "truncated"):
        if last > max(0.1, first + 0.05):
            found.append(f"{percent(last)} of the last rollouts of {stage} ran into the token limit: repetition, or too low a limit?")
    for stage, _, last, _ in edges(connection, "errors_by_step", "timeout"):
        if last > 0.01:
            found.append(f"The verifier missed its deadline on {percent(last)} of the last rollouts of {stage}.")
    for row in ask(connection, "entropy"):
        if row["first"] > 0 and not 0.1 < row["last"] / row["first"] < 3:
            found.append(f"Entropy in {row['stage']} went from {row['first']:.3f} to {row['last']:.3f} nats per token.")
    for row in rows(
        connection,
        "SELECT stage, avg(informative) AS informative FROM groups_by_step GROUP BY stage, position HAVING avg(informative) < 0.3 "
        "ORDER BY position",
    ):
        found.append(f"Only {percent(row['informative'])} of the groups of {row['stage']} carried a gradient: too easy or too hard for it.")
    return [Remark("watch", "Look into", text) for text in found]


def edges(connection: duckdb.DuckDBPyConnection, view: str, column: str) -> list[tuple[str, float, float, int]]:
    """(stage, mean of its first tenth of steps, mean of its last tenth, steps) in the order of the recipe.

    Where no step is known both are the mean of all, and the steps are 0.
    """
    found: list[dict[str, Any]] = rows(
        connection,
        f"""
        SELECT stage, count(step) AS steps,
            avg({column}) FILTER (last IS NULL OR step <= greatest(1, {EDGE} * last)) AS first,
            avg({column}) FILTER (last IS NULL OR step > least(last - 1, (1 - {EDGE}) * last)) AS last
        FROM (SELECT *, max(step) OVER (PARTITION BY stage_run) AS last FROM {view})
        GROUP BY stage_run, stage, position ORDER BY position
        """,
    )
    return [
        (row["stage"], row["first"], row["last"], row["steps"]) for row in found if row["first"] is not None and row["last"] is not None
    ]


def _and(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]


def _verb(first: float, last: float) -> str:
    """Which way a curve went, by more than a twentieth of its start."""
    if abs(last - first) <= 0.05 * abs(first):
        return "held"
    return "rose" if last > first else "fell"


def two_decimals(value: float) -> str:
    """With a true minus."""
    return f"{value:.2f}".replace("-", MINUS)


def percent(share: float | None) -> str:
    """`0.123` as `12.3%`; None is not known."""
    if share is None:
        return "unknown"
    return f"{100 * share:.1f}%"


def signed(value: float) -> str:
    """One decimal with its sign; a true minus, and no sign on zero."""
    value = round(value, 6)  # 24.75 and 56.5 - 31.75 must be written alike everywhere
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}".replace("-", MINUS)
