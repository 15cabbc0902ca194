"""A JSON record's own digest, so that a bit that rots in it on a disk is seen: the last entry of the record, over all others."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

SEAL = "sha256"


def sealed(content: dict[str, Any], *files: Path) -> dict[str, Any]:
    """A record with its seal, in the place of an earlier one.

    Args:
        files: whose bytes the seal covers, too.

    Raises:
        OSError: a file cannot be read.
    """
    return _unsealed(content) | {SEAL: _digest(content, files)}


def unseal(content: Any, *files: Path) -> dict[str, Any] | None:
    """A record without its seal; None if it is no record, or does not match it. One that was written without a seal is taken as it is.

    Raises OSError if a file cannot be read.
    """
    if not isinstance(content, dict):
        return None
    if SEAL in content:
        return _unsealed(content) if content[SEAL] == _digest(content, files) else None
    # The name of the seal can rot as well as any other part: then the last entry is a digest under another name.
    last = next(reversed(content.values()), None)
    return None if isinstance(last, str) and re.fullmatch("[0-9a-f]{64}", last) else content


def _unsealed(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key != SEAL}


def _digest(content: dict[str, Any], files: tuple[Path, ...]) -> str:
    # Through JSON once: tuples and keys that are numbers are read back as lists and texts.
    text = json.dumps(json.loads(json.dumps(_unsealed(content))), sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for path in files:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()
