"""Intervals, bands, extrapolation and corrections against independent computations."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from paper_study import MATH500, make_paper_study
from scipy import stats

import passk
from passk.analysis.clusters import clusters_of
from passk.analysis.study import read_plan
from passk.analysis.tables import aggregate
from passk.core.errors import SpecError
from passk.report.figures import draw
from passk.report.figures.figure_kinds import GRID, KINDS, TRAINING
from passk.spec.loading import load_experiment, shipped_specs
from passk.spec.yaml_lines import read_yaml
from passk.stats import (
    ResamplingUnits,
    change_p_values,
    compare,
    estimate_curve,
    extrapolate,
    extrapolate_difference,
    flag,
    holm,
    mean_pass_at_k,
    paired_units,
    t_quantile,
)
from passk.stats.extrapolation import RATES, _with_rises, likeliest_mixture
from passk.stats.intervals import percentiles, sup_t_quantile, tail
from passk.stats.resampling import add_unseen_changes, unseen_size
from passk.stats.score_intervals import difference_interval


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 10, 29, 499])
def test_the_quantile_of_t_is_scipys(freedom: int) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_tails_move_outward_with_few_problems_and_not_with_many() -> None:
    expected = stats.norm.cdf(-np.sqrt(30 / 29) * stats.t.ppf(0.975, 29))
    assert tail(0.95, 30) == pytest.approx(expected, rel=1e-3)
    assert tail(0.95, 10_000) == pytest.approx(0.025, rel=2e-3)
    assert tail(0.95, 1) == 0
    replicates = np.arange(1001.0)[:, None]
    assert percentiles(replicates, 0.95, 10**6)[:, 0] == pytest.approx([25, 975], abs=0.1)


def test_units_are_drawn_as_often_as_they_occur_fractions_too() -> None:
    times = np.array([3.0, 1.0, 40.0, 0.2, 0.2])
    units = ResamplingUnits(np.eye(5), np.ones(5), times)
    alike = ResamplingUnits(np.eye(5), np.ones(5), 10 * times)
    for one in (units, alike):
        drawn = np.concatenate(list(one.draws(20_000, 1)))
        assert (drawn.sum(axis=1) == one.number).all()
        share = one.times / one.times.sum()
        error = np.sqrt(share * (1 - share) / one.number / 20_000)
        assert (np.abs(drawn.mean(axis=0) / one.number - share) < 5 * error).all()


def test_the_bca_interval_is_scipys() -> None:
    c = np.random.default_rng(4).binomial(16, np.random.default_rng(5).beta(0.3, 2, 400))
    ours = estimate_curve(16, c, [1, 4], method="bca")
    plain = estimate_curve(16, c, [1, 4])
    theirs = stats.bootstrap(
        (c / 16,), np.mean, method="BCa", n_resamples=10_000, random_state=np.random.default_rng(0)
    ).confidence_interval
    assert ours.low[0] == pytest.approx(theirs.low, abs=0.004)
    assert ours.high[0] == pytest.approx(theirs.high, abs=0.001)
    assert ours.low[0] > plain.low[0]


def test_bca_bears_what_has_no_spread_and_what_is_undefined() -> None:
    curve = estimate_curve(4, [4] * 8, [1, 4, 8], method="bca", replicates=200)
    assert curve.high.tolist()[:2] == [1, 1]
    assert 0 < curve.low[0] < 1
    assert np.isnan(curve.low[2])


def test_the_delta_of_clusters_is_as_wide_as_that_of_their_number() -> None:
    rng = np.random.default_rng(0)
    c = rng.binomial(16, rng.beta(1, 1, 40))
    base, tuned = c, np.minimum(16, c + rng.integers(0, 4, 40))
    five = (np.repeat(base, 5), np.repeat(tuned, 5))
    names = np.repeat(np.arange(40), 5)
    few = compare((16, tuned), (16, base), [1, 4])
    whole = compare((16, five[1]), (16, five[0]), [1, 4], clusters=names)
    loose = compare((16, five[1]), (16, five[0]), [1, 4])
    width = [found.high - found.low for found in (few, whole, loose)]
    assert width[1] == pytest.approx(width[0], rel=0.1)
    assert (width[1] > 1.8 * width[2]).all()
    bands = [found.band_high - found.band_low for found in (few, whole)]
    assert bands[1] == pytest.approx(bands[0], rel=0.15)


def test_extrapolation_holds_the_truth_whatever_the_tail_is() -> None:
    rng = np.random.default_rng(2)

    def tail_of(size: int) -> np.ndarray:
        return np.exp(rng.uniform(np.log(1e-4), 0, size))

    truth = [1 - ((1 - tail_of(10**5)) ** k).mean() for k in (64, 256)]
    found = extrapolate((64, rng.binomial(64, tail_of(500))), [64, 256], replicates=500)
    assert found.fits
    assert found.value == pytest.approx(truth, abs=0.06)
    assert (found.low < truth).all()
    assert (truth < found.high).all()
    width = found.high - found.low
    assert width[0] < 0.16
    assert width[0] < width[1] < 0.45


def test_extrapolation_is_what_some_mixture_of_rates_would_give() -> None:
    n, unsolved = 16, np.repeat([0, 16], [50, 150])
    found = extrapolate((n, unsolved), [16, 64], replicates=500)
    assert found.value == pytest.approx([0.75, 0.75], abs=0.01)
    assert found.high[1] > found.high[0] + 0.05  # rates that 16 responses hardly ever show
    more = extrapolate((4 * n, 4 * unsolved), [64], replicates=500)
    assert more.high[0] < found.high[1] - 0.05


def test_a_difference_beyond_n_holds_and_is_narrower_than_that_of_two_curves() -> None:
    rng = np.random.default_rng(4)
    base, tuned = rng.beta(0.5, 1, (2, 300))
    tuned = np.where(rng.random(300) < 0.8, base, tuned)
    counts = [(32, rng.binomial(32, rates)) for rates in (tuned, base)]
    found = extrapolate_difference(*counts, [32, 64], replicates=500)
    truth = [((1 - base) ** k).mean() - ((1 - tuned) ** k).mean() for k in (32, 64)]
    one, other = (extrapolate(side, [32, 64], replicates=500) for side in counts)
    assert (found.low < truth).all()
    assert (truth < found.high).all()
    assert (found.high - found.low < one.high - one.low + other.high - other.low).all()
    units = _with_rises(paired_units(*counts, [1, 2, 4, 8, 16, 32]))
    sizes = [
        np.append(size, size[1:])
        for size in (unseen_size([side], [1, 2, 4, 8, 16, 32]) for side in counts[::-1])
    ]
    reach = sup_t_quantile(add_unseen_changes(units, *sizes), 1 - 0.05 / 3, 500)
    paired = difference_interval(units, *sizes, reach)[:, 5]
    assert [found.low[0], found.high[0]] == pytest.approx(paired, abs=1e-4)
    back = extrapolate_difference(*counts[::-1], [32, 64], replicates=500)
    assert back.low == pytest.approx(-found.high, abs=0.01)
    assert back.value == pytest.approx(-found.value)


def test_extrapolation_begins_at_the_smallest_n() -> None:
    n = np.repeat([8, 32], 100)
    c = np.random.default_rng(0).binomial(n, 0.1)
    found = extrapolate((n, c), [8, 32], replicates=200)
    assert found.fits
    assert found.low[0] < mean_pass_at_k(n, c, [8])[0] < found.high[0]
    assert found.value == pytest.approx([1 - 0.9**8, 1 - 0.9**32], abs=0.05)


def test_the_likeliest_mixture_is_the_one_that_made_the_counts() -> None:
    c = np.random.default_rng(1).binomial(100, np.repeat([0.0, 0.3, 1.0], [200, 300, 500]))
    weights = likeliest_mixture(100, c)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] == pytest.approx(0.5, abs=1e-6)
    near = (RATES > 0.25) & (RATES < 0.36)
    assert weights[near].sum() == pytest.approx(0.3, abs=1e-3)


def test_flags_follow_their_rule() -> None:
    assert flag("noise", 33, 64, 500) == "k > n/2"
    assert flag("noise", 32, 64, 30) == "n < 4k"
    assert flag("noise", 17, 64, 30) == "n < 4k"
    assert flag("noise", 32, 64, 500) == flag("noise", 16, 64, 30) == ""
    assert flag("paired", 64, 64, 19) == flag("band", 1, 64, 5) == "few problems"
    assert flag("noise", 16, 64, 12) == "few problems"
    assert flag("paired", 64, 64, 20) == ""
    assert flag("problems", 64, 64, 30) == flag("", float("nan"), 64, 3) == ""
    assert flag("extrapolated", 256, 64, 500) == "beyond n"


def test_corrections_and_the_change_test_agree_with_scipy() -> None:
    p = np.random.default_rng(1).random(40) ** 3
    ordered = np.argsort(p)
    closed = [max((40 - j) * p[ordered[j]] for j in range(i + 1)) for i in range(40)]
    assert holm(p)[ordered] == pytest.approx(np.minimum(closed, 1))
    for c, d in ((0, 7), (9, 2), (16, 16), (3, 4)):
        table = [[d, 16 - d], [c, 24 - c]]
        tails = [stats.fisher_exact(table, side).pvalue for side in ("less", "greater")]
        found = change_p_values((24, [c]), (16, [d]))[0]
        assert found == pytest.approx(min(1, 2 * min(tails)))


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = make_paper_study(
        tmp_path_factory.mktemp("paper"),
        extrapolate=[512, 1024],
        figures=["algorithms", "steps", "perplexity-steps"],
    )
    aggregate(plan, plan.parent / "tables")
    return plan


def test_the_papers_table_of_algorithms_comes_out(paper: Path) -> None:
    table = passk.load(paper.parent)["algorithms"].set_index("model")
    top = MATH500["qwen2.5-7b"][4]
    for name, (role, algorithm, step, first, last) in MATH500.items():
        row = table.loc[name]
        assert (row["role"], row["k"]) == (role, 256)
        assert row["algorithm"] == algorithm or (algorithm is None and pd.isna(row["algorithm"]))
        assert np.isnan(row["step"]) if step is None else row["step"] == step
        assert 100 * row["pass_at_1"] == pytest.approx(first, abs=1e-6)
        assert 100 * row["pass_at_k"] == pytest.approx(last, abs=1e-6)
        assert 100 * row["se_gap"] == pytest.approx(last - first, abs=1e-6)
        if role != "base":
            assert 100 * row["se_gap_to_base"] == pytest.approx(top - first, abs=1e-6)
            assert row["se_gap_to_base_low"] < row["se_gap_to_base"] < row["se_gap_to_base_high"]


def test_the_long_table_has_the_columns_and_the_metrics_that_are_promised(paper: Path) -> None:
    tables = passk.load(str(paper.parent))
    table = tables["estimates"]
    promised = ["model", "benchmark", "sampler", "metric", "k", "value", "lower", "upper"]
    assert {*promised, "interval", "n", "problems", "flag"} <= set(table.columns)
    csv = pd.read_csv(paper.parent / "tables" / "estimates.csv", keep_default_na=False)
    assert list(csv.columns) == list(table.columns)
    assert csv["flag"].tolist() == table["flag"].tolist()
    beyond = table[table["interval"] == "extrapolated"]
    assert set(beyond["metric"]) == {"pass@k extrapolated", "delta pass@k extrapolated"}
    assert (beyond["k"] > beyond["n"]).all()
    told = tables["extrapolation"]
    assert set(told["k"]) == {256, 512, 1024}
    assert told["fits"].all()
    at_n = told[(told["k"] == 256) & (told["metric"] == "pass@k")].set_index("cell")
    curve = tables["pass_at_k"][tables["pass_at_k"]["k"] == 256].set_index("cell")["pass_at_k"]
    assert (at_n["value"] - curve.loc[at_n.index]).abs().max() < 0.005
    marked = table[(table["interval"] == "noise") & (table["k"] > 128)]
    assert set(marked["flag"]) == {"k > n/2"}


def test_perplexity_is_split_by_who_solves_a_problem(paper: Path) -> None:
    table = passk.load(paper.parent)["perplexity"]
    coverage = passk.load(paper.parent)["coverage"]
    cell = "grpo@450.math500.paper-0"
    rows = table[(table["cell"] == cell) & (table["against"] == cell)]
    whole = table[(table["cell"] == cell) & (table["subset"] == "all")].set_index("problem_id")
    category = coverage[coverage["cell"] == cell].set_index("problem_id")["category"]
    words = {"both": "both", "base_only": "base alone", "tuned_only": "tuned alone"}
    assert len(rows) == len(whole) == 30
    for row in rows.to_dict("records"):
        expected = words.get(category[row["problem_id"]], "neither")
        assert row["subset"] == f"solved by {expected}"
        assert row["median"] == whole.loc[row["problem_id"], "median"]
    assert set(table["step"].dropna()) == {150, 300, 450}


def test_a_spec_chooses_among_figures_which_carry_the_benchmarks_title(paper: Path) -> None:
    names = draw(paper.parent / "tables", paper, paper.parent / "figures")
    kinds = ["algorithms", "steps-1", "perplexity-steps-1"]
    assert names == [f"01-math500-{kind}" for kind in kinds]
    assert {p.suffix for p in (paper.parent / "figures").glob("01-math500-algorithms.*")} == {
        ".svg", ".pdf", ".png", ".txt",
    }  # fmt: skip
    assert "MATH-500" in (paper.parent / "figures" / "figures.json").read_text()


def test_the_schema_knows_every_kind_of_figure() -> None:
    schema = read_yaml(shipped_specs() / "schema" / "experiment.schema.json").data
    assert schema["properties"]["figures"]["items"]["enum"] == [TRAINING, GRID, *KINDS]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("figures: [curvs]", "\"curvs\" is not known; did you mean 'curves'"),
        ("interval: bcaa", "\"bcaa\" is not known; did you mean 'bca'"),
        ("extrapolate: [8]", "k = 8 is above n and up to 4n of no benchmark (n = 64)"),
        ("extrapolate: [512]", "k = 512 is above n and up to 4n of no benchmark"),
    ],
)
def test_a_wrong_choice_is_told_with_the_nearest(tmp_path: Path, line: str, words: str) -> None:
    spec = tmp_path / "x.yaml"
    text = (
        "name: x\nk: [1, 8]\nmodels: {m: {weights: ./m.jsonl, engine: fake}}\n"
        "benchmarks: {arithmetic: {n: 64}}\nsamplers: {s: {temperature: 1, max_tokens: 4}}\n"
    )
    spec.write_text(f"{text}{line}\n")
    with pytest.raises(SpecError) as caught:
        load_experiment(spec)
    assert words in str(caught.value)


def test_a_problem_without_a_cluster_stands_alone() -> None:
    counts = pd.DataFrame({"problem_id": ["a", "b", "c", "x"], "cluster": ["x", "x", "", ""]})
    found = clusters_of(counts)
    assert found is not None
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert clusters_of(counts.assign(cluster="")) is None


def test_the_curve_rises_up_to_n_and_the_plan_names_its_cells(paper: Path) -> None:
    study = read_plan(paper)
    table = pd.read_parquet(study.cells[0].counts)
    curve = mean_pass_at_k(table["n"], table["correct"], study.k)
    assert all(a <= b for a, b in pairwise(curve))
