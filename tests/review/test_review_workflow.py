"""Labels and the workflow: what follows a keystroke, and what `snakemake --report` carries."""

from __future__ import annotations

import html
import zipfile
from collections import Counter
from pathlib import Path

import pandas as pd
from conftest import Study

from passk.analysis.study import read_plan
from passk.review.labels import LabelFile
from passk.review.queue import build_queue


def test_labels_remake_their_tables_and_the_report_alone(finished: Study) -> None:
    finished.spec["review"] = {"accuracy": [0, 0.9]}
    assert finished.snakemake() == Counter(
        resolve_experiment=1,
        aggregate_tables=1,
        draw_figures=1,
        tabulate_labels=1,
        write_report=1,
    )
    folder = finished.folder / "outputs/study"
    raw = read_plan_in(finished.folder, folder / "plan.json")
    assert raw
    for reviewer in ("ada", "bob"):
        with LabelFile(folder / "labels" / f"{reviewer}.jsonl") as labels:
            labels.add(raw[0], "valid")
        assert finished.snakemake() == Counter(tabulate_labels=1, write_report=1)
        assert finished.snakemake("--dry-run") == Counter()
    agreement = pd.read_csv(folder / "reviewed/reviewed_agreement.csv")
    assert agreement["responses"].tolist() == [1]
    assert "Review and guessable problems" in (folder / "report.html").read_text()


def read_plan_in(folder: Path, plan: Path) -> list:
    """Return the keys of the queue; paths of a plan are relative to its working directory."""
    import contextlib

    with contextlib.chdir(folder):
        return [item.key for item in build_queue(read_plan(plan))]


def test_snakemakes_own_report_carries_figures_and_page_with_captions(finished: Study) -> None:
    finished.snakemake("--report", "report.zip")
    with zipfile.ZipFile(finished.folder / "report.zip") as archive:
        names = archive.namelist()
        index = next(
            name for name in names if name.endswith("report.html") and "/data/" not in name
        )
        text = html.unescape(archive.read(index).decode())
        pages = [name for name in names if "/data/" in name and name.endswith(".html")]
        figures = [name for name in names if name.endswith(".svg")]
        page = archive.read(pages[0]).decode()
    drawn = {path.name for path in (finished.folder / "outputs/study/figures").glob("*.svg")}
    assert {Path(name).name for name in figures} == drawn
    assert len(pages) == 1
    assert "Content-Security-Policy" in page
    assert "which model overtakes which" in text
    first = next((finished.folder / "outputs/study/figures").glob("*pass-at-k.txt")).read_text()
    assert first.splitlines()[0][:50] in text
