"""`passk design`: how many problems and responses show a difference, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.cli.command import Group, command, option
from passk.cli.compare_command import COUNTS
from passk.cli.options import number_within, output, whole_number
from passk.core.errors import PasskError
from passk.core.progress import duration

if TYPE_CHECKING:
    from passk.analysis.design import Pilot

ASSUMED = (0.6, 1.4, 0.2, 0.2)
"""A, B, NEVER and MOVED without a pilot."""

DIFFERENCE = -0.05
"""Difference that a design without a pilot is for."""

SHOWN_KS = 8
"""Values of k without --k."""

POINTS = number_within(-1, 1, "a difference of pass@k, such as -0.03 (a loss of 3 points)")
PRICE = number_within(0, math.inf, "a price")


@command(
    Group.DATA,
    "how many problems and responses show a difference, with which power, at which cost",
    "passk design base.jsonl grpo.jsonl --difference -0.03 -o design",
    option("pilot", nargs="*", help=f"spec or results folder of a study, or two files: {COUNTS}"),
    option(
        "--assume", type=number_within(0, 1000, "a number"), nargs=4,
        metavar=("A", "B", "NEVER", "MOVED"),
        help="instead of a pilot: success rates are beta(A, B), a share NEVER of problems is never "
        "solved, and of a share MOVED of the others the tuned model's rate is another one",
    ),
    option("--k", type=whole_number, nargs="+", help="values of k (default: from 1 to n)"),
    option("--difference", type=POINTS, help="of pass@k, such as -0.03 (default: as the pilot's)"),
    option("--problems", type=whole_number, help="of the new study (default: as the pilot)"),
    option("--n", type=whole_number, help="responses per problem (default: as the pilot)"),
    option(
        "--crossover-within", type=number_within(1, math.inf, "a factor above 1"), metavar="FACTOR",
        help="find the n at which a crossover's interval has ends within this factor",
    ),
    option("--decide", action="store_true", help="find the n that decides each lost and gained "
           "problem"),
    option("--spec", type=Path, metavar="FILE", help="say what n responses cost in this study"),
    option("--hour-price", type=PRICE, default=0.0, help="of an hour of one job"),
    option("--token-price", type=PRICE, default=0.0, help="of a million response tokens"),
    output("folder for tables and figure"),
)  # fmt: skip
def design(*, pilot: list[str], output: Path, **settings: Any) -> None:
    """Find what a study can show and what more would show; write tables and a figure."""
    import pandas as pd

    from passk.analysis.table_files import write_tables

    spec = settings["spec"] or next((Path(p) for p in pilot if p.endswith((".yaml", ".yml"))), None)
    tables: dict[str, list[dict[str, Any]]] = {}
    figures = []
    for number, (one, problems) in enumerate(_pilots(pilot, spec, settings), start=1):
        found = dict(_design(one, problems, settings))
        for name, rows in found.items():
            tables.setdefault(name, []).extend(rows)
        figures.append((found["power"], one, output / f"power-{number}"))
    if spec:
        sizes = sorted({row["n"] for row in tables["power"]})
        tables["cost"] = list(_costs(spec, sizes, settings["hour_price"], settings["token_price"]))
    write_tables({name: pd.DataFrame(rows) for name, rows in tables.items()}, output)
    for figure in figures:
        _draw(*figure)
    print("\n".join(line for name, rows in tables.items() for line in _describe(name, rows)))
    print(f"written: {output / 'design.csv'}, {output / 'power-1.svg'}")


def _pilots(
    sources: Sequence[str], spec: Path | None, settings: dict[str, Any]
) -> Iterator[tuple[Pilot, list[str]]]:
    """Yield every comparison of the pilot at the new study's size, with the ids of its problems."""
    from passk.analysis.design import pilots_of_counts, study_pilots
    from passk.interop.count_files import load_comparison

    size = {name: settings[name] for name in ("problems", "n") if settings[name]}
    if settings["assume"] or not sources:
        found = _assumed(spec, settings["assume"] or ASSUMED, size)
    elif spec and str(spec) == sources[0]:
        found = _spec_pilots(spec, size)
    elif Path(sources[0]).is_dir():
        found = study_pilots(Path(sources[0]))
    else:
        found = pilots_of_counts(load_comparison(sources[0], sources[1:]))
    for pilot, problems in found:
        yield replace(pilot, **size), problems


