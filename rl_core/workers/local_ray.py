"""A Ray on this machine alone, which only this machine can reach."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

LOOPBACK = "lo"
NAMES = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_AUTH_TOKEN", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@contextmanager
def on_loopback() -> Iterator[None]:
    """A local Ray that is started in here listens on loopback alone, and has a token that is in no file.

    Its processes inherit that; the variables in NAMES are as before afterwards.
    """
    from ray._private import ray_constants
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    before, clustered = {name: os.environ.get(name) for name in NAMES}, ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False  # one machine, which is called 127.0.0.1; it was read when Ray was imported
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # the same for its processes
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # Ray would write one into a file that everybody can read
    AuthenticationTokenLoader.instance().reset_cache()  # of an earlier Ray of this process
    if LOOPBACK in [name for _, name in socket.if_nameindex()]:  # where workers meet each other
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", LOOPBACK)
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clustered
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
