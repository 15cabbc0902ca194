"""The endpoint engine against a real server that answers, throttles, fails and refuses."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evals.config import EvalConfig, EvalJob, EvalResources, NamedCheckpoint
from evals.engines.openai import OpenAIEngine
from evals.runner import evaluate
from rl_core.endpoint.client import EndpointError
from rl_core.errors import InputError


class Endpoint(ThreadingHTTPServer):
    """Answers every sum of the prompt; `fail` says by the number of the request what to do instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.fail: dict[int, int] = {}  # status by number of the request
        self.broken_from: int | None = None
        self.sent: bytes | None = None  # instead of any answer
        self.too_long_from: int | None = None  # the left number of a sum
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = len(self.server.requests)
            self.server.requests.append((self.path, body))
        status = self.server.fail.get(number, 200)
        if self.server.broken_from is not None and number >= self.server.broken_from:
            status = 503
        raw = self.path.endswith("/v1/completions")
        text = body["prompt"] if raw else body["messages"][-1]["content"]
        left, right = (int(word) for word in text.replace("?", " ").split() if word.isdigit())
        reason = "no"
        if self.server.too_long_from is not None and left >= self.server.too_long_from:
            status, reason = 400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"
        written = rf"so \boxed{{{left + right}}}"
        choice: dict[str, Any] = {"finish_reason": "stop"}
        choice |= {"text": written} if raw else {"message": {"role": "assistant", "content": written}}
        reply = {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 5}} if status == 200 else {"error": reason}
        payload = json.dumps(reply).encode() if self.server.sent is None else self.server.sent
        if not self.path.startswith("/v1/"):
            payload = b"<!doctype html>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setattr("rl_core.endpoint.client.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("evals.cell_work.KEPT_BACK", 0.0)
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def job(endpoint: Endpoint, directory: Path, **config: Any) -> EvalJob:
    path = directory / "data" / "gsm8k" / "test.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"question": f"{n} plus 1 ?", "answer": f"#### {n + 1}"}) + "\n" for n in range(6)))
    resources = EvalResources(base_url=endpoint.url, concurrency=3, retries=2)
    settings: dict[str, Any] = {"benchmarks": ["gsm8k"], "template": "qwen_boxed", "samples": 2, "engine": "openai", "resources": resources}
    checkpoint = NamedCheckpoint(name="served", path="a-model")
    return EvalJob(
        config=EvalConfig(**(settings | config)), checkpoints=[checkpoint], output=directory / "out", data_dir=directory / "data", seed=1
    )


