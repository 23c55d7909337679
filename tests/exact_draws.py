"""Draws of next tokens against the filtered softmax as its definition says."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from passk.engines.base import Sampling

DRAWS = 20_000

LARGE = bool(os.environ.get("PASSK_TEST_LARGE"))

REQUESTS = DRAWS if LARGE else 800
"""Draws where each is a request of its own to vLLM or its server."""


def settings_of_draws() -> list[Sampling]:
    """Each setting that shapes the distribution, alone and together."""
    together = Sampling(temperature=0.8, top_k=50, top_p=0.8, min_p=0.02, max_tokens=1)
    alone = [
        Sampling(max_tokens=1),
        Sampling(temperature=0.6, max_tokens=1),
        Sampling(temperature=1.5, top_p=0.9, max_tokens=1),
        Sampling(top_k=5, max_tokens=1),
        Sampling(min_p=0.05, max_tokens=1),
    ]
    return [*(alone if LARGE else alone[:3:2]), together]


def exact_distribution(
    logits: np.ndarray, sampling: Sampling, *, min_p_first: bool = False
) -> np.ndarray:
    """The filtered softmax, written as its definition says, in float64.

    vLLM applies min_p before top_k and top_p, transformers after them.
    """
    p = np.exp(logits / sampling.temperature - np.max(logits / sampling.temperature))
    if min_p_first:
        p[p < sampling.min_p * p.max()] = 0
    order = np.argsort(-p, kind="stable")
    if sampling.top_k:
        p[order[sampling.top_k :]] = 0
    p /= p.sum()
    if sampling.top_p < 1:
        before = np.cumsum(p[order]) - p[order]
        p[order[before >= sampling.top_p]] = 0
    p[p < sampling.min_p * p.max()] = 0
    return p / p.sum()


def check_draws(drawn: Mapping[int, int], exact: np.ndarray) -> None:
    """Chi-squared test of counts by token; tokens that are expected rarely are counted together."""
    from scipy.stats import chisquare

    expected = exact * sum(drawn.values())
    seen = np.bincount(list(drawn), weights=list(drawn.values()), minlength=len(exact))
    assert seen[expected == 0].sum() == 0
    rare = expected < 5
    observed = np.append(seen[~rare], seen[rare].sum())
    wanted = np.append(expected[~rare], expected[rare].sum())
    kept = wanted > 0
    if kept.sum() > 1:
        assert chisquare(observed[kept], wanted[kept]).pvalue > 1e-3
