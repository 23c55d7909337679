"""`passk design`: from counts, a study, a spec or assumed rates to tables and a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Study

from passk.cli import main


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("counts")
    rng = np.random.default_rng(1)
    rates = rng.beta(0.5, 1, 60)
    paths = []
    for name, side in (("base", rates), ("tuned", np.where(rates < 0.1, 0, rates**0.5))):
        path = folder / f"{name}.csv"
        table = pd.DataFrame({"id": range(60), "n": 16, "c": rng.binomial(16, side)})
        table.to_csv(path, index=False)
        paths.append(str(path))
    return paths


def test_two_files_give_what_they_show_and_what_more_would(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = ["--decide", "--crossover-within", "100", "--k", "1", "16"]
    assert main(["design", *files, *extra, "-o", str(tmp_path)]) == 0
    design = pd.read_csv(tmp_path / "design.csv").set_index("k")
    assert design.index.tolist() == [1, 16]
    assert (design["difference"] > 0).tolist() == [True, False]
    assert (design["detectable_loss"] < 0).all()
    assert (design["band_power"] <= design["power"] + 0.03).all()
    assert design.loc[1, "problems_needed"] < 60
    power = pd.read_csv(tmp_path / "power.csv")
    assert power.loc[power["k"] == 1, "n"].tolist() == [4, 8, 16, 32, 64, 128]
    crossover = pd.read_csv(tmp_path / "crossover.csv")
    assert crossover["power"].between(0, 1).all()
    lost = pd.read_csv(tmp_path / "decisions.csv").query("category == 'base_only'")
    assert (lost["correct"] == 0).all()
    assert (lost["n_decides"] > 16).all()
    assert "points are shown with power" in (said := capsys.readouterr().out)
    assert f"of {len(lost)} lost problems" in said
    assert (tmp_path / "power-1.svg").stat().st_size > 1000


def test_a_larger_study_is_more_powerful(files: list[str], tmp_path: Path) -> None:
    common = [*files, "--k", "4", "--difference", "-0.05"]
    assert main(["design", *common, "-o", str(tmp_path / "a")]) == 0
    assert main(["design", *common, "--problems", "600", "-o", str(tmp_path / "b")]) == 0
    small, large = (pd.read_csv(tmp_path / name / "design.csv").iloc[0] for name in "ab")
    assert small["difference"] == large["difference"] == -0.05
    assert large["power"] > small["power"] + 0.2
    assert large["detectable_loss"] > small["detectable_loss"]
    assert large["problems_needed"] == small["problems_needed"]


def test_without_a_pilot_rates_are_assumed(tmp_path: Path) -> None:
    size = ["--problems", "200", "--n", "16", "--k", "16"]
    tables = []
    for place, shape in enumerate([[], ["--assume", "0.6", "1.4", "0.2", "0.8"]]):
        folder = tmp_path / str(place)
        assert main(["design", *size, *shape, "-o", str(folder)]) == 0
        tables.append(pd.read_csv(folder / "design.csv").iloc[0])
    assert tables[0]["difference"] == -0.05
    assert tables[1]["detectable_loss"] < tables[0]["detectable_loss"]  # more moves, less is shown


def test_a_finished_study_is_its_own_pilot_and_says_what_responses_cost(
    finished_once: Study, tmp_path: Path
) -> None:
    output = str(tmp_path / "out")
    done = finished_once.passk(
        "design", finished_once.file, "--hour-price", "3600", "--k", "1", "-o", output
    )
    assert done.returncode == 0, done.stderr
    cost = pd.read_csv(tmp_path / "out/cost.csv")
    assert cost["responses"].is_monotonic_increasing
    assert np.allclose(cost["price"], 3600 * cost["hours"])
    folder = finished_once.folder / "outputs/study"
    assert main(["design", str(folder), "--k", "1", "-o", str(tmp_path / "again")]) == 0
    first, again = (pd.read_csv(tmp_path / name / "design.csv") for name in ("out", "again"))
    pd.testing.assert_frame_equal(first, again)
    table = pd.read_csv(folder / "tables/design.csv")
    assert set(table["cell"]) == set(first["cell"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a pilot, or --problems and --n"),
        (["{base}"], "only one model"),
        (["{base}", "{tuned}", "--k", "99"], "k = 99 is above n"),
        (["{base}", "missing.csv"], "no such file"),
        (["--problems", "9", "--n", "9", "--assume", "0", "1", "0", "0"], "A and B are above 0"),
    ],
)
def test_what_cannot_be_designed_from_is_one_message(
    arguments: list[str], words: str, files: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    known = dict(zip(("base", "tuned"), files, strict=True))
    filled = [word.format(**known) for word in arguments]
    assert main(["design", *filled, "-o", str(tmp_path)]) == 1
    assert words in capsys.readouterr().err


def test_a_plan_says_what_the_study_will_show(finished_once: Study) -> None:
    text = finished_once.passk("plan", finished_once.file).stdout
    assert "with power 0.8 (success rates are assumed" in text
