"""Forward passes in parallel, each on its own core.

Threads that share one pass wait for each other at each of its thousand operations; threads that
take a pass each never do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Load = TypeVar("Load")
Result = TypeVar("Result")

MAX_WORKERS = 8
"""Passes at once at the most: each needs memory for its activations."""

STATEFUL_ROPES = {"dynamic", "longrope"}
"""Rotary embeddings that keep what they have seen of lengths, so that passes would disturb them."""


def max_workers(model: torch.nn.Module) -> int:
    """Return how many passes the model can take at once: one on a GPU, which one keeps busy."""
    ropes: set[str] = set()
    for module in model.modules():
        kind = getattr(module, "rope_type", None)
        ropes |= set(kind.values()) if isinstance(kind, dict) else {str(kind)}
    return 1 if model.device.type != "cpu" or ropes & STATEFUL_ROPES else MAX_WORKERS


def map_parallel(
    work: Callable[[Load], Result], loads: Sequence[Load], workers: int
) -> Iterator[Result]:
    """Yield the result of each load, in order; the process's threads are split over the workers.

    Gradients are switched off, which holds for one thread at a time.
    """
    work = torch.no_grad()(work)
    threads = torch.get_num_threads()
    workers = min(threads, workers, len(loads))
    if workers <= 1:
        yield from map(work, loads)
        return
    pool = ThreadPoolExecutor(
        workers, "passk-forward", torch.set_num_threads, (threads // workers,)
    )
    try:
        yield from pool.map(work, loads)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # else later threads get a worker's number
