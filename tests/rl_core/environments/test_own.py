"""Problems of one's own: layouts of public sets, real files, and everything that may be wrong with them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from rl_core.data.prepare import prepare
from rl_core.data.prompts import DataError, Prompt, read_prompts
from rl_core.data.templates import TEMPLATES, chat
from rl_core.environments.environment import Problems
from rl_core.environments.own import ENVIRONMENT, OwnBenchmark, OwnData
from rl_core.outcome import Outcome
from rl_core.rewards.verify import verify

SUMS = [{"question": f"What is {n} + {n}?", "answer": 2 * n, "level": n % 3, "topic": "even" if n % 2 == 0 else "odd"} for n in range(40)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def problems(source: Path | str | list[str], seed: int = 0, **settings: Any) -> Problems:
    config = OwnData(source=source if isinstance(source, list) else str(source), **settings)
    ENVIRONMENT.check(config)
    return ENVIRONMENT.problems(config, None, seed)


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    return write(tmp_path / "sums.jsonl", SUMS)


# Layouts of other projects


def test_verl(tmp_path: Path) -> None:
    """examples/data_preprocess/gsm8k.py of verl."""
    row = {
        "data_source": "openai/gsm8k",
        "prompt": [{"role": "user", "content": "Natalia sold 48 clips, and then half as many. How many in all?"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "72"},
        "extra_info": {"split": "train", "index": 0, "answer": "48/2 = 24\n#### 72", "question": "Natalia sold ..."},
    }
    path = write(tmp_path / "train.parquet", [row])
    columns = {"messages": "prompt", "answer": "reward_model.ground_truth", "solution": "extra_info.answer", "domain": "ability"}
    [prompt] = problems(path, columns=columns, verifier="gsm8k", where="extra_info.split = 'train'").train
    assert prompt == Prompt(
        "gsm8k", row["prompt"][0]["content"], "72", None, "48/2 = 24\n#### 72", "math", None,
        json.dumps({name: row[name] for name in ("data_source", "reward_model", "extra_info")}),
    )  # fmt: skip


def test_trl(tmp_path: Path) -> None:
    """A conversational prompt and `solution`, as TRL's accuracy_reward wants them; and prompt with completion."""
    system = {"role": "system", "content": "Think first."}
    asked = [system, {"role": "user", "content": "What is 1/2 + 1/4?"}]
    rows = [{"prompt": asked, "solution": r"$\frac{3}{4}$", "completion": [{"role": "assistant", "content": r"It is \boxed{3/4}."}]}]
    path = write(tmp_path / "a.json", rows)
    [prompt] = problems(path, columns={"messages": "prompt", "answer": "solution"}).train
    assert (prompt.task, prompt.question, prompt.gold) == ("math", "What is 1/2 + 1/4?", r"$\frac{3}{4}$")
    assert chat(TEMPLATES["boxed"], prompt)[0] == system  # in the place of the template's
    assert verify("math", r"\boxed{0.75}", prompt.gold).outcome is Outcome.CORRECT
    [prompt] = problems(path, columns={"messages": "prompt", "solution": "completion.0.content"}).train
    assert (prompt.gold, prompt.trace) == ("3/4", r"It is \boxed{3/4}.")


def test_open_r1(tmp_path: Path) -> None:
    """open-r1/OpenR1-Math-220k: problem, solution, answer, and `messages` with DeepSeek-R1's response."""
    messages = [{"role": "user", "content": "Find x."}, {"role": "assistant", "content": "<think>hm</think> So \\boxed{5}."}]
    row = {"problem": "Find x.", "solution": "x is five", "answer": "5", "problem_type": "Algebra", "messages": messages}
    path = write(tmp_path / "a.parquet", [row])
    first = {"question": "problem", "answer": "answer", "solution": "solution", "domain": "problem_type"}
    [prompt] = problems(path, columns=first).train
    assert (prompt.question, prompt.gold, prompt.trace, prompt.domain) == ("Find x.", "5", "x is five\n\\boxed{5}", "Algebra")
    [prompt] = problems(path, columns={"messages": "messages", "answer": "answer"}).train
    assert (prompt.gold, prompt.trace, prompt.messages) == ("5", messages[1]["content"], None)