def test_answers_through_failures_and_throttling(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.fail = {0: 503, 4: 429, 5: 429, 9: 500}
    scores = evaluate(job(endpoint, tmp_path))
    assert {row["metric"]: row["value"] for row in scores["scores"]} == {"accuracy": 1.0, "avg@2": 1.0, "pass@2": 1.0, "maj@2": 1.0}
    assert len(endpoint.requests) == 6 * 3 + 4
    rows = pq.read_table(tmp_path / "out" / "samples" / "served" / "gsm8k.parquet").to_pylist()
    assert [(row["mode"], row["sample"]) for row in rows] == [("greedy", 0)] * 6 + [("sampled", 0), ("sampled", 1)] * 6
    assert rows[0]["prompt_tokens"] == 9
    assert rows[0]["response_tokens"] == 5
    assert json.loads(rows[0]["prompt"])[0] == {"role": "system", "content": "You are a helpful assistant."}
    path, body = endpoint.requests[-1]
    assert path == "/v1/chat/completions"
    assert body["model"] == "a-model"
    seeds = Counter(body["seed"] for _, body in endpoint.requests if body["temperature"] == 1.0)
    assert len(seeds) == 12


@pytest.mark.follows("; check `base_url` and what the server is", "for one response; check what the server is")
@pytest.mark.parametrize(
    ("sent", "told", "most"),  # requests: three at a time, and each may be followed by one before all hear of the first failure
    [
        (b"<!doctype html>\n<title>Log in</title>", "answers with a page: <!doctype html> <title>Log in</title>; check `base_url`", 6),
        (b'{"choices": [{"message": {"content": 7}}]}', 'answers with a content that is no text: {"content": 7}; check `base_url`', 6),
        (b'{"choices": [', r"answers with no JSON: {\"choices\": \[; given up after 3 attempts\. Run the same command again", 18),
        (b'"' + b"x" * 3000 + b'"', "answers with no answer of OpenAI's form: \"x{199}; check", 6),
        (b" " * 3000 + b"1", r"sends more than 0 MB for one response; check what the server is", 6),
    ],
)
def test_what_is_no_answer_is_one_line(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes, told: str, most: int
) -> None:
    monkeypatch.setattr("rl_core.endpoint.client.LARGEST", 3_002)
    endpoint.sent = sent if sent[:1] != b" " else sent * 2
    with pytest.raises(EndpointError, match=f"^http://127.0.0.1:[0-9]+/v1/chat/completions {told}") as error:
        evaluate(job(endpoint, tmp_path))
    assert "\n" not in str(error.value)
    assert len(endpoint.requests) <= most
    endpoint.sent = None  # it is a right server now
    assert evaluate(job(endpoint, tmp_path))["scores"][0]["value"] == 1.0


@pytest.mark.follows("; check `base_url`, which often ends in /v1")
def test_an_address_without_its_end_answers_with_a_page(endpoint: Endpoint, tmp_path: Path) -> None:
    whole = EvalResources(base_url=endpoint.url, concurrency=3)
    with pytest.raises(EndpointError, match="answers with a page: <!doctype html>; check `base_url`, which often ends in /v1"):
        evaluate(job(endpoint, tmp_path, resources=whole.model_copy(update={"base_url": endpoint.url.removesuffix("/v1")})))
    assert evaluate(job(endpoint, tmp_path, resources=whole))["scores"][0]["value"] == 1.0


@pytest.mark.follows("give one such as http://localhost:8000/v1")
def test_what_is_no_address_is_refused() -> None:
    for address in ("localhost:8000", "ftp://host/v1"):
        with pytest.raises(ValueError, match="is no address of a web server; give one such as http://localhost:8000/v1"):
            EvalResources(base_url=address)
    with pytest.raises(EndpointError, match=r"no address \(.*\); give one such as http://localhost:8000/v1"):
        OpenAIEngine("m", "http://ho\x00st/v1", 1, 0)
    OpenAIEngine("m", str(EvalResources(base_url="http://localhost:8000/v1").base_url), 1, 0).close()


@pytest.mark.follows("characters that no key has; set it anew", "mend or unset ALL_PROXY")
@pytest.mark.parametrize(
    ("name", "wrong", "right", "told"),
    [
        ("OPENAI_API_KEY", "schlüssel", "sk-key", "OPENAI_API_KEY has characters that no key has; set it anew"),
        ("ALL_PROXY", "nothing://host", None, "the proxy that the environment names cannot be used .* mend or unset ALL_PROXY"),
        ("ALL_PROXY", "nothing://host", "http://127.0.0.1:9", "the proxy that the environment names cannot be used"),
    ],
)
def test_a_key_or_a_proxy_that_is_none(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrong: str, right: str | None, told: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(name, wrong)
    with pytest.raises(EndpointError, match=told):
        evaluate(job(endpoint, tmp_path))
    monkeypatch.setenv(name, right) if right else monkeypatch.delenv(name)
    assert evaluate(job(endpoint, tmp_path))["scores"][0]["value"] == 1.0


def test_a_key_that_the_endpoint_repeats_is_not_shown(endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-geheimnis")
    endpoint.sent, endpoint.fail = b"bad key sk-geheimnis", {0: 401}
    with pytest.raises(EndpointError, match=r"answers 401: bad key \*\*\*$"):
        evaluate(job(endpoint, tmp_path, samples=0))


def test_a_problem_too_long_for_the_endpoint_counts_as_not_solved(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.too_long_from = 5
    scores = evaluate(job(endpoint, tmp_path, samples=0))
    assert [(row["value"], row["problems"]) for row in scores["scores"]] == [(pytest.approx(5 / 6), 6)]
    assert scores["cells"][0]["not_asked"] == 1
    assert "is not asked, and counts as not solved" in capsys.readouterr().out
    assert len(endpoint.requests) == 6  # it would answer the same again


@pytest.mark.follows("every problem is too long for the model")
def test_an_endpoint_with_room_for_nothing_is_an_error(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.too_long_from = 0
    for _ in range(2):
        with pytest.raises(InputError, match=r"served on gsm8k: every problem is too long for the model .*; lower max_tokens"):
            evaluate(job(endpoint, tmp_path, samples=0))
    endpoint.too_long_from = None
    assert evaluate(job(endpoint, tmp_path, samples=0, max_tokens=64))["scores"][0]["value"] == 1.0


def test_raw_templates(endpoint: Endpoint, tmp_path: Path) -> None:
    evaluate(job(endpoint, tmp_path / "raw", template="abel", samples=0))
    path, body = endpoint.requests[0]
    assert path == "/v1/completions"
    assert body["prompt"].startswith("Question:\n")


@pytest.mark.follows("given up after {} attempts. Run the same command again")
def test_an_endpoint_that_stays_down_leaves_the_cell_to_go_on(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.broken_from = 8
    work = job(endpoint, tmp_path)
    with pytest.raises(EndpointError, match=r"chat/completions answers 503: .* given up after 3 attempts\. Run the same command again"):
        evaluate(work)
    [partial] = (tmp_path / "out" / ".cells").glob("*/partial.jsonl")
    kept = len(partial.read_text().splitlines()) - 1
    assert kept >= 6
    before = len(endpoint.requests)
    endpoint.broken_from = None
    scores = evaluate(work)
    assert scores["scores"][0]["value"] == 1.0
    # One that was under way when the first run gave up may still have come in.
    assert 18 - kept <= len(endpoint.requests) - before <= 18 - kept + 3


def test_a_refusal_is_not_tried_again(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.fail = dict.fromkeys(range(50), 404)
    with pytest.raises(EndpointError, match="answers 404"):
        evaluate(job(endpoint, tmp_path))
    assert len(endpoint.requests) <= 6  # those under way at the same time


def test_nobody_there(endpoint: Endpoint, tmp_path: Path) -> None:
    work = job(endpoint, tmp_path)
    gone = EvalResources(base_url="http://127.0.0.1:9/v1", retries=1)
    with pytest.raises(EndpointError, match="does not answer"):
        evaluate(work.model_copy(update={"config": work.config.model_copy(update={"resources": gone})}))
