"""Files as other frameworks write them, one or two rows each."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.analytics.external.files import File
from evals.analytics.external.read import read_responses_of
from evals.analytics.external.response import ExternalFileError, Response
from evals.analytics.external.stages import write_stages
from evals.analytics.warehouse.publish import Part, build


def lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_verl_dump(tmp_path: Path) -> None:
    path = lines(tmp_path / "12.jsonl", {"input": "user\n1+1?", "output": "<think>2</think>2", "gts": "2", "score": 1.0, "step": 12})
    (found,) = read_responses_of(File(path))
    assert found == Response(prompt="user\n1+1?", response="<think>2</think>2", gold="2", reward=1.0, step=12)


def test_openrlhf_generations_take_the_step_of_the_file_name(tmp_path: Path) -> None:
    path = lines(tmp_path / "global_step40.jsonl", {"input": "q", "output": "a", "reward": -0.5})
    assert [(found.response, found.reward, found.step) for found in read_responses_of(File(path))] == [("a", -0.5, 40)]


def test_trl_completions_add_their_rewards_up(tmp_path: Path) -> None:
    row = {"step": 5, "prompt": [{"role": "user", "content": "q"}], "completion": "a", "accuracy_reward": 1.0, "format_reward": 0.5}
    path = tmp_path / "completions_00005.parquet"
    pq.write_table(pa.Table.from_pylist([row | {"advantage": 0.25}]), path)
    (found,) = read_responses_of(File(path))
    assert (found.prompt, found.reward, found.components) == ("q", 1.5, {"accuracy_reward": 1.0, "format_reward": 0.5})
    assert found.advantage == 0.25


def test_lm_evaluation_harness_samples(tmp_path: Path) -> None:
    row = {
        "doc_id": 0,
        "doc": {"question": "1+1?"},
        "target": "2",
        "arguments": {"gen_args_0": {"arg_0": "Q: 1+1?", "arg_1": {"until": []}}},
        "resps": [["It is 2"]],
        "filtered_resps": ["2"],
        "exact_match": 1.0,
        "filter": "strict-match",
    }
    path = lines(
        tmp_path / "model" / "samples_gsm8k_2026-01-02T03-04-05.jsonl", row, row | {"filter": "flexible-extract", "exact_match": 0.0}
    )
    (found,) = read_responses_of(File(path))
    assert found == Response(prompt="Q: 1+1?", response="It is 2", gold="2", extracted="2", correct=True, benchmark="gsm8k")


@pytest.mark.parametrize(
    "row",
    [
        {"doc": {"query": "q", "choices": ["7"], "gold_index": 0}, "model_response": {"text": ["7", "8"]}, "metric": {"em": 0.0}},
        {"full_prompt": "q", "predictions": ["7", "8"], "gold": ["7"], "metrics": {"em": 0.0}},
    ],
)
def test_lighteval_details(tmp_path: Path, row: dict) -> None:
    path = lines(tmp_path / "details_math_500_2026-01-02T03-04-05.jsonl", row)
    found = list(read_responses_of(File(path)))
    assert [(one.prompt, one.response, one.gold, one.correct, one.benchmark) for one in found] == [
        ("q", answer, "7", False, "math_500") for answer in ("7", "8")
    ]


@pytest.mark.follows("name it with --map response=COLUMN", "(--map {}=")
def test_bad_files_are_named(tmp_path: Path) -> None:
    def message(path: Path, **mapping: str) -> str:
        with pytest.raises(ExternalFileError) as caught:
            list(read_responses_of(File(path, mapping)))
        return str(caught.value)

    assert message(tmp_path / "none.jsonl").endswith("none.jsonl: no such file")
    plain = lines(tmp_path / "a.jsonl", {"words": "x"})
    assert "no column for the response among words; name it with --map response=COLUMN" in message(plain)
    assert len(list(read_responses_of(File(plain, {"response": "words"})))) == 1
    assert "no column 'wrods' (--map response=…); it has words" in message(plain, response="wrods")
    (tmp_path / "b.jsonl").write_text('{"response": "x"}\n{"resp')
    assert "b.jsonl, line 2: not JSON" in message(tmp_path / "b.jsonl")
    (tmp_path / "c.parquet").write_text("PAR1")
    assert "c.parquet: not a readable .parquet file" in message(tmp_path / "c.parquet")
    (tmp_path / "d.jsonl").write_text("")
    assert "d.jsonl: has no rows" in message(tmp_path / "d.jsonl")
    assert "row 1: cannot be read" in message(lines(tmp_path / "e.jsonl", {"response": "x", "reward": "much"}))
    assert "cannot be read" in message(lines(tmp_path / "f.jsonl", {"doc": {}, "resps": [], "doc_id": 1, "arguments": []}))


def test_odd_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "lines.json").write_text('{"prompt": "q", "response": "a"}\n{"prompt": "q", "response": "b"}\n')
    assert [one.response for one in read_responses_of(File(tmp_path / "lines.json"))] == ["a", "b"]
    (tmp_path / "long.csv").write_text(f"prompt,response,reward\nq,{'a' * 200_000},0.5\n")
    (found,) = read_responses_of(File(tmp_path / "long.csv"))
    assert (len(found.response), found.reward) == (200_000, 0.5)
    half = lines(tmp_path / "half.jsonl", {"prompt": "q", "response": "a \ud83d"})  # half of an emoji, cut by the token limit
    stages, _ = write_stages([half], tmp_path / "out", name="n", mapping={}, think_tags=None, correct_from=None)
    (row,) = pq.read_table(stages[0].directory / "rollouts").to_pylist()
    assert row["response"] == "a \ufffd"


def test_a_note_names_its_files_once(tmp_path: Path) -> None:
    files = [lines(tmp_path / f"{step}.jsonl", {"prompt": "q", "response": "a"}) for step in range(3)]
    _, counts = write_stages(files, tmp_path / "out", name="n", mapping={}, think_tags=None, correct_from=None)
    (line,) = counts.lines()
    assert line.startswith(f"{files[0]} and 2 more: rewards and verdicts are unknown")
    assert (counts.responses, counts.rollouts, counts.without_step, counts.without_reward) == (3, 3, 0, 3)


@pytest.mark.follows("--map reward={} or --map correct={}", "--map reward=COLUMN or --map correct=COLUMN")
@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("my_score", "; column my_score may say: --map reward=my_score or --map correct=my_score"),
        ("points", ": --map reward=COLUMN or --map correct=COLUMN names them"),
    ],
)
def test_the_column_that_a_note_asks_for_tells(tmp_path: Path, column: str, told: str) -> None:
    path = lines(tmp_path / "a.jsonl", {"prompt": "q", "response": "a", column: 1})
    file = File(path)
    list(read_responses_of(file))
    assert list(file.notes) == [f"rewards and verdicts are unknown{told}"]
    for role, value in (("reward", 1.0), ("correct", True)):
        file = File(path, {role: column})
        (found,) = read_responses_of(file)
        assert (getattr(found, role), list(file.notes)) == (value, [])


def test_stages_of_several_files(tmp_path: Path) -> None:
    rollouts = [
        lines(tmp_path / f"{step}.jsonl", *({"input": "q", "output": f"<t>a {s}</t> b", "score": float(s), "step": step} for s in range(2)))
        for step in (1, 2)
    ]
    sample = {"doc_id": 0, "doc": {}, "target": "2", "arguments": [["q", {}]], "resps": [["r"]], "exact_match": 1.0, "filter": "none"}
    evals = [lines(tmp_path / name / "samples_gsm8k.jsonl", sample) for name in ("base", "tuned")]
    stages, counts = write_stages(rollouts + evals, tmp_path / "out", name="n", mapping={}, think_tags=("<t>", "</t>"), correct_from=1.0)
    assert (counts.responses, counts.without_tokens, counts.without_verdict) == (6, 6, 0)
    rows = build(Part(stages), tmp_path / "a.duckdb")
    assert (rows["rollouts"], rows["eval_samples"], rows["scores"]) == (4, 2, 2)
    from evals.analytics import query

    found = query.run(
        tmp_path / "a.duckdb", "SELECT step, group_index, sample, think, outcome FROM rollouts ORDER BY step, sample"
    ).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        (step, 0, sample, f"a {sample}", ("wrong", "correct")[sample]) for step in (1, 2) for sample in range(2)
    ]
