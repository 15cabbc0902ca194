"""A judge at a local address that compares numbers, and can be slow, chatty, wrong or away."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class JudgeServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.say: Callable[[bool, dict[str, Any]], str] = lambda right, _: f"VERDICT: {'YES' if right else 'NO'}"
        self.delay = threading.Event()
        self.delay.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.keys.append(self.headers.get("Authorization"))
        self.server.delay.wait(30)
        prompt = body["messages"][-1]["content"]
        gold, response = (re.search(rf"<{tag}>\n(.*?)\n</{tag}>", prompt, re.DOTALL) for tag in ("right_answer", "response"))
        right = bool(gold and response and gold[1] in response[1])
        reply = {"choices": [{"message": {"content": self.server.say(right, body)}, "finish_reason": "stop"}]}
        reply |= {"usage": {"prompt_tokens": 100, "completion_tokens": 10}}
        content = json.dumps(reply if self.server.status == 200 else {"error": "no"}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def judge_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JudgeServer]:
    monkeypatch.setattr("rl_core.endpoint.client.FIRST_PAUSE", 0.01)
    server = JudgeServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.delay.set()
    server.shutdown()
    server.server_close()
    thread.join()
