"""Data parallelism: copies of a model, each in a process with its own share of GPUs or cores.

vLLM's `LLM` refuses data_parallel_size beyond 1 in one process. A response depends on its prompt
and its own seed, so that nothing changes with the copy that draws it but the rounding.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from passk.core.errors import EngineError
from passk.core.gpus import VISIBLE
from passk.core.schemas import Sample, Score
from passk.engines.base import ModelSource, Request, Sampling, ScoreRequest
from passk.engines.vllm.engine import SingleVllmEngine
from passk.engines.vllm.watchdog import guard


class DataParallelVllmEngine(SingleVllmEngine):
    """Several copies of a model (`execution.data_parallel_size`), started at first use."""

    def __init__(self, model: ModelSource) -> None:
        """Keep what the copies are to load."""
        super().__init__(model)
        self._copies: list[Connection] = []

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """See `Engine.sample`; each problem's responses are split among the copies."""
        count = self._source.execution["data_parallel_size"]
        parts = [list(split_requests(requests, copy, count)) for copy in range(count)]
        return self._rows("sample", [(part, sampling) for part in parts])

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Engine.score`."""
        count = self._source.execution["data_parallel_size"]
        return self._rows("score", [(requests[copy::count],) for copy in range(count)])

    def _rows(self, method: str, parts: Sequence[tuple[object, ...]]) -> Iterator[Any]:
        """Have each copy do its part; yield the rows of all as they come.

        Raises:
            EngineError: a copy failed, or is gone; the others are ended.
        """
        if not self._copies:
            self._copies = start_copies(self._source)
        busy: dict[Connection, tuple[object, ...]] = dict(zip(self._copies, parts, strict=True))
        whole = False
        try:
            for copy, part in busy.items():
                copy.send((method, part))
            while busy:
                for copy in cast("list[Connection]", wait(list(busy))):
                    row = receive_row(copy)
                    if row is None:
                        del busy[copy]
                    else:
                        yield row
            whole = True
        finally:
            if not whole:  # stopped or failed: nobody waits for the rest
                end_copies(self._copies)


def split_requests(requests: Sequence[Request], copy: int, count: int) -> Iterator[Request]:
    """Yield the part of some requests that one of `count` copies takes.

    Responses are assigned in turn, beginning at another copy for each problem, so that shares are
    even with many responses to few problems and with one response to each of many.
    """
    for number, request in enumerate(requests):
        part = slice((copy - number) % count, None, count)
        if request.samples[part]:
            yield replace(request, samples=request.samples[part], seeds=request.seeds[part])


def receive_row(copy: Connection) -> Any:
    """Return the next row of a copy, or None when it has done its part.

    Raises:
        EngineError: it failed, or its process is gone.
    """
    try:
        row = copy.recv()
    except (EOFError, OSError) as error:
        raise EngineError(
            "a copy of the model ended without a word",
            fix="see its messages above (it may have been killed because memory ran out); "
            "what was finished is kept",
        ) from error
    if isinstance(row, dict):
        raise EngineError(**row)
    return row


def start_copies(source: ModelSource) -> list[Connection]:
    """Start the processes of a model's copies; return a connection to each."""
    guard()  # ends them with us
    count = source.execution["data_parallel_size"]
    alone = replace(source, execution={**source.execution, "data_parallel_size": 1})
    found = []
    for copy in range(count):
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(
            target=run_copy, args=(theirs, alone, hardware_of(alone, copy, count))
        )
        process.start()
        theirs.close()
        found.append(ours)
    atexit.register(end_copies, found)  # before the processes are waited for
    return found


def end_copies(copies: list[Connection]) -> None:
    """Close the connections to all copies: each ends when it next sends or receives."""
    while copies:
        copies.pop().close()


def hardware_of(source: ModelSource, copy: int, count: int) -> tuple[list[str], list[int]]:
    """Return the GPUs and the cores of a copy; on a machine with fewer cores, all of them."""
    execution = source.execution
    size = execution.get("tensor_parallel_size", 1) * execution.get("pipeline_parallel_size", 1)
    numbered = map(str, range(size * count))
    gpus = os.environ[VISIBLE].split(",") if os.environ.get(VISIBLE) else list(numbered)
    cores = sorted(os.sched_getaffinity(0))
    return gpus[copy * size : (copy + 1) * size], cores[copy::count] or cores


def run_copy(
    caller: Connection, source: ModelSource, hardware: tuple[list[str], list[int]]
) -> None:
    """Do what a caller asks for, until the connection closes: the main function of a copy."""
    gpus, cores = hardware
    os.environ[VISIBLE] = ",".join(gpus)
    os.sched_setaffinity(0, cores)
    engine = SingleVllmEngine.load(source)
    with suppress(EOFError, OSError):  # the caller is gone
        while True:
            method, arguments = caller.recv()
            try:
                for row in getattr(engine, method)(*arguments):
                    caller.send(row)
            except EngineError as error:
                caller.send({"what": error.what, "where": error.where, "fix": error.fix})
            caller.send(None)
