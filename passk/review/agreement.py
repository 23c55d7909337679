"""How far reviewers agree: Cohen's kappa, and one label per response out of several."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, Literal

from passk.review.labels import Said
from passk.review.queue import Key
from passk.stats import cohen_kappa

Consensus = Literal["valid", "flawed", "unsure", "unlabelled"]


def agreement_rows(said: Mapping[str, Said]) -> Iterator[dict[str, Any]]:
    """Yield one row per two reviewers: responses that both labelled, equal labels, kappa."""
    for one, other in combinations(sorted(said), 2):
        both = sorted(said[one].keys() & said[other].keys())
        first, second = ([said[name][key][0] for key in both] for name in (one, other))
        same = sum(a == b for a, b in zip(first, second, strict=True))
        yield {
            "reviewer": one,
            "other": other,
            "responses": len(both),
            "agreement": same / len(both) if both else math.nan,
            "kappa": cohen_kappa(first, second),
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
