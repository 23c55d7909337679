"""A study that trains its own models: tables over seeds, figures of training, the first screen."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_study import make_study
from synthetic_trainings import make_trained_study, without_series

from passk.analysis.palette import SERIES
from passk.analysis.seed_series import FEW, colors_of, common_label, groups
from passk.analysis.study import Cell, load, read_plan
from passk.analysis.tables import aggregate
from passk.core.artifacts import read_json, write_json
from passk.core.errors import DataError
from passk.report.build import drawn_again, report
from passk.report.figures import draw
from passk.report.html.data import page_data
from passk.report.training_effects import training_effects
from passk.report.warnings import MAX_NAMED_CURVES, join_labels, mixed_dtypes

METHODS = ("GRPO", "RLOO", "SFT")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three methods, two seeds and two steps each: tables, figures and the page."""
    made = tmp_path_factory.mktemp("trained")
    plan = make_trained_study(made, METHODS, seeds=(1, 2))
    aggregate(plan, made / "tables")
    draw(made / "tables", plan, made / "figures")
    report(plan, made / "tables", made / "figures", made / "report.html")
    return made


def cell(label: str, **more: object) -> Cell:
    return Cell(label, "m", "b", "s", 4, Path("c"), label=label, **more)  # type: ignore[arg-type]


def test_responses_of_one_curve_drawn_in_two_dtypes_are_told(folder: Path) -> None:
    study = read_plan(folder / "plan.json")
    curve = study.cells[0]
    drawn = [{"cell": curve.id, "dtype": dtype} for dtype in ("bfloat16", "float32", "")]
    (told,) = mixed_dtypes(study, drawn)
    assert told.startswith(f"{curve.label} on ")
    assert "drawn in bfloat16 and float32" in told
    assert not list(mixed_dtypes(study, drawn[1:]))


def test_what_fresh_draws_decide_stands_below_the_training_effects(folder: Path) -> None:
    study = read_plan(folder / "plan.json")
    trained, base = study.cells[-1], study.cells[0]
    decided = {"kind": "lost", "decision": "confirmed", "fresh_n": 8, "fresh_n_max": 8}
    table = pd.DataFrame([{"cell": one.id, **decided} for one in (trained, base)])
    (row,) = drawn_again(study, table)
    assert (row["benchmark"], row["label"]) == (trained.benchmark, trained.label)
    assert row["sentence"] == (
        "Drawn again with fresh seeds: lost 1: confirmed 1, refuted 0, open 0 (familywise error "
        "5 %; 16 responses)."
    )


def test_a_finding_begins_with_a_capital_letter(folder: Path) -> None:
    table = load(folder)["series"]
    ahead = dict.fromkeys(("delta_1_low", "delta_1_high", "delta_k_low", "delta_k_high"), 0.1)
    one = table[table["label"] == "GRPO"].assign(seeds=1, **ahead)
    (effect,) = training_effects(read_plan(folder / "plan.json"), one)
    assert effect.headlines == ("This checkpoint of GRPO is ahead at k = 1 and at k = 16",)


def test_the_training_table_holds_every_step_with_whose_it_is(folder: Path) -> None:
    table = load(folder)["training"]
    assert len(table) == len(METHODS) * 2 * 20
    for _, rows in table.groupby("training"):
        assert list(rows["step"]) == list(range(1, 21))
    assert set(table.loc[table["reward"].isna(), "method"]) == {"SFT"}
    assert set(table["seed"]) == {1, 2}


def test_a_step_is_a_whole_number_beside_models_without_one(folder: Path) -> None:
    (file,) = folder.rglob("summary.csv")
    written = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert set(written["step"]) == {"", "10", "20"}


def test_a_missing_file_of_steps_is_told(tmp_path: Path) -> None:
    plan = make_trained_study(tmp_path, ("GRPO",), seeds=(1,), problems=6, n=4)
    missing = Path(read_json(plan)["trainings"][0]["steps"][1])
    missing.unlink()
    with pytest.raises(DataError, match=missing.name):
        aggregate(plan, tmp_path / "tables")


