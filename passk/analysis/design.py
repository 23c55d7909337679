"""Design: what a study can show with its problems and responses, and what more would show.

Numbers are those of the test that the report uses (`passk.stats.power`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from passk.analysis.clusters import clusters_of
from passk.analysis.count_comparison import pair_counts
from passk.analysis.count_sets import CountSet
from passk.analysis.pairs import Pair
from passk.analysis.study import Study, read_study_table
from passk.core.errors import DataError
from passk.stats import Counts, compare, mean_pass_at_k
from passk.stats.deciding import responses_to_decide
from passk.stats.power import (
    POWER,
    STUDIES,
    band_reach,
    detectable_difference,
    problems_needed,
    responses_needed,
    simulate_problems,
)
from passk.stats.rate_mixtures import RateMixture, fit_mixture, tilt

REPORT_STUDIES = 400
"""Simulated studies per number in a report: the error of a power of 0.8 is 0.02."""

REPORT_KS = 4
"""Values of k in a report."""

MULTIPLES = (1 / 4, 1 / 2, 1, 2, 4, 8)
"""Of n: where power is computed."""

CROSSOVER_STUDIES, CROSSOVER_REPLICATES = 40, 400
"""Simulated studies at each n, and bootstrap replicates of each, for a crossover's interval."""


@dataclass(frozen=True)
class Pilot:
    """What a design starts from.

    Attributes:
        about: columns that say what is compared.
        mixture: success rates over problems.
        problems: problems of the study (of a study with clusters, as many as tell as much).
        n: responses per problem and model.
        counts: (n, c) of tuned and base where there are any.
    """

    about: Mapping[str, str]
    mixture: RateMixture
    problems: int
    n: int
    counts: tuple[Counts, Counts] | None = None

    def difference(self, k: int) -> float:
        """Return the difference of pass@k that the pilot shows, or beyond its n its mixture."""
        if self.counts is None:
            return self.mixture.difference(k)
        tuned, base = (mean_pass_at_k(n, c, [k])[0] for n, c in self.counts)
        seen = float(tuned - base)
        return self.mixture.difference(k) if np.isnan(seen) else seen


def make_pilot(
    about: Mapping[str, str], tuned: Counts, base: Counts, clusters: npt.ArrayLike | None = None
) -> Pilot:
    """Return the pilot of a base and a tuned model that answered the same problems."""
    problems = np.size(tuned[1])
    if clusters is not None:
        sizes = np.unique(np.asarray(clusters), return_counts=True)[1]
        problems = round(problems**2 / float(sizes @ sizes))
    n = int(min(np.min(tuned[0]), np.min(base[0])))
    return Pilot(about, fit_mixture(tuned, base), problems, n, (tuned, base))


def pilots_of_counts(sets: Sequence[CountSet]) -> Iterator[tuple[Pilot, list[str]]]:
    """Yield the pilot of each comparison of count files, with the ids of its problems.

    Of several seeds the first stands for all.

    Raises:
        DataError: there is no second model, or no problem in common with the base.
    """
    for pair in pair_counts(sets):
        base, tuned = pair.base[0], pair.tuned[0]
        found = make_pilot(pair.names, tuned.counts, base.counts, base.clusters())
        yield found, base.table["problem_id"].tolist()


def study_pilots(folder: Path) -> Iterator[tuple[Pilot, list[str]]]:
    """Yield the pilot of each comparison of a study that has run, with the ids of its problems.

    Args:
        folder: its folder, or the folder of tables in it.

    Raises:
        DataError: there are no tables, or no comparison in them.
    """
    tables = folder / "tables" if (folder / "tables").is_dir() else folder
    coverage, design = (read_study_table(tables, name) for name in ("coverage", "design"))
    if coverage.empty:
        raise DataError("no two models are compared", where=str(folder))
    for (base, cell), part in coverage.groupby(["base", "cell"], sort=False):
        about = {name: str(part[name].iloc[0]) for name in ("model", "benchmark", "sampler")}
        tuned, basis = ((part[f"{side}n"], part[f"{side}correct"]) for side in ("", "base_"))
        found = make_pilot({"base": str(base), "cell": str(cell), **about}, tuned, basis)
        alike = design.loc[design["cell"] == cell, "problems"]  # fewer where some are clustered
        size = int(alike.iloc[0]) if len(alike) else found.problems
        yield replace(found, problems=size), part["problem_id"].tolist()


def spread_ks(ks: Sequence[int], number: int = REPORT_KS) -> list[int]:
    """Return at most `number` values of k, first and last among them.

    >>> spread_ks([1, 2, 4, 8, 16, 32, 64, 128])
    [1, 4, 32, 128]
    """
    places = np.unique(np.rint(np.linspace(0, len(ks) - 1, number)).astype(int))
    return [ks[place] for place in places]


