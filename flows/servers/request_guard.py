"""Refuses requests that a foreign web page makes a browser send to a server on this machine.

A browser says with each such request where the page is from (Origin) and which name it asked for (Host). A page elsewhere has another
origin; one whose name was pointed at this machine (DNS rebinding) asks for a name that is not this machine's. Programs send no origin.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class RequestGuard:
    """ASGI middleware around a server."""

    def __init__(self, app: Application, *, guarded_by_login: bool) -> None:
        """`guarded_by_login`: any name of the machine is taken, for a page elsewhere does not have the login of another name."""
        self.app = app
        self.guarded_by_login = guarded_by_login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        reason = why_refused(headers.get("host", ""), headers.get("origin"), any_host=self.guarded_by_login)
        if reason is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain; charset=utf-8")]})
            await send({"type": "http.response.body", "body": f"{reason}\n".encode()})


def why_refused(host: str, origin: str | None, *, any_host: bool) -> str | None:
    """The reason to refuse a request with these headers, None if there is none."""
    scheme = (origin or "").partition("://")[0] or "http"
    asked = _place(f"{scheme}://{host}")  # the header of a host has no scheme, and leaves the scheme's own port out
    if asked is None or not (any_host or asked[0] in LOOPBACK):
        return f"host {host!r} is not this server's: use 127.0.0.1 or localhost"
    if origin is None:
        return None
    asking = _place(origin)
    same = asking is not None and (asking == asked or (asking[0] in LOOPBACK and asked[0] in LOOPBACK and asking[1] == asked[1]))
    return None if same else f"origin {origin!r} is another one than {host!r}: open the server's own page"


def _place(address: str) -> tuple[str, int | None] | None:
    """Name and port of an address; None for what is none, such as the origin `null` of a page without one."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return (parts.hostname, port) if parts.hostname else None
    except ValueError:
        return None