def test_values_of_a_series_are_means_over_seeds_of_the_cells_own(folder: Path) -> None:
    frames = load(folder)
    summary, pairs = frames["summary"].set_index("cell"), frames["coverage"]
    for row in frames["series"].to_dict("records"):
        names = [f"{row['series']}-{seed}@{row['step']}" for seed in (1, 2)]
        cells = summary.loc[names]
        for mine, theirs in (("pass_at_1", "pass_at_1"), ("se_gap_to_base", "se_gap_to_base")):
            values = cells[theirs]
            assert row[mine] == pytest.approx(values.mean())
            assert (row[f"{mine}_min"], row[f"{mine}_max"]) == pytest.approx(
                (values.min(), values.max())
            )
        assert row["delta_1"] == pytest.approx(row["pass_at_1"] - summary.loc["base", "pass_at_1"])
        assert row["delta_k_low"] <= row["delta_k"] <= row["delta_k_high"]
        lost = [
            set(pairs[(pairs["cell"] == name) & (pairs["category"] == "base_only")]["problem_id"])
            for name in names
        ]
        assert row["lost_by_all"] == len(set.intersection(*lost))
        assert [row["lost_min"], row["lost_max"]] == sorted(map(len, lost))
    last = frames["series"].set_index(["series", "step"])["last"]
    assert last[("grpo", 20)]
    assert not last[("grpo", 10)]


def test_a_series_of_one_seed_has_the_interval_of_its_comparison(tmp_path: Path) -> None:
    plan = make_trained_study(tmp_path, ("GRPO",), seeds=(1,), steps=(20,), problems=12, n=16)
    aggregate(plan, tmp_path / "tables")
    frames = load(tmp_path)
    row, deltas = frames["series"].iloc[0], frames["deltas"].sort_values("k")
    first, last = deltas.iloc[0], deltas.iloc[-1]
    assert (row["delta_1_low"], row["delta_1_high"]) == pytest.approx(
        (first["ci_low"], first["ci_high"])
    )
    assert (row["delta_k_low"], row["delta_k_high"]) == pytest.approx(
        (last["ci_low"], last["ci_high"])
    )
    assert np.isnan(row[["delta_1_method_low", "delta_k_method_high"]].astype(float)).all()


