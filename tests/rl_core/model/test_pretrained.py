import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rl_core.model.pretrained import ModelError, check_model, load_config, load_model, load_tokenizer

HOSTILE = """
from pathlib import Path
Path({witness!r}).touch()
from transformers import LlamaConfig as OwnConfig, LlamaForCausalLM as OwnModel
"""


@pytest.fixture
def hostile(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A model whose directory brings Python code, which leaves a file where it is run."""
    directory = tmp_path / "hostile"
    shutil.copytree(tiny_checkpoint, directory)
    (directory / "own.py").write_text(HOSTILE.format(witness=str(tmp_path / "was_run")))
    config = json.loads((directory / "config.json").read_text())
    config |= {"auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}}
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@pytest.mark.follows("give a model of an architecture that transformers has")
def test_code_of_a_checkpoint_is_refused(hostile: Path, tmp_path: Path) -> None:
    config = json.loads((hostile / "config.json").read_text())
    (hostile / "config.json").write_text(json.dumps(config | {"model_type": "own"}))
    for load in (check_model, load_config, load_tokenizer, lambda name: load_model(name, dtype=torch.float32)):
        with pytest.raises(ModelError, match="'own' is Python code in the model's directory, and code from checkpoints is never run"):
            load(str(hostile))
    assert not (tmp_path / "was_run").exists()
    (hostile / "config.json").write_text(json.dumps(config))  # of an architecture that is known
    check_model(str(hostile))


def test_a_known_architecture_is_loaded_without_the_code_beside_it(hostile: Path, tmp_path: Path) -> None:
    check_model(str(hostile))
    load_tokenizer(str(hostile))
    assert type(load_model(str(hostile), dtype=torch.float32)).__name__ == "Qwen2ForCausalLM"
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(
    ("broken", "message"),
    [("{", "config.json: no JSON"), (None, r"no config.json \(config.json\); give a complete Hugging Face directory")],
)
@pytest.mark.follows("give a complete Hugging Face directory or a hub id")
def test_a_broken_config_is_named(tiny_checkpoint: Path, tmp_path: Path, broken: str | None, message: str) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "model")
    (tmp_path / "model" / "config.json").unlink()
    if broken:
        (tmp_path / "model" / "config.json").write_text(broken)
    with pytest.raises(ModelError, match=message):
        check_model(str(tmp_path / "model"))
    shutil.copy(tiny_checkpoint / "config.json", tmp_path / "model")
    check_model(str(tmp_path / "model"))


def test_a_tokenizer_that_is_loaded_is_saved_as_it_was(tiny_checkpoint: Path, tmp_path: Path) -> None:
    load_tokenizer(str(tiny_checkpoint)).save_pretrained(tmp_path)
    assert {path.name: path.read_text() == (tiny_checkpoint / path.name).read_text() for path in tmp_path.iterdir()} == {
        "tokenizer.json": True,
        "tokenizer_config.json": True,
        "chat_template.jinja": True,
    }


@pytest.mark.follows("give a hub id or a local directory")
@pytest.mark.parametrize("address", ["http://host/model", "https://me:secret@host/model", "s3://bucket/model"])
def test_an_address_is_refused_and_not_shown(tiny_checkpoint: Path, address: str) -> None:
    with pytest.raises(ModelError, match=r"^an address cannot be loaded; give a hub id or a local directory$"):
        check_model(address)
    check_model("Qwen/Qwen2.5-0.5B")
    check_model(str(tiny_checkpoint))


@pytest.mark.slow
def test_models_come_without_scikit_learn() -> None:
    code = "import sys; from rl_core.model.pretrained import spare_scikit_learn; spare_scikit_learn(); "
    code += "from transformers import AutoModelForCausalLM; from transformers.generation import candidate_generator; "
    code += "sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
