"""What runs in one worker of xdist: by the end of a test's id xdist knows."""

from __future__ import annotations

import os

import pytest


def test_a_worker_is_told_of_groups(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process has no groups: make test-fast")
    assert request.node.nodeid.endswith(f"@{__file__} fast")
