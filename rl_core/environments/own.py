"""Problems of one's own: any columns of files or of a set on the hub, judged by a verifier that the recipe names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from rl_core.config.base import Added, Settings
from rl_core.config.data import WorkedResponses
from rl_core.config.own_files import OwnCode, OwnFiles
from rl_core.data.own.columns import Columns, Draft
from rl_core.data.own.load import OwnProblems, load
from rl_core.data.own.row_filter import check_expression
from rl_core.data.own.source import check_source, hub_sets, is_own, local_files
from rl_core.data.prompts import DataError, Prompt
from rl_core.data.rows import count_rows
from rl_core.data.splits import first_of, hold_out
from rl_core.environments.environment import Environment, Problems
from rl_core.errors import InputError
from rl_core.own_code.reference import is_own as is_own_code
from rl_core.rewards.extraction import extract_answer
from rl_core.rewards.verifiers.parameters import with_parameters

Verifier = str | dict[str, dict[str, Any]]


def _readable(sources: list[str]) -> list[str]:
    for text in sources:
        check_source(text)
    return sources


def _known(verifier: Verifier) -> Verifier:
    from rl_core.environments.registry import find_verifier  # which imports this file

    find_verifier(verifier)
    return verifier


Sources = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=str | list[str]),
    Field(min_length=1),
    AfterValidator(_readable),
]
KnownVerifier = Annotated[Verifier, AfterValidator(_known)]


class OwnData(WorkedResponses):
    """Your own problems, from files or a set on the hub."""

    task: Literal["own"] = Field("own", description="May be left out where `source` names files or a set on the hub.")
    source: Annotated[Sources, OwnFiles()] = Field(
        description="Files (.jsonl, .json, .parquet, .csv) beside the recipe, or hub:ORG/NAME[/CONFIG][@REVISION][#SPLIT]; one or a list."
    )
    columns: Columns = Field(Columns(), description="Which columns matter.")
    verifier: Annotated[KnownVerifier, OwnCode()] = Field(
        "math",
        description="How answers are judged: math, exact, number, choice, regex, json, …, {number: {tolerance: 0.01}}, or an environment "
        "of your own: `file.py:Class` or `package.module:Class`.",
    )
    system: str | None = Field(None, description="System message of rows that have none; it takes the place of the template's.")
    where: str | None = Field(None, description="Only rows of which this is true: a DuckDB expression over their columns.")
    on_bad_row: Literal["refuse", "drop"] = Field(
        "refuse", description="Of a row that cannot be used: stop and name it, or leave it out and count it."
    )
    train: int | None = Field(None, ge=1, description="Use only the first rows of a seeded shuffle; default: all.")
    test: int = Field(0, ge=0, description="Held-out problems, chosen by digest: the same whatever the seed.")


class OwnBenchmark(Settings):
    """What says where the problems of a benchmark of one's own are; as in a data stage."""

    source: Annotated[Sources | None, OwnFiles(), Added()] = Field(None, description="own only: files, or a set on the hub.")
    columns: Annotated[Columns | None, Added()] = Field(None, description="own only: which columns matter.")
    verifier: Annotated[KnownVerifier | None, OwnCode(), Added()] = Field(
        None, description="own only: how answers are judged; default: math."
    )
    system: Annotated[str | None, Added()] = Field(None, description="own only: system message of rows that have none.")
    where: Annotated[str | None, Added()] = Field(None, description="own only: only rows of which this DuckDB expression is true.")
    test: Annotated[int | None, Added()] = Field(
        None, ge=1, description="own only: the problems that a data stage with this `test` holds out of the same source; default: all."
    )