def test_alpaca(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Name the capital.", "input": "France", "output": "Paris"},
        {"instruction": "Say hello.", "input": "", "output": "Hello!"},
    ]
    path = write(tmp_path / "alpaca.csv", rows)
    train = problems(path, columns={"question": ["instruction", "input"], "solution": "output"}, verifier="exact").train
    assert [(prompt.question, prompt.gold, prompt.trace) for prompt in train] == [
        ("Name the capital.\n\nFrance", "Paris", "Paris"),
        ("Say hello.", "Hello!", "Hello!"),
    ]


def test_sharegpt(tmp_path: Path) -> None:
    said = [("system", "Be brief."), ("human", "2+2?"), ("gpt", "4"), ("human", "And 3+3?"), ("gpt", "The answer is 6.")]
    path = write(tmp_path / "a.jsonl", [{"id": "x", "conversations": [{"from": who, "value": text} for who, text in said]}])
    [prompt] = problems(path, columns={"messages": "conversations"}, verifier="number", system="Not this one.").train
    assert (prompt.question, prompt.gold, prompt.trace) == ("And 3+3?", "6", "The answer is 6.")
    assert [message["role"] for message in json.loads(prompt.messages or "")] == ["system", "user", "assistant"]


# Real files


PUZZLES = {"answer": "solution_text_format"}


@pytest.mark.parametrize(
    ("file", "columns", "settings", "counts"),
    [
        ("gsm8k/train.jsonl", {"solution": "answer"}, {"verifier": "gsm8k", "test": 100}, (7373, 100, 0)),
        ("math500/test.jsonl", {"question": "problem", "domain": "subject"}, {"where": "level = 5"}, (134, 0, 0)),
        ("math_train/train.json", {"question": "problem"}, {"on_bad_row": "drop"}, (7470, 0, 4)),
        (
            "mmlu_pro/test.parquet",
            {"question": ["question", "options"]},
            {"verifier": "choice", "where": "category = 'law'"},
            (1037, 0, 64),
        ),
        ("kk/*/test.parquet", {"question": "quiz"} | PUZZLES, {"verifier": "knights_knaves"}, (500, 0, 0)),
        ("kk/3ppl/test.parquet", {"messages": "prompt"} | PUZZLES, {"verifier": "knights_knaves"}, (100, 0, 0)),
        ("amc23/test.jsonl", {"question": "problem"}, {"verifier": {"number": {"tolerance": 0.01}}}, (40, 0, 0)),
        ("olympiadbench/test.jsonl", {"answer": "final_answer.0", "domain": "subfield"}, {}, (675, 0, 0)),
        ("minerva_math/test.jsonl", {"question": "problem", "solution": "solution"}, {}, (272, 0, 0)),
        ("aime24/test.jsonl", {"question": "problem"}, {"verifier": "exact"}, (30, 0, 0)),
    ],
)
def test_public_files(data_dir: Path, file: str, columns: dict[str, Any], settings: dict[str, Any], counts: tuple[int, int, int]) -> None:
    found = problems(data_dir / file, columns=columns, **settings)
    assert (len(found.train), len(found.test), found.left_out) == counts
    for prompt in found.train[:20]:
        if prompt.trace and prompt.task != "math":
            assert verify(prompt.task, prompt.trace, prompt.gold).outcome is Outcome.CORRECT


# What is made of rows


