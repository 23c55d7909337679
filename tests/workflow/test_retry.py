"""Responses that could not be sampled are rows; `passk retry` has them sampled again."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import Study
from faulty_server import serving

pytest.importorskip("openai", reason="pip install openai")

from passk.core.artifacts import manifest_path, read_json
from passk.core.schemas import Count, Sample, Verdict, read_rows, read_table
from passk.report.warnings import RESPONSE_RULES

CELL = "outputs/store/cells/base.*"


def rows_of(study: Study, pattern: str, kind: type[Any]) -> list[Any]:
    """All rows of some files of the cell."""
    paths = sorted(study.folder.glob(f"{CELL}/{pattern}"))
    return [row for path in paths for row in read_rows(path, kind)]


def test_a_refused_response_is_wrong_and_unknown_until_it_is_sampled(study: Study) -> None:
    with serving("policy", "policy", "policy") as server:
        study.spec["models"] = {
            "base": {
                "weights": "m",
                "engine": "openai",
                "endpoint": server.url,
                "execution": {"batch_size": 1},
                "extra_body": {"service_tier": "flex"},
            }
        }
        study.spec["perplexity"] = []
        study.snakemake("--until", "count_verdicts")
        for path in study.folder.glob(f"{CELL}/samples/*.parquet"):
            manifest = read_json(manifest_path(path))
            assert manifest["extra_body"] == {"service_tier": "flex"}
            assert manifest["server"] == "other"
        asked = sum(server.seeds.values())
        (refused,) = (r for r in rows_of(study, "samples/*.parquet", Sample) if r.error)
        assert (refused.finish_reason, refused.error, refused.text) == ("refused", "flagged", "")
        key = (refused.problem_id, refused.sample)
        (verdict,) = (
            v
            for v in rows_of(study, "verdicts/*/*.parquet", Verdict)
            if (v.problem_id, v.sample) == key
        )
        assert (verdict.verdict, verdict.detail) == ("error", "not sampled (refused): flagged")
        assert sum(c.error for c in rows_of(study, "counts/*.parquet", Count)) == 1
        told = study.passk("plan", study.file).stdout
        assert "1 of 32 responses could not be sampled (1 refused for their content" in told

        done = study.passk("retry", study.file)
        assert "1 responses will be sampled again by: passk run" in done.stdout, done.stderr
        study.snakemake("--until", "count_verdicts")
        assert sum(server.seeds.values()) == asked + 1
    assert not any(row.error for row in rows_of(study, "samples/*.parquet", Sample))
    assert sum(c.error for c in rows_of(study, "counts/*.parquet", Count)) == 0
    assert "could not be sampled" not in study.passk("plan", study.file).stdout
    assert "0 responses will" in study.passk("retry", study.file).stdout


def test_files_of_before_have_no_reasoning(finished: Study) -> None:
    path = next(finished.folder.glob(f"{CELL}/samples/*.parquet"))
    table = pq.read_table(path)
    old = finished.folder / "old.parquet"
    pq.write_table(table.drop_columns(["reasoning", "error"]), old)
    assert read_table(old, Sample).column("reasoning").null_count == table.num_rows
    assert read_rows(old, Sample) == read_rows(path, Sample)


def test_the_report_tells_the_unsampled_from_the_ungraded() -> None:
    row = {
        "label": "a",
        "problems": 100,
        "truncated_share": 0.0,
        "no_answer_share": 0.0,
        "repeats_alarm": False,
        "timeouts": 0,
        "errors": 3,
        "unsampled": 3,
    }

    def warnings(**more: int) -> list[str]:
        found = row | more
        return [words([found]) for applies, words in RESPONSE_RULES if applies(found)]

    (one,) = warnings()
    assert one.startswith("3 responses could not be sampled")
    assert "grading failed on 1 responses (0 timed out)" in warnings(errors=4)[1]
    assert warnings(errors=0, unsampled=0) == []
