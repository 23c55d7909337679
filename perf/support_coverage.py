"""Do intervals of support, diversity and difficulty hold, and how far off are estimates?

    python perf/support_coverage.py --studies 1000

Synthetic studies with known truth; prints the tables of docs/analysis.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np

from passk.stats import Floats, pass_at_k
from passk.stats.bootstrap import student_interval
from passk.stats.diversity import answer_entropy, diversity
from passk.stats.strata import EDGES, STRATA, stratify
from passk.stats.support import RATES, support

N = 64
KS = (1, 8, 64)
ANSWERS = 30


def rates(lost: float, gained: float, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return success rates of base and tuned; 30 % of problems are never solved but for gains."""
    hard = rng.random(size) < 0.3
    base = np.where(hard, 0.0, rng.beta(0.6, 1.0, size))
    tuned = base**1.5 / (base**1.5 + 0.4 * (1 - base) ** 1.5)
    draw = rng.random(size)
    tuned = np.where(~hard & (draw < lost), 0.0, tuned)
    return base, np.where(hard & (draw < gained), rng.uniform(0.02, 0.3, size), tuned)


def truth(base: Floats, tuned: Floats) -> dict[str, Floats]:
    """Return the rates of a whole population at each of `KS`."""
    b, t = (1 - (1 - side[:, None]) ** np.array(KS) for side in (base, tuned))
    kept, found, lost = ((x).mean(axis=0) for x in (b * t, (1 - b) * t, b * (1 - t)))
    srr, ndr = kept / (kept + lost), found / (kept + found)
    sds = 2 * srr * ndr / (srr + ndr)
    return {"srr": srr, "ndr": ndr, "sds": sds, "nscr": (found - lost) / (kept + found + lost)}


def support_rows(studies: int) -> Iterator[str]:
    """Yield, per setting, the smallest and largest coverage over k of each rate."""
    for lost, gained in ((0.0, 0.0), (0.02, 0.0), (0.05, 0.1), (0.2, 0.02)):
        for problems in (30, 100, 500):
            rng = np.random.default_rng(problems)
            people = rates(lost, gained, 100_000, rng)
            true = truth(*people)
            held = np.zeros((len(RATES), len(KS)))
            for _ in range(studies):
                chosen = rng.integers(len(people[0]), size=problems)
                base, tuned = ((N, rng.binomial(N, side[chosen])) for side in people)
                found = support(tuned, base, KS)
                for row, name in enumerate(RATES):
                    _, low, high = found.rates[name]
                    held[row] += (low <= true[name] + 1e-12) & (true[name] <= high + 1e-12)
            shares = [f"{r.min():.3f}-{r.max():.3f}" for r in held / studies]
            yield f"| {100 * lost:g} % | {100 * gained:g} % | {problems} | {' | '.join(shares)} |"


def entropy_rows(studies: int) -> Iterator[str]:
    """Yield, per n and kind of answers, the true entropy, and the mean of both estimates."""
    rng = np.random.default_rng(0)
    kinds = {
        "3 answers": np.array([0.5, 0.3, 0.2]),
        "one at 90 %, 10 rare": np.array([0.9] + [0.01] * 10),
        "200 alike": np.full(200, 1 / 200),
        "zipf, 1000": 1 / np.arange(1, 1001),
    }
    for name, shares in kinds.items():
        chances = shares / shares.sum()
        true = -(chances * np.log(chances)).sum()
        for n in (16, 64, 256):
            found = []
            for _ in range(studies):
                times = rng.multinomial(n, chances)
                times = times[times > 0]
                plain = -(times / n * np.log(times / n)).sum()
                found.append((plain, answer_entropy(times)))
            plain, ours = np.mean(found, axis=0)
            yield f"| {name} | {n} | {true:.3f} | {plain:.3f} | {ours:.3f} |"


def diversity_row(problems: int, studies: int) -> str:
    """Return how often Student's interval of each mean holds the mean of the estimates."""
    rng = np.random.default_rng(problems)

    def study(size: int) -> Floats:
        shares = rng.dirichlet(np.full(ANSWERS, 0.15), size)
        counts = [rng.multinomial(N, share) for share in shares]
        return diversity([times[times > 0] for times in counts], N // 2)

    true = study(20_000).mean(axis=0)
    held = np.zeros(3)
    for _ in range(studies):
        _, low, high = student_interval(study(problems))
        held += (low <= true) & (true <= high)
    return f"| {problems} | {' | '.join(f'{share:.3f}' for share in held / studies)} |"


def strata_rows(studies: int, problems: int = 100) -> Iterator[str]:
    """Yield, per stratum, coverage, and the difference at k = 8: true and as estimated."""
    rng = np.random.default_rng(1)
    size, half, ks = 40_000, N // 2, np.array([1, 8, N // 2])
    base = np.where(rng.random(size) < 0.3, rng.beta(0.5, 60, size), rng.beta(0.6, 1.0, size))
    tuned = base**1.5 / (base**1.5 + 0.4 * (1 - base) ** 1.5)
    tuned = np.where(rng.random(size) < 0.05, 0.0, tuned)
    hits = np.arange(half + 1)
    ways = np.array([math.comb(half, int(h)) for h in hits], dtype=float)
    chances = ways * base[:, None] ** hits * (1 - base[:, None]) ** (half - hits)
    places = np.searchsorted(EDGES, hits / half)
    true = {}
    for place, name in enumerate(STRATA):
        weight = chances[:, places == place].sum(axis=1)
        b, t = (weight @ (1 - (1 - side[:, None]) ** ks) / weight.sum() for side in (base, tuned))
        true[name] = np.stack([b, t, t - b])
    held = {name: np.zeros((3, len(ks))) for name in STRATA}
    ours, naive = ({name: [] for name in STRATA} for _ in range(2))
    for _ in range(studies):
        chosen = rng.integers(size, size=problems)
        c_base, c_tuned = (rng.binomial(N, side[chosen]) for side in (base, tuned))
        for name, one in stratify((N, c_tuned), (N, c_base), ks).items():
            sides = np.array([one.base, one.tuned, one.delta])
            held[name] += (sides[:, 1] <= true[name] + 1e-12) & (true[name] <= sides[:, 2] + 1e-12)
            ours[name].append(one.delta[0][1])
        apart = pass_at_k(N, c_tuned, [8]) - pass_at_k(N, c_base, [8])
        same = np.searchsorted(EDGES, c_base / N)
        for place, name in enumerate(STRATA):
            if (same == place).any():
                naive[name].append(apart[same == place].mean())
    for name in STRATA:
        low = (held[name] / studies).min(axis=1)
        means = (100 * true[name][2][1], 100 * np.mean(ours[name]), 100 * np.mean(naive[name]))
        yield (
            f"| {name} | {' | '.join(f'{share:.3f}' for share in low)} "
            f"| {' | '.join(f'{mean:+.1f}' for mean in means)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    print("| lost | gained | problems | SRR | NDR | SDS | NSCR |\n|---|---|---|---|---|---|---|")
    print("\n".join(support_rows(studies)))
    print("\n| answers | n | entropy | plain | passk |\n|---|---|---|---|---|")
    print("\n".join(entropy_rows(studies)))
    heads = "stratum | base | tuned | difference | true | by halves | by the same responses"
    print(f"\n| {heads} |\n|{'---|' * 7}")
    print("\n".join(strata_rows(min(studies, 500))))
    print("\n| problems | distinct answers | differing pairs | entropy |\n|---|---|---|---|")
    for problems in (30, 100):
        print(diversity_row(problems, min(studies, 300)))


if __name__ == "__main__":
    main()