def design_tables(study: Study, pairs: Sequence[Pair]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a study's tables `design` and `design_power`."""
    design, power = [], []
    for pair in pairs:
        pilot = make_pilot(pair.names(), *pair.both(), clusters_of(pair.counts))
        if pilot.problems > 1 and (ks := spread_ks([k for k in study.k if k <= pilot.n])):
            design += list(design_rows(pilot, ks, studies=REPORT_STUDIES))
            power += list(power_rows(pilot, ks, studies=REPORT_STUDIES))
    return {"design": design, "design_power": power}


def design_rows(
    pilot: Pilot,
    ks: Sequence[int],
    difference: float | None = None,
    *,
    power: float = POWER,
    studies: int = STUDIES,
) -> Iterator[dict[str, Any]]:
    """Yield, per k, what the pilot's own problems and responses can show.

    Args:
        pilot: what the design starts from.
        ks: values of k up to the pilot's n.
        difference: true difference of pass@k; default: the one that the pilot shows.
        power: power of what is detectable, and needed.
        studies: simulated studies per number.
    """
    drawn = simulate_problems(pilot.mixture, pilot.n, ks)
    how: dict[str, Any] = {"power": power, "studies": studies}
    for k in ks:
        wanted = pilot.difference(k) if difference is None else difference
        yield {
            **pilot.about,
            "k": k,
            "n": pilot.n,
            "problems": pilot.problems,
            "difference": wanted,
            "power": drawn.power(k, wanted, pilot.problems, studies=studies),
            "detectable_loss": detectable_difference(drawn, k, pilot.problems, sign=-1, **how),
            "detectable_gain": detectable_difference(drawn, k, pilot.problems, sign=1, **how),
            "problems_needed": problems_needed(drawn, k, wanted, **how),
        }


def power_rows(
    pilot: Pilot,
    ks: Sequence[int],
    difference: float | None = None,
    *,
    studies: int = STUDIES,
) -> Iterator[dict[str, Any]]:
    """Yield the power at multiples of the pilot's n, per k.

    Arguments as for `design_rows`.
    """
    for n in sorted({max(1, round(multiple * pilot.n)) for multiple in MULTIPLES}):
        if not (known := [k for k in ks if k <= n]):
            continue
        drawn = simulate_problems(pilot.mixture, n, known)
        for k in known:
            wanted = pilot.difference(k) if difference is None else difference
            yield {
                **pilot.about,
                "k": k,
                "n": n,
                "problems": pilot.problems,
                "difference": wanted,
                "power": drawn.power(k, wanted, pilot.problems, studies=studies),
            }


def band_columns(pilot: Pilot, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, float]]:
    """Yield, per row of `design_rows`, the power of the band and the n that is needed."""
    drawn = simulate_problems(pilot.mixture, pilot.n, [row["k"] for row in rows])
    for row in rows:
        k, difference = row["k"], row["difference"]
        true = tilt(pilot.mixture, k, difference) or pilot.mixture
        reach = band_reach(true, pilot.n, pilot.problems)
        yield {
            "band_power": drawn.power(k, difference, pilot.problems, reach=reach),
            "responses_needed": responses_needed(pilot.mixture, k, difference, pilot.problems),
        }


def crossover_rows(pilot: Pilot, factor: float) -> Iterator[dict[str, Any]]:
    """Yield, per n, the share of studies whose crossover's interval has ends within a factor.

    From a quarter of the pilot's n to 8 n, or to the first n at which `POWER` of studies do.
    """
    mixture = pilot.mixture
    for n in (max(2, round(multiple * pilot.n)) for multiple in MULTIPLES):
        rng = np.random.default_rng(n)
        within = 0
        for study in range(CROSSOVER_STUDIES):
            kind = rng.choice(len(mixture.weights), pilot.problems, p=mixture.weights)
            tuned, base = (
                (n, rng.binomial(n, rates[kind])) for rates in (mixture.tuned, mixture.base)
            )
            found = compare(tuned, base, [1], replicates=CROSSOVER_REPLICATES, seed=study)
            _, low, high = found.crossover
            within += high <= factor * low and np.isfinite(high)
        share = within / CROSSOVER_STUDIES
        yield {**pilot.about, "n": n, "problems": pilot.problems, "factor": factor, "power": share}
        if share >= POWER:
            return


def decision_rows(pilot: Pilot, problems: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield, per problem that one model alone solves, the n that decides it; needs counts."""
    if pilot.counts is None:
        return
    (n, c), (n_base, c_base) = (
        np.broadcast_arrays(*(np.asarray(x) for x in one)) for one in pilot.counts
    )
    found = responses_to_decide((n, c), (n_base, c_base))
    for place, problem in enumerate(found.problem):
        yield {
            **pilot.about,
            "problem_id": problems[problem],
            "category": "base_only" if found.lost[place] else "tuned_only",
            "n": int(n[problem]),
            "correct": int(c[problem]),
            "base_n": int(n_base[problem]),
            "base_correct": int(c_base[problem]),
            "n_if_changed": found.n_if_changed[place],
            "n_if_same": found.n_if_same[place],
            "n_decides": found.n_decides[place],
        }
