"""Agreement of reviewers: Cohen's kappa, and the consensus label of each response."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Literal

from passk.review.labels import LabelsByResponse
from passk.review.queue import Key, Row
from passk.stats import cohen_kappa

Consensus = Literal["valid", "flawed", "unsure", "unlabelled"]


def agreement_rows(reviewers: Mapping[str, LabelsByResponse]) -> Iterator[Row]:
    """Yield one row per pair of reviewers: common responses, share of equal labels, kappa."""
    for one, other in combinations(sorted(reviewers), 2):
        both = sorted(reviewers[one].keys() & reviewers[other].keys())
        first, second = ([reviewers[name][key][0] for key in both] for name in (one, other))
        same = sum(a == b for a, b in zip(first, second, strict=True))
        yield {
            "reviewer": one,
            "other": other,
            "responses": len(both),
            "agreement": same / len(both) if both else math.nan,
            "kappa": cohen_kappa(first, second),
        }


def consensus(labels: Iterable[str]) -> Consensus:
    """Return the label that all reviewers who decided agree on, else `unsure`.

    >>> consensus(["valid", "unsure"]), consensus(["valid", "flawed"]), consensus([])
    ('valid', 'unsure', 'unlabelled')
    """
    found = set(labels)
    if not found:
        return "unlabelled"
    decided = found - {"unsure"}
    if decided == {"valid"}:
        return "valid"
    return "flawed" if decided == {"flawed"} else "unsure"


def consensus_of(reviewers: Mapping[str, LabelsByResponse], key: Key) -> Consensus:
    """Return the consensus label of one response."""
    return consensus(labels[key][0] for labels in reviewers.values() if key in labels)
