"""`r1flow data`: what a data stage will hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from transformers import AutoTokenizer

from flows.analysis.data_look import look
from flows.cli import main
from flows.recipe.load import load_recipe
from flows.recipe.schema import RecipeError
from rl_core.environments.own import ENVIRONMENT, OwnData
from rl_core.errors import InputError

RECIPE = """
name: sums
model: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 4, key_value_heads: 2, vocabulary: 512, context: 512}
stages:
  mine: {kind: data, source: sums.jsonl, columns: {difficulty: level, domain: topic}, verifier: number, where: level > 0, test: 2}
  puzzles: {kind: data, task: knights_knaves, people: [2], source: generate, train: 6, test: 2}
  cold: {kind: sft, data: [mine, puzzles], template: boxed, steps: 1}
"""
ROWS = [
    *({"question": f"What is {n} + {n}?", "answer": 2 * n, "level": n % 3, "topic": "even" if n % 2 else "odd"} for n in range(12)),
    {"question": "What is 1 + 1?", "answer": 3, "level": 1, "topic": "odd"},
    {"question": "What is one?", "answer": "one", "level": 2, "topic": "words"},
    {"question": "", "answer": 1, "level": 2, "topic": "words"},
]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def lines(recipe: Path, stage: str = "mine", *changes: str) -> list[str]:
    return list(look(load_recipe(str(recipe), changes), stage, None))


def test_counts_lengths_golds_and_examples(recipe: Path) -> None:
    found = lines(recipe)
    sums = recipe.parent / "sums.jsonl"
    # 8 of the 12 sums have a level above 0; the first of them comes again with another answer.
    assert found[:9] == [
        "6 training and 2 held-out problems of 15 rows",
        "rows that `where` leaves out: 4",
        "problems that come again: 1, left out",
        "rows that contradict an earlier answer to the same problem: 1",
        "rows that cannot be used: 2",
        f"  {sums}: row 14 has an answer that cannot be used: the gold answer 'one' is no number",
        f"  {sums}: row 15 has no text in `question`",
        "golds: all can be read",
        found[8],
    ]
    train = ENVIRONMENT.problems(OwnData(source=str(sums), verifier="number", where="level > 0", test=2, on_bad_row="drop"), None, 0).train
    count = sum(prompt.info is not None and json.loads(prompt.info)["level"] == 1 for prompt in train)
    assert found[8] == f"difficulty: 1 ({count}), 2 ({6 - count})"
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    example = next(line for line in found if line.startswith("<|im_start|>"))
    assert example.startswith(f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nWhat is ")
    assert example.endswith("?<|im_end|>\n<|im_start|>assistant\n")
    assert [line for line in found if line.startswith("solutions")] == ["solutions: none"]
    assert "lengths in characters and words: the tokenizer of this model is made in its first stage" in found
    assert sum(line.startswith("\n--- ") for line in found) == 5


def test_tokens_are_those_of_the_recipes_model(recipe: Path, tiny_checkpoint: Path) -> None:
    found = lines(recipe, "mine", f"model={tiny_checkpoint}", "mine.bare_answers=true", "mine.test=3")
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    texts = [line for line in found if "What is" in line]
    lengths = sorted(len(tokenizer(text, add_special_tokens=False).input_ids) for text in texts)
    low, half, most, high = lengths[0], lengths[2], lengths[3], lengths[4]  # of five, all of which are shown
    assert f"prompts (5): {low} to {high} tokens, half up to {half}, 95 % up to {most}" in found
    assert any(line.startswith("solutions (5): ") and " tokens, half" in line for line in found)


def test_all_families_and_golds_in_words(recipe: Path) -> None:
    found = lines(recipe, "puzzles")
    assert found[:3] == ["6 training and 2 held-out problems", "golds: all can be read", "difficulty: 2 (6)"]
    assert any(line.startswith("\n--- 1: knights_knaves, gold ") and "{" not in line for line in found)


def test_golds_that_cannot_be_read_are_listed(recipe: Path) -> None:
    unreadable = recipe.parent / "sums.jsonl"
    unreadable.write_text(json.dumps({"question": "Why?", "answer": r"\begin{tikzpicture} \draw (0,0);"}) + "\n")
    found = lines(recipe, "mine", "mine.verifier=math", "mine.where=null", "mine.columns={}", "mine.test=0")
    place = found.index("golds that cannot be read, so that answers are compared with their text: 1")
    assert found[place + 1] == r"  \begin{tikzpicture} \draw (0,0); of Why?"


def test_what_cannot_be_looked_at(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^min: the recipe has no such data stage; did you mean 'mine'\?$"):
        lines(recipe, "min")
    with pytest.raises(InputError, match=r"^stages.mine: .*sums.jsonl: there is no column 'anser'; did you mean 'answer'\?"):
        lines(recipe, "mine", "mine.columns={answer: anser}")


def test_the_command_writes_nothing(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(recipe.parent)
    before = sorted(recipe.parent.rglob("*"))
    done = CliRunner().invoke(main, ["data", "recipe.yaml", "mine", "--set", "mine.source=sum.jsonl"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "sum.jsonl: no such file; did you mean 'sums.jsonl'?" in done.stderr
    done = CliRunner().invoke(main, ["data", "recipe.yaml", "mine"])
    assert done.exit_code == 0
    assert done.stdout.startswith("6 training and 2 held-out problems of 15 rows\n")
    assert sorted(recipe.parent.rglob("*")) == before
