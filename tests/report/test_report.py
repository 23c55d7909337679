"""Figures and the report page: what a reader sees, and what a hostile name cannot do."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_study import make_study

from passk.analysis.palette import SERIES, assign
from passk.analysis.study import Cell, Study, read_plan
from passk.analysis.tables import aggregate
from passk.core.artifacts import read_json, write_json
from passk.core.errors import DataError, PasskError
from passk.core.install import install_module
from passk.report.build import report
from passk.report.figures import draw
from passk.report.figures.base import BenchmarkView
from passk.report.figures.ranks import ranks
from passk.report.figures.style import spread_labels
from passk.report.findings import Lead, confirmation, findings, lead
from passk.report.html.responses import select_responses
from passk.report.matrix import Comparison, Difference, ModelRow, sentences

HOSTILE = '<script>alert("1")</script> --> $\\frac & 日本 \N{ROCKET}'


def make_page(plan: Path) -> str:
    folder = plan.parent
    aggregate(plan, folder / "tables")
    draw(folder / "tables", plan, folder / "figures")
    report(plan, folder / "tables", folder / "figures", folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(plan: Path) -> str:
    return make_page(plan)


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_first_screen_states_the_finding_in_words(page: str) -> None:
    first = page[: page.index("<svg")]
    assert "T = 0.6 needs fewer tries, but solves fewer problems at k = 64" in first
    assert re.search(r"At k = 1, T = 0\.6 is ahead by \d+\.\d points \[\d+\.\d, \d+\.\d\]", first)
    assert re.search(r"T = 1\.0 overtakes at k ≈ \d+ \[\d+, \d+\]", first)
    assert re.search(r"Of 60 problems, T = 1\.0 alone solves \d+", first)


def test_the_page_fetches_nothing_and_runs_only_what_its_policy_names(page: str) -> None:
    reader = read(page)
    tags = {tag for tag, _ in reader.tags}
    assert not tags & {"img", "iframe", "object", "base", "form"}
    for _, attributes in reader.tags:
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,"))
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    policy = html.unescape(policy)
    assert "unsafe" not in policy
    assert "connect-src" not in policy
    assert policy.startswith("default-src 'none'")
    for script in re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_every_figure_is_in_the_page_with_words_and_ids_of_its_own(plan: Path, page: str) -> None:
    names = [entry["name"] for entry in read_json(plan.parent / "figures/figures.json")["figures"]]
    reader = read(page)
    assert sum(tag == "svg" for tag, _ in reader.tags) == len(names) == 13
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for name in names:
        assert f"{name}-words" in ids
    uses = [a["xlink:href"] for tag, a in reader.tags if tag == "use"]
    assert uses
    assert {str(use)[1:] for use in uses} <= set(ids)


def test_the_page_warns_of_a_k_too_close_to_n(page: str) -> None:
    assert page.count("k reaches 64 with n = 64") == 1
    assert "T = 1.0, T = 0.6 on arithmetic: k reaches 64" in page


def test_provenance_names_engine_device_versions_and_cost(page: str) -> None:
    text = read(page).text
    for word in ("fake", "cpu", "passk 0.1.0", "specs/synthetic.yaml"):
        assert word in text


def test_hostile_names_are_shown_as_text_everywhere(plan: Path, page: str, tmp_path: Path) -> None:
    raw = read_json(plan)
    raw["title"] = raw["spec_path"] = HOSTILE
    raw["spec"] = {"name": HOSTILE}
    for cell in raw["cells"]:
        cell.update(label=f"{HOSTILE} {cell['id']}", benchmark=HOSTILE, color='red"><b>')
    for scoring in raw["scores"]:
        scoring.update(responses_of=HOSTILE, scorer_label=HOSTILE, benchmark=HOSTILE)
    write_json(tmp_path / "plan.json", raw)
    hostile = make_page(tmp_path / "plan.json")
    reader, own = read(hostile), read(page)
    assert sum(t == "script" for t, _ in reader.tags) == sum(t == "script" for t, _ in own.tags)
    assert HOSTILE in reader.text
    assert hostile.count("<b>") == page.count("<b>")


def test_figures_are_files_of_their_own_with_the_same_bytes_each_time(
    plan: Path, page: str, tmp_path: Path
) -> None:
    assert page
    names = draw(plan.parent / "tables", plan, tmp_path / "again")
    for name in names:
        for kind in ("svg", "pdf", "png"):
            first = (plan.parent / "figures" / f"{name}.{kind}").read_bytes()
            assert first == (tmp_path / "again" / f"{name}.{kind}").read_bytes()
        svg = ET.parse(tmp_path / "again" / f"{name}.svg")
        words = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
        assert any(words), name


def test_no_mark_or_text_of_a_figure_reaches_outside_it(plan: Path, page: str) -> None:
    from matplotlib.image import imread

    assert page
    for path in (plan.parent / "figures").glob("*.png"):
        pixels = imread(path)[..., :3]
        edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        assert all((edge == 1).all() for edge in edges), path.name


def test_a_study_without_comparisons_still_has_a_page(plan: Path, tmp_path: Path) -> None:
    raw = read_json(plan)
    raw["cells"] = raw["cells"][:1]
    write_json(tmp_path / "plan.json", {**raw, "scores": []})
    page = make_page(tmp_path / "plan.json")
    assert "No two models are compared" in page
    assert "T = 1.0 on arithmetic goes from" in page


def test_many_curves_and_one_try_alone_can_be_drawn(plan: Path, tmp_path: Path) -> None:
    raw = read_json(plan)
    hot, cold = raw["cells"]
    more = [
        {**cold, "id": f"cold{i}", "label": f"A tuned model with a long name {i}"} for i in range(5)
    ]
    kinds = [
        "grid",
        "curves",
        "delta",
        "coverage",
        "accuracy",
        "efficiency",
        "algorithms",
        "budget",
    ]
    cells = {"cells": [hot, *more], "figures": kinds}
    write_json(tmp_path / "plan.json", {**raw, "k": [1], **cells})
    page = make_page(tmp_path / "plan.json")
    assert page.count('<article class="finding') == 6
    assert re.search(r"5 of 5 models are ahead at k = 1\.", page)
    assert page.count("A tuned model with a long name 3</th>") >= 1
    assert re.search(r"5 others are between [\d.]+ % and [\d.]+ % at k = 1 and ", page)


def test_sentences_are_by_role_and_say_on_how_many_benchmarks() -> None:
    def comparison(first: Lead, last: Lead) -> Comparison:
        ends = Difference("", "", first), Difference("", "", last)
        return Comparison("c", 64, *ends, lost=0, gained=0)

    def model(role: str, *last: Lead) -> ModelRow:
        return ModelRow("Tuned", role, tuple(comparison("ahead", each) for each in last))

    rl = [model("rl", "behind", "behind", "behind")] * 9
    main, first, most = sentences(rl)
    assert main == "9 of 9 RL models are behind at k = 64 on all three benchmarks"
    assert first == "9 of 9 RL models are ahead at k = 1 on all three benchmarks"
    assert most == "behind"
    several = [*rl[:2], model("rl", "ahead", "behind", "unclear"), model("rl", *["unclear"] * 3)]
    assert sentences(several)[0] == (
        "2 of 4 RL models are behind at k = 64 on all three benchmarks, "
        "1 without a significant difference, 1 different from benchmark to benchmark"
    )
    alone = sentences([model("distilled", "ahead")])
    assert alone[0] == "Tuned is ahead at k = 64"


def test_correct_responses_to_rarely_solved_problems_are_on_the_page_first(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = read_plan(plan)
    table = pd.DataFrame(
        [(cell.id, f"p{i}", 64, i) for cell in study.cells for i in range(60)],
        columns=["cell", "problem_id", "n", "correct"],
    )
    assert select_responses(study, table) is None
    monkeypatch.setattr("passk.report.html.responses.MAX_RESPONSES", 2000)
    chosen = select_responses(study, table)
    assert chosen is not None
    assert sum(correct + other for correct, other in chosen.values()) <= 2000
    rare = [chosen[cell.id, f"p{i}"] for cell in study.cells for i in range(1, 20)]
    assert [correct for correct, _ in rare] == [*range(1, 20)] * 2
    assert all(other >= 4 for _, other in rare)
    assert min(sum(pair) for pair in chosen.values()) >= 2000 // 2 // 120


def test_a_missing_table_and_a_missing_figure_are_told(
    plan: Path, page: str, tmp_path: Path
) -> None:
    assert page
    with pytest.raises(DataError, match="no such table"):
        draw(tmp_path, plan, tmp_path / "figures")
    with pytest.raises(DataError, match="no such file"):
        report(plan, plan.parent / "tables", tmp_path, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_missing_matplotlib_is_told_with_the_command_that_installs_it(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("passk.report.figures.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("passk.report.figures.figure_kinds", raising=False)
    monkeypatch.delattr("passk.report.figures.style", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PasskError, match=re.escape(install_module("matplotlib"))):
        draw(tmp_path, plan, tmp_path / "figures")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.01, 0.1, "ahead"), (-0.1, -0.01, "behind"), (-0.1, 0.1, "unclear"), (0, 0.1, "unclear")],
)
def test_a_lead_needs_an_interval_that_excludes_zero(
    low: float, high: float, expected: str
) -> None:
    assert lead(low, high) == expected


def tell(deltas: list[tuple[float, float, float]], crossing: tuple[float, float, float]) -> str:
    """Return all words of a finding whose deltas at k = 1, 8 are given as (delta, low, high)."""
    names = ["crossover_k", "crossover_low", "crossover_high"]
    row = {
        "cell": "t",
        "label": "RL",
        "base": "b",
        "benchmark": "m",
        **dict(zip(names, crossing, strict=True)),
    }
    cover = {"both": 5, "base_only": 2, "tuned_only": 1, "neither": 0}
    cover.update(lost_significant=1, gained_significant=0)
    basis = {"cell": "b", "label": "Base", "base": None, "benchmark": "m"}
    curve = [
        {"cell": "t", "k": k, "delta": delta, "ci_low": low, "ci_high": high}
        for k, (delta, low, high) in zip((1, 8), deltas, strict=True)
    ]
    (found,) = findings(
        pd.DataFrame([basis, {**row, **cover}]),
        pd.DataFrame(curve),
        pd.DataFrame(columns=["cell"]),
    )
    return " ".join((found.headline, *found.sentences))


NONE = math.inf
UP, DOWN, LEVEL = (0.1, 0.05, 0.15), (-0.1, -0.15, -0.05), (0.01, -0.02, 0.04)


@pytest.mark.parametrize(
    ("deltas", "crossing", "words"),
    [
        (
            [UP, DOWN],
            (4, 2, 6),
            ["fewer tries, but solves fewer", "overtakes at k ≈ 4 [2, 6]"],
        ),
        ([UP, DOWN], (4, 2, NONE), ["[2, none ≤ 8]"]),
        ([UP, UP], (NONE, NONE, NONE), ["at k = 1 and at k = 8", "not overtake up to k = 8."]),
        (
            [LEVEL, LEVEL],
            (NONE, 3, NONE),
            ["difference between RL and Base", "[3, none ≤ 8]"],
        ),
        ([DOWN, DOWN], (1, 1, 1), ["ahead from k = 1 on", "behind by 10.0 points [5.0, 15.0]"]),
        (
            [LEVEL, DOWN],
            (2, 1, 3),
            ["difference (1.0 points [\N{MINUS SIGN}2.0, 4.0])"],
        ),
        (
            [UP, LEVEL],
            (7, 3, NONE),
            ["significant difference at k = 8", "alone solves 2", "1 and 0 of these signif"],
        ),
    ],
)
def test_findings_say_what_the_intervals_allow(
    deltas: list[tuple[float, float, float]],
    crossing: tuple[float, float, float],
    words: list[str],
) -> None:
    text = tell(deltas, crossing)
    for word in words:
        assert word in text


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_labels_are_spread_apart_in_order_and_stay_inside(wanted: list[float]) -> None:
    places = spread_labels(wanted, 0.1, 0.0, 1.0)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(sorted(places)))
    assert min(places) >= -1e-12
    assert max(places) <= 1 + 1e-12
    assert np.argsort(places, stable=True).tolist() == np.argsort(wanted, stable=True).tolist()


def test_colours_follow_labels_and_ignore_what_is_no_colour() -> None:
    found = assign([("a", None), ("b", "#123456"), ("a", None), ("c", "url(x)")])
    assert found == {"a": SERIES[0], "b": "#123456", "c": SERIES[2]}


def test_fresh_draws_are_told_by_kind_and_decision() -> None:
    rows = [("lost", "confirmed", 16), ("lost", "refuted", 16), ("lost", "open", 64)]
    rows += [("rare", "confirmed", 16), ("rare", "open", 64), ("gained", "refuted", 32)]
    table = pd.DataFrame(rows, columns=["kind", "decision", "fresh_n"]).assign(fresh_n_max=64)
    (told,) = confirmation(table)
    assert told == (
        "Drawn again with fresh seeds: lost 3: confirmed 1, refuted 1, open 1; gained 1: "
        "confirmed 0, refuted 1, open 0; rare 2: solved again 1, not again 1 (familywise error "
        "5 %; 416 of 768 responses: decided problems stop early)."
    )
    assert not list(confirmation(table[:0]))


def test_ranks_are_drawn_of_three_models_or_more() -> None:
    names = ["base", "one", "two"]
    cells = tuple(Cell(f"{m}-1", m, "b", "s", 8, Path("x"), label=m.upper()) for m in names)
    chances = {1: [0.0, 0.97, 0.03], 8: [0.1, 0.3, 0.6]}
    rows = [
        {
            "model": model,
            "benchmark": "b",
            "sampler": "s",
            "k": k,
            "best": best,
            "expected_rank": 3.0 - place,
            "rank_low": 1,
            "rank_high": 3,
        }
        for k, found in chances.items()
        for place, (model, best) in enumerate(zip(names, found, strict=True))
    ]
    study = Study("s", (1, 8), cells)
    colors = {name.upper(): color for name, color in zip(names, SERIES, strict=False)}
    view = BenchmarkView("01-b", study, "b", {"ranks": pd.DataFrame(rows)}, colors, ())
    (figure,) = ranks(view)
    assert (
        "At k = 1 the best may be ONE (97.0 %). At k = 8 the best may be TWO (60.0 %), ONE (30"
        in (figure.caption)
    )
    axes = figure.figure.axes
    assert [one.get_title() for one in axes] == ["k = 1", "k = 8"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["TWO", "ONE", "BASE"]
    two = BenchmarkView("01-b", study, "b", {"ranks": pd.DataFrame(rows[:2])}, colors, ())
    assert not list(ranks(two))
