"""Profiles of servers against mocks that refuse what they refuse; refusals, reasoning, usage, n."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_server import BatchServer
from faulty_server import FaultyServer, running, serving, text_of
from server_rules import RULES, openai_reasoning_strict

pytest.importorskip("openai", reason="pip install openai")

from passk.core.errors import EngineError
from passk.core.schemas import Sample
from passk.engines.base import ModelSource, Prompt, Request, Sampling
from passk.engines.openai import OpenAIEngine, batches, client
from passk.spec.server_profiles import OTHER, profile_of, server_profiles

CHAT = Prompt(messages=(("user", "1 + 1 ="),))
RAW = Prompt(text="1 + 1 =")
PLAIN = Sampling(max_tokens=3)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_DELAY", 0.01)


def engine_of(
    server: FaultyServer, execution: dict[str, Any] | None = None, **more: Any
) -> OpenAIEngine:
    """The engine on a server."""
    execution = {"batch_size": 1} | (execution or {})
    return OpenAIEngine.load(ModelSource("m", endpoint=server.url, execution=execution, **more))


def draw(
    engine: OpenAIEngine, samples: int = 1, sampling: Sampling = PLAIN, prompt: Prompt = CHAT
) -> list[Sample]:
    """Responses to one problem, in their order."""
    indices = tuple(range(samples))
    request = Request("p", prompt, indices, tuple(100 + i for i in indices))
    return sorted(engine.sample([request], sampling), key=lambda row: row.sample)


def bodies(server: FaultyServer) -> list[dict[str, Any]]:
    """What completions were asked for with."""
    return [entry["body"] for entry in server.asked if entry["body"]]


@pytest.mark.parametrize("api", RULES)
def test_the_first_request_is_one_that_the_server_takes(api: str) -> None:
    profile = server_profiles()[api]
    settings = {"temperature": 0.6, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "stop": ("Q:",)}
    taken = {name: value for name, value in settings.items() if name in profile.takes}
    if api == "anthropic":
        del taken["top_p"]
    with serving() as server:
        server.rules = RULES[api]
        for sampling in (PLAIN, Sampling(max_tokens=3, **taken)):
            (row,) = draw(engine_of(server, api=api), sampling=sampling)
            assert row.finish_reason == "stop"
    sent = bodies(server)
    refusals = [body for body in sent if RULES[api](body)]
    assert refusals == ([] if api != "deepseek" else [sent[0], sent[2]])
    for name, value in taken.items():
        assert sent[-1][name] == (list(value) if isinstance(value, tuple) else value)
    assert sent[-1][profile.max_tokens] == 3


def test_every_profile_has_a_mock_and_a_source() -> None:
    assert server_profiles().keys() - {OTHER} == RULES.keys()
    assert all(one.sources for one in server_profiles().values())


def test_a_host_is_known_by_its_profile() -> None:
    for endpoint, name in (
        ("https://api.openai.com/v1", "openai"),
        ("https://api.anthropic.com/v1/", "anthropic"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "gemini"),
    ):
        profile = profile_of(None, endpoint)
        assert profile is not None
        assert profile.name == name
    assert profile_of(None, "http://127.0.0.1:8000/v1") is None


@pytest.mark.parametrize(
    ("api", "sampling", "match"),
    [
        ("openai", Sampling(top_k=5), "takes no `top_k`"),
        ("openai-reasoning", Sampling(temperature=0.6), "takes no `temperature`"),
        ("anthropic", Sampling(temperature=1.2), "takes `temperature` up to 1"),
        ("gemini", Sampling(stop_token_ids=(7,)), "takes no `stop_token_ids`"),
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(
    api: str, sampling: Sampling, match: str
) -> None:
    with serving() as server, pytest.raises(EngineError, match=match):
        draw(engine_of(server, api=api), sampling=sampling)


def test_an_unknown_server_is_learnt_from_its_refusals(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server:
        server.rules = openai_reasoning_strict
        engine = engine_of(server)
        rows = draw(engine, samples=3)
    assert [row.finish_reason for row in rows] == ["stop"] * 3
    assert bodies(server)[-1].keys() == {"model", "messages", "max_completion_tokens"}
    assert len(bodies(server)) == 5 + 3  # each lesson costs one refusal
    assert caplog.text.count("from now on") == 5
    assert engine.record()["not_sent"] == ["logprobs", "seed", "temperature", "top_p"]


def test_a_setting_that_matters_is_never_left_out() -> None:
    with serving() as server:
        server.rules = openai_reasoning_strict
        with pytest.raises(EngineError, match="'temperature' is not supported"):
            draw(engine_of(server), sampling=Sampling(temperature=0.6, max_tokens=3))


def test_a_server_that_says_what_it_is_contradicts_the_spec() -> None:
    with serving(owner="vllm") as server:
        with pytest.raises(EngineError, match=r"says that it is vllm.*`api: openai`"):
            engine_of(server, api="openai")
        assert engine_of(server, api="vllm").record()["server"] == "vllm"


def test_template_variables_and_more_keys_are_in_the_request() -> None:
    more: dict[str, Any] = {
        "chat_template_kwargs": {"enable_thinking": False},
        "extra_body": {"reasoning_effort": "low"},
    }
    with serving(owner="vllm") as server:
        draw(engine_of(server, **more))
        draw(engine_of(server, **more), prompt=RAW)
    chat, raw = bodies(server)
    assert chat["chat_template_kwargs"] == {"enable_thinking": False}
    assert chat["reasoning_effort"] == raw["reasoning_effort"] == "low"
    assert "chat_template_kwargs" not in raw
    with serving() as server, pytest.raises(EngineError, match="takes no chat_template_kwargs"):
        engine_of(server, api="ollama", chat_template_kwargs={"enable_thinking": False})


def test_a_prompt_that_is_refused_for_its_content_is_a_row() -> None:
    with serving("policy", "policy", "policy") as server:
        first, second = draw(engine_of(server), samples=2)
    assert (first.finish_reason, first.error, first.text) == ("refused", "flagged", "")
    assert second.finish_reason == "stop"


@pytest.mark.parametrize("fault", ["error", "error in 200", "malformed", "drop"])
def test_a_response_that_fails_while_others_do_not_is_a_row(fault: str) -> None:
    # After eight failures a trivial request is answered, and a last attempt fails, too.
    with serving(*[fault] * 8, "", fault) as server:
        first, second = draw(engine_of(server), samples=2)
    assert first.finish_reason == "failed"
    assert first.error
    assert second.text == text_of(101)
    if fault == "error in 200":
        assert "the provider is down" in first.error


def test_a_server_that_is_back_is_asked_once_more() -> None:
    with serving(*["error"] * 8) as server:
        (row,) = draw(engine_of(server))
    assert row.text == text_of(100)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart_and_counted(field: str) -> None:
    with serving(owner="vllm") as server:
        server.message = {field: "Let me think.", "content": "2"}
        server.counts = {"completion_tokens": 2, "total_tokens": 10}
        (row,) = draw(engine_of(server))
    assert (row.text, row.reasoning) == ("2", "Let me think.")
    assert row.n_tokens == 3  # of all tokens but the prompt's
    assert math.isnan(row.sum_logprob)  # of the text alone, which is not the whole response


def test_only_reasoning_up_to_the_limit_is_truncated() -> None:
    with serving() as server:
        server.message = {"content": None, "reasoning_content": "Let me think of"}
        (row,) = draw(engine_of(server))
        server.message = {"content": None}
        server.counts |= {"completion_tokens_details": {"reasoning_tokens": 3}}
        (hidden,) = draw(engine_of(server))
    assert (row.finish_reason, row.text) == (hidden.finish_reason, hidden.text) == ("length", "")


def test_missing_usage_is_unknown() -> None:
    with serving() as server:
        server.usage = False
        engine = engine_of(server)
        engine_without = engine_of(server, api="anthropic")
        assert draw(engine)[0].n_tokens == 3  # by its log-probabilities
        assert draw(engine_without)[0].n_tokens == 0
    assert engine_without.record()["usage"]["without_usage"] == 1
    assert engine_without.record()["usage"]["responses"] == 1


def test_several_responses_of_one_request(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server:
        server.most_choices = 3
        server.counts = {"completion_tokens": 9, "total_tokens": 16}
        engine = engine_of(server, {"responses_per_request": 4}, api="openai")
        rows = draw(engine, samples=6)
        assert [row.sample for row in rows] == list(range(6))
        assert [body.get("n") for body in bodies(server)] == [4, None, 2]
        server.refuse["n"] = (400, "'n' must be 1")
        assert len(draw(engine_of(server, {"responses_per_request": 4}), samples=4)) == 4
    assert "asks for one response a request" in caplog.text


def test_a_long_wait_is_the_users_choice() -> None:
    with serving("limit") as server:
        server.retry_after = "1"
        with pytest.raises(EngineError, match=r"asks to wait 1 s[\s\S]*max_retry_after"):
            draw(engine_of(server, {"max_retry_after": 0.5}))
    with serving("limit") as server:
        server.retry_after = "1"
        assert draw(engine_of(server, {"max_retry_after": 2}))[0].finish_reason == "stop"


def test_trouble_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving("error in 200") as server:
        draw(engine_of(server))
    assert "it is an error: the provider is down); again in" in caplog.text


@pytest.fixture
def batch_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    """A mock of the Batch API, looked at without waiting."""
    monkeypatch.setattr(batches, "POLL_SECONDS", 0.01)
    with BatchServer() as server, running(server):
        yield server


def batch_engine(server: BatchServer, folder: Path) -> OpenAIEngine:
    """An engine that samples by batches, kept in a folder."""
    engine = engine_of(server, {"batch_api": True}, api="openai")
    engine.workspace = folder
    return engine


def test_a_batch_gives_what_requests_give(batch_server: BatchServer, tmp_path: Path) -> None:
    folder = tmp_path / "shard.batch"
    rows = draw(batch_engine(batch_server, folder), samples=3)
    assert [(row.sample, row.text, row.n_tokens) for row in rows] == [
        (i, text_of(100 + i), 3) for i in range(3)
    ]
    assert len(batch_server.batches) == 1
    assert not folder.exists()
    with serving() as plain:
        draw(engine_of(plain, api="openai"), samples=3)
    assert bodies(batch_server) == bodies(plain)


def test_a_batch_is_taken_up_again(batch_server: BatchServer, tmp_path: Path) -> None:
    folder = tmp_path / "shard.batch"
    batch_server.looks = 1000

    class KilledError(Exception):
        pass

    async def kill(_: float) -> None:
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "sleep", kill)
        with pytest.raises(KilledError):
            draw(batch_engine(batch_server, folder), samples=3)
    batch_server.looks = 0
    rows = draw(batch_engine(batch_server, folder), samples=3)  # days later
    assert len(rows) == 3
    assert len(batch_server.batches) == 1
    # Killed after the batch was sent and before its name was noted: found by its file.
    (file,) = {batch["input_file_id"] for batch in batch_server.batches.values()}
    folder.mkdir(exist_ok=True)
    (folder / "batch.json").write_text(json.dumps({"file": file}))
    assert len(draw(batch_engine(batch_server, folder), samples=3)) == 3
    assert len(batch_server.batches) == 1


def test_what_a_batch_leaves_out_is_in_the_next(batch_server: BatchServer, tmp_path: Path) -> None:
    batch_server.leave_out, batch_server.end = 2, "expired"
    assert len(draw(batch_engine(batch_server, tmp_path), samples=5)) == 5
    assert len(batch_server.batches) == 2


def test_a_batch_learns_from_refusals_and_keeps_those_for_content(
    batch_server: BatchServer, tmp_path: Path
) -> None:
    flagged = {"message": "flagged", "code": "content_policy_violation"}
    batch_server.rules = lambda body: (
        (400, flagged) if body["seed"] == 101 else RULES["openai-reasoning"](body)
    )
    rows = draw(batch_engine(batch_server, tmp_path), samples=3)
    assert [row.finish_reason for row in rows] == ["stop", "refused", "stop"]
    assert rows[1].error == "flagged"
    batch_server.rules = lambda _: (400, {"message": "no such model"})
    with pytest.raises(EngineError, match="refuses every request: no such model"):
        draw(batch_engine(batch_server, tmp_path), samples=2)


def test_only_servers_with_a_batch_api_have_one() -> None:
    with serving(owner="vllm") as server, pytest.raises(EngineError, match="has no Batch API"):
        draw(engine_of(server, {"batch_api": True}))