def _spec_pilots(spec: Path, size: dict[str, int]) -> Iterator[tuple[Pilot, list[str]]]:
    """Yield the comparisons of a study that has run, else of the study as it is planned."""
    from passk.analysis.design import study_pilots
    from passk.spec.loading import load_experiment
    from passk.workflow.paths import Layout

    experiment = load_experiment(spec)
    folder = Path(Layout(experiment.outputs).experiment(experiment.name, "tables"))
    return study_pilots(folder) if folder.is_dir() else _assumed(spec, ASSUMED, size)


def _assumed(
    spec: Path | None, shape: Sequence[float], size: dict[str, int]
) -> Iterator[tuple[Pilot, list[str]]]:
    """Yield a pilot of assumed success rates, per benchmark of a spec if there is one."""
    from passk.analysis.design import Pilot
    from passk.stats.rate_mixtures import assume_mixture

    a, b, never, moved = shape
    if not (a and b and never < 1 and moved <= 1):
        message = "--assume: A and B are above 0, NEVER and MOVED are shares"
        raise PasskError(message, fix="such as --assume 0.6 1.4 0.2 0.2")
    mixture = assume_mixture((a, b), never, moved)
    if spec:
        from passk.workflow import build_plan

        cells = build_plan(spec).cells.values()
        for name, n, problems in dict.fromkeys(
            (cell.use.name, cell.use.n, cell.identity.problems) for cell in cells
        ):
            yield Pilot({"benchmark": name}, mixture, problems or size.get("problems", 100), n), []
    elif len(size) < 2:  # noqa: PLR2004 - both
        fix = "give a pilot, or --problems and --n"
        raise PasskError("nothing to design from", where="design", fix=fix)
    else:
        yield Pilot({}, mixture, size["problems"], size["n"]), []


