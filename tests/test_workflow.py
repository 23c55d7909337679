"""The whole DAG with the fake engine, run by the real Snakemake: what runs after which edit."""

from __future__ import annotations

import json
from collections import Counter

from conftest import Study

ANALYSIS = Counter(resolve_experiment=1, aggregate_tables=1, draw_figures=1, write_report=1)


def test_from_spec_to_report(study: Study) -> None:
    jobs = study.snakemake()
    assert jobs["draw_samples"] == 4
    assert (study.folder / "outputs/study/report.html").stat().st_size > 10_000
    assert study.snakemake() == Counter()
