"""`passk fetch` against a small hub of our own."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import Study

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b"{}", "model.safetensors": b"\0" * 5000, "pytorch_model.bin": b"\1" * 9000}


@dataclass
class Hub:
    """A hub that serves one repository, and what it was asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:  # noqa: C901
    """Serve every repository of `lab`, with the same files, on this machine."""
    made = Hub("")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            made.asked.append(f"{self.command} {self.path}")
            name = self.path.partition("?")[0].rpartition("/")[2]
            if "/revision/ffff" in self.path:
                self.refuse()
            elif self.path.startswith("/api/models/lab/"):
                siblings = [{"rfilename": n, "size": len(data)} for n, data in FILES.items()]
                tree = [
                    {"type": "file", "path": n, "size": len(d), "oid": n} for n, d in FILES.items()
                ]
                about = {"id": "lab/model", "sha": COMMIT, "siblings": siblings}
                self.answer(json.dumps(tree if "/tree/" in self.path else about).encode())
            elif self.path.startswith("/lab/") and name in FILES:
                self.answer(FILES[name], ETag=f'"{name}"')
            else:
                self.send_error(404)

        def refuse(self) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RevisionNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def answer(self, data: bytes, **headers: str) -> None:
            self.send_response(200)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def away(study: Study, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study with a hub model, and an empty cache of the hub's files."""
    monkeypatch.setenv("HF_HOME", str(study.folder / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    study.spec["models"]["tuned"] |= {"weights": "lab/model", "revision": COMMIT, "engine": "vllm"}
    study.save()
    return study


def test_what_is_missing_is_said_then_fetched_then_there(
    away: Study, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    planned = away.passk("fetch", away.file, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "to fetch" in planned.stdout
    assert "lab/model@" in planned.stdout
    assert not list(away.folder.glob("outputs/store/problems/*/*.parquet"))
    assert not any(line.startswith("GET /lab/model/resolve") for line in hub.asked)
    done = away.passk("fetch", away.file)
    assert done.returncode == 0, done.stderr
    (snapshot,) = away.folder.glob("hf/hub/models--lab--model/snapshots/*")
    assert snapshot.name == COMMIT
    assert {path.name for path in snapshot.iterdir()} == {"config.json", "model.safetensors"}
    assert (snapshot / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert len(list(away.folder.glob("outputs/store/problems/*/*.parquet"))) == 2
    again = away.passk("fetch", away.file)
    states = [line.split()[0] for line in again.stdout.splitlines()]
    assert set(states) == {"present"}


def test_adapters_and_tokenizers_are_fetched_and_checked_for_every_model_of_shared_weights(
    away: Study, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    tuned = away.spec["models"]["tuned"] | {"base": "base"}
    words = {"tokenizer": "lab/words", "tokenizer_revision": COMMIT}
    away.spec["models"] |= {
        "words": tuned | {"engine_kwargs": words},
        "adapter-1": tuned | {"adapters": ["lab/adapter-1"]},
        "adapter-2": tuned | {"adapters": ["lab/adapter-2"]},
    }
    away.save()
    expected = {"model": True, "words": True, "adapter-1": False, "adapter-2": False}
    planned = away.passk("fetch", away.file, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    for name, pinned in expected.items():
        assert f"  lab/{name}{f'@{COMMIT}' if pinned else ''}  " in planned.stdout
    checked = away.passk("fetch", away.file, "--check").stdout
    states = {
        line.split("lab/")[1].split(":")[0].split()[0]: line
        for line in checked.splitlines()
        if "lab/" in line
    }
    assert {name: line.startswith("as pinned") for name, line in states.items()} == expected


def test_without_a_network_what_is_here_is_enough_and_what_is_not_is_named(
    away: Study, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    failed = away.passk("fetch", away.file)
    assert failed.returncode == 1
    assert f"cannot fetch lab/model@{COMMIT}" in failed.stderr
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert away.passk("fetch", away.file).returncode == 0
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    offline = away.passk("fetch", away.file)
    assert offline.returncode == 0, offline.stderr
    assert "present" in offline.stdout


def test_fetched_benchmarks_are_those_that_the_workflow_would_make(
    study: Study, tmp_path: Path
) -> None:
    assert study.passk("fetch", study.file).returncode == 0
    jobs = study.snakemake()
    assert "load_questions" not in jobs
    assert "load_problems" not in jobs
    assert (tmp_path / "outputs/study/report.html").is_file()


def test_pins_are_compared_with_what_is_there(
    away: Study, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def states() -> tuple[int, dict[str, str]]:
        away.save()
        done = away.passk("fetch", away.file, "--check")
        assert "Traceback" not in done.stderr
        lines = [re.split(r"  +", line) for line in done.stdout.splitlines()]
        return done.returncode, {line[1].split(":")[0]: line[0] for line in lines}

    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert states() == (0, {"lab/model": "as pinned", "benchmark sums": "not pinned"})
    away.spec["models"]["tuned"]["revision"] = "main"
    assert states()[1]["lab/model"] == "not pinned"
    del away.spec["models"]["tuned"]["revision"]
    assert states()[1]["lab/model"] == "not pinned"
    away.spec["models"]["tuned"]["revision"] = "f" * 40
    assert states() == (1, {"lab/model": "differs", "benchmark sums": "not pinned"})
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    file = away.folder / "benchmarks/sums.yaml"
    file.write_text(file.read_text() + 'digests: {questions: "00000000", golds: "00000000"}\n')
    assert states() == (1, {"lab/model": "not reached", "benchmark sums": "differs"})
