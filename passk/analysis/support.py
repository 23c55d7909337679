"""Support tables: which problems tuning keeps, discovers and loses, at each k."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from passk.analysis.clusters import clusters_of
from passk.analysis.pairs import Pair
from passk.analysis.study import Study
from passk.stats.support import RATES, support


def support_rows(study: Study, pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    """Yield one row per comparison and k that both models have responses for."""
    for pair in pairs:
        tuned, base = pair.both()
        ks = [k for k in study.k if k <= int(min(np.min(tuned[0]), np.min(base[0])))]
        found = support(tuned, base, ks, clusters=clusters_of(pair.counts))
        for place, k in enumerate(ks):
            rates = {
                f"{name}{end}": found.rates[name][i][place]
                for name in RATES
                for i, end in enumerate(("", "_low", "_high"))
            }
            yield {
                **pair.names(),
                "k": k,
                "preserved": found.preserved[place],
                "discovered": found.discovered[place],
                "lost": found.lost[place],
                **rates,
            }
