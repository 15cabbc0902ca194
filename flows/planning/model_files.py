"""The files of a recipe's model: in a directory, or on the hub."""

from pathlib import Path

from rl_core.errors import InputError, first_line, naming

HUB_PATIENCE = 10  # seconds until the model hub counts as out of reach


def model_files(model: str) -> list[Path]:
    """Weights, configuration and tokenizer of a local model directory; empty for a hub id.

    Raises InputError if the directory is missing or incomplete.
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
        reason = f"the hub cannot be asked: {first_line(error)}"
    except Exception as error:
        # The HTTP client underneath has changed with major versions, and its errors with it.
        if not type(error).__module__.startswith(("httpx", "httpcore", "requests", "urllib3")):
            raise
        reason = f"the hub does not answer: {first_line(error)}"
    raise InputError(f"{model!r} is no directory here, and {reason}; give another name, or {instead}")
