"""A row or two of each format, in the shape in which its framework writes them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from evals.analytics.external import formats
from evals.analytics.external.files import File
from evals.analytics.external.read import read_responses_of
from evals.analytics.external.response import ExternalFileError, Response


def lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path, **mapping: str) -> tuple[list[Response], list[str]]:
    """Responses and notes."""
    file = File(path, mapping)
    found = list(read_responses_of(file))
    assert all(list(files) == [path] for files in file.notes.values())
    return found, list(file.notes)


def refusal(path: Path) -> str:
    with pytest.raises(ExternalFileError) as caught:
        read(path)
    return str(caught.value).removeprefix(f"{path}")


# Rewards and verdicts


@pytest.mark.parametrize(
    ("row", "reward", "correct"),
    [
        ({"input": "q", "output": "a", "gts": "2", "score": -1.0, "step": 3, "acc": False, "pred": "7"}, -1.0, False),  # verl, math_dapo
        ({"input": "q", "output": "a", "gts": "2", "score": 1.0, "step": 3}, 1.0, None),  # what the score means is not said
        ({"input": "q", "output": "a", "reward": 2.5}, 2.5, None),  # OpenRLHF
        ({"step": 1, "prompt": "q", "completion": "a", "accuracy_reward": 1.0, "format_reward": 0.5, "advantage": 0.1}, 1.5, True),  # TRL
        ({"step": 1, "prompt": "q", "completion": "a", "accuracy_reward": None, "len_reward": 0.5, "advantage": 0.1}, 0.5, None),
        (
            {"step": 1, "prompt": "q", "completion": "a", "seconds": 12.5, "num_tokens": 7, "advantage": 0.1},
            None,
            None,
        ),  # columns of log_extra
        ({"prompt": "q", "completion": "a", "task_id": 7}, None, None),
        ({"question": "q", "response": "a", "idx": 41, "seconds": 3.5, "epoch": 2}, None, None),
        ({"prompt": "q", "response": "a", "reward": 3.0}, 3.0, None),
        ({"prompt": "q", "response": "a", "correct": True}, None, True),
        ({"prompt": "q", "response": "a", "accuracy": 0.25}, None, None),  # a share is no verdict
        ({"prompt": "q", "response": "a", "reward": {"accuracy": 1.0, "format": 0.5}}, 1.5, None),
    ],
)
def test_only_what_the_format_defines_is_a_reward_or_a_verdict(tmp_path: Path, row: dict[str, Any], reward: float, correct: bool) -> None:
    (found,), _ = read(lines(tmp_path / "rows.jsonl", row))
    assert (found.reward, found.correct) == (reward, correct)


def test_one_line_asks_for_what_may_be_a_reward(tmp_path: Path) -> None:
    path = lines(tmp_path / "rows.jsonl", *({"prompt": "q", "response": "a", "task_id": 7, "final_score_v2": 0.5} for _ in range(3)))
    found, notes = read(path)
    assert notes == [
        "rewards and verdicts are unknown; column final_score_v2 may say: --map reward=final_score_v2 or --map correct=final_score_v2"
    ]
    found, notes = read(path, reward="final_score_v2")
    assert ([one.reward for one in found], notes) == ([0.5] * 3, [])
    path = lines(tmp_path / "parts.jsonl", {"prompt": "q", "response": "a", "right": 1.0, "form": 0.25})
    (one,), _ = read(path, reward="right,form")
    assert (one.reward, one.components) == (1.25, {"right": 1.0, "form": 0.25})


@pytest.mark.parametrize(
    ("columns", "ending"),
    [
        ({"finish_reason": "length"}, "length"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"finish_reason": "stop"}, "stop"),
        ({"finish_reason": "tool_calls"}, None),
        ({"finish_reason": None}, None),
        ({"truncated": True}, "length"),
        ({"truncated": False}, "stop"),
        ({}, None),
    ],
)
def test_endings(tmp_path: Path, columns: dict[str, Any], ending: str | None) -> None:
    (found,), _ = read(lines(tmp_path / "rows.jsonl", {"prompt": "q", "response": "a", **columns}))
    assert found.finish_reason == ending


def test_several_responses_in_a_cell(tmp_path: Path) -> None:
    row = {"prompt": "q", "responses": ["a", "b"], "rewards": [1.0, 0.0], "answer": "2"}
    found, _ = read(lines(tmp_path / "rows.jsonl", row))
    assert [(one.response, one.reward, one.gold) for one in found] == [("a", 1.0, "2"), ("b", 0.0, "2")]


def test_whole_conversations(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]
    (found,), _ = read(lines(tmp_path / "rows.jsonl", {"messages": talk, "id": 3}))
    assert (found.prompt, found.response) == ("1+1?", "2")


# Training


def test_ms_swift_writes_a_line_of_lists_for_a_step(tmp_path: Path) -> None:
    row = {"step": ["5", "5"], "prompt": ["p", "p"], "completion": ["a", "b"], "MathAccuracy": [1.0, 0.0], "Format": [1.0, 1.0]}
    found, _ = read(lines(tmp_path / "completions.jsonl", row | {"advantages": [0.5, -0.5]}))
    assert [(one.response, one.step, one.reward, one.correct, one.advantage) for one in found] == [
        ("a", 5, 2.0, True, 0.5),
        ("b", 5, 1.0, False, -0.5),
    ]


def verifiers_row(**columns: Any) -> dict[str, Any]:
    question = [{"role": "user", "content": "6*7?"}]
    call = json.dumps({"id": "c", "function": {"name": "run", "arguments": json.dumps({"code": "6*7"})}, "type": "function"})
    completion = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "Wait: 42", "tool_calls": None},
        {"role": "assistant", "content": "\\boxed{42}", "tool_calls": None},
    ]
    row = {"example_id": 0, "prompt": question, "completion": completion, "answer": "42", "reward": 1.0, "task": "default"}
    return row | {"correct_answer": 1.0, "turns": 2.0, "total_tool_calls": 1.0, "generation_ms": 664502.5} | columns


def test_verifiers(tmp_path: Path) -> None:
    usage = {"input_tokens": 20.0, "output_tokens": 9.0}
    new = verifiers_row(is_completed=True, is_truncated=False, metrics={"correct_answer": 1.0}, token_usage=usage)
    early = verifiers_row(completion_tokens=5062.0)
    early["completion"] = early["prompt"] + early["completion"]  # as early versions write it
    cut = verifiers_row(is_completed=False, is_truncated=True, completion=[])
    found, notes = read(lines(tmp_path / "step_4" / "train_rollouts.jsonl", new, early, cut))
    for one in found[:2]:
        assert (one.prompt, one.response, one.environment_output) == ("6*7?", "```call\nrun\n6*7\n```\n\\boxed{42}", "Wait: 42")
        assert (one.gold, one.reward, one.components, one.correct, one.step) == ("42", 1.0, {}, True, 4)
    assert [(one.finish_reason, one.response_tokens) for one in found] == [("stop", 9), (None, 5062), ("length", None)]
    assert (found[2].response, notes) == ("", [])


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        (
            "global_step_12_evals/gsm8k.jsonl",  # SkyRL
            {
                "input_prompt": "q",
                "output_response": "a",
                "score": [0.0, 0.0, 1.0],
                "stop_reason": "length",
                "env_class": "gsm8k",
                "env_extras": {"reward_spec": {"ground_truth": "2"}},
            },
            {"prompt": "q", "response": "a", "reward": 1.0, "finish_reason": "length", "gold": "2", "step": 12},
        ),
        (
            "train_data_step7.jsonl",  # NeMo-RL
            {"content": ["q", "a"], "rewards": 1.0, "input_lengths": 30, "generation_logprobs": [-0.1]},
            {"prompt": "q", "response": "a", "reward": 1.0, "step": 7, "response_tokens": None},
        ),
        (
            "samples.jsonl",  # slime
            {"prompt": "q", "response": "a", "response_length": 5, "label": "2", "reward": 1, "status": "truncated", "index": 3},
            {"gold": "2", "reward": 1.0, "finish_reason": "length", "response_tokens": 5},
        ),
        (
            "episodes.jsonl",  # rLLM
            {
                "id": "1:0",
                "task": {"question": "q"},
                "is_correct": True,
                "trajectories": [
                    {
                        "reward": 1.0,
                        "steps": [{"observation": "q", "model_response": "look"}, {"observation": "seen", "model_response": "a"}],
                    }
                ],
            },
            {"prompt": "q", "response": "look\na", "environment_output": "seen", "reward": 1.0, "correct": True},
        ),
    ],
)
def test_dumps_of_trainers(tmp_path: Path, name: str, row: dict[str, Any], expected: dict[str, Any]) -> None:
    (found,), _ = read(lines(tmp_path / name, row))
    assert {key: getattr(found, key) for key in expected} == expected


# Evaluations


def lm_eval_row(**columns: Any) -> dict[str, Any]:
    arguments = {"gen_args_0": {"arg_0": "Question 0", "arg_1": {"until": ["\n"], "do_sample": False, "temperature": 0.0}}}
    row = {"doc_id": 0, "doc": {"q": "x"}, "target": "9", "arguments": arguments, "resps": [["8"]], "filtered_resps": ["8"]}
    return row | {"filter": "none"} | columns


@pytest.mark.parametrize(
    ("columns", "correct", "note"),
    [
        ({"metrics": ["mae"], "mae": 137.5}, None, "verdicts are unknown: mae does not say whether an answer is right"),
        ({"metrics": ["bleu_max", "bleu_acc"], "bleu_max": 12.7, "bleu_acc": 0}, False, "bleu_acc decides whether an answer is right"),
        ({"metrics": ["ter"], "ter": 1.0}, None, "verdicts are unknown: ter does not say whether an answer is right"),
        ({"metrics": ["f1", "exact_match"], "f1": 1.0, "exact_match": 0.0}, False, "exact_match decides whether an answer is right"),
        (
            {"metrics": ["prompt_level_strict_acc"], "prompt_level_strict_acc": True},
            True,
            "prompt_level_strict_acc decides whether an answer",
        ),
        ({"metrics": ["acc"], "acc": 0.5}, None, "acc decides whether an answer is right"),
        ({"exact_match": 1.0}, True, "exact_match decides whether an answer is right"),  # early versions list no metrics
    ],
)
def test_lm_evaluation_harness_takes_its_verdict_from_metrics_that_are_one(
    tmp_path: Path, columns: dict[str, Any], correct: bool | None, note: str
) -> None:
    (found,), notes = read(lines(tmp_path / "samples_t_2026-01-02T03-04-05.jsonl", lm_eval_row(**columns)))
    assert (found.correct, found.temperature, found.benchmark) == (correct, 0.0, "t")
    assert notes[0].startswith(note)


def test_lm_evaluation_harness_says_which_filter_decides(tmp_path: Path) -> None:
    one = lm_eval_row(filter="strict-match", metrics=["exact_match"], exact_match=0.0, filtered_resps=["[invalid]"])
    other = one | {"filter": "flexible-extract", "exact_match": 1.0, "filtered_resps": ["8"]}
    (found,), notes = read(lines(tmp_path / "samples_t.jsonl", one, other))
    assert (found.correct, found.extracted) == (False, None)
    assert notes[1] == "the verdicts are those of the filter strict-match; those of flexible-extract are left out"


@pytest.mark.parametrize(
    "row",
    [
        lm_eval_row(resps=[[["-0.003", "True"]]], arguments=[["Question", "9"]], acc=1.0),
        lm_eval_row(resps=[["-0.003", "True"], ["-4.1", "False"]], arguments=[["Question", "9"], ["Question", "8"]], acc=1.0),
        lm_eval_row(resps=[["-31.5"]], metrics=["word_perplexity"], word_perplexity=[-31.5, 4]),
        {"doc": {"query": "q"}, "model_response": {"text": [], "logprobs": [-0.1]}, "metric": {"acc": 1}},
        {"full_prompt": "q", "predictions": [[-0.1, True]], "metrics": {"acc": 1}},
    ],
)
def test_log_likelihoods_are_no_responses(tmp_path: Path, row: dict[str, Any]) -> None:
    assert refusal(lines(tmp_path / "samples_t.jsonl", row)) == ": no generated text in this file: its task compares log-likelihoods"


def test_lighteval_takes_its_verdict_from_metrics_that_are_one(tmp_path: Path) -> None:
    row = {"doc": {"query": "q", "choices": ["7"], "gold_index": 0}, "model_response": {"text": ["7"], "reasonings": ["hm"]}}
    (found,), _ = read(lines(tmp_path / "a.jsonl", row | {"metric": {"rougeL": 1.0, "math_pass@1:1_samples": 0.0}}))
    assert (found.response, found.correct) == ("<think>hm</think>\n7", False)
    (found,), notes = read(lines(tmp_path / "b.jsonl", row | {"metric": {"rougeL": 1.0}}))
    assert (found.correct, notes) == (None, ["verdicts are unknown: no metric says whether an answer is right"])


def inspect_sample(**columns: Any) -> dict[str, Any]:
    message = {"role": "assistant", "source": "generate", "content": "no"}
    asked = {"role": "user", "source": "input", "content": "Is 7 prime?"}
    output = {"model": "m", "choices": [{"message": message, "stop_reason": "stop"}], "usage": {"output_tokens": 4}}
    sample = {"id": 1, "epoch": 1, "input": "Is 7 prime?", "target": "yes", "messages": [asked, message], "output": output}
    return sample | {"scores": {"match": {"value": "I", "answer": "no"}}, "total_time": 3.4} | columns


HEAD = {"version": 2, "status": "success", "eval": {"task": "primes", "model": "openai/m"}, "plan": {"config": {"temperature": 0.7}}}


def inspect_log(path: Path, *samples: dict[str, Any]) -> Path:
    path.write_text(json.dumps(HEAD | {"samples": samples, "reductions": [{"scorer": "match", "samples": []}]}))
    return path


def test_inspect_logs(tmp_path: Path) -> None:
    (found,), notes = read(inspect_log(tmp_path / "log.json", inspect_sample()))
    assert found == Response(
        prompt="Is 7 prime?",
        response="no",
        gold="yes",
        extracted="no",
        correct=False,
        finish_reason="stop",
        response_tokens=4,
        temperature=0.7,
        benchmark="primes",
        checkpoint="m",
    )
    assert notes == ["the scorer match decides whether an answer is right"]


@pytest.mark.parametrize(
    ("value", "correct"),
    [
        ("C", True),
        ("I", False),
        ("N", False),
        ("P", None),
        (1, True),
        (0.0, False),
        (0.5, None),
        (True, True),
        ({"a": 1}, None),
        ("B", None),
    ],
)
def test_scores_of_inspect(tmp_path: Path, value: Any, correct: bool | None) -> None:
    (found,), _ = read(inspect_log(tmp_path / "log.json", inspect_sample(scores={"s": {"value": value}})))
    assert found.correct is correct


def test_inspect_samples_with_tools_attachments_epochs_and_errors(tmp_path: Path) -> None:
    call = {"id": "1", "function": "add", "arguments": {"x": 1, "y": 2}}
    messages = [
        {"role": "user", "content": "attachment://abc"},
        {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "hm"}], "tool_calls": [call]},
        {"role": "tool", "content": "Wait: 3", "function": "add"},
        {"role": "assistant", "content": "3"},
    ]
    cut = {"choices": [{"message": messages[-1], "stop_reason": "max_tokens"}], "usage": {"output_tokens": 2}}
    tools = inspect_sample(input="attachment://abc", messages=messages, output=cut, attachments={"abc": "1+2?"})
    failed = inspect_sample(messages=messages[:1], output={"choices": []}, scores={}, error={"message": "gone"})
    found, notes = read(inspect_log(tmp_path / "log.json", tools, tools | {"epoch": 2}, failed))
    for one in found:
        assert (one.prompt, one.environment_output, one.finish_reason) == ("1+2?", "Wait: 3", "length")
        assert one.response == '<think>hm</think>\n```call\nadd\n{"x": 1, "y": 2}\n```\n3'
        assert one.response_tokens is None  # the usage is that of the last of two messages
    assert notes[-1] == "1 of 3 samples have no output (they failed) and are left out"
    assert "none of its 1 samples has an output" in refusal(inspect_log(tmp_path / "failed.json", failed))


@pytest.mark.parametrize("zstandard", [False, True])
def test_inspect_archives(tmp_path: Path, zstandard: bool) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (("header.json", HEAD), ("samples/1_epoch_1.json", inspect_sample()), ("summaries.json", [])):
            archive.writestr(name, json.dumps(content))
    if zstandard:
        compress(path)
    (found,), _ = read(path)
    assert (found.response, found.correct, found.benchmark) == ("no", False, "primes")
    with zipfile.ZipFile(tmp_path / "other.eval", "w") as archive:
        archive.writestr("a.txt", "a")
    assert "no log of Inspect" in refusal(tmp_path / "other.eval")


def compress(path: Path) -> None:
    """Make the members of an archive those of a newer Inspect: compressed by method 93, which `zipfile` cannot write."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, bytes(pa.compress(content, codec="zstd", asbytes=True)))
        for info in archive.filelist:
            info.compress_type = 93


