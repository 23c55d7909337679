"""The openai engine on vLLM's own server, with a real model: make test-vllm."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vllm", reason="vLLM has an environment of its own: make test-vllm")
pytest.importorskip("openai", reason="pip install openai")

import faulty_server
from exact_draws import REQUESTS, check_draws, exact_distribution, settings_of_draws

from passk.core.errors import EngineError
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
from passk.engines.openai import OpenAIEngine

WEIGHTS = os.environ.get("PASSK_TEST_WEIGHTS", "")
SUM = Prompt(text="36 + 19 = 55\n50 + 51 = 101\n71 + 49 = 120\n96 + 30 = 126\n25 + 60 =")
CHAT = Prompt(messages=(("user", "What is 3 + 4?"),))
BEGUN = Prompt(messages=CHAT.messages, prefix="The sum of the two is")
SAMPLING = Sampling(temperature=1.0, max_tokens=8)
SERVER = ("-m", "vllm.entrypoints.openai.api_server", "--enforce-eager", "--block-size", "32")

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore"),  # vLLM's own
    pytest.mark.skipif(not WEIGHTS, reason="PASSK_TEST_WEIGHTS names no model: make test-vllm"),
]


@contextmanager
def serving(weights: str, folder: Path) -> Iterator[ModelSource]:
    """A server of its own, which ends with all its processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    os.environ["PASSK_TEST_KEY"] = "sk-test"
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "0-1"}
    model = ("--model", weights, "--served-model-name", "m", "--max-model-len", "512")
    where = ("--host", "127.0.0.1", "--port", port, "--api-key", "sk-test", "--dtype", "float32")
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, *SERVER, *model, *where],
            env=os.environ | settings,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield started(server, f"http://127.0.0.1:{port}/v1", log)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(timeout=20)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelSource]:
    with serving(WEIGHTS, tmp_path_factory.mktemp("server")) as source:
        yield source


@pytest.fixture(scope="module")
def engine(served: ModelSource) -> OpenAIEngine:
    return OpenAIEngine.load(served)


def started(server: subprocess.Popen[bytes], url: str, log: Path) -> ModelSource:
    """The model behind an endpoint, as soon as the server is there: it loads for a minute."""
    source = ModelSource(
        "m", endpoint=url, api_key_env="PASSK_TEST_KEY", execution={"batch_size": 32}
    )
    for _ in range(150):
        assert server.poll() is None, log.read_text()[-3000:]
        with suppress(EngineError):
            OpenAIEngine.load(source)
            return source
    raise AssertionError(log.read_text()[-3000:])


def request(prompt: Prompt, count: int) -> Request:
    """A request with seeds beyond 32 bits."""
    return Request("sum", prompt, tuple(range(count)), tuple(2**40 + i for i in range(count)))


@pytest.mark.parametrize("prompt", [SUM, CHAT, BEGUN], ids=["text", "chat", "begun"])
def test_same_seeds_same_responses_and_scores_that_agree(
    engine: OpenAIEngine, prompt: Prompt
) -> None:
    first, again = (
        sorted(engine.sample([request(prompt, 12)], SAMPLING), key=lambda row: row.sample)
        for _ in range(2)
    )
    assert [row.text for row in first] == [row.text for row in again]
    assert len({row.text for row in first}) > 3
    asked = [ScoreRequest("sum", row.sample, prompt, row.text) for row in first]
    scores = {score.sample: score for score in engine.score(asked)}
    # A text may be tokenised otherwise than it was drawn; most are not, and then the sums agree.
    same = [
        (row, scores[row.sample])
        for row in first
        if row.finish_reason == "length" and row.n_tokens == scores[row.sample].n_tokens
    ]
    close = [math.isclose(a.sum_logprob, b.sum_logprob, abs_tol=1e-2) for a, b in same]
    assert len(close) >= 4
    assert sum(close) >= 0.7 * len(close)


@pytest.mark.parametrize("prompt", [SUM, CHAT], ids=["text", "chat"])
def test_faults_on_the_way_to_the_server_change_no_response(
    served: ModelSource, engine: OpenAIEngine, prompt: Prompt
) -> None:
    with faulty_server.serving(*faulty_server.FAULTS, owner="vllm") as proxy:
        proxy.upstream = str(served.endpoint).removesuffix("/v1")
        source = replace(served, endpoint=proxy.url, execution={"batch_size": 4, "timeout": 5})
        through, direct = (
            sorted(way.sample([request(prompt, 12)], SAMPLING), key=lambda row: row.sample)
            for way in (OpenAIEngine.load(source), engine)
        )
    dealt = [entry["fault"] for entry in proxy.asked if entry.get("fault")]
    assert Counter(dealt) == Counter(faulty_server.FAULTS)
    assert [(row.sample, row.seed, row.text, row.n_tokens) for row in through] == [
        (row.sample, row.seed, row.text, row.n_tokens) for row in direct
    ]


def test_a_begun_turn_is_continued(engine: OpenAIEngine) -> None:
    greedy = Sampling(temperature=0.0, max_tokens=8)
    (row,) = engine.sample([request(BEGUN, 1)], greedy)
    (fresh,) = engine.sample([request(CHAT, 1)], greedy)
    assert row.text != fresh.text
    assert not row.text.startswith("The sum of the two is")


def test_what_does_not_fit_is_refused(engine: OpenAIEngine) -> None:
    with pytest.raises(EngineError, match=r"refuses the request \(400\)"):
        list(engine.sample([request(SUM, 1)], Sampling(max_tokens=600)))


def test_next_tokens_follow_the_exact_filtered_softmax(engine: OpenAIEngine) -> None:
    """Draws through the server with all filters at once, told apart by their text."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    sampling = settings_of_draws()[-1]
    tokenizer = transformers.AutoTokenizer.from_pretrained(WEIGHTS)
    model = transformers.AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer(SUM.text)["input_ids"]])).logits[0, -1]
    chances = exact_distribution(logits.double().numpy(), sampling, min_p_first=True)
    possible = np.flatnonzero(chances)
    decoded = [tokenizer.decode([i], skip_special_tokens=True) for i in possible]
    # The server holds back bytes that are no whole character, and so sends none of them.
    labels = ["" if "\ufffd" in text else text for text in decoded]
    kinds = sorted(set(labels))
    exact = np.zeros(len(kinds))
    np.add.at(exact, [kinds.index(label) for label in labels], chances[possible])
    drawn = Counter(row.text for row in engine.sample([request(SUM, REQUESTS)], sampling))
    assert drawn.total() == REQUESTS
    assert drawn.keys() <= set(kinds)
    check_draws({kinds.index(text): count for text, count in drawn.items()}, exact)