class Own(Environment[OwnData]):
    name = "own"
    label = "own problems"
    is_verifier: ClassVar[bool] = False
    settings = OwnData
    is_benchmark = True
    options = OwnBenchmark

    def is_meant(self, written: Mapping[str, Any]) -> bool:
        return is_own(written.get("source"))

    def check(self, config: OwnData) -> None:
        if config.where is not None:
            check_expression(config.where)

    def inputs(self, config: OwnData, data_dir: Path | None) -> list[Path]:
        return local_files(config.source)

    def own_code(self, config: OwnData | OwnBenchmark) -> list[str]:
        verifier = config.verifier or ""
        return list(filter(is_own_code, [verifier] if isinstance(verifier, str) else verifier))

    def problems(self, config: OwnData, data_dir: Path | None, seed: int) -> Problems:
        found = self.read(config)
        train, test = hold_out(found.different.prompts, config.test, _content)
        counts = {"filtered_rows": found.filtered, "bad_rows": len(found.bad), "repeated_rows": found.different.repeated}
        more: dict[str, Any] = {"rows": found.rows} | {name: count for name, count in counts.items() if count}
        files, hub = local_files(config.source), hub_sets(config.source)
        more["source"] = " and ".join([*(["own files"] if files else []), *(["the hub"] if hub else [])])
        if found.commits:
            more["commits"] = found.commits
        bad = [f"{row.where} {row.why}" for row in found.bad]
        left_out = len(bad) + found.different.repeated
        return Problems(first_of(train, config.train, "train", seed), test, left_out, found.different.contradicting, bad, more)

    def read(self, config: OwnData) -> OwnProblems:
        """All problems of the source; raises DataError as `load`."""
        from rl_core.environments.registry import find_verifier

        name, environment, parameters = find_verifier(config.verifier)
        needs_answer = environment.needs_answer(parameters)

        def make(draft: Draft) -> Prompt:
            answer = draft.answer
            if answer is None and needs_answer:
                answer = _answer_in(draft.solution or "", environment)
            gold = with_parameters("" if answer is None else environment.gold_of(answer), parameters)
            environment.check_gold(name, gold)
            worked, messages = _worked(draft, config), _messages(draft, config.system)
            return Prompt(name, draft.question, gold, draft.difficulty, worked, draft.domain, messages, draft.info)

        return load(config.source, config.columns, config.where, make, needs_answer=needs_answer, on_bad_row=config.on_bad_row)

    def lenient(self, config: OwnData) -> OwnData:
        return config.model_copy(update={"on_bad_row": "drop"})

    def training_rows(self, config: OwnData) -> int:
        """At most; of a set on the hub without `train` nothing is known."""
        there = sum(map(count_rows, local_files(config.source)))
        if config.train and hub_sets(config.source):
            return config.train
        left = max(0, there - config.test)
        return min(config.train or left, left)

    def local_files(self, options: OwnBenchmark, data_dir: Path | None) -> list[Path]:
        return local_files(self._config(options).source)

    def load(self, options: OwnBenchmark, limit: int | None, data_dir: Path | None) -> list[Prompt]:
        config = self._config(options)
        prompts = self.read(config).different.prompts
        held_out = hold_out(prompts, config.test, _content)[1] if config.test else prompts
        return [replace(prompt, trace=None) for prompt in held_out]

    def size(self, options: OwnBenchmark, limit: int | None) -> int:
        there = sum(map(count_rows, self.local_files(options, None)))
        return min(filter(None, (limit, options.test, there)), default=0)

    def _config(self, options: OwnBenchmark) -> OwnData:
        if options.source is None:
            raise DataError(f"benchmark {self.name}: no `source`; add one, such as {{name: mine, source: mine.jsonl}}")
        config = OwnData.model_validate(options.model_dump(exclude_none=True))
        self.check(config)
        return config

    def set_name(self, config: OwnData) -> str:
        return ", ".join(config.source)

    def smoke(self, answer_form: str) -> dict[str, Any]:
        return {"bare_answers": True, "answer_form": answer_form}


def _content(prompt: Prompt) -> str:
    """What decides whether a problem is held out: neither its verifier nor a system message."""
    earlier = json.loads(prompt.messages) if prompt.messages else []
    return json.dumps([prompt.question, [message for message in earlier if message["role"] != "system"]])


def _answer_in(solution: str, environment: Environment[Any]) -> str:
    """What a solution gives as its answer; all of it where it marks none and the verifier may take that."""
    answer = extract_answer(solution)
    if answer is None and not environment.takes_whole_solutions:
        raise InputError("its solution marks no answer (a box, ####, answer tags); name the column of the answers as columns.answer")
    return solution if answer is None else answer


def _worked(draft: Draft, config: OwnData) -> str | None:
    answer = draft.answer
    text = answer if isinstance(answer, str | int | float) or answer is None else json.dumps(answer, ensure_ascii=False)
    ending = None if text is None else config.answer_form.replace("{answer}", str(text).strip())
    if draft.solution is None:
        return ending if config.bare_answers else None
    if draft.verbatim or ending is None or extract_answer(draft.solution) is not None:
        return draft.solution
    return f"{draft.solution}\n{ending}"


def _messages(draft: Draft, system: str | None) -> str | None:
    given = any(message["role"] == "system" for message in draft.earlier)
    earlier = [*([{"role": "system", "content": system}] if system and not given else []), *draft.earlier]
    return json.dumps(earlier, ensure_ascii=False) if earlier else None


ENVIRONMENT = Own()
