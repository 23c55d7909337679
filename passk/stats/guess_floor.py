"""The guess floor: how often an answer given to one problem would be right for another.

A benchmark whose answers are few or alike (small whole numbers, yes or no) is solved at large k
by guessing. What the same cell answered to the other problems of a group, held against this
problem's gold answer, says how much of pass@k that could be.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Array = npt.NDArray[Any]


def tally_classes(row: Array, classes: pa.ChunkedArray, correct: Array) -> pd.DataFrame:
    """Return how often each problem (row) was given each answer class."""
    encoded = classes.combine_chunks().dictionary_encode()
    indices = encoded.indices.fill_null(-1).to_numpy()
    hashes = _hash(encoded.dictionary.to_pylist())
    columns = {"problem": row, "answer": np.append(hashes, np.uint64(0))[indices]}
    frame = pd.DataFrame({**columns, "correct": correct})[indices >= 0]
    keys = ["problem", "answer", "correct"]
    tally: pd.DataFrame = frame.groupby(keys).size().rename("times").reset_index()
    return tally


def gold_classes(
    golds: Sequence[str], canonical: Callable[[str], str] | None
) -> list[tuple[str, ...]]:
    """Return the class names of each problem's gold answers."""
    if canonical is None:
        return [()] * len(golds)
    return [tuple(map(canonical, _answers(gold))) for gold in golds]


def _answers(gold: str) -> Iterator[str]:
    """Yield the answers of a gold (JSON): a string or number, or each of a list."""
    value = json.loads(gold)
    for answer in value if isinstance(value, list) else [value]:
        yield answer if isinstance(answer, str) else json.dumps(answer)


def guess_columns(
    groups: Array, gold: Sequence[tuple[str, ...]], classes: pd.DataFrame
) -> dict[str, Array]:
    """Return the answers of the other problems of the group, and those that equal the gold.

    A problem's gold classes are those given and those of its own correct answers.
    """
    group = pd.factorize(groups)[0]
    answers = classes.assign(group=group[classes["problem"]])
    own = _sum_by(answers, "problem", len(group))
    guess_n = _sum_by(answers, "group", int(group.max()) + 1)[group] - own
    right = pd.concat([_gold_rows(gold), answers.loc[answers["correct"], ["problem", "answer"]]])
    right = right.drop_duplicates().assign(group=lambda frame: group[frame["problem"]])
    in_group = answers.groupby(["group", "answer"])["times"].sum().reset_index()
    at_home = answers.groupby(["problem", "answer"])["times"].sum().reset_index()
    hits = _sum_by(right.merge(in_group, on=["group", "answer"]), "problem", len(group))
    home = _sum_by(right.merge(at_home, on=["problem", "answer"]), "problem", len(group))
    return {"guess_n": guess_n, "guess_correct": hits - home}


def _gold_rows(gold: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    """Return the gold classes as rows (problem, answer)."""
    pairs = [(row, name) for row, names in enumerate(gold) for name in names]
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    return pd.DataFrame({"problem": rows, "answer": _hash([name for _, name in pairs])})


def _hash(names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash per class name, the same in every run."""
    return pd.util.hash_array(np.array(names, dtype=object), categorize=False)


def _sum_by(frame: pd.DataFrame, key: str, size: int) -> Array:
    """Return the sum of `times` for each value 0..size-1 of `key`."""
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, frame[key].to_numpy(), frame["times"].to_numpy())
    return total
