"""The openai engine against a real server on 127.0.0.1 that drops, limits, breaks and stalls."""

from __future__ import annotations

import json
import logging
import math
import multiprocessing
import os
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Study
from faulty_server import FAULTS, FaultyServer, serving, text_of
from kills import PRELOADED, finished_lines

openai = pytest.importorskip("openai", reason="pip install openai")

from passk.core.errors import EngineError  # noqa: E402
from passk.core.journal import finished_rows, journal_path  # noqa: E402
from passk.core.schemas import Sample, read_rows  # noqa: E402
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest  # noqa: E402
from passk.engines.openai import OpenAIEngine, client  # noqa: E402
from passk.engines.openai.client import Server  # noqa: E402
from passk.stages.sample import sample  # noqa: E402

KEY = "sk-SECRET0123456789"
RAW = Prompt(text="1 + 1 =")
CHAT = Prompt(
    messages=(
        ("system", "Be brief."),
        ("user", "1 + 1 ="),
    )
)
SHORT = Sampling(max_tokens=3)
KILLS = int(os.environ.get("PASSK_TEST_KILLS", "6"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of whoever runs the tests stay out of them, and nothing waits long."""
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setattr(client, "FIRST_DELAY", 0.02)


def engine_of(server: FaultyServer, key: str | None = None, **execution: Any) -> OpenAIEngine:
    """The engine on a server."""
    return OpenAIEngine.load(
        ModelSource(
            "m", endpoint=server.url, api_key_env=key, execution={"batch_size": 4} | execution
        )
    )


def requests_for(prompt: Prompt = RAW, problems: int = 1, samples: int = 4) -> list[Request]:
    """Requests whose seeds are far apart and beyond 32 bits."""
    indices = tuple(range(samples))
    return [
        Request(f"p{p}", prompt, indices, tuple(2**40 + 1000 * p + i for i in indices))
        for p in range(problems)
    ]


def drawn(
    engine: OpenAIEngine, requests: list[Request], sampling: Sampling = SHORT
) -> list[Sample]:
    """What an engine yields, in order of problem and sample."""
    return sorted(engine.sample(requests, sampling), key=lambda row: (row.problem_id, row.sample))


@pytest.mark.parametrize("prompt", [RAW, CHAT], ids=["text", "chat"])
def test_every_response_comes_once_whatever_the_faults(prompt: Prompt) -> None:
    with serving(*FAULTS, *FAULTS, "half") as server:
        rows = drawn(engine_of(server, timeout=0.6), requests_for(prompt, 4, 5))
    assert [(row.problem_id, row.sample) for row in rows] == [
        (f"p{p}", i) for p in range(4) for i in range(5)
    ]
    assert all(row.text == text_of(row.seed % 2**31) for row in rows)
    assert all(row.seed == 2**40 + 1000 * int(row.problem_id[1]) + row.sample for row in rows)
    completions = [entry for entry in server.asked if "seed" in entry["body"]]
    dealt = Counter(entry["fault"] for entry in completions if entry["fault"])
    assert dealt == Counter([*FAULTS, *FAULTS, "half"])
    assert len(completions) == 20 + sum(dealt.values())
    assert server.most_at_work <= 4


def test_as_many_are_asked_at_once_as_the_spec_says_and_no_more() -> None:
    with serving() as server:
        engine = engine_of(server, batch_size=3)
        server.hold = threading.Barrier(3)  # nothing is answered before three are there
        assert len(drawn(engine, requests_for(problems=3, samples=4))) == 12
    assert server.most_at_work == 3


def test_a_request_says_what_the_sampler_says() -> None:
    sampling = Sampling(0.6, 0.95, top_k=20, min_p=0.1, max_tokens=5, stop=("\n\n", "Q:"))
    with serving() as server:
        engine = engine_of(server)
        (row,) = drawn(engine, requests_for(Prompt(text="a", prefix=" b"), samples=1), sampling)
        (chat,) = drawn(engine, requests_for(CHAT, samples=1))
    first, second = (entry for entry in server.asked if entry["body"])
    assert first["path"] == "/v1/completions"
    assert first["body"] == {
        "model": "m",
        "prompt": "a b",
        "temperature": 0.6,
        "top_p": 0.95,
        "top_k": 20,
        "min_p": 0.1,
        "max_tokens": 5,
        "stop": ["\n\n", "Q:"],
        "seed": 2**40 % 2**31,
        "logprobs": 1,
    }
    assert second["path"] == "/v1/chat/completions"
    assert second["body"] == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1 + 1 ="},
        ],
        "temperature": 1.0,
        "top_p": 1.0,
        "max_tokens": 3,
        "seed": 2**40 % 2**31,
        "logprobs": True,
    }
    for found in (row, chat):
        assert (found.n_tokens, found.finish_reason, found.token_ids) == (3, "stop", [])
        assert found.sum_logprob == -1.5
        assert math.isnan(found.mean_entropy)
    usage = {"responses": 2, "prompt_tokens": 14, "completion_tokens": 6, "reasoning_tokens": 0}
    assert engine.record()["usage"] == usage | {"without_usage": 0}


@pytest.mark.parametrize("owner", ["vllm", "llamacpp", "sglang"])
def test_servers_with_filters_of_their_own_are_told_to_leave_them(owner: str) -> None:
    with serving(owner=owner) as server:
        drawn(engine_of(server), requests_for(samples=1))
        drawn(engine_of(server), requests_for(samples=1), Sampling(top_k=5, max_tokens=3))
    bodies = [entry["body"] for entry in server.asked if entry["body"]]
    assert [body["top_k"] for body in bodies] == [-1, 5]
    assert [body["min_p"] for body in bodies] == [0.0, 0.0]
    assert [body["repetition_penalty"] for body in bodies] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "refused"),
        ("tool_calls", "failed"),
    ],
)
def test_finish_reasons(told: str, reason: str) -> None:
    with serving() as server:
        server.finish_reason = told
        assert drawn(engine_of(server), requests_for(samples=1))[0].finish_reason == reason


def test_a_finish_reason_that_nobody_knows_is_never_taken_for_an_end() -> None:
    with serving() as server:
        server.finish_reason = "abort"
        with pytest.raises(EngineError, match=r"no usable answer in 8 attempts.*'abort'"):
            drawn(engine_of(server), requests_for(samples=1))


def test_a_response_cut_before_max_tokens_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server:
        server.finish_reason = "length"
        drawn(engine_of(server), requests_for(samples=1), Sampling(max_tokens=50))
    assert "cut it at 3 of 50 tokens" in caplog.text


def test_without_log_probabilities_the_responses_come_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving() as server:
        server.refuse["logprobs"] = (400, "logprobs are not supported by this model")
        rows = drawn(engine_of(server), requests_for(CHAT, samples=8))
    assert len(rows) == 8
    assert all(math.isnan(row.sum_logprob) for row in rows)
    assert caplog.text.count("leaves out logprobs from now on") == 1


def test_without_usage_tokens_are_counted_by_their_log_probabilities() -> None:
    with serving() as server:
        server.usage = False
        assert drawn(engine_of(server), requests_for(samples=1))[0].n_tokens == 3


def test_the_server_says_how_long_to_wait() -> None:
    with serving("limit") as server:
        server.retry_after = "1"
        assert len(drawn(engine_of(server, batch_size=1), requests_for(samples=1))) == 1
    first, second = (entry["time"] for entry in server.asked if entry["body"])
    assert second - first >= 1


def test_a_wait_of_hours_ends_the_run() -> None:
    with serving("limit") as server:
        server.retry_after = "7200"
        with pytest.raises(EngineError, match="asks to wait 7200 s"):
            drawn(engine_of(server), requests_for(samples=1))


def test_a_server_that_limits_the_rate_but_serves_is_asked_on() -> None:
    faults = ["limit"] * 3 + [""]
    with serving(*faults * 24) as server:
        assert len(drawn(engine_of(server, batch_size=12), requests_for(samples=24))) == 24


@pytest.mark.parametrize("fault", ["drop", "error", "truncated", "malformed", "limit"])
def test_trouble_that_stays_ends_in_one_message(fault: str) -> None:
    with serving(*[fault] * 9) as server:
        engine = engine_of(server)
        with pytest.raises(EngineError, match="no usable answer in 8 attempts") as caught:
            drawn(engine, requests_for(samples=1))
    assert len(server.asked) == 1 + 8 + 1  # a trivial request fails, too
    assert caught.value.fix


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(EngineError, match="no usable answer in 3 attempts") as caught:
            OpenAIEngine.load(ModelSource("m", endpoint=url))
    assert url in str(caught.value)
    assert "see that the server runs" in caught.value.fix


REFUSALS = {
    400: "change what it refuses",
    401: "into the environment variable TEST_KEY",
    403: "into the environment variable TEST_KEY",
    404: "check `weights`",
    422: "change what it refuses",
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_ends_at_once_with_the_way_out(status: int) -> None:
    with serving() as server:
        server.refuse["top_k"] = (status, f"no,\n not with {KEY}: top_k")
        engine = engine_of(server, "TEST_KEY", batch_size=1)
        with pytest.raises(EngineError) as caught:
            drawn(engine, requests_for(), Sampling(top_k=5, max_tokens=3))
    assert str(caught.value).startswith(
        f"m at {server.url}: the server refuses the request ({status}): no, not with ***: top_k"
    )
    assert REFUSALS[status] in caught.value.fix
    assert len(server.asked) == 2  # the list of models, and one request


def test_the_key_is_in_the_request_and_nowhere_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving("error", key=KEY) as server:
        engine = engine_of(server, "TEST_KEY")
        shown = repr(Server("m", server.url, "TEST_KEY", KEY, concurrency=1, timeout=1))
        assert len(drawn(engine, requests_for())) == 4
        assert all(e["headers"]["authorization"] == f"Bearer {KEY}" for e in server.asked)
        server.key = "another"
        with pytest.raises(EngineError, match=r"\(401\)") as caught:
            drawn(engine, requests_for())
    error: BaseException | None = caught.value
    assert "provided: ***\n  -> put a key that" in str(error)
    while error is not None:
        assert KEY not in repr(error) + str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert KEY not in caplog.text + repr(vars(engine)) + shown


def test_without_a_variable_no_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    with serving() as server:
        drawn(engine_of(server), requests_for())
    assert KEY not in str([entry["headers"] for entry in server.asked])


@pytest.mark.parametrize("value", ["", "  ", f"{KEY}é", f"{KEY}\n{KEY}"])
def test_a_key_that_is_none_is_told_without_its_value(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", value)
    with serving() as server, pytest.raises(EngineError, match="TEST_KEY") as caught:
        engine_of(server, "TEST_KEY")
    assert KEY not in repr(caught.value)
    assert not server.asked


def test_a_begun_turn_is_continued_by_vllm_and_refused_elsewhere() -> None:
    begun = Prompt(messages=CHAT.messages, prefix="<think>\n")
    with serving(owner="vllm") as server:
        drawn(engine_of(server), requests_for(begun, samples=1))
    body = server.asked[-1]["body"]
    assert body["messages"][-1] == {"role": "assistant", "content": "<think>\n"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    with serving(owner="llamacpp") as server:
        with pytest.raises(EngineError, match="only vLLM's continues"):
            drawn(engine_of(server), requests_for(begun, samples=1))
        assert all(not entry["body"] for entry in server.asked)


def test_a_chat_carries_its_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    first = Prompt(messages=CHAT.messages, images=(str(tmp_path / "a.png"),))
    marked = Prompt(messages=(("user", "Is <image> a cat?"),), images=first.images)
    with serving() as server:
        drawn(engine_of(server), requests_for(first, samples=1))
        assert server.asked[-1]["body"]["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [image, {"type": "text", "text": "1 + 1 ="}]},
        ]
        drawn(engine_of(server), requests_for(marked, samples=1))
        words = [{"type": "text", "text": text} for text in ("Is ", " a cat?")]
        content = server.asked[-1]["body"]["messages"][-1]["content"]
        assert content == [words[0], image, words[1]]
        raw = Prompt(text="look", images=first.images)
        with pytest.raises(EngineError, match="raw-text prompt carries no images"):
            drawn(engine_of(server), requests_for(raw, samples=1))
        gone = Prompt(messages=CHAT.messages, images=(str(tmp_path / "b.png"),))
        with pytest.raises(EngineError, match="image cannot be read"):
            drawn(engine_of(server), requests_for(gone, samples=1))


def test_stop_tokens_are_sent_to_servers_that_know_them() -> None:
    sampling = Sampling(max_tokens=3, stop_token_ids=(7, 9))
    with serving(owner="vllm") as server:
        drawn(engine_of(server), requests_for(samples=1), sampling)
    assert server.asked[-1]["body"]["stop_token_ids"] == [7, 9]
    with serving(owner="llamacpp") as server, pytest.raises(EngineError, match="stop_token_ids"):
        drawn(engine_of(server), requests_for(samples=1), sampling)


def test_scores_take_a_server_that_gives_them() -> None:
    with serving() as server, pytest.raises(EngineError) as caught:
        engine_of(server).score([ScoreRequest("p", 0, RAW, " 2")])
    assert "engine: transformers" in caught.value.fix


def openai_study(study: Study, url: str, **more: Any) -> str:
    """Write what `passk sample` reads, for a model behind an endpoint; return the cell's name."""
    served = {
        "weights": "m",
        "engine": "openai",
        "endpoint": url,
        "api_key_env": "TEST_KEY",
        **more,
    }
    study.spec["models"] = {"base": served}
    study.spec["perplexity"] = []
    study.save()
    study.passk("problems", "benchmarks/sums.yaml", "-o", "p.parquet")
    known = study.passk("resolve", study.file, "--cell", "base", "-o", "c.json").stderr
    found = re.search(r"base\.sums\.plain-[0-9a-f]{8}", known)
    assert found is not None, known
    study.passk("resolve", study.file, "--cell", found.group(), "-o", "c.json")
    return found.group()


COMMAND = (
    *("passk", "sample", "--cell", "c.json", "--problems", "p.parquet"),
    *("--samples", "0-40", "--log", "job.log", "-o", "s.parquet"),
)


def test_what_was_finished_before_a_refusal_is_kept_and_the_key_stands_in_no_file(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    output = study.folder / "s.parquet"
    with serving(key=KEY) as server:
        openai_study(study, server.url, execution={"batch_size": 4})
        server.good_for = 31  # the account is closed after the list of models and 30 responses
        told = study.run(*COMMAND)
        kept = finished_lines(output)
        assert 24 <= len(kept) <= 30
        assert told.returncode == 1
        assert "put a key that this server accepts into the environment variable" in told.stderr
        assert "Traceback" not in told.stderr
        assert finished_rows(output) == len(kept)
        server.good_for, before = None, sum(server.seeds.values())
        again = study.run(*COMMAND)
        assert again.returncode == 0, again.stderr
        assert sum(server.seeds.values()) - before == 160 - len(kept)
    check_whole(output, kept)
    for text in (told.stdout, told.stderr, again.stdout, again.stderr):
        assert KEY not in text
    for path in study.folder.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


def sample_with_key(*arguments: Any) -> None:
    """Sample in a process whose server of forks was started before the key was set."""
    os.environ["TEST_KEY"] = KEY
    sample(*arguments)


def test_kills_lose_no_finished_row(study: Study) -> None:
    output, moments, kept = study.folder / "s.parquet", random.Random(0), list[Sample]()
    processes = multiprocessing.get_context("forkserver")  # imports once, not at every kill
    processes.set_forkserver_preload(PRELOADED)
    files = [study.folder / name for name in ("c.json", "p.parquet")]
    faults = [dealt for fault in FAULTS for dealt in (fault, *[""] * 5)]
    with serving(*faults * 3) as server:
        openai_study(study, server.url, execution={"batch_size": 2, "timeout": 0.5})
        server.seconds = 0.02
        for _ in range(KILLS):
            wanted = len(server.asked) + 1 + moments.randrange(8)
            process = processes.Process(
                target=sample_with_key, args=(*files, [(output, range(40))])
            )
            process.start()
            wait_until(lambda wanted=wanted: len(server.asked) >= wanted)
            time.sleep(moments.uniform(0, 0.02))
            process.kill()
            process.join()
            process.close()
            before, kept = kept, finished_lines(output)
            assert repr(kept[: len(before)]) == repr(before)
            assert not output.exists()
        assert KILLS <= len(kept) < 160
        server.seconds = 0
        last = study.run(*COMMAND)
        assert last.returncode == 0, last.stderr
    check_whole(output, kept)
    assert not journal_path(output).exists()


def check_whole(output: Path, kept: list[Sample]) -> None:
    """Each response is there once, as the server gave it, and what was kept is as it was."""
    rows = read_rows(output, Sample)
    assert len({(row.problem_id, row.sample) for row in rows}) == len(rows) == 160
    assert all(row.text == text_of(row.seed % 2**31) for row in rows)
    assert {repr(row) for row in kept} <= {repr(row) for row in rows}


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def spec_fault(study: Study, **model: Any) -> str:
    """What a spec with such a model is refused with."""
    study.spec["models"]["base"] = {"weights": "m", "engine": "openai"} | model
    study.save()
    done = study.passk("plan", study.file)
    assert done.returncode == 2
    return done.stderr


def test_specs_that_could_hold_a_key_are_refused_without_showing_it(study: Study) -> None:
    url = "http://127.0.0.1:1/v1"
    for key in (KEY, "0a1b2c", "abcDEF"):
        shown = spec_fault(study, endpoint=url, api_key_env=key)
        assert "models.base.api_key_env: this value has a form that is not allowed" in shown
        assert key not in shown
    for endpoint in (f"http://me:{KEY}@h/v1", f"http://h/v1?key={KEY}"):
        shown = spec_fault(study, endpoint=endpoint)
        assert "models.base.endpoint: this value has a form that is not allowed" in shown
        assert KEY not in shown


def test_specs_say_where_an_endpoint_is_missing_or_of_no_use(study: Study) -> None:
    assert "models.base: needs `endpoint`" in spec_fault(study)
    url = "http://127.0.0.1:1/v1"
    assert "the server's own" in spec_fault(study, endpoint=url, dtype="float16")
    shown = spec_fault(study, endpoint=url, engine="fake", weights="./base.jsonl")
    assert "models.base.endpoint: only `engine: openai` asks a server" in shown


def test_the_endpoint_decides_a_cell_and_its_key_and_concurrency_do_not(study: Study) -> None:
    url = "http://127.0.0.1:1/v1"
    first = openai_study(study, url)
    assert openai_study(study, url, api_key_env="OTHER_KEY", execution={"batch_size": 9}) == first
    assert openai_study(study, "http://127.0.0.1:2/v1") != first
    assert json.loads((study.folder / "c.json").read_text())["model"]["endpoint"].endswith("2/v1")
