from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rl_core.seal import sealed, unseal

RECORD = {"stage": "warm", "seconds": 2.5, "nested": {"list": [1, None, True, "ü"]}, "error": None}


def test_the_seal_is_the_digest_of_the_rest_and_of_the_files(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    file.write_bytes(b"abc")
    assert sealed({"b": 1, "a": 2}, file) == {"b": 1, "a": 2, "sha256": hashlib.sha256(b'{"a": 2, "b": 1}abc').hexdigest()}


def test_a_record_is_read_as_it_was_written() -> None:
    assert unseal(json.loads(json.dumps(sealed(RECORD)))) == RECORD
    assert unseal(json.loads(json.dumps(sealed({10: (1,), 9: "x"})))) == {"10": [1], "9": "x"}  # JSON has neither tuples nor such keys
    assert sealed(sealed(RECORD)) == sealed(RECORD)


def test_older_records_have_no_seal() -> None:
    assert unseal(RECORD) == RECORD
    assert unseal({}) == {}
    assert unseal([]) is None
    assert unseal(None) is None


def test_every_bit_that_flips_is_seen() -> None:
    text = json.dumps(sealed(RECORD), indent=1).encode()
    for position in range(8 * len(text)):
        flipped = bytearray(text)
        flipped[position // 8] ^= 1 << position % 8
        try:
            found = unseal(json.loads(flipped))
        except ValueError:  # no JSON any more
            continue
        assert found in (None, RECORD), flipped


def test_a_bit_that_flips_in_a_file_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    file.write_bytes(b"abc")
    record = sealed(RECORD, file)
    file.write_bytes(b"abb")
    assert unseal(record, file) is None
    with pytest.raises(OSError, match="samples"):
        unseal(record, tmp_path / "none" / "samples")