def test_the_held_out_part_is_the_same_whatever_the_seed_the_verifier_and_the_order(sums: Path, tmp_path: Path) -> None:
    def held_out(found: Problems) -> set[str]:
        return {prompt.question for prompt in found.test}

    first = problems(sums, test=10, verifier="number")
    assert len(held_out(first)) == 10
    assert not held_out(first) & {prompt.question for prompt in first.train}
    assert held_out(problems(sums, seed=5, test=10, train=7)) == held_out(first)
    assert held_out(problems(write(tmp_path / "other.jsonl", SUMS[::-1]), test=10)) == held_out(first)
    assert held_out(problems(sums, test=12)) > held_out(first)
    some = problems(sums, seed=1, test=10, train=7, verifier="number").train
    assert len(some) == 7
    assert some != problems(sums, seed=2, test=10, train=7, verifier="number").train


def test_parameters_travel_with_the_prompt(sums: Path, tmp_path: Path) -> None:
    prepare(OwnData(source=str(sums), verifier={"number": {"absolute": 0.5}}, columns={"domain": "topic"}), tmp_path, data_dir=None, seed=0)
    prompt = read_prompts(tmp_path / "train.parquet")[3]
    assert (prompt.gold, prompt.domain, prompt.info) == ('{"gold": "6", "absolute": 0.5}', "odd", '{"level": 0}')
    assert [verify(prompt.task, text, prompt.gold).outcome for text in ("6.5", "6.6")] == [Outcome.CORRECT, Outcome.WRONG]
    assert ENVIRONMENT.in_words(prompt.gold) is None  # the verifier's family says it


def test_repeats_and_contradictions(tmp_path: Path) -> None:
    rows = [
        {"question": "a", "answer": "5"},
        {"question": "a ", "answer": "5.0"},
        {"question": "a", "answer": "6"},
        {"question": "b", "answer": "1"},
    ]
    result = prepare(OwnData(source=str(write(tmp_path / "a.jsonl", rows)), verifier="number"), tmp_path, data_dir=None, seed=0)
    assert {name: result[name] for name in ("train", "rows", "dropped_rows", "repeated_rows", "contradicting_rows", "source")} == {
        "train": 2, "rows": 4, "dropped_rows": 2, "repeated_rows": 2, "contradicting_rows": 1, "source": "own files",
    }  # fmt: skip


def test_worked_responses(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"question": "a", "answer": 5, "s": "It is five"}, {"question": "b", "answer": 6, "s": None}])
    columns = {"solution": "s", "answer": "answer"}
    assert [prompt.trace for prompt in problems(path, columns=columns).train] == ["It is five\n\\boxed{5}", None]
    tags = problems(path, columns=columns, bare_answers=True, answer_form="<answer>{answer}</answer>").train
    assert [prompt.trace for prompt in tags] == ["It is five\n<answer>5</answer>", "<answer>6</answer>"]


def test_a_pattern_of_the_recipe_needs_no_answers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [{"question": "Give a year."}])
    [prompt] = problems(path, verifier={"regex": {"pattern": r"\d{4}"}}).train
    assert [verify(prompt.task, text, prompt.gold).outcome for text in ("2026", "26")] == [Outcome.CORRECT, Outcome.WRONG]


def test_several_files_of_several_kinds(sums: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "more" / "sums.csv", [{"question": "What is 1 + 2?", "answer": 3}])
    found = problems([str(sums), str(other)], verifier="number")
    assert (len(found.train), found.train[-1].gold) == (41, "3")
    config = OwnData(source=[str(sums), str(other)], test=5)
    assert ENVIRONMENT.inputs(config, None) == [sums, other]
    assert ENVIRONMENT.training_rows(config) == 36
    assert ENVIRONMENT.training_rows(config.model_copy(update={"train": 8})) == 8


