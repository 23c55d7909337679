"""Confirmation by fresh draws on studies with known truth: wrong decisions, power, draws saved.

    python perf/confirmation.py --studies 1000

Each study has 500 problems and n = 128 first responses of both models. Its lost and gained
problems are drawn again, up to 1,024 times from each model. Columns: problems drawn again, and
refuted, mean; `wrong`, the share of studies that confirm a problem whose solver has no higher rate
(stated: 5 % at most); `known`, the share confirmed of problems that the other model cannot solve;
`fixed n`, the same by Fisher's exact test and Holm on all 1,024 responses; `drawn`, the share of a
fixed n's responses.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from passk.stats import Floats, Ints, change_p_values, holm
from passk.stats.confirmation import FAMILYWISE_ERROR, decide, select_kinds

PROBLEMS, FIRST, MOST = 500, 128, 1024
Rates = Callable[[np.random.Generator], tuple[Floats, Floats]]


def identical(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return (base, tuned) rates of a model compared with itself: all that is lost is luck."""
    rates = rng.beta(0.25, 1.0, PROBLEMS)
    return rates, rates


def rare_alike(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return equal rates between 0.1 and 1 %: as many selected problems as can be, all by luck."""
    rates = rng.uniform(0.001, 0.01, PROBLEMS)
    return rates, rates


def sharpened(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return rates of a tuned model that lifts the likely and sinks the unlikely, never to 0."""
    base = rng.beta(0.25, 1.0, PROBLEMS)
    return base, base**1.9 / (base**1.9 + (0.45 * (1 - base)) ** 1.9)


def unlearned(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the same with 5 % of the problems that the base solves lost for good, 2 % gained."""
    base, tuned = sharpened(rng)
    chance = rng.random(PROBLEMS)
    tuned = np.where((chance < 0.05) & (base < 0.2), 0.0, tuned)
    base = np.where(chance > 0.98, 0.0, base)
    return base, np.where(chance > 0.98, rng.uniform(0.002, 0.1, PROBLEMS), tuned)


def study(rates: Rates, rounds: int, rng: np.random.Generator) -> Ints:
    """Return selected, wrong, known, confirmed, these at fixed n, refuted, drawn of one study."""
    base, tuned = rates(rng)
    first = [(np.full(PROBLEMS, FIRST), rng.binomial(FIRST, rate)) for rate in (tuned, base)]
    kinds = select_kinds(*first)
    chosen, lost = kinds != "", kinds == "lost"
    solver = np.where(lost, base, tuned)[chosen]
    other = np.where(lost, tuned, base)[chosen]
    won, gone = np.zeros((2, rounds, len(solver)), dtype=np.int64)
    open_ = np.full(len(solver), fill_value=True)
    drawn = 0
    for number in range(rounds):
        each = MOST // rounds
        won[number] = np.where(open_, rng.binomial(each, solver), 0)
        gone[number] = np.where(open_, rng.binomial(each, other), 0)
        drawn += each * int(open_.sum())
        decisions = decide(won, gone)[0]
        open_ = decisions == "open"
    confirmed, known = decisions == "confirmed", (solver > other) & (other == 0)
    whole = [(np.full(len(solver), MOST), rng.binomial(MOST, rate)) for rate in (solver, other)]
    fisher = holm(change_p_values(*whole)) <= FAMILYWISE_ERROR if len(solver) else confirmed
    return np.array([
        len(solver), (confirmed & (solver <= other)).any(), known.sum(), (confirmed & known).sum(),
        (fisher & known).sum(), (decisions == "refuted").sum(), drawn,
    ])  # fmt: skip


def main() -> None:
    """Print a row per scenario and number of rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--rounds", type=int, nargs="+", default=[1, 4, 8])
    options = parser.parse_args()
    print("| rates | rounds | selected | refuted | wrong | known | fixed n | drawn |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for rates in (identical, rare_alike, sharpened, unlearned):
        for rounds in options.rounds:
            rng = np.random.default_rng(rounds)
            found = np.array([study(rates, rounds, rng) for _ in range(options.studies)])
            chosen, wrong, known, right, fixed, refuted, drawn = found.mean(axis=0)
            shares = [f"{part / known:.2f}" if known else "" for part in (right, fixed)]
            print(
                f"| {rates.__name__} | {rounds} | {chosen:.1f} | {refuted:.1f} | {wrong:.3f} "
                f"| {' | '.join(shares)} | {drawn / (MOST * chosen):.2f} |"
            )


if __name__ == "__main__":
    main()