def test_nemo_skills(tmp_path: Path) -> None:
    row = {"problem": "q", "expected_answer": "2", "predicted_answer": "3", "generation": "a", "num_generated_tokens": 0}
    judged = row | {"judgement": "Reasoning: alike.\nJudgement: Yes", "num_generated_tokens": 12}
    path = lines(tmp_path / "qwen" / "aime24" / "output-rs0.jsonl", row | {"symbolic_correct": False}, judged)
    found, _ = read(path)
    assert [(one.correct, one.response_tokens) for one in found] == [(False, None), (True, 12)]
    assert {(one.prompt, one.gold, one.extracted, one.benchmark, one.checkpoint) for one in found} == {("q", "2", "3", "aime24", "qwen")}


def test_openai_evals(tmp_path: Path) -> None:
    spec = {"spec": {"completion_fns": ["gpt-4"], "eval_name": "sums.dev.v0", "run_id": "r"}}
    sampled = {"prompt": [{"role": "user", "content": "1+1?"}], "sampled": ["2"]}
    events = [
        {"run_id": "r", "event_id": 0, "sample_id": "sums.1", "type": "sampling", "data": sampled},
        {"run_id": "r", "event_id": 1, "sample_id": "sums.1", "type": "match", "data": {"correct": True, "expected": "2", "picked": "2"}},
        {"run_id": "r", "event_id": 2, "sample_id": "sums.2", "type": "sampling", "data": {"prompt": "2+2?", "sampled": "5"}},
    ]
    found, _ = read(lines(tmp_path / "events.jsonl", spec, *events, {"final_report": {"accuracy": 1.0}}))
    assert [(one.prompt, one.response, one.correct, one.gold) for one in found] == [("1+1?", "2", True, "2"), ("2+2?", "5", None, None)]
    assert {(one.benchmark, one.checkpoint) for one in found} == {("sums.dev.v0", "gpt-4")}
    assert "an event log of OpenAI evals without a `sampling` event" in refusal(lines(tmp_path / "none.jsonl", spec, events[1]))