def test_a_set_on_the_hub(sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by `datasets`, from files in the hub's place: split, revision and the commit that was read."""
    import datasets
    import huggingface_hub

    real, asked = datasets.load_dataset, []

    def load_dataset(name: str, config: str | None, data_files: None, split: str, revision: str | None) -> Any:
        asked.append((name, config, revision))
        return real("json", data_files={"train": str(sums), "test": str(sums)}, split=split, cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: SimpleNamespace(sha="c0ffee"))
    result = prepare(OwnData(source="hub:me/sums/default#test", verifier="number"), tmp_path, data_dir=None, seed=0)
    assert (result["train"], result["source"], result["commits"]) == (40, "the hub", ["me/sums@c0ffee"])
    assert asked == [("me/sums", "default", "c0ffee")]
    with pytest.raises(DataError, match=r"^me/sums: cannot be fetched \(Unknown split \"tst\".*\); check the address, or name a file that"):
        problems("hub:me/sums#tst")
    assert ENVIRONMENT.training_rows(OwnData(source="hub:me/sums")) == 0  # not known
    assert ENVIRONMENT.training_rows(OwnData(source="hub:me/sums", train=7)) == 7


# What may be wrong

GOOD = '{"question": "a", "answer": 1}\n{"question": "b", "answer": 2}\n'


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (GOOD, {"columns": {"answer": "anser"}}, r"^FILE: there is no column 'anser'; did you mean 'answer'\?$"),
        (GOOD, {"columns": {"difficulty": "levels.0"}}, r"^FILE: there is no column 'levels.0'; known: question, answer$"),
        (GOOD, {"where": "answer > 5"}, r"^where 'answer > 5': it is true of none of the 2 rows; change it, or remove it$"),
        (GOOD, {"where": "answr > 5"}, r"^where 'answr > 5': the rows have no column 'answr'; did you mean 'answer'\?$"),
        ("", {}, r"^FILE: no rows; put them there, or name another file$"),
        (
            GOOD + '{"question": "c", "answer": ""}\n{"question": "d"}\n',
            {},
            r"^FILE: row 3 has an empty answer `answer` \(1 of 2 bad rows\); repair it, or set on_bad_row: drop$",
        ),
        (GOOD + '{"question": "c", "answer": {"a": 1}}', {}, r"row 3 has an answer that cannot be used: the answer is an object"),
        (GOOD + '{"question": "c", "answer": [1]}', {"verifier": "number"}, r"row 3 .* the answer is a list, \[1\]; name the part"),
        (GOOD + '{"question": "c", "answer": ', {}, r"^FILE: row 3 is not JSON \(Expecting value\) \(1 of 1 bad rows\)"),
        (GOOD + "[1]", {}, r"row 3 is a list, and an object with columns is wanted"),
        (GOOD + '{"question": "c", "answer": "five"}', {"verifier": "number"}, r"row 3 has an answer .*is no number"),
        (GOOD, {"verifier": "json"}, r"row 1 .* '1' is no JSON object .*; repair it, or change `columns` or `verifier`$"),
        (GOOD, {"columns": {"messages": "question"}}, r"row 1 is no chat: its `question` are a text that is not JSON"),
        ('{"m": [{"role": "system", "content": "x"}], "answer": 1}\n', {"columns": {"messages": "m"}}, r"its `m` have none of the user"),
        ('{"question": "a", "s": "It is five"}', {"columns": {"solution": "s"}}, r"its solution marks no answer .*; name the column"),
    ],
)  # fmt: skip
@pytest.mark.follows("repair it, or set on_bad_row: drop")
def test_what_is_wrong_is_one_line(tmp_path: Path, content: str, settings: dict[str, Any], message: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=message.replace("FILE", str(path))) as caught:
        problems(path, **settings)
    assert "\n" not in str(caught.value)
    if "on_bad_row: drop" in str(caught.value):
        found = problems(path, **settings, on_bad_row="drop")
        assert (len(found.train), found.left_out) == (2, found.more["bad_rows"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            b"question,answer\na,1\nb,2,3\n",
            r"a.csv: line 3 has 3 values, and the file has 2 columns \(1 of 1 bad rows\); repair it",
        ),
        ("a.csv", "question,answer\n\u00e4,1\n".encode("latin-1"), "not UTF-8 text .*; save it as UTF-8"),
        ("a.jsonl", GOOD.encode() + b'{"question": "\xe4", "answer": 1}', "row 3 is not UTF-8 text"),
        ("a.parquet", b"PAR1 it is not", r"a.parquet: not a readable Parquet file \(.*\); put it there again"),
        ("a.json", b'{"question": "a"}', "a list of objects is wanted"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        problems(tmp_path / name)


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    for name, text in (("a.csv", "question,answer\na,1\n"), ("a.jsonl", '{"question": "a", "answer": 1}')):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert problems(tmp_path / name).train[0].question == "a"


@pytest.mark.follows("set a smaller `test`, or add problems")
def test_more_held_out_than_there_are(sums: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sums.jsonl: all are among the 40 held-out ones; set a smaller `test`"):
        prepare(OwnData(source=str(sums), test=400), tmp_path, data_dir=None, seed=0)
    assert prepare(OwnData(source=str(sums), test=39), tmp_path, data_dir=None, seed=0)["train"] == 1


@pytest.mark.follows(
    "no rows; put them there, or name another file",
    "change it, or remove it",
    "repair it, or change `columns` or `verifier`",
    "name the column of the answers as columns.answer",
)
def test_remedies(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    with pytest.raises(DataError, match="no rows"):
        problems(path)
    write(path, [{"question": "a", "s": "It is five", "a": "5"}])
    with pytest.raises(
        DataError, match=r"name the column of the answers as columns\.answer .*repair it, or change `columns` or `verifier`"
    ):
        problems(path, columns={"solution": "s"})
    with pytest.raises(DataError, match="change it, or remove it"):
        problems(path, columns={"solution": "s", "answer": "a"}, where="a = '6'")
    assert len(problems(path, columns={"solution": "s", "answer": "a"}).train) == 1
    assert len(problems(path, columns={"solution": "s"}, verifier="exact").train) == 1


@pytest.mark.follows("check the address, or name a file that holds it")
def test_a_hub_that_is_out_of_reach_gives_way_to_a_file(sums: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load_dataset(*_: Any, **__: Any) -> Any:
        raise ConnectionError("Couldn't reach the hub\nat all")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(
        DataError, match=r"^me/sums: cannot be fetched \(Couldn't reach the hub\); check the address, or name a file that holds it$"
    ):
        problems("hub:me/sums")
    assert problems(sums).train


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "a.txt"}, "nor a file that ends with"),
        ({"source": []}, "at least 1 item"),
        ({"source": "a.jsonl", "verifier": "numbr"}, "did you mean 'number'"),
        ({"source": "a.jsonl", "columns": {"anser": "a"}}, "Extra inputs"),
        ({"source": "a.jsonl", "answer_form": "box"}, "pattern"),
    ],
)
def test_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OwnData(**settings)


@pytest.mark.follows("cannot be read ({}); repair it, or name another one")
def test_a_file_that_goes_away_or_may_not_be_read(tmp_path: Path) -> None:
    loop = tmp_path / "a.jsonl"
    from rl_core.data.own.source import read_file

    with pytest.raises(DataError, match=r"a.jsonl: cannot be read \(.*No such file.*\); repair it, or name another one"):
        list(read_file(loop))
    write(loop, SUMS)
    assert len(list(read_file(loop))) == 40


def test_a_benchmark_of_the_part_that_a_data_stage_holds_out(sums: Path) -> None:
    shared = {"source": str(sums), "where": "level > 0", "test": 6}
    held_out = ENVIRONMENT.problems(OwnData(**shared, verifier="number", bare_answers=True), None, 0)
    options = OwnBenchmark(**shared, verifier="exact", system="Be brief.")
    problems = ENVIRONMENT.load(options, None, None)
    assert [prompt.question for prompt in problems] == [prompt.question for prompt in held_out.test]
    assert {prompt.trace for prompt in problems} == {None}
    assert not {prompt.question for prompt in problems} & {prompt.question for prompt in held_out.train}
    assert [ENVIRONMENT.size(options, limit) for limit in (None, 4, 50)] == [6, 4, 6]
    assert ENVIRONMENT.size(OwnBenchmark(source="hub:me/sums", test=6), None) == 6
