"""Repeated responses of a file of samples: their keys, and how improbable each of them was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from passk.stats.repeats import ALARM, count_repeats, exceeds_chance, response_keys, surprisals

COLUMNS = ("token_ids", "text", "n_tokens", "sum_logprob", "mean_entropy")
"""Columns of Sample rows that `fingerprints` looks at."""

DECISIVE = ("temperature", "top_p", "top_k", "min_p")
"""Settings without which nothing is known of a response's probability."""

HARMLESS = ("temperature", "top_p", "max_tokens", "stop", "stop_token_ids")
"""Settings under which it follows from log-probabilities; any other, unless 0, reshapes them."""

Array = npt.NDArray[Any]


def fingerprints(table: pa.Table, sampling: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return the key of each response, and its cautious surprisal under its sampler in nats.

    Responses with token ids are equal where these are, others where their text is.

    Args:
        table: Sample rows with at least `COLUMNS`.
        sampling: how they were drawn; where it does not say, nothing counts as improbable.
    """
    keys = _token_keys(table["token_ids"])
    if (keys == 0).any():
        keys = np.where(keys == 0, _text_keys(table["text"]), keys)
    if not all(isinstance(sampling.get(name), int | float) for name in DECISIVE):
        return keys, np.zeros(table.num_rows)
    surprisal = surprisals(
        table["sum_logprob"].to_numpy(),
        table["mean_entropy"].to_numpy(),
        table["n_tokens"].to_numpy(),
        temperature=sampling["temperature"],
        top_p=sampling["top_p"],
        reshaped=any(value for name, value in sampling.items() if name not in HARMLESS),
    )
    return keys, surprisal


def _token_keys(column: pa.ChunkedArray) -> Array:
    """Return the key of each list of a column; 0 for an empty one."""
    lists = column.combine_chunks()
    lengths = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    return response_keys(lists.flatten().to_numpy().astype(np.int64), lengths)


def _text_keys(column: pa.ChunkedArray) -> Array:
    """Return the key of each text of a column."""
    texts = [text.encode() for text in column.to_pylist()]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    return response_keys(np.frombuffer(b"".join(texts), dtype=np.uint8).astype(np.int64), lengths)


def count_repeats_by_problem(
    problems: Iterable[str], keys: Array, surprisal: Array
) -> dict[str, tuple[int, float]]:
    """Return, per problem, how many responses repeat another, and how many are expected to."""
    rows: dict[str, list[int]] = {}
    for row, problem in enumerate(problems):
        rows.setdefault(problem, []).append(row)
    return {problem: count_repeats(keys[at], surprisal[at]) for problem, at in rows.items()}


def has_repeat_alarm(counts: Iterable[tuple[int, float]]) -> bool:
    """Tell whether a cell's problems, or one of them, have more repeats than chance explains."""
    problems = list(counts)
    found, expected = sum(n for n, _ in problems), sum(e for _, e in problems)
    single = ALARM / max(1, len(problems))
    return exceeds_chance(found, expected) or any(
        exceeds_chance(*one, alarm=single) for one in problems
    )
