"""The local files that stages read: data of a data directory, and the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evals.config import EvalConfig
from rl_core.config import CountdownData, Gsm8kData, KnightsKnavesData, MathData
from rl_core.errors import InputError

HUB_PATIENCE = 10  # seconds until the model hub counts as out of reach


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Put the path in the recipe in front of an error about what stands there."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def local_files(stage: object, where: str, data_dir: Path | None) -> list[Path]:
    """Files whose content is part of what a stage is.

    Raises:
        InputError: one that is needed is missing, or a benchmark unknown; `where` is put in front.
    """
    if isinstance(stage, KnightsKnavesData | Gsm8kData | CountdownData | MathData):
        from rl_core.data.prepare import inputs

        with naming(where):
            return inputs(stage, data_dir)
    found: set[Path] = set()
    if isinstance(stage, EvalConfig):
        from evals.benchmarks import registry

        for number, benchmark in enumerate(stage.benchmarks):
            with naming(f"{where}.benchmarks.{number}"):
                found.update(registry.local_files(benchmark, data_dir))
    return sorted(found)


def model_files(model: str) -> list[Path]:
    """Weights, configuration and tokenizer of a local model directory; empty for a hub id.

    Raises:
        InputError: the directory is missing or incomplete.
    """
    from rl_core.model.pretrained import MODEL_FILES, check_model

    with naming("model"):
        check_model(model)
    directory = Path(model)
    return sorted({path for pattern in MODEL_FILES for path in directory.glob(pattern)}) if directory.is_dir() else []


def check_hub_model(model: str, instead: str) -> None:
    """Whether a hub id is cached or within reach; a directory passes, `model_files` checks those.

    Args:
        instead: what else can be given, for the message.

    Raises:
        InputError: the hub has no such model, or cannot be asked within `HUB_PATIENCE`.
    """
    if Path(model).is_dir():
        return
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        if isinstance(try_to_load_from_cache(model, "config.json"), str):
            return
        HfApi().model_info(model, timeout=HUB_PATIENCE)
        return
    except GatedRepoError:
        reason = "the hub wants a login for it: hf auth login"
    except RepositoryNotFoundError:
        reason = "the hub has no model of this name"
    except (OSError, ValueError, RuntimeError, ImportError) as error:  # of its HTTP client, for a malformed id, offline, a SOCKS proxy
        reason = f"the hub cannot be asked: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
    except Exception as error:
        # The HTTP client underneath has changed with major versions, and its errors with it.
        if not type(error).__module__.startswith(("httpx", "httpcore", "requests", "urllib3")):
            raise
        reason = f"the hub does not answer: {str(error).splitlines()[0]}"
    raise InputError(f"{model!r} is no directory here, and {reason}; give another name, or {instead}")