def _design(
    pilot: Pilot, problems: list[str], settings: dict[str, Any]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the tables of one comparison: name and rows."""
    from passk.analysis.design import (
        band_columns,
        crossover_rows,
        decision_rows,
        design_rows,
        power_rows,
        spread_ks,
    )

    wanted = settings["difference"] or (None if pilot.counts else DIFFERENCE)
    powers = [k for k in (2**power for power in range(21)) if k < pilot.n]
    ks = settings["k"] or [*spread_ks(powers, SHOWN_KS - 1), pilot.n]
    if max(ks) > pilot.n:
        fix = f"k is at most the number of responses: {pilot.n} (or --n)"
        raise PasskError(f"k = {max(ks)} is above n", where="design", fix=fix)
    rows = list(design_rows(pilot, ks, wanted))
    extra = band_columns(pilot, rows)
    yield "design", [{**row, **more} for row, more in zip(rows, extra, strict=True)]
    yield "power", list(power_rows(pilot, ks, wanted))
    if settings["crossover_within"]:
        yield "crossover", list(crossover_rows(pilot, settings["crossover_within"]))
    if settings["decide"]:
        yield "decisions", list(decision_rows(pilot, problems))


def _costs(
    spec: Path, sizes: Sequence[int], hour_price: float, token_price: float
) -> Iterator[dict[str, Any]]:
    """Yield what all responses of a study cost, per number of responses to a problem."""
    from passk.workflow import build_plan
    from passk.workflow.resources.cost import gpus, rates

    plan = build_plan(spec)
    drawn = [cell for cell in plan.cells.values() if cell.imported is None]
    costs = [(cell, cell.identity.problems or 0, rates(plan, cell)) for cell in drawn]
    for n in sizes:
        tokens = sum(n * problems * cost.tokens for _, problems, cost in costs)
        hours = [n * problems * cost.seconds / 3600 for _, problems, cost in costs]
        yield {
            "n": n,
            "responses": sum(n * problems for _, problems, _ in costs),
            "tokens": round(tokens),
            "hours": sum(hours),
            "gpu_hours": sum(
                time * gpus(cell.model)
                for time, (cell, _, _) in zip(hours, costs, strict=True)
                if cell.model.engine == "vllm"
            ),
            "price": sum(hours) * hour_price + tokens * token_price / 1e6,
        }


def _draw(rows: Sequence[Mapping[str, Any]], pilot: Pilot, stem: Path) -> None:
    """Write the figure of a comparison: power against n."""
    import pandas as pd

    from passk.report.figures import style
    from passk.report.figures.design import power_figure

    title = ", ".join(pilot.about[name] for name in ("model", "benchmark") if pilot.about.get(name))
    with style.styled():
        style.save(power_figure(pd.DataFrame(rows), pilot.n, title), stem)


def _describe(name: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table in words."""
    match name:
        case "design":
            yield from map(_describe_design, rows)
        case "crossover":
            yield from map(_describe_crossover, rows)
        case "decisions":
            yield from _describe_decisions(rows)
        case "cost":
            yield from map(_describe_cost, rows)


def _who(row: Mapping[str, Any]) -> str:
    """Return what a row is about, as the start of a line."""
    names = [str(row[name]) for name in ("model", "benchmark") if row.get(name)]
    return f"{', '.join(names)}: " if names else ""


def _points(value: float) -> str:
    """Return a difference in points, or none."""
    return "none" if math.isnan(value) else f"{100 * value:+.1f}"


def _describe_design(row: Mapping[str, Any]) -> str:
    """Return what a study shows at one k."""
    problems, responses = (
        f"{row[name]:,.0f}" if math.isfinite(row[name]) else "none"
        for name in ("problems_needed", "responses_needed")
    )
    return (
        f"{_who(row)}k = {row['k']}, {row['problems']} problems x {row['n']}: "
        f"{_points(row['difference'])} points are shown with power {row['power']:.2f} "
        f"(by the band over all k {row['band_power']:.2f}); with power 0.8 "
        f"{_points(row['detectable_loss'])} or {_points(row['detectable_gain'])} would be. "
        f"For power 0.8: {problems} problems, or n = {responses}"
    )


def _describe_crossover(row: Mapping[str, Any]) -> str:
    """Return how often a crossover's interval is narrow enough."""
    return (
        f"{_who(row)}n = {row['n']}: the crossover's interval is within a factor of "
        f"{row['factor']:g} in {100 * row['power']:.0f} % of studies"
    )


def _describe_decisions(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield, per comparison and direction, how many problems each n decides."""
    groups: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        side = "lost" if row["category"] == "base_only" else "gained"
        groups.setdefault((_who(row), side), []).append(row["n_decides"])
    for (who, side), found in groups.items():
        known = sorted({math.ceil(n) for n in found if math.isfinite(n)})
        steps = sorted({1 << (n - 1).bit_length() for n in known})
        counts = [f"n = {step}: {sum(n <= step for n in found)}" for step in steps]
        open_ = sum(math.isinf(n) for n in found)
        rest = [f"not by any n that was tried: {open_}"] if open_ else []
        yield f"{who}of {len(found)} {side} problems are decided by {', '.join([*counts, *rest])}"


def _describe_cost(row: Mapping[str, Any]) -> str:
    """Return what n responses cost."""
    price = f", price {row['price']:,.2f}" if row["price"] else ""
    gpu = f", {row['gpu_hours']:,.1f} GPU-hours" if row["gpu_hours"] else ""
    return (
        f"n = {row['n']} costs {row['responses']:,} responses, {row['tokens']:,} tokens, "
        f"{duration(row['hours'] * 3600)} of one job at a time{gpu}{price}"
    )
