"""Uploads go to a local server that answers as the hub does."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from flows.cli import main
from flows.history.push import recipe_text
from flows.history.references import find
from flows.recipe.load import load_recipe
from rl_core.files import write_json
from tasks.workspace import Workspace
from tests.end_to_end.command import ROOT

OWN = """
name: own
model: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 4, key_value_heads: 2, vocabulary: 512, context: 512}
stages:
  data: {kind: data, source: rows.jsonl, verifier: number}
  taught: {kind: sft, data: data, steps: 2}
  better: {kind: rl, start: taught, data: data, steps: 2, reward: {"mine.py:brief": 1}}
"""
TOKEN = "hf_" + "a" * 20


class Hub(ThreadingHTTPServer):
    """What huggingface_hub asks for while it uploads a folder: by the documented API, git-lfs' batch API for large files."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repositories: dict[str, bool] = {}  # name: private?
        self.files: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.refuses = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, content: Any, code: int = 200) -> None:
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if self.path == "/api/whoami-v2":
            self._answer({"name": "me", "type": "user"} if known else {"error": "Invalid user token."}, 200 if known else 401)
        elif self.path.startswith("/api/models/"):
            self._answer({"id": "me/model", "sha": "0" * 40, "siblings": []})
        else:
            self._answer({"error": "Entry not found"}, 404)

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def do_PUT(self) -> None:
        body = self._body()
        self.server.blobs[hashlib.sha256(body).hexdigest()] = body
        self._answer({})

    def do_POST(self) -> None:
        body = self._body()
        if self.server.refuses:
            self._answer({"error": "You don't have the rights to create a model under the namespace"}, 403)
        elif self.path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted.get('organization', 'me')}/{wanted['name']}"
            self.server.repositories[name] = wanted.get("visibility") == "private"
            self._answer({"url": f"{self.server.address}/{name}", "name": name})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = {file["path"]: "lfs" if file["path"].endswith(".safetensors") else "regular" for file in files}
            self._answer({"files": [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]})
        elif self.path.endswith("/info/lfs/objects/batch"):
            upload = {"upload": {"href": f"{self.server.address}/upload"}}
            objects = [entry | {"actions": upload} for entry in json.loads(body)["objects"]]
            self._answer({"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "lfsFile":
                    self.server.files[line["value"]["path"]] = self.server.blobs[line["value"]["oid"]]
            self._answer({"commitUrl": f"{self.server.address}/me/model/commit/{'0' * 40}", "commitOid": "0" * 40, "pullRequestUrl": None})
        else:
            self._answer({"error": self.path}, 404)


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def push(workspace: Workspace, *arguments: str, **environment: str) -> tuple[int, str]:
    """The command in a process of its own: the hub's client reads its environment once."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    # Large files by git-lfs: the other way is a service of its own.
    known |= {"PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(workspace.root / ".hf")} | environment
    command = [sys.executable, "-m", "flows.cli", "push", *arguments, "--workspace", str(workspace.root)]
    done = subprocess.run(command, env=known, capture_output=True, text=True, cwd=workspace.root)
    return done.returncode, (done.stderr if done.returncode else done.stdout).strip().rpartition("\n")[2]


@pytest.fixture
def scored(runs: Workspace) -> Workspace:
    score = {"checkpoint": "warm", "benchmark": "knights_knaves", "subset": None, "mode": "greedy", "metric": "accuracy"}
    score |= {"value": 0.5, "low": 0.25, "high": 0.75, "problems": 20, "samples": 1}
    cell = {"benchmark": "knights_knaves", "protocol": {"name": "logic_rl"}}
    write_json(find(runs, "mini/scores").stage.directory / "scores.json", {"scores": [score], "cells": [cell]})
    return runs


@pytest.mark.follows("{}: write ORG/NAME", "leave one out, or give both", "name another folder, or remove it")
def test_a_dry_run_writes_what_would_be_uploaded(scored: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    arguments = ["push", "mini/warm", "me/kk-model", "--dry-run", "--output", str(folder), "--workspace", str(scored.root)]
    (find(scored, "mini/warm").weights() / "optimizer.safetensors").write_text("only to train")
    done = CliRunner().invoke(main, arguments)
    assert done.output == f"{folder}: README.md, files.json, model.safetensors, recipe.yaml\n"
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["tags"] == ["r1flow", "sft", "grpo"]
    assert card["model-index"][0]["results"][0]["metrics"] == [{"type": "greedy accuracy", "value": 0.5}]
    assert "| knights_knaves | greedy accuracy | 50.0 [25.0, 75.0] | 20 | 1 | logic_rl |\n\n## How" in text
    assert "| warm | rl | cold, puzzles |" in text
    again = CliRunner().invoke(main, ["plan", str(folder / "recipe.yaml"), "--workspace", str(scored.root)])
    assert "warm     rl    reuse" in again.output, again.output
    assert CliRunner().invoke(main, arguments).output == f"error: {folder}: is not empty; name another folder, or remove it\n"
    assert CliRunner().invoke(main, [*arguments[:5], str(tmp_path / "other"), *arguments[6:]]).exit_code == 0
    without = [argument for argument in arguments if argument != "--dry-run"]
    assert CliRunner().invoke(main, without).output == "error: --output goes with --dry-run; leave one out, or give both\n"
    nameless = ["me" if argument == "me/kk-model" else argument for argument in arguments]
    assert CliRunner().invoke(main, nameless).output == "error: me: write ORG/NAME\n"


@pytest.mark.slow
def test_an_upload_holds_every_file(scored: Workspace, hub: Hub) -> None:
    code, printed = push(scored, "mini/warm", "me/kk-model", "--private", HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    assert (code, printed) == (0, f"{hub.address}/me/kk-model"), printed
    assert hub.repositories == {"me/kk-model": True}
    assert hub.files.keys() == {"README.md", "files.json", "model.safetensors", "recipe.yaml"}
    assert hub.files["model.safetensors"] == b"weights"


@pytest.mark.slow
@pytest.mark.follows(
    "set HF_TOKEN, or log in with `hf auth login`",
    "unset it, or give --dry-run",
    "give the command again when it answers",
    "write ORG/NAME, of letters",
)
def test_a_hub_that_does_not_take_it_is_one_line(scored: Workspace, hub: Hub) -> None:
    def said(repo: str = "me/kk-model", **environment: str) -> str:
        code, line = push(scored, "mini/warm", repo, **environment)
        assert code == 2
        return line

    known = {"HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN}
    assert said(HF_ENDPOINT=hub.address) == f"error: {hub.address}: wants a token; set HF_TOKEN, or log in with `hf auth login`"
    assert f"error: {hub.address}: may not be asked, for HF_HUB_OFFLINE is set; " in said(**known, HF_HUB_OFFLINE="1")
    assert "error: http://127.0.0.1:9: out of reach (" in said(**known | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert said("kk-model", **known) == "error: kk-model: write ORG/NAME"
    assert said("me/kk..model", **known).startswith("error: me/kk..model: write ORG/NAME, of letters, digits")
    hub.refuses = True
    assert f"error: {hub.address}: refuses me/kk-model (" in said(**known)
    hub.refuses = False
    assert push(scored, "mini/warm", "me/kk-model", **known) == (0, f"{hub.address}/me/kk-model")


def test_the_recipe_has_no_folders_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(OWN)
    (tmp_path / "rows.jsonl").write_text('{"question": "1 + 1?", "answer": 2}\n')
    (tmp_path / "mine.py").write_text("def brief(response): return 1.0\n")
    text = recipe_text(load_recipe(str(tmp_path / "recipe.yaml")))
    assert str(tmp_path) not in text
    read = yaml.safe_load(text)
    assert read["stages"]["data"]["source"] == ["rows.jsonl"]
    assert read["stages"]["better"]["reward"] == {"mine.py:brief": 1.0}
    (tmp_path / "recipe.yaml").write_text(text)
    assert recipe_text(load_recipe(str(tmp_path / "recipe.yaml"))) == text
