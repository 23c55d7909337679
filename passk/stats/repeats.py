"""Do responses repeat each other more often than their own log-probabilities allow?

A sampler with a fault (a seed used twice, n responses of one request that are one response) gives
repeats, and so does a model that is nearly certain: only the log-probabilities tell them apart.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats

ALARM = 1e-6
"""Chance, under correct sampling, below which repeats are an alarm."""

CAUTION = 0.1
"""Share of the entropy along a response that is counted on where filters or a temperature hide
what the response's own surprisal was. Measured least on SmolLM2-135M, 70 chains of 80 tokens at
T = 0.6 and 0.2, top_p = 0.95: 0.43 of drawn responses, 0.36 of the greedy ones."""


def surprisals(
    sum_logprob: Floats,
    mean_entropy: Floats,
    n_tokens: npt.NDArray[np.int64],
    *,
    temperature: float,
    top_p: float = 1.0,
    reshaped: bool = False,
) -> Floats:
    """Return a cautious -log(probability) of each response under the sampler, in nats; >= 0.

    The recorded log-probabilities are the model's own at temperature 1, unfiltered:

    - At temperature 1 a nucleus keeps a mass of at least top_p, so a token is at most 1 / top_p
      times as likely as recorded: -sum_logprob - n_tokens log(1 / top_p) is a bound, exact
      without a filter.
    - At any other temperature, or where another setting reshapes the distribution (top_k, min_p,
      a penalty), no useful bound follows from them. The
      entropy of the tempered distribution, which is recorded, has in sum over the tokens the same
      expectation as the response's surprisal (chain rule); filters, and being the likeliest
      response, make the surprisal smaller. A tenth of it (`CAUTION`) is used.
    - Greedy decoding repeats itself for certain: 0. So do unknown (nan) log-probabilities.
    """
    if temperature == 0:
        return np.zeros(len(n_tokens))
    if temperature == 1 and not reshaped:
        found = -sum_logprob + n_tokens * math.log(top_p)
    else:
        found = CAUTION * mean_entropy * n_tokens
    cautious: Floats = np.maximum(np.nan_to_num(found, nan=0.0, posinf=0.0), 0.0)
    return cautious


def count_repeats(keys: npt.NDArray[np.uint64], surprisal: Floats) -> tuple[int, float]:
    """Return how many responses to one problem repeat an earlier one, and how many are expected.

    Eq.: a_j = min(1, sum of exp(-surprisal_i) over the distinct responses i before j) is the
    chance that response j repeats one of them, given these; expected = sum over j of a_j. It is
    the sum over pairs of the chance of being the same, each from the responses' own
    log-probabilities, and holds for the certain and the improbable alike.

    Args:
        keys: what equal responses share, in the order of the samples.
        surprisal: of each response, in nats; too small a one only hides repeats.
    """
    _, first = np.unique(keys, return_index=True)
    new = np.zeros(len(keys))
    new[first] = np.exp(-surprisal[first])
    before = np.cumsum(new) - new
    return len(keys) - len(first), float(np.minimum(before, 1.0).sum())


def exceeds_chance(found: int, expected: float, alarm: float = ALARM) -> bool:
    """Tell whether there are more repeats than chance explains.

    Eq.: repeats are a sum of indicators with the conditional chances a_j, so P(repeats >= r and
    sum a_j <= a) <= exp(r - a - r log(r / a)) (Chernoff's bound for martingales; Freedman 1975).
    Both may be sums over problems.
    """
    if found <= expected:
        return False
    return found - expected - found * math.log(found / max(expected, 1e-300)) < math.log(alarm)


def response_keys(
    tokens: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash of each of several sequences.

    Args:
        tokens: all sequences, one after the other; ids below 2^32.
        lengths: of each sequence; an empty one has the key 0.
    """
    starts = np.cumsum(lengths) - lengths
    place = np.arange(len(tokens)) - np.repeat(starts, lengths)
    mixed = (tokens.astype(np.uint64) + np.uint64(1)) * _multipliers(int(lengths.max(initial=0)))[
        place
    ]
    sums = np.concatenate([[np.uint64(0)], np.cumsum(mixed, dtype=np.uint64)])
    found: npt.NDArray[np.uint64] = sums[starts + lengths] - sums[starts]
    return found


def _multipliers(count: int) -> npt.NDArray[np.uint64]:
    """Return an odd random 64-bit number per place of a sequence, always the same ones."""
    drawn = np.random.default_rng(0).integers(0, 2**63, count, dtype=np.uint64)
    return drawn * np.uint64(2) + np.uint64(1)
