"""What loading and memory can meet, with a hub of our own: one message each, with the way out."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("passk.engines.transformers")  # before torch: it sets how threads wait

from exact_draws import LARGE
from smollm2 import PACKAGE, require_package
from tiny_models import save_adapter, save_tiny

from passk.core.errors import EngineError
from passk.engines.base import ModelSource, Prompt, Request, Sampling
from passk.engines.load_errors import explained, first_line
from passk.engines.transformers import TransformersEngine

ANSWERS = {
    "gated": (403, "GatedRepo"),
    "revision": (404, "RevisionNotFound"),
    "gone": (404, "RepoNotFound"),
}


class Hub(BaseHTTPRequestHandler):
    """Answers as a model hub does where a model is not to be had."""

    def do_GET(self) -> None:
        name = self.path.split("?")[0].strip("/").removeprefix("api/models/").split("/")[1]
        status, code = ANSWERS[name]
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, cache: Path) -> None:
    """Have the hub client ask a server of ours."""
    import huggingface_hub.constants as told
    import transformers.utils.hub as known

    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(told, "ENDPOINT", url)
    monkeypatch.setattr(told, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    for module, name in ((told, "HF_HUB_CACHE"), (known.constants, "HF_HUB_CACHE")):
        monkeypatch.setattr(module, name, str(cache))
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("gated", "accept the model's terms"),
        ("revision", "give a revision"),
        ("gone", "check the spelling"),
    ],
)
def test_what_a_hub_refuses_is_said_with_the_way_out(
    hub: str, name: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hub(monkeypatch, hub, tmp_path)
    with pytest.raises(EngineError, match="cannot load the model") as raised:
        TransformersEngine.load(ModelSource(f"org/{name}", revision="v7"))
    assert fix in raised.value.fix
    assert raised.value.where == f"org/{name}@v7"
    assert "\n" not in raised.value.what


def test_a_hub_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path)
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between the client's attempts
    with pytest.raises(EngineError, match="cannot load the model") as raised:
        TransformersEngine.load(ModelSource("org/any"))
    assert "network" in raised.value.fix


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("a\nb", "a"),
        ("\n\nlater", "later"),
        ("", "ValueError"),
        (
            "1 validation error for M\n  Value error, \nIt needs x. [type=value_error]\n",
            "It needs x.",
        ),
        ("1 validation error for M\n  Value error, It needs x. [type=v, y=3]", "It needs x."),
    ],
)
def test_one_line_tells_what_went_wrong(message: str, told: str) -> None:
    assert first_line(ValueError(message)) == told


def test_vllms_processes_tell_their_cause_above() -> None:
    """vLLM's own words where a process of its own could not start, as for want of memory."""
    said = "Engine core initialization failed. See root cause above. Failed core proc(s): {}"
    with pytest.raises(EngineError) as raised, explained(ModelSource("org/name")):
        raise RuntimeError(said)
    assert raised.value.fix.startswith("see the cause above")
    assert "lower gpu_memory_utilization" in raised.value.fix


SMALL_MEMORY = """
import resource, sys
from passk.engines.base import ModelSource, Prompt, Request, Sampling
from passk.engines.transformers import TransformersEngine
from passk.core.errors import EngineError

source = ModelSource(sys.argv[1], dtype="float32", execution={"batch_size": 200_000, "threads": 1})
engine = TransformersEngine.load(source)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000,) * 2)
seeds = tuple(range(200_000))
request = Request("p", Prompt(text="x"), seeds, seeds)
try:
    list(engine.sample([request], Sampling(max_tokens=9)))
except EngineError as error:
    print(error)
"""


def test_memory_that_runs_out_is_one_message(tmp_path: Path) -> None:
    """A real limit of the process's memory, which a batch of 200,000 rows cannot keep."""
    save_tiny(tmp_path)
    command = [sys.executable, "-c", SMALL_MEMORY, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout.startswith("out of memory on cpu\n  -> set a smaller `batch_size`")


def test_adapters_are_applied(tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="pip install --no-deps peft")
    base = save_tiny(tmp_path / "base")
    adapter = save_adapter(base, tmp_path / "adapter", tmp_path / "merged")
    sources = [
        ModelSource(str(base), dtype="float32"),
        ModelSource(str(base), dtype="float32", adapters=(str(adapter),)),
        ModelSource(str(tmp_path / "merged"), dtype="float32"),
    ]
    greedy, asked = Sampling(temperature=0, max_tokens=12), Prompt(text="ab")
    plain, adapted, merged = (
        next(TransformersEngine.load(source).sample([Request("p", asked, (0,), (0,))], greedy))
        for source in sources
    )
    assert plain.token_ids != adapted.token_ids == merged.token_ids


def test_an_adapter_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="pip install --no-deps peft")
    save_tiny(tmp_path / "base")
    source = ModelSource(str(tmp_path / "base"), adapters=(str(tmp_path / "none"),))
    with pytest.raises(EngineError, match="cannot apply the adapter") as raised:
        TransformersEngine.load(source)
    assert raised.value.where == str(tmp_path / "none")


@pytest.fixture
def gguf() -> str:
    """The file that the package of weights holds."""
    require_package()
    (found,) = [str(file.locate()) for file in files(PACKAGE) or () if file.suffix == ".gguf"]
    return found


@pytest.mark.model
@pytest.mark.skipif(not LARGE, reason="PASSK_TEST_LARGE: smollm2_folder reads the same file")
def test_a_gguf_file_is_loaded(gguf: str) -> None:
    engine = TransformersEngine.load(ModelSource(gguf))
    request = Request("p", Prompt(text="The capital of France is"), (0,), (0,))
    (row,) = engine.sample([request], Sampling(temperature=0, max_tokens=2))
    assert "Paris" in row.text


@pytest.mark.model
def test_a_gguf_file_cut_short_is_told(gguf: str, tmp_path: Path) -> None:
    (tmp_path / "cut.gguf").write_bytes(Path(gguf).read_bytes()[:5000])
    with pytest.raises(EngineError, match="cannot load the model") as raised:
        TransformersEngine.load(ModelSource(str(tmp_path / "cut.gguf")))
    assert raised.value.where == str(tmp_path / "cut.gguf")
