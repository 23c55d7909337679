"""How the work is dealt out among the copies of a model on vLLM, and the hardware with it."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passk.engines.base import ModelSource, Prompt, Request
from passk.engines.vllm.data_parallel import hardware_of, split_requests

PROMPT = Prompt(text="x")


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 5))
def test_each_response_is_dealt_once_with_its_own_seed(counts: list[int], copies: int) -> None:
    requests = [
        Request(str(number), PROMPT, tuple(range(n)), tuple(100 * number + i for i in range(n)))
        for number, n in enumerate(counts)
    ]
    parts = [list(split_requests(requests, copy, copies)) for copy in range(copies)]
    found = Counter(
        (request.problem_id, sample, seed)
        for part in parts
        for request in part
        for sample, seed in zip(request.samples, request.seeds, strict=True)
    )
    wanted = {(str(p), i, 100 * p + i) for p, n in enumerate(counts) for i in range(n)}
    assert found == Counter(wanted)
    assert all(request.samples for part in parts for request in part)


@pytest.mark.parametrize(("problems", "responses"), [(4, 8), (1, 8), (8, 1)])
def test_shares_are_even(problems: int, responses: int) -> None:
    indices = tuple(range(responses))
    requests = [Request(str(p), PROMPT, indices, indices) for p in range(problems)]
    sizes = [sum(len(r.samples) for r in split_requests(requests, copy, 4)) for copy in range(4)]
    assert sizes == [problems * responses / 4] * 4


def test_copies_have_gpus_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ModelSource("m", execution={"tensor_parallel_size": 2})
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [hardware_of(source, copy, 2)[0] for copy in range(2)] == [["0", "1"], ["2", "3"]]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,5,3,1")
    assert [hardware_of(source, copy, 2)[0] for copy in range(2)] == [["7", "5"], ["3", "1"]]


def test_copies_have_cores_of_their_own_where_there_are_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = ModelSource("m")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 6})
    assert [hardware_of(source, copy, 2)[1] for copy in range(2)] == [[2, 6], [3]]
    assert [hardware_of(source, copy, 4)[1] for copy in range(4)] == [[2], [3], [6], [2, 3, 6]]