# The registry


@pytest.mark.follows("write its samples as JSON lines", "name another with --map", "whose form is known: leave it out")
def test_files_that_are_not_read_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "rollout_3.pt").write_bytes(b"x")
    assert "such as a rollout dump of slime, is not read: it could run code; write its samples as JSON lines" in refusal(
        tmp_path / "rollout_3.pt"
    )
    written, _ = read(lines(tmp_path / "rollout_3.jsonl", {"prompt": "q", "response": "a", "reward": 0.5}))
    assert written == [Response(prompt="q", response="a", reward=0.5)]
    assert "a directory; name its files" in refusal(tmp_path)
    assert "the response is an object of model, usage, not a text" in refusal(
        lines(tmp_path / "a.jsonl", {"output": {"model": "m", "usage": 1}, "said": "4"})
    )
    assert [one.response for one in read(tmp_path / "a.jsonl", response="said")[0]] == ["4"]
    path = inspect_log(tmp_path / "log.json", inspect_sample())
    with pytest.raises(ExternalFileError, match="--map names columns of tables; this is a file of Inspect, whose form is known"):
        read(path, reward="total_time")
    assert len(read(path)[0]) == 1


def test_every_format_is_a_file_of_its_own() -> None:
    modules = {path.stem for path in Path(formats.__file__).parent.glob("*.py")} - {"__init__"}
    assert len(formats.formats()) == len(modules)
    assert len({one.name for one in formats.formats()}) == len(modules)
