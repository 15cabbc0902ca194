"""What is taken of what a command left, with checkpoints of transformers and files as verl and TRL write them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from rl_core.errors import InputError
from rl_core.fence import Fence
from rl_core.rollout.records import ROLLOUT_SCHEMA
from rl_core.training.checkpoint import verify
from rl_core.training.journal import Journal
from tasks.command.outputs import OUT, Outputs, check_checkpoint, take

VERL = [
    {"input": "q", "output": f"<think>hm</think> {number}", "gts": "7", "score": float(number == 7), "acc": number == 7, "step": 1}
    for number in (6, 7)
]


def taken(directory: Path, **outputs: object) -> dict[str, object]:
    return take(Outputs.model_validate(outputs), directory, Journal(directory, 0, Fence(None)), "train")


@pytest.fixture
def left(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    """A stage's directory after its command."""
    out = tmp_path / OUT
    for name in ("final", "checkpoint-2", "checkpoint-10"):
        shutil.copytree(tiny_checkpoint, out / name)
    (out / "optimizer.pt").write_bytes(b"x")
    (out / "rollouts").mkdir()
    (out / "rollouts" / "1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in VERL))
    (out / "metrics.csv").write_text("step,loss\n1,2.5\n12,1.5\n")
    return tmp_path


def test_everything_at_once(left: Path) -> None:
    outputs = {"checkpoint": "out/final", "rollouts": "{output}/rollouts/*.jsonl", "metrics": "out/metrics.csv"}
    result = taken(left, **outputs)
    assert result["checkpoint"] == "checkpoints/step-000012"  # its path tells no step: the last one of the metrics
    assert verify(left / "checkpoints" / "step-000012")
    assert [json.loads(line) for line in (left / "metrics.jsonl").read_text().splitlines()] == [
        {"step": 1, "loss": 2.5},
        {"step": 12, "loss": 1.5},
    ]
    rows = pq.read_table(left / "rollouts").to_pylist()
    assert [(row["reward"], row["outcome"], row["sample"]) for row in rows] == [(0.0, "wrong", 0), (1.0, "correct", 1)]
    assert (result["rollouts"], result["steps"], result["external"]) == (2, 12, True)
    assert taken(left, **outputs) == result  # again the same: what the command left is as it was
    assert not list(left.glob(".*.new"))


def test_checkpoints_by_the_steps_in_their_names(left: Path) -> None:
    result = taken(left, checkpoint="out/checkpoint-*")
    assert result["checkpoints"] == ["checkpoints/step-000002", "checkpoints/step-000010"]
    assert result["checkpoint"] == "checkpoints/step-000010"
    (left / OUT / "global_step_7" / "actor").mkdir(parents=True)
    shutil.copytree(left / OUT / "final", left / OUT / "global_step_7" / "actor" / "huggingface")
    assert taken(left, checkpoint="{output}/global_step_*/actor/huggingface")["checkpoints"] == ["checkpoints/step-000007"]
    assert sorted(path.name for path in (left / "checkpoints").iterdir()) == ["step-000007"]  # those of before are gone


def test_weights_are_on_the_disk_once(left: Path) -> None:
    taken(left, checkpoint="out/final")
    same = [left / place / "model.safetensors" for place in ("out/final", "checkpoints/step-000000")]
    assert same[0].samefile(same[1])


def test_what_is_not_wanted_any_more_is_removed(left: Path) -> None:
    taken(left, checkpoint="out/final", rollouts="out/rollouts/*", metrics="out/metrics.csv")
    assert taken(left) == {"external": True, "steps": 0}
    assert not (left / "checkpoints").exists()
    assert not (left / "rollouts").exists()
    assert (left / "metrics.jsonl").read_text() == ""


def test_rows_have_the_columns_of_ours(left: Path) -> None:
    taken(left, rollouts={"path": "out/rollouts/*.jsonl", "format": "verl"})
    assert set(ROLLOUT_SCHEMA.names) <= set(pq.read_schema(left / "rollouts" / "file-00000.parquet").names)


def without(*names: str) -> Callable[[Path], None]:
    return lambda checkpoint: [path.unlink() for name in names for path in checkpoint.glob(name)] and None


def pickled(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")


def adapters(checkpoint: Path) -> None:
    (checkpoint / "config.json").rename(checkpoint / "adapter_config.json")


def cut(checkpoint: Path) -> None:
    content = (checkpoint / "model.safetensors").read_bytes()
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "model.safetensors").write_bytes(content[: len(content) // 2])


def in_parts(checkpoint: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))


def no_index(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors.index.json").write_text("[]")


def no_config(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text('{"model_type": "no such"}')


WRONG = [
    (without("config.json"), "is no checkpoint: no config.json; have the command save config.json there"),
    (without("tokenizer*"), "is no checkpoint: no tokenizer; have the command save tokenizer.json or tokenizer.model there"),
    (without("*.safetensors"), "is no checkpoint: no weights; have the command save"),
    (pickled, "pickled weights alone, which are never loaded"),
    (adapters, "holds adapters alone; have the command merge them"),
    (cut, r"model\.safetensors: not a whole file of weights"),
    (in_parts, r"model-00002\.safetensors is missing, a part of model\.safetensors\.index\.json"),
    (no_index, r"index\.json: cannot be read"),
    (no_config, "is no checkpoint: "),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG, ids=[message[:30] for _, message in WRONG])
@pytest.mark.follows(
    "not a whole file of weights ({}); let the command",
    "cannot be read ({}); let the command write",
    "is missing, a part of {}; let the command",
)
def test_a_checkpoint_that_is_none(left: Path, tiny_checkpoint: Path, spoil: Callable[[Path], None], message: str) -> None:
    checkpoint = left / OUT / "final"
    spoil(checkpoint)
    with pytest.raises(InputError, match=rf"^outputs.checkpoint: .*final.*{message}"):
        taken(left, checkpoint="out/final")
    assert not (left / "checkpoints").exists()
    shutil.rmtree(checkpoint)  # as the command would that does what the message says
    shutil.copytree(tiny_checkpoint, checkpoint)
    check_checkpoint(checkpoint)


@pytest.mark.follows("are both of step {}; name one")
def test_two_checkpoints_of_one_step(left: Path) -> None:
    (left / OUT / "metrics.csv").write_text("step,loss\n10,1\n")
    with pytest.raises(InputError, match=r"checkpoint-10 and .*final are both of step 10; name one of them"):
        taken(left, checkpoint=["out/final", "out/checkpoint-*"], metrics="out/metrics.csv")
    assert taken(left, checkpoint="out/final")["checkpoint"] == "checkpoints/step-000000"


def test_what_is_not_there(left: Path) -> None:
    with pytest.raises(InputError, match=r"^outputs.checkpoint: out/last: nothing is there; the command left in .*/out: checkpoint-10/"):
        taken(left, checkpoint="out/last")
    with pytest.raises(InputError, match=r"^outputs.checkpoint: .*optimizer\.pt is a file; a Hugging Face directory is wanted"):
        taken(left, checkpoint="out/optimizer.pt")


@pytest.mark.follows("leave `format` out", "those of training are wanted; read them with `r1flow analyze`")
def test_rollouts_that_are_none(left: Path) -> None:
    with pytest.raises(InputError, match=r"^outputs.rollouts: .*1\.jsonl, row 1: not as TRL writes it, with input, .*; leave `format` out"):
        taken(left, rollouts={"path": "out/rollouts/*", "format": "trl"})
    assert taken(left, rollouts="out/rollouts/*")["rollouts"] == 2
    sample = {"doc_id": 0, "doc": {"question": "q"}, "target": "7", "arguments": [["q", {}]], "resps": [["a"]], "filtered_resps": ["a"]}
    (left / OUT / "rollouts" / "samples_gsm8k_2026.jsonl").write_text(json.dumps(sample | {"exact_match": 1.0}) + "\n")
    with pytest.raises(InputError, match=r"these files hold responses to benchmarks, and those of training are wanted; read them with"):
        taken(left, rollouts="out/rollouts/samples*")
    assert not (left / "rollouts").exists()


def test_a_table_of_any_trainer(left: Path) -> None:
    pq.write_table(pa.table({"t": ["a", "b"], "r": [0.0, 1.0], "n": [3, 4]}), left / OUT / "x.parquet")
    columns = {"response": "t", "reward": "r", "step": "n"}
    taken(left, rollouts={"path": "out/x.parquet", "columns": columns, "correct_from": 1.0})
    rows = pq.read_table(left / "rollouts").to_pylist()
    assert [(row["response"], row["step"], row["outcome"]) for row in rows] == [("a", 3, "wrong"), ("b", 4, "correct")]


@pytest.mark.parametrize("path", ["final", "/tmp/x", "out", "{output}", "out/../../x", ""])
def test_outputs_are_below_the_output(path: str) -> None:
    with pytest.raises(ValidationError, match=r"a path below \{output\} is wanted, such as \{output\}/final"):
        Outputs.model_validate({"checkpoint": path})