def test_the_page_opens_with_a_row_per_series(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    first = page[: page.index('aria-labelledby="warnings-title"')]
    assert re.search(r"2 RL series against SmolLM2: at k = 1 [^;<]+; at k = 16 ", first)
    assert len(re.findall(r'<tr><th scope="row"', first)) == len(METHODS)
    for name in METHODS:
        assert f">{name}</a>" in first
    row = load(folder)["series"].query("series == 'grpo' and last").iloc[0]
    assert f"{100 * row['pass_at_1']:.1f} %" in first
    assert "seeds" in first
    assert "seed 1, step 20 compared with" not in first


def test_what_all_seeds_of_a_series_are_drawn_as_is_one_curve_of_one_colour(folder: Path) -> None:
    study = read_plan(folder / "plan.json")
    shown = groups(study, "sums")
    assert [group.label for group in shown] == ["SmolLM2", *METHODS]
    colors = colors_of(study)
    assert len({colors[group.label] for group in shown}) == 1 + len(METHODS)
    for group in shown[1:]:
        assert {cell.step for cell in group.cells} == {20}
        assert {colors[cell.label] for cell in group.cells} == {colors[group.label]}
    data = page_data(study, load(folder), partial=False)
    assert [one["label"] for one in data["series"]] == [f"{name} (2 seeds)" for name in METHODS]
    assert sum(entry["last"] for entry in data["cells"]) == 1
    known = {entry["id"] for entry in (*data["cells"], *data["series"])}
    assert {curve["cell"] for curve in data["curves"]} == known


def test_nine_curves_and_more_have_nine_colours_and_more() -> None:
    assert len(set(SERIES)) == len(SERIES) >= 9


def test_figures_of_training_and_one_of_each_series(folder: Path) -> None:
    entries = {
        entry["name"]: entry for entry in read_json(folder / "figures/figures.json")["figures"]
    }
    assert {"00-training-reward", "00-training-loss", "01-sums-pass-at-k"} <= entries.keys()
    said = entries["00-training-reward"]["caption"]
    table = load(folder)["training"].query("method == 'GRPO'")
    ends = table.groupby("step")["reward"].mean()
    assert f"GRPO from {100 * ends[:5].mean():.1f} % to {100 * ends[-5:].mean():.1f} %" in said
    assert "SFT" not in said
    assert "SFT from" in entries["00-training-loss"]["caption"]
    assert sum("-flow-" in name for name in entries) == len(METHODS)
    assert "mean and interval over problems and seeds" in entries["01-sums-pass-at-k"]["caption"]


def test_without_trainings_nothing_is_said_of_them(tmp_path: Path) -> None:
    plan = make_study(tmp_path, problems=8, n=8)
    aggregate(plan, tmp_path / "tables")
    frames = load(tmp_path)
    assert frames["training"].empty
    assert frames["series"].empty
    assert training_effects(read_plan(plan), frames["series"]) == []


def test_many_curves_share_a_warning(tmp_path: Path) -> None:
    plan = make_trained_study(tmp_path, METHODS, seeds=(1,), steps=(20,), problems=6, n=16)
    without_series(plan)
    write_json(plan, {**read_json(plan), "figures": ["curves"]})
    aggregate(plan, tmp_path / "tables")
    draw(tmp_path / "tables", plan, tmp_path / "figures")
    report(plan, tmp_path / "tables", tmp_path / "figures", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    warned = page[page.index("warnings-title") : page.index('class="curves"')]
    assert len(re.findall("6 problems; with fewer", warned)) == 1
    assert "4 curves (SmolLM2, …) on Sums, held out: 6 problems; with fewer" in warned
    assert "4 curves (SmolLM2, …) on Sums, held out: k reaches 16 with n = 16" in warned


def test_a_few_curves_are_named_in_full() -> None:
    rows = [{"label": name} for name in "abcd"]
    assert join_labels(rows[:MAX_NAMED_CURVES]) == "a, b, c"
    assert join_labels(rows) == "4 curves (a, …)"


@pytest.mark.parametrize(
    ("labels", "shared"),
    [
        (["GRPO, seed 1, step 20", "GRPO, seed 2, step 40"], "GRPO"),
        (["GRPO, step 10", "GRPO, step 100"], "GRPO"),
        (["GRPO, seed 1, step 9, T = 1", "GRPO, seed 2, step 9, T = 1"], "GRPO, T = 1"),
        (["grpo-1@10", "grpo-1@20"], "grpo-1"),
        (["GRPO, seed 1, T = 1", "GRPO, seed 2, T = 1"], "GRPO, T = 1"),
        (["Distilled"], "Distilled"),
        (["Distilled", "Distilled"], "Distilled"),
        (["alpha", "beta"], "entry"),
    ],
)
def test_a_series_is_called_what_its_labels_share(labels: list[str], shared: str) -> None:
    assert common_label("entry", [cell(label) for label in labels]) == shared


def test_checkpoints_without_seeds_keep_a_colour_each_until_they_are_many(tmp_path: Path) -> None:
    few = read_plan(make_trained_study(tmp_path, ("GRPO",), (1,), (10, 20), problems=3, n=2))
    assert len(set(colors_of(few).values())) == 3
    assert [len(group.cells) for group in groups(few, "sums")] == [1, 1, 1]
    steps = tuple(range(1, FEW + 2))
    many = read_plan(make_trained_study(tmp_path, ("GRPO",), (1,), steps, problems=3, n=2))
    assert len(set(colors_of(many).values())) == 2
    assert [group.cells[0].step for group in groups(many, "sums")] == [None, steps[-1]]


def test_a_table_of_series_is_plain_enough_for_a_notebook(folder: Path) -> None:
    table = pd.read_csv(folder / "tables/series.csv")
    assert len(table) == len(METHODS) * 2
    assert not table[["delta_1", "delta_k", "lost_by_all"]].isna().any().any()
