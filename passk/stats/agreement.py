"""Agreement of two raters who label the same things."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def cohen_kappa(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return Cohen's kappa, agreement beyond chance; nan where chance alone explains all.

    (p_o - p_e) / (1 - p_e), with p_e the sum over labels of the product of both shares.
    Source: Cohen 1960, Educational and Psychological Measurement 20 (1).

    Args:
        first: labels by one rater, shape (R,).
        second: labels of the same things by the other, shape (R,).

    >>> round(cohen_kappa(["a", "a", "b", "b"], ["a", "a", "b", "a"]), 3)
    0.5
    """
    one, two = np.asarray(first), np.asarray(second)
    if not one.size:
        return float("nan")
    labels = np.union1d(one, two)
    shares = [(side[:, None] == labels).mean(axis=0) for side in (one, two)]
    chance = float(shares[0] @ shares[1])
    return float(((one == two).mean() - chance) / (1 - chance)) if chance < 1 else float("nan")
