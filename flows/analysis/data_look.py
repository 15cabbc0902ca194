"""What a data stage will hold, before any run: counts, lengths, golds that cannot be read, and prompts as a model sees them."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flows.planning.model_files import check_hub_model
from flows.recipe.schema import Recipe, RecipeError
from rl_core.data.prompts import Prompt
from rl_core.data.templates import Template, find_template, render
from rl_core.environments.environment import Environment, Problems
from rl_core.environments.registry import environment_of, read_settings
from rl_core.errors import InputError, naming
from rl_core.model.pretrained import load_tokenizer
from rl_core.model.scratch import plain_tokenizer
from rl_core.nearest import nearest
from tasks.kinds import KINDS

EXAMPLES, NAMED, VALUES = 5, 3, 20  # prompts that are shown, rows and golds that are named, values of a difficulty or domain
MEASURED = 2000  # texts whose tokens are counted
SHOWN = 80  # characters of a question or gold in a line


def look(recipe: Recipe, name: str, data_dir: Path | None) -> Iterator[str]:
    """Lines about a data stage of a recipe. Nothing is written.

    Raises:
        InputError: there is no such stage, or its data cannot be read at all.
    """
    stages = [stage for stage, settings in recipe.stages.items() if "prompts" in KINDS[settings.kind].makes]
    if name not in stages:
        raise RecipeError(f"{name}: the recipe has no such data stage; {nearest(name, stages)}")
    kind, stage = recipe.kind(name), recipe.stages[name]
    kind.check_names(stage, f"stages.{name}")
    config = read_settings(stage.model_dump(exclude={"kind"}))
    environment = environment_of(config.task)
    with naming(f"stages.{name}"):
        found = environment.problems(environment.lenient(config), data_dir, recipe.seed)
    template, user = _template(recipe, name)
    tokenizer, note = _tokenizer(recipe)
    yield from _counts(environment, found)
    yield from _golds([*found.train, *found.test])
    yield from _values("difficulty", (prompt.difficulty for prompt in found.train))
    yield from _values("domain", (prompt.domain for prompt in found.train))
    with naming(f"stages.{user or name}"):
        texts = [render(template, prompt, tokenizer) for prompt in _some(found.train, MEASURED)]
    counter = None if note else tokenizer
    yield from _lengths("prompts", texts, counter, len(found.train))
    solved = [prompt.trace for prompt in found.train if prompt.trace]
    yield from _lengths("solutions", _some(solved, MEASURED), counter, len(solved))
    if note:
        yield note
    seen_by = f"stage {user}" if user else "none of the stages uses it: as with template plain"
    yield f"\n{EXAMPLES if len(texts) > EXAMPLES else len(texts)} prompts as a model sees them ({seen_by}):"
    for number, prompt in enumerate(_some(found.train, EXAMPLES), start=1):
        gold = environment_of(prompt.task).in_words(prompt.gold) or prompt.gold
        yield f"\n--- {number}: {prompt.task}, gold {_short(gold)}"
        yield render(template, prompt, tokenizer)


def _counts(environment: Environment[Any], found: Problems) -> Iterator[str]:
    rows = f" of {found.more['rows']:,} rows" if "rows" in found.more else ""
    yield f"{len(found.train):,} training and {len(found.test):,} held-out problems{rows}"
    if commits := found.more.get("commits"):
        yield f"read: {', '.join(commits)}"
    if filtered := found.more.get("filtered_rows"):
        yield f"rows that `where` leaves out: {filtered:,}"
    shared = {prompt.prompt_id for prompt in found.train} & {prompt.prompt_id for prompt in found.test}
    if shared:
        yield f"training problems that are also held out, and left out of training: {len(shared):,}"
    again = len(found.train) - len({prompt.prompt_id for prompt in found.train})
    repeated = found.more.get("repeated_rows", again)
    left_out = found.left_out - len(found.bad) - (0 if again else repeated)
    if left_out:
        yield f"rows without an answer, or with a problem again, left out: {left_out:,}"
    if repeated:
        yield f"problems that come again: {repeated:,}{'' if again else ', left out'}"
    if found.contradicting:
        yield f"rows that contradict an earlier answer to the same problem: {found.contradicting:,}"
    if found.bad:
        yield f"rows that cannot be used: {len(found.bad):,}"
        yield from (f"  {row}" for row in found.bad[:NAMED])


def _golds(prompts: Sequence[Prompt]) -> Iterator[str]:
    refused, by_text = [], []
    for prompt in prompts:
        family = environment_of(prompt.task)
        try:
            family.check_gold(prompt.task, prompt.gold)
            if family.judged_by_text(prompt.task, prompt.gold):
                by_text.append(prompt)
        except InputError:
            refused.append(prompt)
    for what, found in (
        ("are refused by their verifier", refused),
        ("cannot be read, so that answers are compared with their text", by_text),
    ):
        if found:
            yield f"golds that {what}: {len(found):,}"
            yield from (f"  {_short(prompt.gold)} of {_short(prompt.question)}" for prompt in found[:NAMED])
    if not (refused or by_text):
        yield "golds: all can be read"


def _values(label: str, values: Iterable[str | None]) -> Iterator[str]:
    counted = Counter(value for value in values if value is not None)
    if counted:
        most = sorted(counted.most_common(VALUES), key=lambda item: (len(item[0]), item[0]))
        more = f", and {len(counted) - VALUES:,} other values" if len(counted) > VALUES else ""
        yield f"{label}: {', '.join(f'{value} ({count:,})' for value, count in most)}{more}"


def _lengths(label: str, texts: Sequence[str], tokenizer: Any, there: int) -> Iterator[str]:
    """Of texts, in tokens or in characters and words."""
    if not texts:
        yield f"{label}: none"
        return
    if tokenizer is not None:
        measures = {"tokens": [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False).input_ids]}
    else:
        measures = {"characters": [len(text) for text in texts], "words": [len(text.split()) for text in texts]}
    of = f"{len(texts):,} of {there:,}" if len(texts) < there else f"{there:,}"
    for unit, lengths in measures.items():
        half, most = statistics.median_low(lengths), sorted(lengths)[int(0.95 * (len(lengths) - 1))]
        yield f"{label} ({of}): {min(lengths):,} to {max(lengths):,} {unit}, half up to {half:,}, 95 % up to {most:,}"


def _template(recipe: Recipe, name: str) -> tuple[Template, str | None]:
    """The template of the first stage that uses the prompts, and that stage."""
    for user, settings in recipe.stages.items():
        if name in recipe.parents(user) and hasattr(settings, "template"):
            return find_template(settings.template), user
    return Template(), None


def _tokenizer(recipe: Recipe) -> tuple[Any, str | None]:
    """The tokenizer of the recipe's model; where it is made in training or out of reach, one for its chat template alone, and a note."""
    if not isinstance(recipe.model, str):
        return plain_tokenizer(), "lengths in characters and words: the tokenizer of this model is made in its first stage"
    try:
        check_hub_model(recipe.model, "a directory with --set model=DIR")
        return load_tokenizer(recipe.model), None
    except InputError as error:
        return plain_tokenizer(), f"lengths in characters and words, and ChatML around the prompts: {error}"


def _some(items: Sequence[Any], count: int) -> list[Any]:
    """Evenly drawn, in their order."""
    step = max(1, len(items) / count)
    return [items[int(place * step)] for place in range(min(count, len(items)))]


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= SHOWN else f"{plain[: SHOWN - 3]}..."
