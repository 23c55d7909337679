"""How far reviewers agree: Cohen's kappa, and one label per response out of several."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

from passk.review.labels import Said
from passk.review.queue import Key

Consensus = Literal["valid", "flawed", "unsure", "unlabelled"]


def kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Return Cohen's kappa of two people's labels of the same things; nan where it is undefined.

    (p_o - p_e) / (1 - p_e), with p_e the sum over labels of the product of both shares.
    Source: Cohen 1960, Educational and Psychological Measurement 20 (1).
    """
    if not pairs:
        return math.nan
    total = len(pairs)
    first, second = (Counter(side) for side in zip(*pairs, strict=True))
    same = sum(a == b for a, b in pairs) / total
    chance = sum(first[label] * second[label] for label in first) / total**2
    return (same - chance) / (1 - chance) if chance < 1 else math.nan


def agreement_rows(said: Mapping[str, Said]) -> Iterator[dict[str, Any]]:
    """Yield one row per two reviewers: responses that both labelled, equal labels, kappa."""
    for one, other in combinations(sorted(said), 2):
        both = sorted(said[one].keys() & said[other].keys())
        pairs = [(said[one][key][0], said[other][key][0]) for key in both]
        share = sum(a == b for a, b in pairs) / len(pairs) if pairs else math.nan
        yield {
            "reviewer": one,
            "other": other,
            "responses": len(pairs),
            "agreement": share,
            "kappa": kappa(pairs),
        }


def consensus(labels: Iterable[str]) -> Consensus:
    """Return one label out of several people's: what all who decided say, else `unsure`.

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


def agreed(said: Mapping[str, Said], key: Key) -> Consensus:
    """Return what the reviewers say together of one response."""
    return consensus(labels[key][0] for labels in said.values() if key in labels)
