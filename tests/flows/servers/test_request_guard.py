from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flows.servers.request_guard import RequestGuard, why_refused


@pytest.mark.parametrize(
    ("host", "origin", "any_host", "passes"),
    [
        ("127.0.0.1:4200", None, False, True),  # a program
        ("localhost:4200", None, False, True),
        ("[::1]:4200", None, False, True),
        ("127.0.0.1:4200", "http://127.0.0.1:4200", False, True),  # the server's own page
        ("127.0.0.1:4200", "http://localhost:4200", False, True),  # the same machine by another name
        ("[::1]:4200", "http://[::1]:4200", False, True),
        ("127.0.0.1:4200", "http://evil.example", False, False),
        ("127.0.0.1:4200", "http://127.0.0.1:8000", False, False),  # another server on this machine
        ("127.0.0.1:4200", "null", False, False),  # a file, a sandboxed frame
        ("127.0.0.1:4200", "", False, False),
        ("127.0.0.1:4200", "http://127.0.0.1:4200.evil.example", False, False),
        ("127.0.0.1:4200", "http://127.0.0.1:99999", False, False),
        ("evil.example:4200", None, False, False),  # its name was pointed here
        ("evil.example:4200", "http://evil.example:4200", False, False),
        ("127.0.0.1.evil.example:4200", None, False, False),
        ("", None, False, False),
        ("gpu-box:4200", None, True, True),
        ("gpu-box:4200", "http://gpu-box:4200", True, True),
        ("gpu-box:4200", "http://evil.example", True, False),
        ("runs.example", "https://runs.example", True, True),  # behind a proxy with the usual port
        ("runs.example", "http://runs.example:8080", True, False),
    ],
)
@pytest.mark.follows("server's: use 127.0.0.1 or localhost", "open the server's own page")
def test_who_may_ask(host: str, origin: str | None, any_host: bool, passes: bool) -> None:
    assert (why_refused(host, origin, any_host=any_host) is None) == passes


@pytest.mark.parametrize(("origin", "status"), [("http://evil.example", 403), ("http://localhost:1", 200)])
def test_a_refused_request_does_not_reach_the_server(origin: str, status: int) -> None:
    reached, sent = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/x", "headers": [(b"Host", b"127.0.0.1:1"), (b"Origin", origin.encode())]}
    asyncio.run(RequestGuard(app, guarded_by_login=False)(scope, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == status
    assert reached == (["/x"] if status == 200 else [])


def test_a_refused_socket_is_closed() -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/x", "headers": [(b"host", b"127.0.0.1:1"), (b"origin", b"http://evil.example")]}
    asyncio.run(RequestGuard(app, guarded_by_login=False)(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
