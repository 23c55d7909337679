"""Curves by difficulty: strata of one half of the base's responses, measured on the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from passk.analysis.clusters import clusters_of
from passk.analysis.pairs import Pair
from passk.analysis.study import Study
from passk.stats.strata import stratify


def difficulty_rows(study: Study, pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    """Yield a row per comparison, stratum and k up to half the base's n."""
    for pair in pairs:
        tuned, base = pair.both()
        fewest = [int(np.min(side[0])) for side in (tuned, base)]
        ks = [k for k in study.k if k <= min(fewest[0], fewest[1] // 2)]
        if not ks:
            continue
        found = stratify(tuned, base, ks, clusters=clusters_of(pair.counts))
        for name, stratum in found.items():
            for place, k in enumerate(ks):
                sides = {
                    ("base_pass_at_k", "base_low", "base_high"): stratum.base,
                    ("pass_at_k", "ci_low", "ci_high"): stratum.tuned,
                    ("delta", "delta_low", "delta_high"): stratum.delta,
                }
                yield {
                    **pair.names(),
                    "stratum": name,
                    "k": k,
                    "problems": stratum.problems,
                    **{
                        column: values[place]
                        for columns, three in sides.items()
                        for column, values in zip(columns, three, strict=True)
                    },
                }
